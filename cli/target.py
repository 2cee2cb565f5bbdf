"""Where runs happen: AWS on this machine, or an account's."""

import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from cli.problems import NO_REGION, UNREACHED, TargetLostError, TargetUnusableError
from cli.screen import Screen
from cli.shared_use import in_use
from cli.version import version
from local.embedded_aws import EmbeddedAws
from local.tools import REPOSITORY

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_stepfunctions.client import SFNClient

TargetKind = Literal["local", "aws"]

STACK = "storycast"
"""Name of the stack unless somebody names another."""
STATE_DIR = REPOSITORY / ".storycast" / "aws"
"""State of the embedded AWS; the same that `make local-up` starts."""


OTHERS = (
    "Another storycast command still uses the embedded AWS, which ends with this one: waiting for it. "
    "Ctrl-C ends both."
)


@dataclass(frozen=True, slots=True)
class TargetChoice:
    """What the user asked for."""

    kind: TargetKind = "local"
    stack: str = STACK
    state_dir: Path = STATE_DIR
    keep_up: bool = False


def choose(kind: TargetKind, stack: str, state_dir: Path | None, *, keep_up: bool) -> TargetChoice:
    """Return the choice that a command's options make."""
    return TargetChoice(kind, stack, state_dir or STATE_DIR, keep_up)


@dataclass(frozen=True, slots=True)
class Target:
    """A deployed stack: what of it this command uses."""

    kind: TargetKind
    place: str
    bucket: str
    machine_arn: str
    """The machine from footage to a dataset."""
    train_arn: str
    """The machine from a dataset to a storyboard."""
    tear_down_arn: str
    """The machine that ends what is billed."""
    table: str
    review_table: str
    """What people decide in reviews, and the runs that wait for it."""
    s3: "S3Client"
    stepfunctions: "SFNClient"
    dynamodb: "DynamoDBClient"
    client: Callable[[str], Any]
    """Gives a boto3 client of any other service, by boto3's name of it."""
    outputs: Mapping[str, str]
    """The stack's outputs by name."""
    standins_url: str | None = None
    """Where the stand-ins for the AI services listen; None on AWS."""
    stays_up: bool = True
    """Whether it is still there when this command has ended."""
    named_by: str = ""
    """Further options that name it, with a space before; empty where it is the usual one of its kind."""

    @property
    def options(self) -> str:
        """What a command that is told to people needs, to be about this target."""
        return f"--target {self.kind}{self.named_by}"

    def uri(self, key: str) -> str:
        """Return the S3 URI of a key."""
        return f"s3://{self.bucket}/{key}"


@contextmanager
def opened(choice: TargetChoice, screen: Screen) -> Iterator[Target]:
    """Give the target, bringing the embedded AWS up where it is not, and down again where this brought it up.

    Args:
        choice: What the user asked for.
        screen: Told what takes a while.

    Yields:
        The target.

    Raises:
        TargetUnusableError: There is no region, no such stack, or a stack that is not Storycast's.
        TargetLostError: The embedded AWS ended while it was used.
    """
    if choice.kind == "aws":
        yield _aws(choice)
        return
    aws = EmbeddedAws(choice.state_dir)
    try:
        with in_use(choice.state_dir) as use:
            before = aws.status()
            if not before.up:
                screen.say("Starting the embedded AWS on this machine ...")
            if before.up or choice.keep_up:
                aws.up()
                # One that another command started ends with that, once all that use it have ended. Asked now: it
                # may have been started meanwhile.
                yield _local(aws, choice, stays_up=not aws.status().tied)
                return
            with aws:
                try:
                    yield _local(aws, choice, stays_up=False)
                finally:
                    if aws.started_here:
                        use.wait_for_others(lambda: screen.say(OTHERS))
    except UNREACHED as error:
        raise TargetLostError(
            f"The embedded AWS of {choice.state_dir} does not answer any more. It ends with the command that "
            "started it; `storycast local up` starts one that stays. Its logs are in "
            f"{choice.state_dir / 'logs'}. ({error})"
        ) from error


def refuse_down(choice: TargetChoice, why: str) -> None:
    """Refuse an embedded AWS that is not up, where starting one would not help.

    Args:
        choice: What the user asked for.
        why: Why not, and what to do.

    Raises:
        TargetUnusableError: It is not up.
    """
    if choice.kind == "local" and not EmbeddedAws(choice.state_dir).status().up:
        raise TargetUnusableError(f"The embedded AWS of {choice.state_dir} is not up. {why}")


def _local(aws: EmbeddedAws, choice: TargetChoice, *, stays_up: bool) -> Target:
    return target_of(
        "local",
        f"the embedded AWS ({choice.state_dir})",
        aws.outputs,
        aws.client,
        standins_url=aws.endpoints.standins,
        stays_up=stays_up,
        named_by="" if choice.state_dir == STATE_DIR else f" --state {shlex.quote(str(choice.state_dir))}",
    )


def _aws(choice: TargetChoice) -> Target:
    session = boto3.Session()
    if not session.region_name:
        raise TargetUnusableError(NO_REGION)
    config = Config(
        retries={"mode": "standard", "max_attempts": 8},
        connect_timeout=10,
        user_agent_extra=f"storycast/{version()}",
    )
    make: Any = session.client
    outputs = stack_outputs(make("cloudformation", config=config), choice.stack, session.region_name)
    return target_of(
        "aws",
        f"stack {choice.stack} in {session.region_name}",
        outputs,
        cache(lambda service: make(service, config=config)),
        named_by="" if choice.stack == STACK else f" --stack {choice.stack}",
    )


def stack_outputs(cloudformation: Any, stack: str, region: str) -> dict[str, str]:
    """Return a stack's outputs by name.

    Raises:
        TargetUnusableError: There is no such stack.
    """
    try:
        found = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        raise TargetUnusableError(
            f"There is no stack '{stack}' in {region}. Deploy it with `sam build && sam deploy --guided`, "
            "name another with --stack, or use another region."
        ) from None
    return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", ())}


def target_of(
    kind: TargetKind,
    place: str,
    outputs: Mapping[str, str],
    client: Callable[[str], Any],
    *,
    standins_url: str | None = None,
    stays_up: bool = True,
    named_by: str = "",
) -> Target:
    """Return the target that a stack's outputs describe.

    Args:
        kind: Which kind it is.
        place: What it is called in messages.
        outputs: The stack's outputs by name.
        client: Gives a boto3 client by the service's name.
        standins_url: Where the stand-ins listen, where there are some.
        stays_up: Whether it is still there when this command has ended.
        named_by: Further options that name it, with a space before.

    Raises:
        TargetUnusableError: An output is missing.
    """
    names = (
        "MediaBucketName",
        "BuildDatasetArn",
        "TableName",
        "ReviewTableName",
        "TrainModelArn",
        "TearDownArn",
    )
    missing = [name for name in names if name not in outputs]
    if missing:
        raise TargetUnusableError(
            f"{place} has no output {', '.join(missing)}: it is not Storycast's, or not wholly deployed. "
            "Deploy it again."
        )
    return Target(
        kind=kind,
        place=place,
        bucket=outputs["MediaBucketName"],
        machine_arn=outputs["BuildDatasetArn"],
        train_arn=outputs["TrainModelArn"],
        tear_down_arn=outputs["TearDownArn"],
        table=outputs["TableName"],
        review_table=outputs["ReviewTableName"],
        s3=client("s3"),
        stepfunctions=client("stepfunctions"),
        dynamodb=client("dynamodb"),
        client=client,
        outputs=outputs,
        standins_url=standins_url,
        stays_up=stays_up,
        named_by=named_by,
    )
