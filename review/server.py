"""The review page's server: its files, its pictures, and the decisions that people make in it."""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from hashlib import sha256
from typing import Annotated, Any

from pydantic import Field
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from review.drafts import DecisionId, Draft, DraftInvalidError, parsed
from review.files import media_type, page_files
from review.guard import Guard
from review.pictures import NoPictureError, PictureGoneError, Pictures, Shown
from storycast.decisions import Conflict, Decision
from storycast.errors import RetryableError
from storycast.footage import Record
from storycast.review import ChangeRefusedError, Review
from storycast.review_desk import ReviewClosedError, ReviewDesk
from storycast.review_lint import lint_review

Explain = Callable[[Exception], tuple[int, str] | None]
"""Gives status and message for an error of what lies behind the desk; None where nobody foresaw it."""

Seq = Annotated[int, Field(ge=0)]

_GONE = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 320" role="img"><rect width="320" height="320" '
    'fill="#777"/><text x="160" y="165" text-anchor="middle" font-family="sans-serif" font-size="20" fill="#fff">'
    "This picture can't be read</text></svg>"
)


class _PostedDraft(Draft):
    after: Seq = 0


class _PostedFinish(Record):
    id: DecisionId
    after: Seq = 0


def make_app(
    desk: ReviewDesk,
    review: Review,
    pictures: Pictures,
    *,
    me: str,
    key: str,
    explain: Explain = lambda _error: None,
) -> Starlette:
    """Return the app that serves one run's review to one person on this machine.

    Args:
        desk: Takes the decisions.
        review: What is reviewed.
        pictures: Its pictures.
        me: Who decides here.
        key: What a browser must have to be let in; random, for each start anew.
        explain: Tells what an error of AWS means to a reviewer.
    """
    api = _Api(desk, review, me, explain)
    shelf = _Shelf(pictures, explain)
    return Starlette(
        routes=[
            Route("/api/review", api.answered(api.review), methods=["GET"]),
            Route("/api/decisions", api.answered(api.decisions), methods=["GET"]),
            Route("/api/decisions", api.answered(api.decide), methods=["POST"]),
            Route("/api/finish", api.answered(api.finish), methods=["POST"]),
            Route("/api/lint", api.answered(api.lint), methods=["GET"]),
            Route("/pictures/{crop_id}/thumb", shelf.thumb, methods=["GET"]),
            Route("/pictures/{crop_id}/full", shelf.full, methods=["GET"]),
            Route("/", _file, methods=["GET"]),
            Route("/{name}", _file, methods=["GET"]),
        ],
        middleware=[Middleware(Guard, key=key)],
    )


class _Api:
    """What the page asks for and sends."""

    def __init__(self, desk: ReviewDesk, review: Review, me: str, explain: Explain) -> None:
        self._desk = desk
        self._review = review
        self._me = me
        self._explain = explain
        # It never changes, and a thousand pictures take a while to write.
        self._review_json = review.model_dump_json()

    def answered(self, work: Callable[[Request, bytes], Response]) -> Callable[[Request], Awaitable[Response]]:
        """Return a route that does ``work`` in a thread, and tells what goes wrong in plain words."""

        async def route(request: Request) -> Response:
            body = await request.body()
            return await run_in_threadpool(self._told, work, request, body)

        return route

    def _told(self, work: Callable[[Request, bytes], Response], request: Request, body: bytes) -> Response:
        try:
            return work(request, body)
        except (DraftInvalidError, ChangeRefusedError) as error:
            return JSONResponse({"message": str(error)}, 422)
        except Exception as error:  # the page's user can do nothing with a trace
            status, message = _explained(error, self._explain)
            return JSONResponse({"message": message}, status)

    def review(self, _request: Request, _body: bytes) -> Response:
        """Give all that is known."""
        rest = json.dumps({**self._news(0), "me": self._me})
        return Response(f'{{"review": {self._review_json}, {rest[1:]}', media_type="application/json")

    def decisions(self, request: Request, _body: bytes) -> Response:
        """Give what was decided since."""
        after = request.query_params.get("after", "0")
        return JSONResponse(self._news(parsed(Seq, after.encode())))

    def decide(self, _request: Request, body: bytes) -> Response:
        """Take a decision."""
        posted = parsed(_PostedDraft, body)
        try:
            answer = self._desk.decide(posted.proposal(self._me, "page"))
        except ReviewClosedError as closed:
            return self._closed(closed, posted.after)
        conflicts = [_conflict(one) for one in answer.conflicts]
        return JSONResponse({**self._news(posted.after), "conflicts": conflicts})

    def finish(self, _request: Request, body: bytes) -> Response:
        """Close the review."""
        posted = parsed(_PostedFinish, body)
        try:
            self._desk.finish(self._me, posted.id)
        except ReviewClosedError as closed:
            return self._closed(closed, posted.after)
        return JSONResponse(self._news(posted.after))

    def lint(self, request: Request, _body: bytes) -> Response:
        """Give what the caption lint says of the captions as they are now: all that may be kept, or is."""
        found = lint_review(self._review, self._desk.state(), with_open=request.query_params.get("of") != "kept")
        return Response(found.model_dump_json(), media_type="application/json")

    def _closed(self, closed: ReviewClosedError, after: int) -> Response:
        return JSONResponse({"message": str(closed), **self._news(after)}, 409)

    def _news(self, after: int) -> dict[str, Any]:
        decisions: Sequence[Decision] = self._desk.decisions(after)
        return {
            "decisions": [one.model_dump(mode="json") for one in decisions],
            "status": asdict(self._desk.status()),
        }


class _Shelf:
    """The pictures."""

    def __init__(self, pictures: Pictures, explain: Explain) -> None:
        self._pictures = pictures
        self._explain = explain

    async def thumb(self, request: Request) -> Response:
        """Give a small picture."""
        return await run_in_threadpool(self._given, request, "thumb", self._pictures.thumb)

    async def full(self, request: Request) -> Response:
        """Give a picture."""
        return await run_in_threadpool(self._given, request, "full", self._pictures.full)

    def _given(self, request: Request, size: str, read: Callable[[str], Shown]) -> Response:
        crop_id = request.path_params["crop_id"]
        try:
            headers = {
                "ETag": f'"{self._pictures.tag(crop_id)}-{size}"',
                # Immutable for those with this start's cookie: the next start may be another run's.
                "Cache-Control": "private, max-age=86400, immutable",
                "Vary": "Cookie",
            }
            if request.headers.get("if-none-match") == headers["ETag"]:
                return Response(status_code=304, headers=headers)
            shown = read(crop_id)
        except NoPictureError as error:
            return Response(str(error), 404, media_type="text/plain")
        except PictureGoneError:
            return Response(_GONE, 404, media_type="image/svg+xml")
        except Exception as error:
            status, message = _explained(error, self._explain)
            return Response(message, status, media_type="text/plain")
        return Response(shown.content, headers=headers, media_type=shown.media_type)


async def _file(request: Request) -> Response:
    name = request.path_params.get("name", "index.html")
    content = page_files().get(name)
    if content is None:
        return Response("There is nothing here.", 404, media_type="text/plain")
    tag = f'"{sha256(content).hexdigest()[:16]}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=media_type(name))


def _conflict(one: Conflict) -> dict[str, Any]:
    by = one.now.by
    return {
        **one.change.model_dump(mode="json"),
        "now": one.now.text,
        "who": by.who if by else None,
        "when": by.when if by else None,
    }


def _explained(error: Exception, explain: Explain) -> tuple[int, str]:
    """Return status and message for an error that is not the page's own."""
    if isinstance(error, RetryableError):
        return 503, f"AWS is busy: {error}. Try again in a moment."
    said = " ".join(f"{type(error).__name__}: {error}".split())
    return explain(error) or (500, f"Something unforeseen happened ({said}).")
