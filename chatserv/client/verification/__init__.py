"""What is checked before anything is believed."""
