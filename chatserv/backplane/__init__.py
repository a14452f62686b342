"""What links nodes; one node for now."""
