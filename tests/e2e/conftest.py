"""One embedded AWS with the real template, for all end-to-end tests; IAM is on, and every call is written down."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.embedded_aws import EmbeddedAws
from local.tools import REPOSITORY
from tests.e2e.film import write_film
from tests.e2e.stack import Stack

CALLS = REPOSITORY / ".storycast/calls"
"""What each test process called, for whoever looks at all of it afterwards."""


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    state_dir = tmp_path_factory.mktemp("aws")
    try:
        with EmbeddedAws(state_dir, watched=True) as aws:
            yield Stack(aws)
    finally:
        CALLS.mkdir(parents=True, exist_ok=True)
        if (written := state_dir / "gateway.jsonl").exists():
            shutil.copy(written, CALLS / f"{os.getpid()}.jsonl")


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of 12 seconds and six shots with two figures in turn."""
    return write_film(tmp_path_factory.mktemp("films") / "Über den Fluß 100%.mp4")
