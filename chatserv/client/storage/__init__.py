"""What a device remembers: one SQLite file for each account, in its profile's directory."""
