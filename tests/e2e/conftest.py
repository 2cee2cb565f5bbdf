"""One embedded AWS with the real template, for all end-to-end tests; IAM is on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.embedded_aws import EmbeddedAws
from tests.e2e.film import write_film
from tests.e2e.stack import Stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with EmbeddedAws(tmp_path_factory.mktemp("aws")) as aws:
        yield Stack(aws)


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of 12 seconds and six shots with two figures in turn."""
    return write_film(tmp_path_factory.mktemp("films") / "Über den Fluß 100%.mp4")
