"""The child process that samples the machine, and its supervision."""
