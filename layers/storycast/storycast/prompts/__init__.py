"""The texts that models are asked with, as files that people can read."""
