"""Programs to begin one's own from."""
