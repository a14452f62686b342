"""Support for tests: never imported by server modules."""
