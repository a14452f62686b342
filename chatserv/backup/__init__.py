"""Copies of a server: made while it runs, verified, put back; how an old one is known."""
