"""The `storycast` command, in this process, on the stack that a test has."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from cli.target import Target, target_of
from tests.e2e.stack import Stack


def have_commands_work_on(stack: Stack, monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    """Have modules of `cli` find the stack, whatever target they look for."""
    endpoints = stack.aws.endpoints
    target = target_of("local", "a test", stack.aws.outputs, stack.aws.client, standins_url=endpoints.standins)

    @contextmanager
    def opened(*_: Any) -> Iterator[Target]:
        yield target

    for module in modules:
        monkeypatch.setattr(f"cli.{module}.opened", opened)
