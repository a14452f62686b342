"""Events that come in, from the wire to the program."""
