"""Pure functions over ``cryptography``, shared by both ends."""
