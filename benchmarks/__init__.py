"""Measurements that the documents quote. Each prints a table and ends with one line of JSON."""
