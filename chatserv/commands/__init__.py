"""What a session may ask of the server: one table, one module of handlers a group."""
