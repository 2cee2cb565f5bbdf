"""What must not stand in a log: tokens, signatures, keys, captions and pictures; and where to look for it."""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SHORTEST_CAPTION = 25
"""Below this many characters a caption may be a word that a log has for other reasons."""

SHAPES = {
    "a presigned URL's signature": re.compile(r"X-Amz-Signature=[0-9a-fA-F]{16}|[?&]Signature=[\w%]{16}"),
    "a session token": re.compile(r"X-Amz-Security-Token=\w{16}|aws_session_token\W{1,4}\w{16}", re.IGNORECASE),
    "a secret key": re.compile(r"(?:aws_)?secret_?access_?key\W{1,4}[\w/+]{16}", re.IGNORECASE),
    "an access key": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{12,}\b"),
    "a task token": re.compile(r"task_?token\W{1,4}[\w+/=-]{16}", re.IGNORECASE),
    "bytes of a picture": re.compile(r"(?:/9j/|iVBORw0KGgo)[A-Za-z0-9+/]{60}|\xff\xd8\xff|\\xff\\xd8\\xff"),
    "base64 of something large": re.compile(r"[A-Za-z0-9+/]{300}"),
}
"""What it looks like, whoever made it."""


@dataclass(frozen=True)
class Found:
    """A secret in a log; the text that is shown of it does not hold it."""

    log: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.log}, line {self.line}: {self.what}"


def look(log: Path, known: dict[str, set[str]]) -> Iterator[Found]:
    """Yield what a log holds of these shapes and of these very texts.

    Args:
        log: A file of lines.
        known: Secret texts that there were, by what they are.
    """
    with log.open(encoding="utf-8", errors="surrogateescape") as lines:
        for number, line in enumerate(lines, 1):
            for what, shape in SHAPES.items():
                if shape.search(line):
                    yield Found(log.name, number, what)
            for what, texts in known.items():
                if any(text in line for text in texts):
                    yield Found(log.name, number, what)


def known(*left: Path) -> dict[str, set[str]]:
    """Read the secret texts that test processes left: those that they met."""
    secrets: dict[str, set[str]] = {}
    for path in left:
        for what, texts in json.loads(path.read_text("utf-8")).items():
            # A run that workers review waits with no token at all.
            secrets.setdefault(what, set()).update(text for text in texts if text)
    captions = {text for text in secrets.get("a caption", set()) if len(text) >= SHORTEST_CAPTION}
    # In JSON a caption with a quote or an umlaut is written otherwise.
    written = captions | {json.dumps(text)[1:-1] for text in captions}
    return {**secrets, "a caption": written}


def secret_of(function_arn: str, role_arn: str) -> str:
    """Return the secret key that the emulator gives a function: it makes it as it makes the access key."""
    digest = hashlib.sha256(f"{function_arn}:{role_arn}".encode()).hexdigest()
    return hashlib.sha256(f"secret:{digest}".encode()).hexdigest()
