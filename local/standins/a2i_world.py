"""What Amazon A2I's stand-in has made: worker templates, flow definitions and human loops, kept over restarts."""

from __future__ import annotations

import datetime as dt
import os
import re
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from local.standins.bedrock_world import ACCOUNT, age_s
from local.standins.kept import KeptFile, KeptRecord
from local.tools import REPOSITORY

REGION = "us-east-1"
#: How long a flow definition is ``Initializing``, and a loop ``Stopping``, in seconds.
FLOW_SECONDS = float(os.environ.get("STORYCAST_STANDIN_FLOW_SECONDS", "0.3"))
STOP_SECONDS = float(os.environ.get("STORYCAST_STANDIN_STOP_SECONDS", "0.3"))
#: Where nobody says how long a task waits for workers: ten days, as for private workforces.
AVAILABLE_SECONDS = 864_000

#: A flow definition that is always there, so that a stack can name it before it exists.
BUILT_IN = "storycast-local"
TEMPLATE = REPOSITORY / "review" / "a2i" / "worker_template.liquid.html"
_BUCKET = re.compile(r"s3://([a-z0-9.-]+)/")

LoopState = Literal["InProgress", "Completed", "Failed", "Stopping", "Stopped"]


class TaskUi(KeptRecord):
    """A worker template."""

    name: str
    arn: str
    content: str
    created_at: dt.datetime


class Flow(KeptRecord):
    """A flow definition; ``config`` and ``output`` are as they were given."""

    name: str
    arn: str
    role_arn: str
    config: dict[str, Any]
    output: dict[str, Any]
    created_at: dt.datetime

    @property
    def is_built_in(self) -> bool:
        """Whether it is the stand-in's own."""
        return self.name == BUILT_IN

    @property
    def status(self) -> str:
        """``Initializing`` for a moment, then ``Active``."""
        is_new = not self.is_built_in and age_s(self.created_at) < FLOW_SECONDS
        return "Initializing" if is_new else "Active"

    @property
    def task_count(self) -> int:
        """How many workers answer."""
        return int(self.config["TaskCount"])


class HumanAnswer(KeptRecord):
    """What one worker answered."""

    worker: str
    content: dict[str, Any]
    accepted_at: dt.datetime
    submitted_at: dt.datetime


class Loop(KeptRecord):
    """A human loop."""

    name: str
    arn: str
    flow_arn: str
    #: ``InputContent``, as it was sent.
    content: str
    created_at: dt.datetime
    expires_at: dt.datetime
    status: LoopState = "InProgress"
    answers: list[HumanAnswer] = Field(default_factory=list)
    stopping_since: dt.datetime | None = None
    failure_code: str = ""
    failure: str = ""
    output_uri: str = ""

    @property
    def bucket(self) -> str:
        """The bucket of the first S3 URI in its content; empty where there is none."""
        found = _BUCKET.search(self.content)
        return found[1] if found else ""


class KeptA2i(KeptRecord):
    """All that is kept."""

    uis: list[TaskUi] = Field(default_factory=list)
    flows: list[Flow] = Field(default_factory=list)
    loops: list[Loop] = Field(default_factory=list)

    def loop(self, name: str) -> Loop | None:
        """The loop of that name."""
        return next((loop for loop in self.loops if loop.name == name), None)

    def flow(self, arn: str) -> Flow | None:
        """The flow definition of that ARN; the built-in one is always there."""
        return next((flow for flow in (*self.flows, built_in()) if flow.arn == arn), None)

    def template(self, flow: Flow) -> str:
        """The worker template that a flow definition shows."""
        if flow.is_built_in:
            return TEMPLATE.read_text("utf-8")
        ui = next((ui for ui in self.uis if ui.arn == flow.config["HumanTaskUiArn"]), None)
        return ui.content if ui else ""


class A2iWorld(KeptFile[KeptA2i]):
    """All of it; see ``KeptFile``."""

    def __init__(self, folder: Path) -> None:
        """Continue what the folder keeps."""
        super().__init__(folder / "a2i.json", KeptA2i, "Worker templates, flow definitions and human loops")


def flow_arn(region: str, name: str) -> str:
    """The ARN of a flow definition."""
    return f"arn:aws:sagemaker:{region}:{ACCOUNT}:flow-definition/{name}"


BUILT_IN_ARN = flow_arn(REGION, BUILT_IN)


def built_in() -> Flow:
    """The stand-in's own flow definition: one worker a loop, answers in the bucket of the pictures."""
    return Flow(
        name=BUILT_IN,
        arn=BUILT_IN_ARN,
        role_arn=f"arn:aws:iam::{ACCOUNT}:role/no-role-but-the-stand-ins-own-keys",
        config={
            "WorkteamArn": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:workteam/private-crowd/{BUILT_IN}",
            "HumanTaskUiArn": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:human-task-ui/{BUILT_IN}",
            "TaskTitle": "Review pictures and captions",
            "TaskDescription": "LOCAL STAND-IN: look at pictures and their captions",
            "TaskCount": 1,
        },
        output={"S3OutputPath": "s3://the-bucket-of-the-pictures/a2i/"},
        created_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    )
