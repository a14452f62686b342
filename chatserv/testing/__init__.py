"""Support for tests and demonstrations: never imported by server modules.

For tests of your own programs: `chatserv.testing.world.World`, a whole server in memory with people who talk.
"""
