"""The worker page of Amazon A2I's stand-in: which loops wait, the worker template filled in, and scripts' routes.

It listens where all stand-ins do, on loopback. Requests of pages from elsewhere are refused by Host and Origin.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote

from jinja2 import Environment, FileSystemLoader
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from local.standins.a2i_world import A2iWorld, Loop
from local.standins.assumed_role import RoleRefusedError
from local.standins.bedrock_world import now
from local.standins.http import HttpAnswer, HttpRequest
from local.standins.human_loops import ENDED, HumanLoops, LoopRefusedError, store_of
from local.standins.objects import ObjectUnreadableError
from local.standins.worker_template import TemplateRefusedError, fill_in, style_hashes

ROOT = "/_storycast/a2i/"
_FOLDER = Path(__file__).parent / "pages"
_ASSETS = {"worker.css": "text/css; charset=utf-8", "crowd-elements.js": "text/javascript; charset=utf-8"}
_LOOP = re.compile(r"loops/([a-z0-9-]{1,63})/(task|picture|answers|fail|stop|event)")
_WORKER = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
_PICTURES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}
_SECURITY = {
    "cache-control": "no-store",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'{styles}; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Answers(_Asked):
    worker: Annotated[str, Field(pattern=_WORKER)]
    answer: dict[str, Any]


class _Failure(_Asked):
    reason: Annotated[str, Field(max_length=1024)] = "The local stand-in was asked to fail it."
    code: Annotated[str, Field(max_length=64)] = "InternalError"


class _PageError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class A2iPages:
    """Answers everything below ``/_storycast/a2i/``."""

    def __init__(self, world: A2iWorld, loops: HumanLoops) -> None:
        """Show the loops of a world."""
        self._world = world
        self._loops = loops
        self._granted: dict[str, list[str]] = {}
        self._opened: dict[tuple[str, str], dt.datetime] = {}
        self._pages = Environment(loader=FileSystemLoader(_FOLDER), autoescape=True)

    def answer(self, request: HttpRequest) -> HttpAnswer:
        """Answer one request."""
        try:
            _refuse_strangers(request)
            return self._answered(request)
        except _PageError as error:
            return _json(error.status, {"message": str(error)})
        except LoopRefusedError as error:
            return _json(409, {"message": str(error)})

    def _answered(self, request: HttpRequest) -> HttpAnswer:
        path = unquote(request.path.removeprefix(ROOT))
        if request.method == "GET" and path in _ASSETS:
            return _page((_FOLDER / path).read_bytes(), _ASSETS[path])
        if (request.method, path) == ("GET", ""):
            return self._list(request)
        if (request.method, path) == ("GET", "loops"):
            with self._world.reading() as kept:
                return _json(200, {"loops": [_told(loop) for loop in kept.loops]})
        found = _LOOP.fullmatch(path)
        routes: dict[tuple[str, str], Callable[[str, HttpRequest], HttpAnswer]] = {
            ("GET", "task"): self._task,
            ("GET", "picture"): self._picture,
            ("POST", "answers"): self._take_answer,
            ("POST", "fail"): self._fail,
            ("POST", "stop"): self._stop,
            ("POST", "event"): self._tell,
        }
        route = routes.get((request.method, found[2])) if found else None
        if found is None or route is None:
            raise _PageError(404, f"No such page: {request.method} {request.path}")
        return route(found[1], request)

    def _list(self, request: HttpRequest) -> HttpAnswer:
        worker = _worker(request)
        with self._world.reading() as kept:
            rows = [
                {
                    "name": loop.name,
                    "answers": len(loop.answers),
                    "wanted": flow.task_count,
                    "is_mine": any(answer.worker == worker for answer in loop.answers),
                }
                for loop in kept.loops
                if loop.status == "InProgress" and (flow := kept.flow(loop.flow_arn))
            ]
            ended = sum(loop.status in ENDED for loop in kept.loops)
        html = self._pages.get_template("loops.html.j2").render(worker=worker, loops=rows, ended=ended)
        return _page(html.encode(), "text/html; charset=utf-8")

    def _task(self, name: str, request: HttpRequest) -> HttpAnswer:
        worker = _worker(request)
        with self._world.reading() as kept:
            loop = kept.loop(name)
            flow = kept.flow(loop.flow_arn) if loop else None
            if loop is None or flow is None:
                raise _PageError(404, f"There is no human loop {name}.")
            template, content = kept.template(flow), json.loads(loop.content)
            is_open = loop.status == "InProgress" and not any(one.worker == worker for one in loop.answers)
        granted: list[str] = []

        def grant(uri: str) -> str:
            granted.append(uri)
            return f"picture?number={len(granted) - 1}"

        try:
            task = fill_in(template, content, grant, f"{ROOT}crowd-elements.js")
        except TemplateRefusedError as error:
            raise _PageError(500, str(error)) from error
        self._granted[name] = granted
        self._opened.setdefault((name, worker), now())
        html = self._pages.get_template("task.html.j2").render(
            name=name, worker=worker, title=flow.config["TaskTitle"], task=task, is_open=is_open
        )
        return _page(html.encode(), "text/html; charset=utf-8", style_hashes(template))

    def _picture(self, name: str, request: HttpRequest) -> HttpAnswer:
        """A picture of the task as it was last shown, read as the flow definition's role reads it."""
        number = dict(request.query).get("number", "")
        granted = self._granted.get(name, [])
        if not number.isdecimal() or int(number) >= len(granted):
            raise _PageError(404, "The task shows no such picture.")
        with self._world.reading() as kept:
            loop = kept.loop(name)
            flow = kept.flow(loop.flow_arn) if loop else None
        if flow is None:
            raise _PageError(404, f"There is no human loop {name}.")
        try:
            content = store_of(flow).read(granted[int(number)])
        except (RoleRefusedError, ObjectUnreadableError) as error:
            raise _PageError(403, str(error)) from error
        kind = next((kind for begin, kind in _PICTURES.items() if content.startswith(begin)), None)
        if kind is None:
            raise _PageError(415, f"{granted[int(number)]} is no PNG or JPEG.")
        return _page(content, kind)

    def _take_answer(self, name: str, request: HttpRequest) -> HttpAnswer:
        said = _read(request, _Answers)
        opened_at = self._opened.get((name, said.worker))
        return _json(200, _told(self._loops.answer(name, said.worker, said.answer, opened_at)))

    def _fail(self, name: str, request: HttpRequest) -> HttpAnswer:
        asked = _read(request, _Failure)
        return _json(200, _told(self._loops.fail(name, asked.code, asked.reason)))

    def _stop(self, name: str, request: HttpRequest) -> HttpAnswer:
        _read(request, _Asked)
        self._loops.stop(name)
        return _json(200, {})

    def _tell(self, name: str, request: HttpRequest) -> HttpAnswer:
        _read(request, _Asked)
        self._loops.tell(name)
        return _json(200, {})


def _refuse_strangers(request: HttpRequest) -> None:
    """Refuse who comes by another name than this machine's, and pages of other origins.

    Raises:
        _PageError: 403.
    """
    host = request.headers.get("host", "")
    if host.rpartition(":")[0] not in {"127.0.0.1", "localhost"}:
        raise _PageError(403, "This page is served on 127.0.0.1 alone.")
    origin = request.headers.get("origin")
    if origin is not None and origin != f"http://{host}":
        raise _PageError(403, f"Pages of {origin} may not ask here.")


def _worker(request: HttpRequest) -> str:
    worker = dict(request.query).get("worker", "worker-1")
    if not re.fullmatch(_WORKER, worker):
        raise _PageError(400, "A worker's name has letters, digits, dots and hyphens, 64 at most.")
    return worker


def _read[A: _Asked](request: HttpRequest, kind: type[A]) -> A:
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise _PageError(415, "Send application/json.")
    try:
        return kind.model_validate_json(request.body or b"{}")
    except ValidationError as error:
        raise _PageError(400, str(error)) from error


def _told(loop: Loop) -> dict[str, Any]:
    return {
        "name": loop.name,
        "status": loop.status,
        "flow_definition_arn": loop.flow_arn,
        "answers": len(loop.answers),
        "output_uri": loop.output_uri,
    }


def _page(body: bytes, kind: str, styles: list[str] | None = None) -> HttpAnswer:
    policy = _POLICY.format(styles="".join(f" {style}" for style in styles or ()))
    return HttpAnswer(200, body, {"content-type": kind, "content-security-policy": policy, **_SECURITY})


def _json(status: int, document: Any) -> HttpAnswer:
    body = json.dumps(document).encode("utf-8")
    return HttpAnswer(status, body, {"content-type": "application/json", **_SECURITY})
