"""The library that every client uses."""
