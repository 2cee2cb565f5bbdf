"""Which operation a request asks for, and on what, by its signature's scope and botocore's models."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, unquote, unquote_plus

from botocore.model import ServiceModel

from local.gateway.messages import Head
from local.service_models import path_pattern, service_model

_SCOPE = re.compile(r"Credential=([^/,\s]+)/\d{8}/[^/,\s]*/([^/,\s]+)/aws4_request")

#: botocore's names of the services behind a name in a signature's scope, where the two differ.
_SIGNED_AS = {
    "bedrock": ("bedrock-runtime", "bedrock"),
    "sagemaker": ("sagemaker-a2i-runtime", "sagemaker"),
    "servicequotas": ("service-quotas",),
    "states": ("stepfunctions",),
    "monitoring": ("cloudwatch",),
}
#: Members that name what a call is about, where that is no ARN.
_NAMING = {
    "TableName",
    "CollectionId",
    "TrainingJobName",
    "HumanLoopName",
    "RoleName",
    "repositoryName",
    "QuotaCode",
    "jobIdentifier",
    "jobName",
    "modelIdentifier",
    "customModelName",
    "provisionedModelId",
    "provisionedModelName",
    "modelId",
    "baseModelIdentifier",
    "FunctionName",
    "StackName",
}
#: Larger bodies are pictures for a model, whose call is named by its path.
_READ_LIMIT = 8 * 1024 * 1024


@dataclass(frozen=True)
class Signed:
    """Who signed a request, and for which service; empty where it is not signed."""

    access_key_id: str = ""
    signing_name: str = ""


@dataclass(frozen=True)
class Asked:
    """What a request asks for.

    Attributes:
        service: botocore's name of the service; empty where the request does not say.
        operation: The operation; empty where the service has none such.
        resources: What it is about: ARNs, ``<bucket>/<key>``, names.
    """

    service: str = ""
    operation: str = ""
    resources: tuple[str, ...] = ()


def signed_by(head: Head) -> Signed:
    """Read who signed a request, in its header or, where its URL was signed beforehand, in its query."""
    found = _SCOPE.search(head.headers.get("authorization", ""))
    if found is None and "X-Amz-Credential" in head.query:
        found = _SCOPE.search(f"Credential={head.query['X-Amz-Credential']}")
    if found is None and "AWSAccessKeyId" in head.query:  # S3's older way, which boto3 still takes for URLs
        return Signed(head.query["AWSAccessKeyId"], "s3")
    return Signed(found[1], found[2]) if found else Signed()


def asked_by(head: Head, body: bytes, signing_name: str) -> Asked:
    """Find the operation of a request.

    Args:
        head: The request's head.
        body: Its body; S3's may be left out.
        signing_name: The service in its signature's scope.
    """
    names = _SIGNED_AS.get(signing_name, (signing_name,))
    if target := head.headers.get("x-amz-target", ""):
        prefix, _, operation = target.rpartition(".")
        service = next((name for name in names if _metadata(name).get("targetPrefix") == prefix), names[-1])
        return Asked(service, operation, tuple(dict.fromkeys(_named(_document(body)))))
    for name in names:
        if _metadata(name).get("protocol") in ("query", "ec2"):
            form = dict(parse_qsl(body.decode("utf-8", "replace"))) | head.query
            return Asked(name, form.get("Action", ""), tuple(dict.fromkeys(_named(form))))
        if found := _match(name, head):
            operation, labels = found
            told = () if name in ("s3", "bedrock-runtime") else _named(_document(body))
            about = [_bucket_and_key(labels)] if name == "s3" else [unquote(value) for value in labels.values()]
            if name == "s3" and "versionId" in head.query:
                about.append(f"versionId={head.query['versionId']}")
            if source := head.headers.get("x-amz-copy-source"):
                about.append(unquote_plus(source).lstrip("/"))
            return Asked(name, operation, tuple(dict.fromkeys([*about, *told])))
    return Asked(names[0] if signing_name else "")


def _bucket_and_key(labels: dict[str, str]) -> str:
    return "/".join(unquote(labels[name]) for name in ("Bucket", "Key") if name in labels)


def _document(body: bytes) -> Any:
    try:
        return json.loads(body) if 0 < len(body) <= _READ_LIMIT else {}
    except ValueError:
        return {}


def _named(value: Any) -> Iterator[str]:
    """Yield what a request's parameters name: ARNs, objects in S3, and members that are names."""
    if isinstance(value, dict):
        if {"Bucket", "Name"} <= value.keys():
            yield f"{value['Bucket']}/{value['Name']}"
        if "IndexName" in value and "TableName" in value:
            yield f"{value['TableName']}/index/{value['IndexName']}"
        for name, inner in value.items():
            if name in _NAMING and isinstance(inner, str):
                yield inner
            else:
                yield from _named(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _named(inner)
    elif isinstance(value, str) and (value.startswith("arn:") and len(value) < 2048):
        yield value
    elif isinstance(value, str) and value.startswith("s3://") and len(value) < 2048:
        yield value.removeprefix("s3://")


@dataclass(frozen=True)
class _Path:
    """What the requests of one REST operation look like."""

    operation: str
    method: str
    pattern: re.Pattern[str]
    query: dict[str, str]
    headers: tuple[str, ...]
    letters: int

    def labels(self, head: Head) -> dict[str, str] | None:
        found = self.pattern.fullmatch(head.path) if head.method == self.method else None
        query = head.query
        if found is None or any(
            name not in query or (value and query[name] != value) for name, value in self.query.items()
        ):
            return None
        return found.groupdict() if all(name in head.headers for name in self.headers) else None

    @property
    def rank(self) -> tuple[int, int]:
        return len(self.query) + len(self.headers), self.letters


def _metadata(service: str) -> dict[str, Any]:
    model = service_model(service)
    return dict(model.metadata) if model else {}


@cache
def _paths(service: str) -> tuple[_Path, ...]:
    model = service_model(service)
    names = model.operation_names if model else ()
    made = (_path(model, name) for name in names)  # type: ignore[arg-type]
    return tuple(sorted(made, key=lambda path: path.rank, reverse=True))


def _path(model: ServiceModel, name: str) -> _Path:
    operation = model.operation_model(name)
    path, _, literal = operation.http["requestUri"].partition("?")
    query = dict(parse_qsl(literal, keep_blank_values=True))
    headers = []
    shape = operation.input_shape
    for member in shape.required_members if shape else ():
        told = shape.members[member].serialization  # type: ignore[union-attr]
        if told.get("location") == "querystring":
            query.setdefault(told["name"], "")
        elif told.get("location") == "header":
            headers.append(told["name"].lower())
    pattern, letters = path_pattern(path)
    return _Path(name, operation.http["method"], pattern, query, tuple(headers), letters)


def _match(service: str, head: Head) -> tuple[str, dict[str, str]] | None:
    for path in _paths(service):
        labels = path.labels(head)
        if labels is not None:
            return path.operation, labels
    return None
