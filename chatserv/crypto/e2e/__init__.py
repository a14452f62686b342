"""What makes and opens end-to-end encrypted messages: devices only; the server cannot import it.

See docs/rooms.rst 5 to 7.
"""
