"""One deployment that knows itself: its name, its schema ids, what must stand before a record flows."""
