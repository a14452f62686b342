"""``chatserv-client`` for a person on a terminal: lines above, a prompt and the rooms below."""
