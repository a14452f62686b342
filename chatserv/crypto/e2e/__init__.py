"""What makes and opens end-to-end encrypted messages: devices only; the server cannot import it (CRYPTO sections 7 to 9)."""
