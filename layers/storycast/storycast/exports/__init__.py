"""Exports: a dataset as the folder that a trainer reads. One module a format; the files are written elsewhere."""
