"""The runbook is complete and true: errors, where they come from, commands, links."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
from botocore import xform_name
from botocore.session import Session

from checks import raised_by, runbook
from cli.main import app
from cli.problems import BAD_INPUT, DONE, FAILED, INTERRUPTED

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/runbook.md"
AWS_HIGH_LEVEL = ("s3",)
"""Commands of AWS's command line that are no operations of a service."""
AWS_OPTIONS = {"--output", "--query", "--max-items"}
HELD_UP = ("States.Timeout", "States.DataLimitExceeded", "Lambda.Unknown", "Sandbox.Timedout", "Runtime.ExitError")
"""Names that a reader will look up whatever the definitions say."""


@cache
def page() -> str:
    return PAGE.read_text()


def section(title: str) -> str:
    """Return what stands below a heading, to the next one of the same level or above."""
    found = re.search(rf"^(#+) {re.escape(title)}\n(.*?)(?=^#{{1,3}} |\Z)", page(), re.MULTILINE | re.DOTALL)
    assert found, title
    return found[2]


def rows(text: str) -> list[list[str]]:
    """Return the cells of all rows of a text's tables, headings and rulers left out."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    heads = {number - 1 for number, line in enumerate(lines) if re.fullmatch(r"[|-]+", line)}
    return [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for number, line in enumerate(lines)
        if number not in heads and number - 1 not in heads
    ]


def named(text: str) -> list[str]:
    return [name for row in rows(text) for name in re.findall(r"`([\w.]+)`", row[0])]


def test_the_table_of_errors_is_the_sources() -> None:
    assert page() == runbook.written(page()), "run `make runbook`"


def test_each_error_has_one_row_that_says_what_to_do() -> None:
    advice = page().partition("## What to do")[2].partition("### Names of AWS")[0]
    assert sorted(named(advice)) == sorted(raised_by.leaves())
    assert all(len(row) == 3 and all(row) for row in rows(advice))


def test_the_names_of_aws_are_those_of_the_definitions() -> None:
    caught = {
        name
        for path in (ROOT / "statemachine").glob("*.asl.json")
        for names in re.findall(r'"ErrorEquals": \[(.*?)\]', path.read_text(), re.DOTALL)
        for name in json.loads(f"[{names}]")
    }
    listed = named(section("Names of AWS and of the embedded AWS"))
    assert caught - set(raised_by.leaves()) - {"States.ALL"} <= set(listed)
    assert set(HELD_UP) <= set(listed)
    assert len(listed) == len(set(listed))


def retriers(state: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the retriers of a state and of what it maps."""
    yield from state.get("Retry", ())
    for inner in state.get("ItemProcessor", {}).get("States", {}).values():
        yield from retriers(inner)


def test_what_is_throttled_is_tried_as_often_as_the_page_says() -> None:
    by_tries: dict[int, set[str]] = {}
    for path in (ROOT / "statemachine").glob("*.asl.json"):
        for name, state in json.loads(path.read_text())["States"].items():
            for retrier in retriers(state):
                if "ThrottledError" in retrier["ErrorEquals"]:
                    by_tries.setdefault(retrier["MaxAttempts"] + 1, set()).add(name)
    assert by_tries.pop(4) == {"ExtractCharacters"}
    assert set(by_tries) == {6}
    said = " ".join(section("What always holds").split())
    assert "tried up to six times within about a minute" in said
    assert "in `ExtractCharacters` up to four times" in said


def test_the_trainers_names_are_the_trainers() -> None:
    source = (ROOT / "training/trainer/errors.py").read_text()
    leaves = set(re.findall(r"^class (\w+)\(TrainerError\)", source, re.MULTILINE))
    assert set(named(section("The trainer's own names"))) == leaves


def test_the_exit_codes_are_the_commands() -> None:
    codes = [row[0] for row in rows(section("Exit codes of the command"))]
    assert codes == [str(code) for code in (DONE, FAILED, BAD_INPUT, INTERRUPTED)]


def test_each_error_that_is_named_is_there() -> None:
    known = {*raised_by.leaves(), *named(section("The trainer's own names")), "ClientError"}
    assert set(re.findall(r"`(\w+Error)`", page())) <= known


def commands(program: str) -> list[list[str]]:
    """Return the words of each command of a program, in blocks and in lines, without what is quoted."""
    blocks = re.findall(r"^```\n(.*?)^```", page(), re.MULTILINE | re.DOTALL)
    prose = re.sub(r"^```\n.*?^```", "", page(), flags=re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()] + re.findall(r"`([^`]+)`", prose)
    bare = [re.sub(r"'[^']*'|\"(\\.|[^\"\\])*\"", "QUOTED", line) for line in lines]
    return [found[1].split() for line in bare for found in re.finditer(rf"(?:^|[\s(])({program}\s[^;>|)]*)", line)]


@pytest.mark.parametrize("words", commands("storycast"), ids=" ".join)
def test_our_commands_are_there_with_their_options(words: list[str]) -> None:
    command = typer.main.get_command(app)
    rest = words[1:]
    while inner := getattr(command, "commands", None):
        assert rest[0] in inner, words
        command = inner[rest.pop(0)]
    options = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in rest if word.startswith("--")} <= options


@cache
def operations(service: str) -> dict[str, set[str]]:
    """Return a service's operations as the command line calls them, with their parameters."""
    model = Session().get_service_model({"logs": "logs", "s3api": "s3"}.get(service, service))
    found = {}
    for name in model.operation_names:
        shape = model.operation_model(name).input_shape
        members = shape.members if shape else {}
        found[xform_name(name, "-")] = {f"--{xform_name(member, '-')}" for member in members}
    return found


@pytest.mark.parametrize("words", commands("aws"), ids=" ".join)
def test_awss_commands_are_there_with_their_parameters(words: list[str]) -> None:
    service, operation, *rest = words[1:]
    if service in AWS_HIGH_LEVEL:
        assert operation in ("cp", "ls", "rm", "sync")
        return
    options = {word for word in rest if re.match(r"--[a-z]", word)}
    assert options <= operations(service)[operation] | AWS_OPTIONS


def test_there_are_commands_to_look_at() -> None:
    """A change of the page's form leaves the tests above nothing to fail on."""
    assert len(list(commands("storycast"))) > 20
    assert len(list(commands("aws"))) > 20


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\((?!https?:)([^)]+)\)", PAGE.read_text()))))
def test_each_link_leads_somewhere(target: str) -> None:
    path, _, anchor = target.partition("#")
    file = (PAGE.parent / path).resolve() if path else PAGE
    assert file.exists(), target
    headings = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE) if anchor else []
    anchors = [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]
    assert not anchor or anchor in anchors, target


def test_who_does_not_know_where_to_read_on_is_told() -> None:
    for file in ("README.md", "docs/command.md", "docs/workflow.md", "docs/report.md"):
        assert "runbook.md" in (ROOT / file).read_text(), file
