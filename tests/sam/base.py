"""The base image of functions: AWS's own where a registry can be reached, else a stand-in made here."""

import os
import platform
import re
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from local.tools import REPOSITORY
from tests.sam.commands import CommandError, run
from tests.sam.engine import Engine

REGISTRY = "public.ecr.aws"
IMAGE = f"{REGISTRY}/lambda/python:3.13"
"""What the Dockerfile names. SAM adds the architecture for zip functions and layers."""
DOCKERFILE = "functions/sample_frames/Dockerfile"
HERE = Path(__file__).parent / "base"
ARCHITECTURES = {"x86_64": "x86_64", "amd64": "x86_64", "arm64": "arm64", "aarch64": "arm64"}
_REACH_S = 4


@dataclass(frozen=True)
class Base:
    """The base image in use.

    Attributes:
        stand_in: Whether it is ours, made of this machine's own programs.
        said: What to tell the reader of the test's output.
        tags: Tags that were not there before, to be removed at the end.
    """

    stand_in: bool
    said: str
    tags: tuple[str, ...]


def architecture() -> str:
    """Return this machine's instruction set as Lambda calls it."""
    return ARCHITECTURES[platform.machine().lower()]


def provide(engine: Engine) -> Base:
    """Put the base image into an engine.

    Raises:
        CommandError: It could neither be pulled nor made.
    """
    tags = (IMAGE, f"{IMAGE}-{architecture()}")
    wanted = tuple(tag for tag in tags if not engine.docker("image", "ls", "--quiet", tag).strip())
    if not wanted:
        return Base(False, f"AWS's own, as the engine had it: {_digest(engine)}", ())
    why = _unreachable()
    if not why:
        try:
            for tag in wanted:
                engine.docker("pull", "--quiet", tag, timeout_s=600)
        except CommandError as error:
            why = str(error).strip().splitlines()[-1]
        else:
            return Base(False, f"AWS's own, pulled: {_digest(engine)}", ())
    _build(engine, tags)
    return Base(True, f"a STAND-IN made of this machine's programs, not Amazon Linux 2023 ({why})", wanted)


def template(base: Base, folder: Path) -> Path:
    """Return the template to build: ours, or a copy whose Dockerfile names a stand-in, which has no digest."""
    ours, dockerfile = REPOSITORY / "template.yaml", REPOSITORY / DOCKERFILE
    without_digest, pinned = re.subn(r"^(FROM [^@\s]+)@sha256:\w+$", r"\1", dockerfile.read_text(), flags=re.M)
    if not pinned or not base.stand_in:
        return ours
    (folder / "Dockerfile").write_text(without_digest)
    copy = folder / "template.yaml"
    own = (folder / "Dockerfile").relative_to(REPOSITORY)
    copy.write_text(ours.read_text().replace(f"Dockerfile: {DOCKERFILE}", f"Dockerfile: {own}"))
    return copy


def _digest(engine: Engine) -> str:
    return engine.docker("image", "inspect", "--format", "{{index .RepoDigests 0}}", IMAGE).strip()


def _unreachable() -> str:
    """Return why the registry cannot be reached; empty where it can, or where a proxy would have to tell."""
    if os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy"):
        return ""
    try:
        socket.create_connection((REGISTRY, 443), timeout=_REACH_S).close()
    except OSError as error:
        return f"{REGISTRY} cannot be reached: {error}"
    return ""


def _build(engine: Engine, tags: tuple[str, ...]) -> None:
    if (architecture(), sys.platform) != ("x86_64", "linux"):
        raise CommandError(f"{IMAGE} cannot be pulled, and the stand-in for it is made on x86_64 Linux alone.")
    certificates = (os.environ.get(name) for name in ("PIP_CERT", "SSL_CERT_FILE"))
    run(
        [HERE / "build_base.sh", sys.base_prefix, *tags],
        env={
            **engine.env,
            "RIE": str(next(REPOSITORY.glob(".tools/sam/lib/*/site-packages/samcli/local/rapid/*-x86_64"))),
            "UV": str(REPOSITORY / ".tools/uv/bin/uv"),
            "RUNTIME": str(REPOSITORY / "requirements/lambda.txt"),
            "CA": next((path for path in certificates if path and Path(path).is_file()), ""),
        },
    )
