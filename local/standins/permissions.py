"""Holds callers to their policies, as the services do, and notes which rights were asked for."""

from __future__ import annotations

import datetime as dt
import json
import threading
from pathlib import Path

from local.callers import Caller, Callers
from local.policies import Need, decide
from local.standins.errors import RefusedError
from local.standins.rights import needs
from local.standins.service import Call, Params, World

#: One line for each right that somebody asked for, however often: `{"time", "role", "user", "action", ...}`.
RIGHTS_FILE = "rights.jsonl"

_WHY = {
    "implicitDeny": "because no identity-based policy allows the {action} action",
    "explicitDeny": "with an explicit deny in an identity-based policy",
}


class Permissions:
    """Decides by the policies in the emulator's IAM."""

    def __init__(self, world: World, callers: Callers, state: Path) -> None:
        """Continue the notes of the state folder."""
        self._world = world
        self._callers = callers
        self._notes = state / RIGHTS_FILE
        self._guard = threading.Lock()
        self._noted: set[tuple[str, str, str, str]] = set()

    def denial(self, call: Call, params: Params) -> str | None:
        """Say why a call is not allowed, in the services' words; None if it is.

        Raises:
            RefusedError: Nobody has that key.
        """
        caller = self._callers.of(call.access_key_id)
        if caller is None:
            raise RefusedError(
                "UnrecognizedClientException", "The security token included in the request is invalid."
            )
        if caller.is_root:
            return None
        statements = self._callers.statements(caller)
        for need in needs(self._world, call, params):
            decision = decide(statements, need)
            self._note(caller, need, decision)
            if decision != "allowed":
                why = _WHY[decision].format(action=need.action)
                on = f"on resource: {need.resource} " if need.resource != "*" else ""
                return f"User: {caller.arn} is not authorized to perform: {need.action} {on}{why}"
        return None

    def _note(self, caller: Caller, need: Need, decision: str) -> None:
        what = (caller.arn, need.action, need.resource, decision)
        with self._guard:
            if what in self._noted:
                return
            self._noted.add(what)
            line = {
                "time": dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds"),
                "role": caller.role,
                "user": caller.user,
                "action": need.action,
                "resource": need.resource,
                "context": {key: list(values) for key, values in need.context.items()},
                "decision": decision,
            }
            with self._notes.open("a", encoding="utf-8") as notes:
                notes.write(json.dumps(line, separators=(",", ":")) + "\n")
