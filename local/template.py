"""Turns the real template into the one that the emulator runs. Every difference is made in this module.

`docs/local-vs-aws.md` lists the differences with the test that covers each.
"""

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from local.standins.a2i_world import BUILT_IN_ARN
from local.tools import Tools

#: Default of each setting that bounds a Distributed Map, by the last name in its `MaxConcurrencyPath`.
DEFAULT_CONCURRENCY = {"segments": 8, "frames": 20, "captions": 4}
#: What a timeout becomes that is read from a path: a wait for people is looked at again every minute.
LITERAL_TIMEOUT_SECONDS = 60
#: Source of the events that stand in for Amazon A2I's.
A2I_STANDIN_SOURCE = "storycast.a2i"

#: Values of the template's parameters here, where it has them.
PARAMETERS = {"A2iFlowDefinitionArn": BUILT_IN_ARN, "SageMakerTraining": "on"}

_COPY = re.compile(r"^COPY[ \t]+(?!--from)(?:--\S+[ \t]+)*(?P<paths>\S.*)$", re.MULTILINE)
#: The base image's work folder is the task root, so relative targets are below it.
_TASK_ROOT = re.compile(r"^(?:\$\{?LAMBDA_TASK_ROOT\}?(?=/|$)|/var/task(?=/|$)|(?![/$]))")


@dataclass(frozen=True)
class Code:
    """What one function's local package is made of.

    Attributes:
        copies: Files and folders, and where they go below the task root ("" is the root itself).
        layers: Folders of the layers it lists, in order.
        requirements: Folders with installed requirements.
    """

    copies: tuple[tuple[Path, str], ...]
    layers: tuple[Path, ...]
    requirements: tuple[Path, ...]


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms (`!Sub`) as the long ones, and dates as the text they are."""

    def intrinsic(self, suffix: str, node: yaml.Node) -> dict[str, Any]:
        value: Any
        if isinstance(node, yaml.ScalarNode):
            value = self.construct_scalar(node)
        elif isinstance(node, yaml.SequenceNode):
            value = self.construct_sequence(node, deep=True)
        else:
            assert isinstance(node, yaml.MappingNode)  # noqa: S101 -- YAML has these three kinds
            value = self.construct_mapping(node, deep=True)
        if suffix == "GetAtt" and isinstance(value, str):
            value = value.split(".", 1)
        return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _Loader.intrinsic)
_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class LocalTemplate:
    """The local form of a SAM template.

    Args:
        path: The real template.
        tools: Where the installed requirements of layers and image are.
        cores: Processors to plan concurrency for; this machine's when None.

    Attributes:
        document: The template, without `CodeUri` and `DefinitionUri`, which `write` fills in.
        functions: Each function's code, by logical id.
        machines: Each state machine's definition, by logical id.
        parameters: Values for its parameters, where their defaults will not do here.
    """

    def __init__(self, path: Path, tools: Tools, cores: int | None = None) -> None:
        self._root = path.resolve().parent
        self._tools = tools
        self._parallel = 2 * (cores or os.cpu_count() or 1)
        self.document = read_template(path)
        self.functions: dict[str, Code] = {}
        self.machines: dict[str, Any] = {}
        known = self.document.get("Parameters", {})
        self.parameters = {name: value for name, value in PARAMETERS.items() if name in known}
        shared = self.document.get("Globals", {}).get("Function", {})
        layers = self._take_layers()
        for logical_id, resource in self.document["Resources"].items():
            if resource["Type"] == "AWS::Serverless::Function":
                self.functions[logical_id] = self._localize_function(resource, shared, layers)
            elif resource["Type"] == "AWS::Serverless::StateMachine":
                self.machines[logical_id] = self._localize_machine(resource)
        for name in ("Runtime", "Handler", "Layers", "Architectures"):
            shared.pop(name, None)
        _each_object(self.document["Resources"], self._localize_pattern)
        self._allow_plain_http()
        self._let_services_assume_roles()
        _each_object(self.document["Resources"], self._localize_statement)

    def _take_layers(self) -> dict[str, Path]:
        """Take the layers out of the template: a bootstrap of ours finds them itself, by its PYTHONPATH."""
        resources = self.document["Resources"]
        layers = {
            logical_id: self._root / resource["Properties"]["ContentUri"]
            for logical_id, resource in resources.items()
            if resource["Type"] == "AWS::Serverless::LayerVersion"
        }
        for logical_id in layers:
            del resources[logical_id]
        return layers

    def _localize_function(
        self, resource: dict[str, Any], shared: dict[str, Any], layers: dict[str, Path]
    ) -> Code:
        """Make a function one that starts its own runtime client.

        The emulator's built-in Python worker turns the class name of every exception into
        `Runtime.HandlerError`, which no Retry or Catch of ours names; container images need Docker.
        """
        properties = resource["Properties"]
        if properties.get("PackageType", shared.get("PackageType")) == "Image":
            code = Code(
                copies=tuple(self._image_copies(resource["Metadata"])),
                layers=(),
                requirements=(self._tools.layer("image"),),
            )
            properties["Handler"] = properties["ImageConfig"]["Command"][0]
        else:
            listed = [*shared.get("Layers", ()), *properties.get("Layers", ())]
            folders = tuple(layers[reference["Ref"]] for reference in listed if reference.get("Ref") in layers)
            code = Code(
                copies=((self._root / properties.get("CodeUri", shared.get("CodeUri", ".")), ""),),
                layers=folders,
                requirements=tuple(
                    self._tools.layer(folder.name) for folder in folders if (folder / "requirements.txt").exists()
                ),
            )
            properties.setdefault("Handler", shared.get("Handler"))
        for name in ("PackageType", "ImageUri", "ImageConfig", "Layers", "CodeUri", "Architectures"):
            properties.pop(name, None)
        resource.pop("Metadata", None)
        properties["Runtime"] = "provided.al2023"
        return code

    def _image_copies(self, metadata: dict[str, Any]) -> list[tuple[Path, str]]:
        """Do what the image's Dockerfile copies into the task root."""
        context = self._root / metadata["DockerContext"]
        copies = []
        for match in _COPY.finditer((context / metadata["Dockerfile"]).read_text()):
            *sources, target = match["paths"].split()
            if not (in_task_root := _TASK_ROOT.match(target)):
                continue  # requirements, which `make setup` has installed
            for source in sources:
                below = Path(target[in_task_root.end() :].strip("/"))
                if (context / source).is_file() and below.name == Path(source).name:
                    below = below.parent  # a file copied to a named file, not into a folder
                copies.append((context / source, str(below)))
        return copies

    def _localize_machine(self, resource: dict[str, Any]) -> Any:
        definition = json.loads((self._root / resource["Properties"].pop("DefinitionUri")).read_text())
        _each_object(definition, self._localize_state)
        return definition

    def _localize_state(self, state: dict[str, Any]) -> None:
        """Write out what the emulator ignores when it comes from a path."""
        if path := state.pop("MaxConcurrencyPath", None):
            state["MaxConcurrency"] = DEFAULT_CONCURRENCY.get(path.rpartition(".")[2], self._parallel)
        if state.get("MaxConcurrency"):
            # Each child has a Lambda process of its own, all on this one machine.
            state["MaxConcurrency"] = min(state["MaxConcurrency"], self._parallel)
        for name in ("TimeoutSeconds", "HeartbeatSeconds"):
            if state.pop(f"{name}Path", None):
                state[name] = LITERAL_TIMEOUT_SECONDS
        for name in ("ToleratedFailurePercentage", "ToleratedFailureCount"):
            if state.pop(f"{name}Path", None):
                # The reducer counts what was lost; none of our maps fails on it.
                state["ToleratedFailurePercentage"] = 100

    def _allow_plain_http(self) -> None:
        """Drop the denial of unencrypted calls: the emulator enforces it, and speaks HTTP, on loopback."""
        resources = self.document["Resources"]
        for logical_id, resource in list(resources.items()):
            policy = resource.get("Properties", {}).get("PolicyDocument")
            if isinstance(policy, dict) and isinstance(policy.get("Statement"), list):
                policy["Statement"] = [rule for rule in policy["Statement"] if not _asks_for_tls(rule)]
                if not policy["Statement"]:  # a policy must say something
                    del resources[logical_id]

    def _let_services_assume_roles(self) -> None:
        """Drop what a service's trust is bound to: here nobody can say on whose behalf a service calls."""
        shared = self.document.get("Globals", {}).get("Function", {})
        for properties in (shared, *(one.get("Properties", {}) for one in self.document["Resources"].values())):
            for statement in properties.get("AssumeRolePolicyDocument", {}).get("Statement", ()):
                if "Service" in statement.get("Principal", {}):
                    statement.pop("Condition", None)

    @staticmethod
    def _localize_statement(statement: dict[str, Any]) -> None:
        """Let task tokens be answered: the emulator asks for the right on every resource, AWS on the machine."""
        if statement.get("Effect") == "Allow" and statement.get("Action") == "states:SendTaskSuccess":
            statement["Resource"] = "*"

    @staticmethod
    def _localize_pattern(pattern: dict[str, Any]) -> None:
        """Let a rule on A2I's events match the stand-in's: `PutEvents` refuses `aws.*` sources, as on AWS."""
        sources = pattern.get("source")
        if isinstance(sources, list) and "aws.sagemaker" in sources:
            sources.append(A2I_STANDIN_SOURCE)


def read_template(path: Path) -> dict[str, Any]:
    """Read a template; CloudFormation's short forms become the long ones."""
    document: dict[str, Any] = yaml.load(path.read_text(), _Loader)  # noqa: S506 -- a SafeLoader
    return document


def _asks_for_tls(rule: dict[str, Any]) -> bool:
    condition = rule.get("Condition", {}).get("Bool", {}).get("aws:SecureTransport")
    return rule["Effect"] == "Deny" and str(condition).lower() == "false"


def _each_object(value: Any, visit: Callable[[dict[str, Any]], None]) -> None:
    """Call `visit` for every object in a JSON value, outermost first."""
    if isinstance(value, dict):
        visit(value)
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            _each_object(item, visit)
