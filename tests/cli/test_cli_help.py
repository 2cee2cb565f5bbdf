"""Help texts, and the page that repeats them."""

import re
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cli.main import app

PAGE = Path(__file__).parents[2] / "docs" / "command.md"


def commands() -> dict[str, list[str]]:
    """Return each command with its long options, as typer knows them."""
    root = typer.main.get_command(app)
    found: dict[str, list[str]] = {}

    def visit(command: object, words: list[str]) -> None:
        below = getattr(command, "commands", None)
        if below:
            for name, inner in below.items():
                visit(inner, [*words, name])
            return
        found[" ".join(words)] = [
            option
            for parameter in command.params  # type: ignore[attr-defined]
            for option in parameter.opts
            if option.startswith("--")
        ]

    visit(root, [])
    return found


def test_the_page_lists_every_command_and_option() -> None:
    page = PAGE.read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `storycast ([a-z0-9 -]+?)(?: [A-Z\[].*?)?` \|.*\| (.*) \|$", page, re.MULTILINE))
    assert {name: re.findall(r"--[a-z-]+", cell) for name, cell in rows.items()} == {
        name: [option for option in options if option not in ("--help", "--verbose")]
        for name, options in commands().items()
    }


def test_the_page_lists_the_exit_codes_of_the_help() -> None:
    page = PAGE.read_text(encoding="utf-8")
    said = CliRunner().invoke(app, ["--help"]).stdout
    in_help = re.findall(r"(\d+) ", said.partition("Exit codes: ")[2])
    assert in_help == re.findall(r"^\| (\d+) \|", page, re.MULTILINE)


@pytest.mark.parametrize("name", commands())
def test_help_has_examples_and_no_control_codes(name: str) -> None:
    result = CliRunner().invoke(app, [*name.split(), "--help"], env={"COLUMNS": "100"})
    assert result.exit_code == 0
    assert re.search(rf"Examples?:\n +storycast {name}", result.stdout)
    assert "\x1b" not in result.stdout


def test_version() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert result.exit_code == 0
    assert re.fullmatch(r"storycast \d+\S*\n", result.stdout)
