"""Pins the base image of each Dockerfile by its digest, as the registry has it now.

`.venv/bin/python checks/pin_images.py DOCKERFILE...` needs Docker's buildx and a network that reaches the
registries. The digest is that of the list of all architectures, so that one line holds for both of Lambda's.
"""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

FROM = re.compile(r"^FROM (?P<image>[^\s@]+)(?:@sha256:[0-9a-f]{64})?$", re.MULTILINE)
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class NoDigestError(Exception):
    """No registry told an image's digest; nothing was changed."""


def pinned(dockerfile: str, digest_of: Callable[[str], str]) -> str:
    """Return a Dockerfile with the newest digest behind the tag of its base image.

    Raises:
        NoDigestError: There is no base image, or what came back for it is no digest.
    """

    def with_digest(line: re.Match[str]) -> str:
        digest = digest_of(line["image"])
        if not DIGEST.fullmatch(digest):
            raise NoDigestError(f"{line['image']}: {digest or 'nothing'!a} is no digest.")
        return f"FROM {line['image']}@{digest}"

    changed, count = FROM.subn(with_digest, dockerfile)
    if not count:
        raise NoDigestError("There is no line FROM IMAGE:TAG.")
    return changed


def ask_registry(image: str) -> str:
    """Return an image's digest, by Docker.

    Raises:
        NoDigestError: Docker or the registry says none.
    """
    asked = ["docker", "buildx", "imagetools", "inspect", "--format", "{{.Manifest.Digest}}", image]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=120)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoDigestError(f"{image}: {error}") from None
    if done.returncode:
        raise NoDigestError(f"{image}: {(done.stderr.strip().splitlines() or ['Docker said nothing'])[0]}.")
    return done.stdout.strip()


def main(paths: list[str]) -> int:
    """Pin all Dockerfiles, or none where one digest is missing; return the exit code."""
    try:
        changed = {Path(path): pinned(Path(path).read_text(), ask_registry) for path in paths}
    except NoDigestError as error:
        print(f"Nothing was pinned. {error} It needs Docker's buildx, and a network that reaches the registry.")
        return 1
    for path, content in changed.items():
        path.write_text(content)
        print(f"{path} is pinned.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
