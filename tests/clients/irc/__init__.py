"""Tests of the IRC side of a client."""
