"""Answers that are none: a proxy's page, half a document. botocore takes many of them for an empty answer."""

import json
from collections.abc import Mapping
from typing import Any

from botocore.model import OperationModel

from storycast.errors import DependencyUnavailableError

_REQUEST_IDS = ("x-amzn-requestid", "x-amz-request-id", "x-amz-id-2")


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
    is_query = operation_model.service_model.metadata.get("protocol") == "query"
    if is_query and response_dict["status_code"] < 500 and not _has_id(response_dict["headers"]):
        what = f"{operation_model.service_model.service_id} {operation_model.name}"
        raise DependencyUnavailableError(f"{what}: {_not_aws(response_dict['headers'])}. Try again later.")


def what_is_wrong(http_response: Any, model: OperationModel) -> str:
    """Say why an answer is none; empty where it is one, and where a server says that it failed.

    Every AWS service tells the id of a request, and JSON is whole or it is none.
    """
    if http_response.status_code >= 500:
        return ""
    if not _has_id(http_response.headers):
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


def _has_id(headers: Mapping[str, str]) -> bool:
    return any(name in headers for name in _REQUEST_IDS)


def _not_aws(headers: Mapping[str, str]) -> str:
    return f"what answered is not AWS ({headers.get('content-type', 'nothing')})"
