"""Stands in for the trainer in tests of the command: it reads and writes the files, and learns nothing."""
