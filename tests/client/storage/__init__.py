"""What a device remembers."""
