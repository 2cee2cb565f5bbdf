"""The errors that a stand-in answers with."""

from __future__ import annotations

from typing import Any

#: Errors that any AWS service may answer with though no operation models them, with their HTTP status.
#: Source: "Common errors" of the API references, and botocore's own handling of them.
COMMON_ERRORS: dict[str, int] = {
    "AccessDeniedException": 400,
    "ExpiredTokenException": 403,
    "IncompleteSignatureException": 400,
    "InternalFailure": 500,
    "MissingAuthenticationTokenException": 403,
    "RequestExpired": 400,
    "ThrottlingException": 400,
    "UnknownOperationException": 400,
    "UnrecognizedClientException": 403,
    "ValidationException": 400,
}


class ModelledError(Exception):
    """An answer that the service's model lists as an error of the operation.

    Raise it from an operation of a stand-in; a real client then raises ``client.exceptions.<code>``.
    """

    def __init__(self, code: str, message: str, **members: Any) -> None:
        """Say which error, its message, and further members of its shape by their names in the model."""
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.members = members


class RefusedError(ModelledError):
    """An answer that any service may give though no operation models it; one of ``COMMON_ERRORS``.

    Such as to a request that is not signed, or that asks for what no stand-in plays.
    """


class UnmodelledError(Exception):
    """A stand-in tried to answer with an error that the operation does not model: a bug of the stand-in."""


class DefectError(Exception):
    """A stand-in answered what the service's model does not allow: a bug of the stand-in."""
