"""One's own history as a file: written with what proves it, and read on another device. Below the library's face."""
