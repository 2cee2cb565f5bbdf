"""The page's own files, as the server and the offline bundle give them."""

from functools import cache
from importlib.resources import files
from pathlib import PurePosixPath

MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}


@cache
def page_files() -> dict[str, bytes]:
    """Return the files of the page by name; ``index.html`` is where it begins."""
    return {
        one.name: one.read_bytes()
        for one in files("review").joinpath("page").iterdir()
        if one.is_file() and PurePosixPath(one.name).suffix in MEDIA_TYPES
    }


def media_type(name: str) -> str:
    """Return the media type of one of the page's files."""
    return MEDIA_TYPES[PurePosixPath(name).suffix]
