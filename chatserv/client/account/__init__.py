"""Who we are to the server: keys, profile, registration."""
