"""One HTTP request and one answer, as plain values."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from local.standins.errors import RefusedError

_CREDENTIAL = re.compile(
    r"Credential=(?P<key>[^/,\s]+)/(?P<day>\d{8})/(?P<region>[^/,\s]+)/(?P<service>[^/,\s]+)/aws4_request"
)


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request: ``path`` is still percent-encoded, header names are in lower case."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CredentialScope:
    """Who signed a request, and for which service and region."""

    access_key_id: str
    region: str
    signing_name: str


def credential_scope(request: HttpRequest) -> CredentialScope:
    """Read the credential scope of a request signed with Signature Version 4.

    The signature itself is not checked: the stand-ins know no secret keys.

    Raises:
        RefusedError: The request is not signed, or its Authorization header is no such signature.
    """
    authorization = request.headers.get("authorization", "")
    if not authorization.startswith("AWS4-HMAC-SHA256"):
        raise RefusedError("MissingAuthenticationTokenException", "Missing Authentication Token")
    found = _CREDENTIAL.search(authorization)
    if found is None or "Signature=" not in authorization or "SignedHeaders=" not in authorization:
        raise RefusedError(
            "IncompleteSignatureException",
            "Authorization header requires 'Credential', 'Signature' and 'SignedHeaders' parameters.",
        )
    return CredentialScope(found["key"], found["region"], found["service"])
