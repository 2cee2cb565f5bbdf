"""What the command says when something goes wrong, and with which exit code it ends.

The one place where exceptions become words for people. A message says what happened, to which file, key or
call, and what to do next.
"""

import json
from collections.abc import Sequence

import boto3.exceptions
import botocore.exceptions as aws
from botocore.exceptions import ClientError

import storycast.errors
from local.deployment import DeploymentError
from local.instance import InstanceError
from local.tools import SetupMissingError
from storycast.errors import BadInputError, StorycastError

DONE = 0
FAILED = 1
BAD_INPUT = 2
INTERRUPTED = 130

_NO_LOGIN = (
    aws.NoCredentialsError,
    aws.PartialCredentialsError,
    aws.CredentialRetrievalError,
    aws.TokenRetrievalError,
    aws.SSOError,
    aws.ProfileNotFound,
    aws.ConfigParseError,
)
UNREACHED = (aws.ConnectionError, aws.HTTPClientError)
_REFUSED_CODES = {
    "AccessDenied",
    "AccessDeniedException",
    "UnauthorizedOperation",
    "AllAccessDisabled",
    "403",
}
_LOGIN_CODES = {
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_ACTIONS = {
    "DescribeStacks": "cloudformation:DescribeStacks",
    "GetCallerIdentity": "sts:GetCallerIdentity",
    "Query": "dynamodb:Query",
    "GetItem": "dynamodb:GetItem",
    "PutItem": "dynamodb:PutItem",
    "BatchGetItem": "dynamodb:BatchGetItem",
    "HeadObject": "s3:GetObject",
    "GetObject": "s3:GetObject",
    "ListObjectsV2": "s3:ListBucket",
    "DeleteObject": "s3:DeleteObject",
    "PutObject": "s3:PutObject",
    "CreateMultipartUpload": "s3:PutObject",
    "UploadPart": "s3:PutObject",
    "CompleteMultipartUpload": "s3:PutObject",
}
"""IAM actions of the calls that this command makes; all others are of Step Functions, by their own name."""


class InputRefusedError(BadInputError):
    """Something that the user gave can't be used; nothing was started or uploaded."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problems))


class TargetUnusableError(BadInputError):
    """The place to run, as it is configured, can't be used."""


class RunNotFoundError(BadInputError):
    """There is no run of that id."""


class TargetLostError(StorycastError):
    """The place where a run was going on is gone."""


class RunNotStartedError(StorycastError):
    """An upload is in the bucket, but no run began with it."""


def is_refused(error: ClientError) -> bool:
    """Return whether AWS says that the credentials do not allow a call."""
    return error.response.get("Error", {}).get("Code", "") in _REFUSED_CODES


def explain(error: BaseException) -> tuple[str, int] | None:
    """Return the message and exit code for an error, or None where nobody foresaw it."""
    if isinstance(error, boto3.exceptions.S3UploadFailedError) and error.__context__:
        return explain(error.__context__)
    if isinstance(error, StorycastError):
        return str(error), BAD_INPUT if isinstance(error, BadInputError) else FAILED
    if isinstance(error, SetupMissingError | InstanceError | DeploymentError):
        return str(error), FAILED
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}.", FAILED
    return _explain_aws(error)


def _explain_aws(error: BaseException) -> tuple[str, int] | None:
    if isinstance(error, ClientError):
        return _client_error(error)
    if isinstance(error, _NO_LOGIN):
        return f"No AWS credentials can be used: {error}. {_LOGIN}", BAD_INPUT
    if isinstance(error, aws.NoRegionError):
        return NO_REGION, BAD_INPUT
    if isinstance(error, UNREACHED):
        return f"AWS does not answer: {error} Check the network and the region, then try again.", FAILED
    return None


_LOGIN = "Log in (`aws sso login` or `aws configure`), or use `--target local`, which needs no account."

NO_REGION = "No AWS region is set. Set AWS_DEFAULT_REGION, or `region` in your AWS profile."


def _client_error(error: ClientError) -> tuple[str, int]:
    code = error.response.get("Error", {}).get("Code", "")
    message = error.response.get("Error", {}).get("Message", "")
    if code in _LOGIN_CODES:
        return f"AWS does not accept the credentials ({code}: {message}). {_LOGIN}", BAD_INPUT
    action = _ACTIONS.get(error.operation_name, f"states:{error.operation_name}")
    if is_refused(error):
        said = f" AWS says: {message}" if message and message != "Forbidden" else ""
        return f"AWS refuses {action}: the credentials need a policy that allows it.{said}", FAILED
    return f"{action} failed ({code}): {message}", FAILED


def exit_code_of_run(error_name: str) -> int:
    """Return the exit code for a run that ended with an error of this name."""
    kind = getattr(storycast.errors, error_name, None)
    return BAD_INPUT if isinstance(kind, type) and issubclass(kind, BadInputError) else FAILED


def read_on(error_name: str) -> str:
    """Return where more is said of an error by its name; empty where the runbook has no row for it."""
    kind = getattr(storycast.errors, error_name, None)
    is_named = isinstance(kind, type) and issubclass(kind, StorycastError)
    return f"docs/runbook.md tells what {error_name} leaves, and what to do." if is_named else ""


def unwrapped(error: str, cause: str) -> tuple[str, str]:
    """Return the name and the message of an execution's own error.

    A machine that waits for another one's execution fails as ``States.TaskFailed``, with a description of that
    execution as its cause; what a person needs to know is the error in there, however deep.
    """
    try:
        data = json.loads(cause)
    except ValueError:
        return error, message_of(cause)
    if isinstance(data, dict) and data.get("ExecutionArn"):
        if isinstance(data.get("Error"), str) and data["Error"]:
            return unwrapped(data["Error"], str(data.get("Cause") or ""))
        said = {"ABORTED": "was stopped", "TIMED_OUT": "ran out of time"}.get(str(data.get("Status")), "failed")
        return error, f"the execution {data['ExecutionArn']} {said}"
    return error, message_of(cause)


def message_of(cause: str) -> str:
    """Return what a person should read of an execution's cause.

    A function's cause is JSON with ``errorMessage``, a child machine's has ``Cause``; the message is inside.
    """
    try:
        data = json.loads(cause)
    except ValueError:
        return cause.strip()
    if isinstance(data, dict):
        for key in ("errorMessage", "Cause", "cause"):
            if isinstance(data.get(key), str) and data[key]:
                return message_of(data[key])
    return cause.strip()
