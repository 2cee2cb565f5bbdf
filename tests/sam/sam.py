"""AWS SAM's command line, as a person would use it: `sam build`, then `sam local invoke`."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from local.tools import REPOSITORY, Tools
from tests.sam.base import architecture
from tests.sam.commands import CommandError, run
from tests.sam.engine import Engine


class InvocationError(Exception):
    """A function gave no answer at all; the message holds what sam said."""


@dataclass(frozen=True)
class Answer:
    """What a function answered.

    Attributes:
        payload: Its JSON.
        log: What it and sam wrote beside it.
    """

    payload: Any
    log: str

    @property
    def error(self) -> str:
        """The class of the exception that it raised; empty where it raised none."""
        return self.payload.get("errorType", "") if isinstance(self.payload, dict) else ""


def build(
    engine: Engine, folder: Path, *resources: str, template: Path = REPOSITORY / "template.yaml", **parameters: str
) -> Path:
    """Run `sam build` on the template as it is.

    Args:
        engine: Builds the image.
        folder: Where the result goes.
        resources: Logical id to build, all by default.
        template: The template.
        parameters: Values for its parameters; the architecture is this machine's by default.

    Returns:
        The built template.
    """
    values = {"Architecture": architecture(), **parameters}
    run(
        [
            *(Tools().sam, "build"),
            *resources,
            *("--template-file", template, "--base-dir", REPOSITORY, "--no-cached"),
            *("--build-dir", folder, "--config-file", Tools().sam_settings),
            *("--parameter-overrides", *(f"{name}={value}" for name, value in values.items())),
        ],
        env={**engine.env, **_quiet(), "PATH": f"{sys.base_prefix}/bin{os.pathsep}{os.environ.get('PATH', '')}"},
        cwd=REPOSITORY,
        timeout_s=900,
    )
    return folder / "template.yaml"


def set_environment(built: Path, variables: Mapping[str, str]) -> Path:
    """Write the built template once more with variables for all functions, and return the copy.

    `--env-vars` drops what a template does not declare, such as `AWS_ENDPOINT_URL`.
    """
    template = yaml.safe_load(built.read_text())
    template["Globals"]["Function"]["Environment"]["Variables"].update(variables)
    for resource in template["Resources"].values():
        own = resource.get("Properties", {}).get("Environment", {}).get("Variables", {})
        own.update({name: value for name, value in variables.items() if name in own})
    copy = built.with_name("template-with-endpoint.yaml")
    copy.write_text(yaml.safe_dump(template, sort_keys=False))
    return copy


def invoke(engine: Engine, template: Path, function: str, event: Path, env: Mapping[str, str]) -> Answer:
    """Run one function in its container.

    The exit code says nothing: sam ends with 0 when the function raised, timed out or was killed.

    Raises:
        InvocationError: There is no JSON on standard output.
    """
    try:
        done = run(
            [
                *(Tools().sam, "local", "invoke", function, "--template-file", template, "--event", event),
                *("--skip-pull-image", "--config-file", Tools().sam_settings),
                *("--layer-cache-basedir", template.parent / "layers"),
                *("--parameter-overrides", f"Architecture={architecture()}"),
            ],
            env={**engine.env, **_quiet(), **env},
            cwd=template.parent,
            check=False,
            timeout_s=300,
        )
    except CommandError as error:
        raise InvocationError(f"{function}: {error}") from error
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    if not lines:
        raise InvocationError(f"{function} answered nothing:\n{done.stderr[-4000:]}")
    return Answer(json.loads(lines[-1]), done.stderr)


def _quiet() -> dict[str, str]:
    return {"SAM_CLI_TELEMETRY": "0", "AWS_EC2_METADATA_DISABLED": "true"}
