"""Changes of rooms that we make."""
