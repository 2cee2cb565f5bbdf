"""How botocore's errors become ours: one table, so that every adapter means the same by the same fault."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    IncompleteReadError,
    ReadTimeoutError,
    ResponseStreamingError,
)
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError as BrokenBodyError

from storycast.errors import DependencyUnavailableError, StorycastError, ThrottledError

THROTTLED = frozenset(
    {
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceQuotaExceededException",
        "SlowDown",
        "Throttled",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
UNAVAILABLE = frozenset(
    {
        "InternalError",
        "InternalServerError",
        "InternalServerException",
        "ModelErrorException",
        "ModelNotReadyException",
        "ModelTimeoutException",
        "RequestTimeout",
        "ServiceUnavailable",
        "ServiceUnavailableException",
    }
)
_BROKEN = (
    # botocore lets urllib3's own through where the body of an error breaks, of GetObject and its like.
    BrokenBodyError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    IncompleteReadError,
    ReadTimeoutError,
    ResponseParserError,
    ResponseStreamingError,
)


@contextmanager
def translated(what: str, codes: Mapping[str, type[StorycastError]] | None = None) -> Iterator[None]:
    """Raise botocore's errors as ours within the block; unknown ones stay themselves.

    Args:
        what: What was being done, for the message.
        codes: The service's own error codes and what they mean here; they come before the general ones.

    Raises:
        ThrottledError: The service or a quota asks for patience.
        DependencyUnavailableError: The service failed or the connection broke.
    """
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        message = f"{what}: {code}: {error.response.get('Error', {}).get('Message', '')}"
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if codes and code in codes:
            raise codes[code](message) from error
        if code in THROTTLED:
            raise ThrottledError(message) from error
        if code in UNAVAILABLE or status >= 500:
            raise DependencyUnavailableError(message) from error
        raise
    except _BROKEN as error:
        raise DependencyUnavailableError(f"{what}: {error}") from error


@contextmanager
def understood(what: str) -> Iterator[None]:
    """Refuse, within the block, an answer whose parts are not of the kinds that the service documents.

    Args:
        what: What was asked, for the message.

    Raises:
        DependencyUnavailableError: A part is missing, or is text where a number should be, and the like.
    """
    try:
        yield
    except (AttributeError, LookupError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
        raise DependencyUnavailableError(
            f"{what}: the answer has not the form that the service documents ({type(error).__name__})."
        ) from error
