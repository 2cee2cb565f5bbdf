"""The template and the state machines as the tests read them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]


class _TemplateLoader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as their long ones: ``!Ref X`` as ``{"Ref": "X"}``."""


def _long_form(loader: _TemplateLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        if suffix == "GetAtt":
            value = value.split(".")
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


_TemplateLoader.add_multi_constructor("!", _long_form)


@cache
def template() -> dict[str, Any]:
    """Return the template with the globals still apart."""
    loaded: dict[str, Any] = yaml.load((ROOT / "template.yaml").read_text(), _TemplateLoader)
    return loaded


def resources(kind: str) -> dict[str, Any]:
    """Return the resources of one type by logical id."""
    return {name: one for name, one in template()["Resources"].items() if one["Type"] == kind}


@dataclass(frozen=True)
class State:
    """A state with the names of the states that it lies in, outermost first."""

    machine: str
    path: tuple[str, ...]
    body: dict[str, Any]

    @property
    def name(self) -> str:
        return self.path[-1]

    def __str__(self) -> str:
        return "/".join((self.machine, *self.path))


@cache
def machines() -> dict[str, dict[str, Any]]:
    """Return each state machine's definition by its file's first name."""
    found = {
        path.name.removesuffix(".asl.json"): json.loads(path.read_text())
        for path in sorted((ROOT / "statemachine").glob("*.asl.json"))
    }
    assert found
    return found


def states() -> list[State]:
    """Return every state of every machine, children of maps included."""
    return [state for name, body in machines().items() for state in _walk(name, (), body)]


def scopes() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every graph: each machine and each map's inner machine."""
    for name, body in machines().items():
        yield name, body
        for state in _walk(name, (), body):
            if state.body["Type"] == "Map":
                yield str(state), state.body["ItemProcessor"]


def _walk(machine: str, path: tuple[str, ...], body: dict[str, Any]) -> Iterator[State]:
    for name, state in body["States"].items():
        yield State(machine, (*path, name), state)
        for inner in [*state.get("Branches", ()), *([state["ItemProcessor"]] if "ItemProcessor" in state else [])]:
            yield from _walk(machine, (*path, name), inner)
