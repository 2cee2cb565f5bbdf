"""The embedded AWS: the real template, whole, on this machine."""
