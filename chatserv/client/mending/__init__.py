"""What a client does when its server was restored from a backup."""
