"""Answers that are none: a proxy's page, half a document. botocore takes many of them for an empty answer."""

import json
import re
from collections.abc import Mapping
from typing import Any

from botocore.model import OperationModel

from storycast.errors import DependencyUnavailableError

_MARKS = ("x-amzn-requestid", "x-amz-request-id", "x-amz-id-2", "x-amzn-errortype")
"""Headers that AWS's answers alone have: a request's id, and an error's name."""
_NAMED_ERROR = re.compile(rb"<Error>.*?<Code>[\w.]+</Code>", re.DOTALL)
"""A refusal as S3, SNS and IAM write it. One that comes before a request has its id has no header of AWS's."""


def refuse_what_is_none(http_response: Any, model: OperationModel, **_: Any) -> None:
    """Refuse an answer that no AWS service gave, as botocore's ``after-call`` handler.

    An empty answer in place of the true one would be "no labels", "no such row", "written"; half an error has no
    name.

    Raises:
        DependencyUnavailableError: It is no answer; what was asked for may be done or not.
    """
    if problem := what_is_wrong(http_response, model):
        what = f"{model.service_model.service_id} {model.name}"
        raise DependencyUnavailableError(f"{what}: {problem}. Try again later.")


def refuse_before_reading(operation_model: OperationModel, response_dict: dict[str, Any], **_: Any) -> None:
    """Refuse a page in place of a query service's answer, as botocore's ``before-parse`` handler.

    SNS and IAM are such services. botocore looks for the answer's own element, and its ``KeyError`` would be taken
    for "there is none".

    Raises:
        DependencyUnavailableError: It is no answer.
    """
    status, headers = response_dict["status_code"], response_dict["headers"]
    if operation_model.service_model.metadata.get("protocol") != "query" or status >= 500 or _is_marked(headers):
        return
    if status < 300 or not _NAMED_ERROR.search(response_dict["body"]):
        what = f"{operation_model.service_model.service_id} {operation_model.name}"
        raise DependencyUnavailableError(f"{what}: {_not_aws(headers)}. Try again later.")


def what_is_wrong(http_response: Any, model: OperationModel) -> str:
    """Say why an answer is none; empty where it is one, and where a server says that it failed.

    Every AWS service marks its answers, and JSON is whole or it is none.
    """
    if http_response.status_code >= 500:
        return ""
    if not _is_marked(http_response.headers) and not _is_bare_refusal(http_response, model):
        return _not_aws(http_response.headers)
    protocol = model.service_model.metadata.get("protocol")
    is_streamed = model.has_streaming_output and http_response.status_code < 300
    if protocol not in ("json", "rest-json") or is_streamed:
        return ""
    content = http_response.content
    try:
        whole = not content or isinstance(json.loads(content), dict)
    except ValueError:
        whole = False
    return "" if whole else "the answer ends in the middle or is no JSON"


def _is_marked(headers: Mapping[str, str]) -> bool:
    return any(name in headers for name in _MARKS)


def _is_bare_refusal(http_response: Any, model: OperationModel) -> bool:
    """Whether AWS refuses without a header of its own; to HEAD with no more than the status.

    "Forbidden" is taken at its word there, since whoever says it says so again; "not found" is not, since it would
    be taken for "there is none".
    """
    if http_response.status_code < 300:
        return False
    if model.http.get("method") == "HEAD":
        return bool(http_response.status_code == 403)
    return _NAMED_ERROR.search(http_response.content) is not None


def _not_aws(headers: Mapping[str, str]) -> str:
    return f"what answered is not AWS ({headers.get('content-type', 'nothing')})"
