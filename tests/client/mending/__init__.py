"""Tests of `chatserv.client.mending`, and of mending as a whole."""
