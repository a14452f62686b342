"""What reads bytes of others, given bytes that nobody meant: targets, and what was found worth keeping for each."""
