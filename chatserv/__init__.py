"""Private team chat: the server, and the library that its clients share."""
