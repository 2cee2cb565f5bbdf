"""Who calls, by an access key, and what the emulator's IAM says that they may do."""

import hashlib
import math
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from local.policies import Statement, read_statements
from local.servers import ACCOUNT_ID, ROOT_KEY

#: How long policies are taken for what they were, in seconds; each call would ask IAM several times otherwise.
_KEPT_SECONDS = 1.0
#: Policies that AWS manages: those that SAM attaches let functions write logs and traces, of which nothing is
#: asked here, and the emulator does not have all of them.
_OF_AWS = "arn:aws:iam::aws:policy/"


@dataclass(frozen=True)
class Caller:
    """Whose key it is.

    Attributes:
        arn: As IAM tells it in a refusal.
        role: Name of the role that was assumed; empty for root and for users.
        user: Name of the user; empty for all others.
    """

    arn: str
    role: str = ""
    user: str = ""

    @property
    def is_root(self) -> bool:
        """Whether it may do everything."""
        return not (self.role or self.user)


ROOT = Caller(f"arn:aws:iam::{ACCOUNT_ID}:root")


class Callers:
    """Finds callers and their policies in the emulator's IAM; good in any thread.

    Args:
        client: Gives a client of one of the emulator's services, as the account's root.
    """

    def __init__(self, client: Callable[[str], Any]) -> None:
        self._client = client
        self._guard = threading.Lock()
        self._known: dict[str, Caller] = {ROOT_KEY: ROOT, ACCOUNT_ID: ROOT}
        self._policies: dict[Caller, tuple[float, list[Statement]]] = {}

    def of(self, access_key_id: str) -> Caller | None:
        """Return whose key it is; None if it is nobody's that is known here."""
        with self._guard:
            if access_key_id not in self._known:
                self._known |= {key_of(arn, role): _of_function(arn, role) for arn, role in self._functions()}
            if access_key_id not in self._known and (user := self._user(access_key_id)):
                self._known[access_key_id] = user
            return self._known.get(access_key_id)

    def statements(self, caller: Caller) -> list[Statement]:
        """Return what the policies of a role or a user say, those of a second ago at most.

        Raises:
            UnreadPolicyError: A policy says what `local.policies` does not read.
        """
        with self._guard:
            asked_at, known = self._policies.get(caller, (-math.inf, []))
            if time.monotonic() - asked_at > _KEPT_SECONDS:
                known = [one for document in self._documents(caller) for one in read_statements(document)]
                self._policies[caller] = time.monotonic(), known
            return known

    def _functions(self) -> Iterator[tuple[str, str]]:
        for page in self._client("lambda").get_paginator("list_functions").paginate():
            yield from ((one["FunctionArn"], one["Role"]) for one in page["Functions"])

    def _user(self, access_key_id: str) -> Caller | None:
        try:
            name = self._client("iam").get_access_key_last_used(AccessKeyId=access_key_id).get("UserName", "")
        except ClientError:
            return None  # no user's
        return Caller(f"arn:aws:iam::{ACCOUNT_ID}:user/{name}", user=name) if name else None

    def _documents(self, caller: Caller) -> Iterator[Any]:
        iam = self._client("iam")
        kind, name = ("role", caller.role) if caller.role else ("user", caller.user)
        whose = {f"{kind.title()}Name": name}
        for policy in getattr(iam, f"list_{kind}_policies")(**whose)["PolicyNames"]:
            yield getattr(iam, f"get_{kind}_policy")(**whose, PolicyName=policy)["PolicyDocument"]
        for attached in getattr(iam, f"list_attached_{kind}_policies")(**whose)["AttachedPolicies"]:
            arn = attached["PolicyArn"]
            if arn.startswith(_OF_AWS):
                continue
            version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
            yield iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]


def key_of(function_arn: str, role_arn: str) -> str:
    """Return the access key that the emulator gives a function: it makes it out of these two."""
    digest = hashlib.sha256(f"{function_arn}:{role_arn}".encode()).hexdigest()
    return f"ASIA{digest[:16].upper()}"


def _of_function(function_arn: str, role_arn: str) -> Caller:
    function, role = function_arn.rpartition(":")[2], role_arn.rpartition("/")[2]
    return Caller(f"arn:aws:sts::{ACCOUNT_ID}:assumed-role/{role}/{function}", role=role)
