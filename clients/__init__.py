"""The programs that people run; each uses only the public names of ``chatserv.client``."""
