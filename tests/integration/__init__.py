"""Tests with real processes and sockets, on 127.0.0.1 alone."""
