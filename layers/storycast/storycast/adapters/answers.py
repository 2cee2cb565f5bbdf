"""Answers that are none: a proxy's page, half a document. botocore takes many of them for an empty answer."""

import json
from typing import Any

from botocore.model import OperationModel

from storycast.errors import DependencyUnavailableError

_REQUEST_IDS = ("x-amzn-requestid", "x-amz-request-id", "x-amz-id-2")


def refuse_what_is_none(http_response: Any, model: OperationModel, **_: Any) -> None:
    """Refuse a good answer that no AWS service gave, as botocore's ``after-call`` handler.

    Every AWS service tells the id of a request, and JSON is whole or it is none. An empty answer in place of the
    true one would be "no labels", "no such row", "written".

    Raises:
        DependencyUnavailableError: It is no answer; what was asked for may be done or not.
    """
    if http_response.status_code >= 300:
        return
    what = f"{model.service_model.service_id} {model.name}"
    if not any(name in http_response.headers for name in _REQUEST_IDS):
        kind = http_response.headers.get("content-type", "nothing")
        raise DependencyUnavailableError(f"{what}: what answered is not AWS ({kind}). Try again later.")
    protocol = model.service_model.metadata.get("protocol")
    if protocol not in ("json", "rest-json") or model.has_streaming_output:
        return
    content = http_response.content
    try:
        whole = not content or isinstance(json.loads(content), dict)
    except ValueError:
        whole = False
    if not whole:
        raise DependencyUnavailableError(f"{what}: the answer ends in the middle or is no JSON. Try again later.")
