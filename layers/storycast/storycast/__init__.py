"""Storycast's domain: from footage to a reviewed dataset of a film's cast.

Everything outside :mod:`storycast.adapters` is pure: no boto3, no environment, no clock, and no randomness
without a seed. :mod:`storycast.stages` holds one module per Task state of the workflow.
"""
