"""A conversation as it stands in the window."""
