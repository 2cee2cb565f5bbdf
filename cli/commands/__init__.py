"""One module per command: its options, its help, and a call of what does the work."""
