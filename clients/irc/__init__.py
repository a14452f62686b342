"""``chatserv-irc``: an IRC server on loopback, for one account, as a face of the client that runs."""
