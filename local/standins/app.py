"""The ASGI application: the services' requests, and the stand-ins' own routes under ``/_storycast/``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.types import Receive, Scope, Send

from local.faults import FAULT_RULES
from local.standins.a2i_pages import ROOT as A2I_PAGES
from local.standins.a2i_pages import A2iPages
from local.standins.catalogue import play_as_active, played_as_active
from local.standins.desk import Desk
from local.standins.http import HttpAnswer, HttpRequest
from local.standins.outcomes import Outcome
from local.standins.service import World

OWN_ROUTES = "/_storycast/"
#: Above the largest body that a service here takes (15 MB of a picture as base64, Bedrock's 25 MB).
BODY_LIMIT = 40 * 1024 * 1024


class _Catalogue(BaseModel):
    model_config = ConfigDict(extra="forbid")

    play_as_active: list[str]


class App:
    """Takes HTTP requests to the desk, and answers the stand-ins' own routes."""

    def __init__(self, desk: Desk, world: World, cut: Callable[[Any], None]) -> None:
        """Serve a desk.

        Args:
            desk: What answers the services' requests.
            world: What the services share.
            cut: Cuts the connection of the client with that address (ASGI's ``scope["client"]``).
        """
        self._desk = desk
        self._world = world
        self._a2i_pages = A2iPages(world.a2i, world.human_loops)
        self._cut = cut

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, as ASGI has it."""
        if scope["type"] != "http":
            return
        body = await _body(receive)
        if body is None:
            await _send(send, _json(413, {"message": f"The body is larger than {BODY_LIMIT} bytes"}))
            return
        request = _request(scope, body)
        answer: HttpAnswer | None
        if request.path.startswith(A2I_PAGES):
            answer = await asyncio.to_thread(self._a2i_pages.answer, request)
        elif request.path.startswith(OWN_ROUTES):
            answer = self._own(request)
        else:
            answer = await self._desk.answer(request)
        if answer is None:
            self._cut(scope["client"])
            return
        await _send(send, answer)

    def _own(self, request: HttpRequest) -> HttpAnswer:
        """The routes that tests and the ``storycast`` command use; they need no signature."""
        routes: dict[tuple[str, str], Callable[[HttpRequest], HttpAnswer]] = {
            ("GET", "health"): self._health,
            ("GET", "calls"): self._calls,
            ("GET", "billing"): lambda _: _json(200, {"billed": self._world.billed()}),
            ("GET", "catalogue"): lambda _: _json(200, {"play_as_active": played_as_active()}),
            ("POST", "catalogue"): self._set_catalogue,
            ("POST", "faults"): self._add_faults,
            ("DELETE", "faults"): self._clear_faults,
            ("POST", "outcomes"): self._add_outcome,
            ("DELETE", "outcomes"): self._clear_outcomes,
        }
        route = routes.get((request.method, request.path.removeprefix(OWN_ROUTES)))
        if route is None:
            return _json(404, {"message": f"No such route: {request.method} {request.path}"})
        return route(request)

    def _health(self, _request: HttpRequest) -> HttpAnswer:
        return _json(200, {"ready": True, "services": sorted(self._desk.services)})

    def _calls(self, request: HttpRequest) -> HttpAnswer:
        text = dict(request.query).get("since", "0")
        if not text.isdecimal():
            return _json(400, {"message": "since must be a number from 0 on"})
        calls = self._desk.calls.since(int(text))
        return _json(200, {"calls": calls, "next": int(text) + len(calls)})

    def _clear_faults(self, _request: HttpRequest) -> HttpAnswer:
        self._desk.faults.clear()
        return _json(200, {"rules": 0})

    def _clear_outcomes(self, _request: HttpRequest) -> HttpAnswer:
        self._world.outcomes.clear()
        return _json(200, {})

    def _add_faults(self, request: HttpRequest) -> HttpAnswer:
        try:
            rules = FAULT_RULES.validate_json(request.body)
        except ValidationError as error:
            return _json(400, {"message": str(error)})
        wrong = [problem for rule in rules if (problem := self._desk.check_rule(rule))]
        if wrong:
            return _json(400, {"message": "; ".join(wrong)})
        self._desk.faults.add(rules)
        return _json(200, {"rules": len(rules)})

    def _add_outcome(self, request: HttpRequest) -> HttpAnswer:
        try:
            self._world.outcomes.add(Outcome.model_validate_json(request.body))
        except ValidationError as error:
            return _json(400, {"message": str(error)})
        return _json(200, {})

    def _set_catalogue(self, request: HttpRequest) -> HttpAnswer:
        try:
            play_as_active(_Catalogue.model_validate_json(request.body).play_as_active)
        except ValueError as error:
            return _json(400, {"message": str(error)})
        return _json(200, {"play_as_active": played_as_active()})


def _request(scope: Scope, body: bytes) -> HttpRequest:
    return HttpRequest(
        method=scope["method"],
        path=scope["raw_path"].decode("ascii"),
        query=tuple(parse_qsl(scope["query_string"].decode("ascii"), keep_blank_values=True)),
        headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]},
        body=body,
    )


async def _body(receive: Receive) -> bytes | None:
    """The whole body, or None if it is larger than any service takes."""
    parts, size = [], 0
    while True:
        message = await receive()
        part = message.get("body", b"")
        size += len(part)
        if size <= BODY_LIMIT:
            parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts) if size <= BODY_LIMIT else None


async def _send(send: Send, answer: HttpAnswer) -> None:
    headers = answer.headers | {"content-length": str(len(answer.body))}
    await send(
        {
            "type": "http.response.start",
            "status": answer.status,
            "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()],
        }
    )
    await send({"type": "http.response.body", "body": answer.body})


def _json(status: int, document: Any) -> HttpAnswer:
    return HttpAnswer(status, json.dumps(document).encode("utf-8"), {"content-type": "application/json"})
