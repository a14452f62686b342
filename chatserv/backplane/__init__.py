"""What links nodes: one alone, or several over a bus with the store behind it."""
