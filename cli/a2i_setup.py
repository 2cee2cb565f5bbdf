"""What `storycast a2i-setup` makes: the page that Amazon A2I's workers see, and the flow definition with it."""

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import Any

from botocore.exceptions import ClientError

from cli.problems import DONE, InputRefusedError, TargetUnusableError
from cli.screen import Screen
from cli.target import Target, TargetChoice, opened
from storycast import keys
from storycast.errors import HumanReviewFailedError
from storycast.names import slug

TEMPLATE = "a2i/worker_template.liquid.html"
MAX_TEMPLATE = 128_000
"""Characters of a worker template, as SageMaker's model has it."""
WORKTEAM = re.compile(r"arn:aws[a-z-]*:sagemaker:[a-z0-9-]+:[0-9]{12}:workteam/\S+")
TITLE = "Review pictures and captions"
DESCRIPTION = "Say whether each picture shows the named character well, and mend its caption where it is wrong."
ACTIVE_SECONDS = 300.0
"""How long a flow definition may take to become active."""
POLL_SECONDS = 2.0

_MISSING = "ResourceNotFound"


def set_up(choice: TargetChoice, workteam: str, workers: int, screen: Screen) -> int:
    """Make what is missing, wait until it can be used, and say how the stack is told of it.

    Returns:
        The exit code.

    Raises:
        InputRefusedError: The ARN is no work team's.
    """
    if not WORKTEAM.fullmatch(workteam):
        raise InputRefusedError(
            [
                f"'{workteam}' is no work team: its ARN is arn:aws:sagemaker:<region>:<account>:workteam/"
                "private-crowd/<name>. SageMaker's console lists teams under Labeling workforces; docs/a2i.md "
                "tells how to make one."
            ]
        )
    with opened(choice, screen) as target:
        return set_up_on(target, choice.stack, workteam, workers, screen)


def set_up_on(target: Target, stack: str, workteam: str, workers: int, screen: Screen) -> int:
    """Do :func:`set_up` on a target that is there."""
    role_arn = target.outputs.get("A2iRoleArn")
    if not role_arn:
        raise TargetUnusableError(f"{target.place} has no output A2iRoleArn. Deploy it again.")
    sagemaker = target.client("sagemaker")
    ui_arn = _task_ui(sagemaker, stack, screen)
    config = {
        "WorkteamArn": workteam,
        "HumanTaskUiArn": ui_arn,
        "TaskTitle": TITLE,
        "TaskDescription": DESCRIPTION,
        "TaskCount": workers,
    }
    output = {"S3OutputPath": target.uri(keys.A2I_OUTPUT)}
    arn = _flow_definition(sagemaker, stack, config, output, role_arn, screen)
    screen.say(f"Flow definition: {arn}")
    if target.outputs.get("A2iFlowDefinitionArn") == arn:
        screen.say("The stack uses it already.", style="green")
        return DONE
    if target.kind == "local":
        screen.say("Runs on this machine go on using the stand-in's own flow definition.")
        return DONE
    screen.say("Tell the stack, in the folder that it was deployed from:")
    screen.say(f"  sam build && sam deploy --stack-name {stack} --parameter-overrides A2iFlowDefinitionArn={arn}")
    screen.say("Then `review: {mode: a2i}` in a project file shows its pictures to these workers.")
    return DONE


def worker_template() -> str:
    """Return the page that workers see, as Liquid."""
    return files("review").joinpath(TEMPLATE).read_text("utf-8")


def _task_ui(sagemaker: Any, stack: str, screen: Screen) -> str:
    """Return the ARN of the workers' page; a changed page is another one, since none can be changed."""
    content = worker_template()
    name = _named(stack, content)
    with _refusals("DescribeHumanTaskUi"):
        there = _found(lambda: sagemaker.describe_human_task_ui(HumanTaskUiName=name))
    if there:
        return str(there["HumanTaskUiArn"])
    screen.say(f"Making the workers' page {name} ...")
    with _refusals("CreateHumanTaskUi"):
        made = sagemaker.create_human_task_ui(HumanTaskUiName=name, UiTemplate={"Content": content})
    return str(made["HumanTaskUiArn"])


def _flow_definition(
    sagemaker: Any, stack: str, config: dict[str, Any], output: dict[str, Any], role_arn: str, screen: Screen
) -> str:
    """Return the ARN of the flow definition once it is active; other values make another one."""
    name = _named(stack, json.dumps([config, output, role_arn], sort_keys=True))
    deadline = time.monotonic() + ACTIVE_SECONDS
    is_told = False
    while time.monotonic() < deadline:
        with _refusals("DescribeFlowDefinition"):
            there = _found(lambda: sagemaker.describe_flow_definition(FlowDefinitionName=name))
        status = there["FlowDefinitionStatus"] if there else ""
        if there and status == "Active":
            return str(there["FlowDefinitionArn"])
        if there and status == "Failed":
            # The name is taken by what can't be used; once it is gone, another attempt can have it.
            with _refusals("DeleteFlowDefinition"):
                sagemaker.delete_flow_definition(FlowDefinitionName=name)
            raise HumanReviewFailedError(
                f"The flow definition {name} failed: {there.get('FailureReason', 'no reason given')}. It is "
                "deleted; mend that and run this again."
            )
        if not there and not is_told:
            screen.say(f"Making the flow definition {name} ...")
            is_told = True
            with _refusals("CreateFlowDefinition"):
                sagemaker.create_flow_definition(
                    FlowDefinitionName=name, HumanLoopConfig=config, OutputConfig=output, RoleArn=role_arn
                )
        time.sleep(POLL_SECONDS)
    raise HumanReviewFailedError(
        f"The flow definition {name} is not active after {ACTIVE_SECONDS:g} s. Run this again: it goes on waiting."
    )


def _named(stack: str, content: str) -> str:
    """Return a name made from what it names, so that the same is found again and another has its own."""
    digest = hashlib.sha256(content.encode()).hexdigest()
    return f"{slug(stack, max_length=40, fallback='storycast')}-{digest[:12]}"


def _found(describe: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
    try:
        return describe()
    except ClientError as error:
        if error.response["Error"]["Code"] == _MISSING:
            return None
        raise


@contextmanager
def _refusals(operation: str) -> Iterator[None]:
    """Say what to do where AWS refuses; what it answers to accounts that are new to A2I, no source tells."""
    try:
        yield
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        raise HumanReviewFailedError(
            f"AWS refuses sagemaker:{operation} ({code}: {message}). If these credentials may not do it, they "
            "need a policy that allows it, for CreateFlowDefinition with iam:PassRole on the stack's A2iRole. If "
            "this account has never used Amazon A2I, it can't begin to: A2I takes no new customers. Use "
            "review.mode: page then, which needs nothing of A2I."
        ) from error
