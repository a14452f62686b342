"""Tests of the cryptography, from the primitives up."""
