"""The figures of a server, and where they are served."""
