"""Which networks are configured, and how far each is read."""
