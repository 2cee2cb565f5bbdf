"""One embedded AWS with the real template, for all end-to-end tests; IAM is on, and every call is written down."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.embedded_aws import EmbeddedAws
from tests.e2e.film import write_film
from tests.e2e.left import keep_files, keep_logs, keep_secrets
from tests.e2e.stack import Stack

_HERE = Path(__file__).parent

LONGEST_FIRST = (
    "test_training",
    "test_killed",
    "test_restart",
    "test_build_dataset",
    "test_methods",
    "test_faults",
    "test_review",
    "test_a2i",
    "test_review_page",
    "test_money",
    "test_recovery",
    "test_at_once",
)
"""Files that take more than half a minute, as they are begun; all others come after them."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest file: one process does it whole, and the others must not wait for it at the end."""
    rank = {name: number for number, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: rank.get(item.path.stem, len(rank)) if item.path.parent == _HERE else -1)


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    state_dir = tmp_path_factory.mktemp("aws")
    suite = "training" if request.config.option.markexpr == "training" else "e2e"
    with EmbeddedAws(state_dir, watched=True) as aws:
        yield Stack(aws)
        keep_logs(aws, suite)
        keep_secrets(aws, suite)
    keep_files(state_dir, suite)


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of 12 seconds and six shots with two figures in turn."""
    return write_film(tmp_path_factory.mktemp("films") / "Über den Fluß 100%.mp4")
