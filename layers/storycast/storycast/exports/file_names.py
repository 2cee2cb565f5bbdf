"""Names of files and folders that every system takes: Windows, macOS and Linux, whatever their letters' case."""

import re
import unicodedata

MAX_LENGTH = 100
"""Characters; with the folders above it a path stays below the 260 that Windows takes."""
MAX_BYTES = 200
"""Of UTF-8, with room for what ends it: Linux takes 255, which are 85 letters of some scripts."""
_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f-\x9f]')
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)", re.IGNORECASE)
"""Names that Windows keeps for devices, whatever ends them."""


def safe_name(text: str, *, max_length: int = MAX_LENGTH) -> str:
    """Return ``text`` as the name of a file or folder; letters of any script stay.

    Args:
        text: Any text; what no system takes in a name becomes an underscore.
        max_length: Characters at most.
    """
    name = unicodedata.normalize("NFC", text)
    name = "".join(one if one.isprintable() else "_" for one in _FORBIDDEN.sub("_", name))
    name = _shortened(name.strip(), max_length).strip().rstrip(". ")
    if not name or _DEVICES.fullmatch(name.split(".")[0].rstrip()):
        name = f"_{name}"[:max_length]
    return name


def _shortened(name: str, max_length: int) -> str:
    """Return as much of the beginning as has so many characters, and all of them within the bytes."""
    return name[:max_length].encode()[: MAX_BYTES - (MAX_LENGTH - max_length)].decode(errors="ignore")


class FileNames:
    """Gives each thing of one folder a name of its own; two that differ in case alone are taken for one."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, stem: str, suffix: str = "") -> str:
        """Return a safe name for a file with this stem and suffix (with its dot), and keep it.

        The stem alone tells names apart, so that files that lie beside one another may share it.
        """
        safe = safe_name(stem, max_length=MAX_LENGTH - len(suffix))
        name, number = safe, 1
        while _folded(name) in self._taken:
            number += 1
            end = f"-{number}"
            name = f"{safe[: MAX_LENGTH - len(suffix) - len(end)]}{end}"
        self._taken.add(_folded(name))
        return name + suffix

    def take_picture(self, file_name: str) -> str:
        """Return a safe name for a picture that is called ``file_name``, and keep it."""
        stem, dot, suffix = file_name.rpartition(".")
        return self.take(stem, f".{safe_name(suffix.lower(), max_length=10)}") if dot else self.take(file_name)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name.casefold())
