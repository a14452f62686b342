"""Several programs with one profile: whoever holds it serves the others over a private socket."""
