"""The version of the command."""

import importlib.metadata


def version() -> str:
    """Return the version of the command."""
    try:
        return importlib.metadata.version("storycast")
    except importlib.metadata.PackageNotFoundError:
        return "0+unknown"
