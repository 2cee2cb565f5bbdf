"""Deploys the local form of a template on an instance, with the real `sam deploy`."""

import json
import os
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from local.connection import Connection
from local.packages import Packages
from local.template import LocalTemplate
from local.tools import Tools

FINGERPRINT_TAG = "storycast:fingerprint"
#: As samconfig.toml names it.
_ARTIFACTS_BUCKET = "sam-artifacts-000000000000"


class DeploymentError(Exception):
    """The stack could not be deployed; the message holds the reasons that CloudFormation gave."""


class Deployment:
    """A template on its way onto one instance.

    Args:
        template: The real template.
        stack_name: Name of the stack.
        parameters: Values for the template's parameters, before those that the local template has for itself.
        folder: Where packages are written.
        tools: Where `sam` is.
        connection: The instance.
    """

    def __init__(
        self,
        template: Path,
        stack_name: str,
        parameters: Mapping[str, str],
        *,
        folder: Path,
        tools: Tools,
        connection: Connection,
    ) -> None:
        self._stack_name = stack_name
        localized = LocalTemplate(template, tools)
        self._parameters = {**localized.parameters, **parameters}
        self._folder = folder
        self._tools = tools
        self._connection = connection
        self._client = connection.client
        self._packages = Packages(localized, tools, folder)

    @property
    def is_current(self) -> bool:
        """Whether the instance runs this very deployment."""
        stack = self._stack()
        tags = {tag["Key"]: tag["Value"] for tag in stack.get("Tags", ())}
        return (
            stack.get("StackStatus") in ("CREATE_COMPLETE", "UPDATE_COMPLETE")
            and tags.get(FINGERPRINT_TAG) == self._packages.fingerprint
            and self._given(stack) == self._parameters
            and self._packages.has_layers
        )

    def outputs(self) -> dict[str, str]:
        """Return the stack's outputs by name; empty without a stack."""
        return {output["OutputKey"]: output["OutputValue"] for output in self._stack().get("Outputs", ())}

    def deploy(self) -> None:
        """Deploy.

        Raises:
            DeploymentError: CloudFormation or SAM refused something.
        """
        self._client("s3").create_bucket(Bucket=_ARTIFACTS_BUCKET)
        template = self._packages.write()
        result = subprocess.run(  # noqa: S603 -- our own command line
            self._command(template),
            cwd=template.parent,
            env=self._environment(template.parent),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        (self._folder / "sam-deploy.log").write_text(result.stdout)
        if result.returncode:
            raise DeploymentError(f"`sam deploy` failed.\n{self._reasons() or result.stdout[-3000:]}")
        self._empty_artifacts()
        self._put_trainer_image()

    def _command(self, template: Path) -> list[str]:
        command = [str(self._tools.sam), "deploy", "--template-file", template.name]
        command += ["--config-file", str(self._tools.sam_settings), "--config-env", "local"]
        command += ["--stack-name", self._stack_name]
        command += ["--tags", f"{FINGERPRINT_TAG}={self._packages.fingerprint}"]
        if self._parameters:
            command += [
                "--parameter-overrides",
                *(f"{name}={value}" for name, value in self._parameters.items()),
            ]
        return command

    def _environment(self, scratch: Path) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            **self._connection.endpoints.variables(),
            "HOME": str(scratch),
            "TMPDIR": str(scratch),
            "PYTHONWARNINGS": "ignore",
            "SAM_CLI_TELEMETRY": "0",
            # It waits five seconds between questions otherwise.
            "SAM_CLI_POLL_DELAY": "0.2",
        }

    def _stack(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = self._client("cloudformation").describe_stacks(StackName=self._stack_name)[
                "Stacks"
            ][0]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationError":
                return {}
            raise
        return found

    def _given(self, stack: Mapping[str, Any]) -> dict[str, str]:
        """Return the values that the stack has for the parameters that were given now."""
        values = {item["ParameterKey"]: item["ParameterValue"] for item in stack.get("Parameters", ())}
        return {name: values[name] for name in self._parameters if name in values}

    def _empty_artifacts(self) -> None:
        """Remove what `sam deploy` uploaded: the functions have their own copies by now."""
        s3 = self._client("s3")
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=_ARTIFACTS_BUCKET):
            for item in page.get("Contents", ()):
                s3.delete_object(Bucket=_ARTIFACTS_BUCKET, Key=item["Key"])

    def _put_trainer_image(self) -> None:
        """Put something where the trainer's image would be, so that who looks for it before a training finds it.

        Nobody runs it: SageMaker's stand-in starts the trainer of this checkout.
        """
        uri = self.outputs().get("TrainingImageUri")
        if not uri:
            return
        repository, _, tag = uri.partition("/")[2].partition(":")
        manifest = {"schemaVersion": 2, "note": "Storycast local stand-in: the trainer of the checkout is run"}
        ecr = self._client("ecr")
        # Of an earlier deployment: a tag once pushed stays.
        with suppress(ecr.exceptions.ImageAlreadyExistsException, ecr.exceptions.ImageTagAlreadyExistsException):
            ecr.put_image(repositoryName=repository, imageManifest=json.dumps(manifest), imageTag=tag)

    def _reasons(self) -> str:
        """Return what CloudFormation gave as reasons, latest first."""
        try:
            events = self._client("cloudformation").describe_stack_events(StackName=self._stack_name)[
                "StackEvents"
            ]
        except ClientError:
            return ""
        return "\n".join(
            f"{event['LogicalResourceId']}: {event['ResourceStatusReason']}"
            for event in events
            if event["ResourceStatus"].endswith("FAILED") and event.get("ResourceStatusReason")
        )
