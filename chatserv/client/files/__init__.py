"""Files: sealed and sent, received, opened and saved."""
