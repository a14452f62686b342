"""What a client knows: its rooms, the log, the pins."""
