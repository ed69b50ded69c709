"""ownership_changed -> projections, from the topic alone."""
