"""What we say, until it is in its room."""
