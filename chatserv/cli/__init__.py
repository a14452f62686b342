"""The command ``chatserv``: for operators, on the machine of the server."""
