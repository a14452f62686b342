"""``chatserv-client`` without a line editor: lines in, lines out, and runs for scripts."""
