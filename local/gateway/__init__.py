"""A reverse proxy before the embedded AWS: it writes down each call, and does wrong what tests ask for.

It is off unless asked for, `EmbeddedAws(..., watched=True)`: then all that looks for AWS finds it, the functions
included, by the same variables as before.
"""
