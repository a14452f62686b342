"""How a person goes from device to device: backup, recovery, approval, coming into one's rooms."""
