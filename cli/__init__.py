"""The `storycast` command: checks input, starts runs, follows them and brings their results home."""
