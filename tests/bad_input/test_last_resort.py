"""What nobody foresaw: one line for people, exit code 1, and a stack trace for those alone who ask for it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import cli.running
from cli.main import app
from cli.problems import message_of
from tests.cli.media import write_video


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Run the command, in which an error is raised that nobody foresaw."""

    def invoke(error: BaseException, *options: str) -> Any:
        def fail(*_: Any, **__: Any) -> None:
            raise error

        monkeypatch.setattr(cli.running, "check_input", fail)
        return CliRunner().invoke(app, ["run", str(write_video(tmp_path / "film.mp4")), *options])

    return invoke


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (KeyError("x"), "KeyError: 'x'."),
        (ValueError("several\n  lines"), "ValueError: several lines."),
        (RecursionError("maximum recursion depth exceeded"), "RecursionError: maximum recursion depth exceeded."),
        (MemoryError(), "MemoryError."),
        (RuntimeError("\x1b[2Jpwned"), "RuntimeError: \\x1b[2Jpwned."),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"), "UnicodeDecodeError: 'utf-8' codec can't decode"),
    ],
)
def test_an_unforeseen_error_is_one_line(run: Callable[..., Any], error: Exception, told: str) -> None:
    result = run(error)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith(f"Error: {told}")
    assert result.stderr.strip().endswith("Run again with --verbose to see where.")
    assert "Traceback" not in result.stderr
    assert "\x1b" not in result.stderr


def test_the_stack_trace_is_shown_to_those_who_ask(run: Callable[..., Any]) -> None:
    result = run(KeyError("x"), "--verbose")
    assert result.exit_code == 1
    assert "Traceback (most recent call last)" in result.stderr
    assert result.stdout == ""
    assert "Error: KeyError: 'x'." in result.stderr
    assert "--verbose" not in result.stderr.splitlines()[-1]


def test_an_interruption_is_told_and_has_its_own_code(run: Callable[..., Any]) -> None:
    result = run(KeyboardInterrupt())
    assert (result.exit_code, result.stderr.strip()) == (130, "Error: Interrupted.")


def test_a_functions_stack_trace_is_not_told() -> None:
    cause = json.dumps(
        {
            "errorMessage": "film.mp4 is empty.",
            "errorType": "FootageUnreadableError",
            "stackTrace": ['  File "/var/task/app.py", line 29, in handler\n'],
        }
    )
    assert message_of(cause) == "film.mp4 is empty."
