"""The person at a review: their name, what they may do, and the page that this command serves to them."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import ClientError

from cli.problems import InputRefusedError, explain, is_refused
from cli.reviews import OpenedReview
from cli.target import Target
from review.server import make_app
from review.serving import served
from storycast.errors import RunFailedError

POLICY = (
    "The stack's ReviewerPolicy allows all that a review needs (output ReviewerPolicyArn): have it attached to "
    "your user, group or permission set."
)
MAX_NAME = 200


class NotReviewerError(RunFailedError):
    """The credentials do not allow what a review needs."""


def name_of(target: Target, given: str | None) -> str:
    """Return under which name somebody decides: what they say, else who they are to AWS, or on this machine.

    Raises:
        InputRefusedError: What they say is no name.
    """
    if given is not None:
        name = given.strip()
        if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
            raise InputRefusedError([f"--as {given!a} is no name: 1 to {MAX_NAME} characters in one line."])
        return name
    if target.kind == "aws":
        # arn:aws:iam::123456789012:user/anna, arn:aws:sts::123456789012:assumed-role/Reviewer/anna@example.com
        return str(target.client("sts").get_caller_identity()["Arn"]).rpartition(":")[2].rpartition("/")[2]
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "reviewer"


@contextmanager
def as_reviewer() -> Iterator[None]:
    """Name the policy that somebody lacks whom AWS refuses something within the block.

    Raises:
        NotReviewerError: AWS refuses something.
    """
    try:
        yield
    except ClientError as error:
        if not is_refused(error):
            raise
        raise NotReviewerError(_refused(error)) from error


def explained(error: Exception) -> tuple[int, str] | None:
    """Return what the page tells of an error of AWS: an HTTP status, and what happened and what to do."""
    known = explain(error)
    if known is None:
        return None
    if isinstance(error, ClientError) and is_refused(error):
        return 403, _refused(error)
    return 502, f"{known[0]} What was decided before is kept."


def _refused(error: ClientError) -> str:
    known = explain(error)
    # To those who may not list the whole bucket, S3 says the same of what is not there.
    missing = " Or there is no such run: look at its id." if error.operation_name == "GetObject" else ""
    return f"{known[0] if known else error} {POLICY}{missing}"


@contextmanager
def page_of(opened: OpenedReview, me: str, port: int | None) -> Iterator[str]:
    """Serve a review's page to one person inside the block.

    Args:
        opened: The review.
        me: Who decides.
        port: The port; the first free one of the usual ones where None.

    Yields:
        The address to open.

    Raises:
        PortTakenError: No port is free.
    """
    with served(
        lambda key: make_app(opened.desk, opened.review, opened.pictures, me=me, key=key, explain=explained),
        port,
    ) as url:
        yield url
