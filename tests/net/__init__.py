"""Tests of the server's Twisted edge."""
