"""The template of a caption's prompt, which users may replace: read strictly, filled in at one go."""

import re
import unicodedata
from collections.abc import Mapping
from importlib.resources import files

from storycast.errors import SettingsInvalidError

PLACEHOLDERS = ("cast", "in_picture", "words", "examples")
NEEDED = ("in_picture", "words")
"""Placeholders that a template must have: who is in the picture, and how long the caption shall be."""

MAX_TEMPLATE_BYTES = 16 * 1024
"""It is paid for with every picture."""

MAX_TOKENS = 400
"""Of an answer: room for 150 words in JSON; one that needs more is not what was asked for."""

_BRACES = re.compile(r"\{\{|\}\}|\{[^{}\n]*\}|[{}]")
_PLACEHOLDER = {f"{{{name}}}": name for name in PLACEHOLDERS}
_HINT = (
    "Use {cast}, {in_picture}, {words} and {examples} just as they stand here, "
    "and write {{ and }} for braces that stay."
)


def default_template() -> str:
    """Return the template that holds where a project names none."""
    return packaged("caption_user")


def packaged(name: str) -> str:
    """Return one of the texts in ``prompts/``."""
    return files("storycast.prompts").joinpath(f"{name}.txt").read_text(encoding="utf-8").strip()


def read_template(content: bytes, source: str) -> str:
    """Read a prompt that a user wrote.

    Args:
        content: The file.
        source: Its name or key, for the error message.

    Returns:
        A template that can be filled in.

    Raises:
        SettingsInvalidError: It can't be used. The message names the file, each line at fault, and what to do.
    """
    if len(content) > MAX_TEMPLATE_BYTES:
        raise SettingsInvalidError(
            f"{source} has {len(content):,} bytes; a prompt has at most {MAX_TEMPLATE_BYTES:,}, since it is paid "
            "for with every picture. Shorten it."
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise SettingsInvalidError(f"{source}, line {line}: this is not UTF-8. Save the file as UTF-8.") from None
    text = text.replace("\r\n", "\n")
    found = [
        f"line {number}: {problem}"
        for number, line in enumerate(text.split("\n"), 1)
        for problem in _problems_of_line(line)
    ]
    named = {_PLACEHOLDER[part] for part in _BRACES.findall(text) if part in _PLACEHOLDER}
    missing = [f"{{{name}}}" for name in NEEDED if name not in named]
    if missing:
        found.append(f"{' and '.join(missing)} must stand in it")
    if found:
        raise SettingsInvalidError(
            f"{source}: {'; '.join(found)}. {_HINT} `storycast prompt` prints a prompt to begin with."
        )
    return text.strip()


def filled(template: str, values: Mapping[str, str]) -> str:
    """Fill in a template at one go: what is filled in is never looked at for placeholders."""

    def value(found: re.Match[str]) -> str:
        part = found.group()
        return part[0] if part in {"{{", "}}"} else values[part[1:-1]]

    return _BRACES.sub(value, template)


def _problems_of_line(line: str) -> list[str]:
    known = {"{{", "}}", *_PLACEHOLDER}
    problems = [f"'{part}' is no placeholder" for part in _BRACES.findall(line) if part not in known]
    if any(unicodedata.category(sign) == "Cc" and sign != "\t" for sign in line):
        problems.append("it has a control character")
    return problems
