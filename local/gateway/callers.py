"""Who holds an access key: functions by how the emulator makes theirs, others once STS gave them one."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local.callers import key_of

_KEY = re.compile(rb"<AccessKeyId>(\w+)</AccessKeyId>")
_ASK_AGAIN_S = 2.0


@dataclass(frozen=True)
class Caller:
    """Who calls.

    Attributes:
        role: Name of the role, None for the account's root and for whoever is not known.
        function: Name of the function that the role's session is of, if it is one's.
    """

    role: str | None = None
    function: str | None = None


class Callers:
    """Callers by access key.

    Args:
        functions: Asks the emulator for its functions, as Lambda's ListFunctions has them.
        root_key: The account root's key.
    """

    def __init__(self, functions: Callable[[], list[dict[str, Any]]], root_key: str) -> None:
        self._functions = functions
        self._root_key = root_key
        self._known: dict[str, Caller] = {}
        self._guard = asyncio.Lock()
        self._asked_at = -_ASK_AGAIN_S

    async def of(self, access_key_id: str) -> Caller:
        """Return whose key it is; the emulator is asked where it is new."""
        if access_key_id in ("", self._root_key) or not access_key_id.startswith("ASIA"):
            return Caller()
        if access_key_id not in self._known:
            async with self._guard:
                if access_key_id not in self._known and time.monotonic() - self._asked_at > _ASK_AGAIN_S:
                    self._known |= functions_by_key(await asyncio.to_thread(self._functions))
                    self._asked_at = time.monotonic()
        return self._known.get(access_key_id, Caller())

    def learn(self, answer: bytes, role_arn: str) -> None:
        """Remember whom STS gave a key, from its answer to AssumeRole."""
        if found := _KEY.search(answer):
            self._known[found[1].decode()] = Caller(role=role_arn.rpartition("/")[2])


def functions_by_key(functions: list[dict[str, Any]]) -> dict[str, Caller]:
    """Return the callers that functions are, by the keys that the emulator gives to their roles' sessions."""
    return {
        key_of(function["FunctionArn"], function["Role"]): Caller(
            function["Role"].rpartition("/")[2], function["FunctionName"]
        )
        for function in functions
    }
