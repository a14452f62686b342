"""``chatserv-tk``: the window, on Tk and Twisted's reactor together."""
