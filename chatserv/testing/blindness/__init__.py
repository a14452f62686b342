"""``make prove-blind``: what people write is nowhere on the server."""
