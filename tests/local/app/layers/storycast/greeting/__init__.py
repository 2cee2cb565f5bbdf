"""The test application's layer."""


class NameMissingError(Exception):
    """An item has no name."""


def greet(name: str) -> str:
    return f"Hello {name}"
