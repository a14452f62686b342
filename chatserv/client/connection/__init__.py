"""One session at a time with the server."""
