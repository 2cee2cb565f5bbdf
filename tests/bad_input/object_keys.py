"""Keys of uploads: S3 takes nearly everything, and EventBridge tells it as it is."""

from collections.abc import Callable
from typing import Any

from tests.bad_input.corpus import Case
from tests.bad_input.doors import EVENT, uploaded


def created(key: Any, **detail: Any) -> dict[str, Any]:
    """Return what EventBridge tells of an upload."""
    stored = {"key": key, "size": 4, "etag": "4a4b0f2bd1c3e7fc85cac3dfd1d76f44", "sequencer": "0055AED6DCD90281E5"}
    return {
        "version": "0",
        "detail-type": "Object Created",
        "source": "aws.s3",
        "detail": {"bucket": {"name": "media"}, "object": stored | detail, "reason": "PutObject"},
    }


def a(key: str) -> Callable[[], tuple[Any, Any]]:
    """Return what uploads a film under a key, and tells of it."""

    def make() -> tuple[Any, Any]:
        store = uploaded(key, b"film")
        return created(key, etag=store.head(key).etag), store

    return make


CASES = [
    Case(
        "uploads/../film.mp4",
        EVENT,
        a("uploads/../film.mp4"),
        code=2,
        told=(
            "RequestInvalidError: The request is not valid: project: Value error, '..' is no name of "
            'a project. It needs {"project": "<name>", "footage": ["<key>", ...]} and may have a '
            '"run_id".'
        ),
    ),
    Case(
        "uploads/p/../../projects/p/project.yaml",
        EVENT,
        a("uploads/p/../../projects/p/project.yaml"),
        code=0,
        told="a run begins: project-20260102-367dde",
    ),
    Case(
        "uploads/%2e%2e/film.mp4",
        EVENT,
        a("uploads/%2e%2e/film.mp4"),
        code=0,
        told="a run begins: film-20260102-367dde",
    ),
    Case("uploads/p/100%.mp4", EVENT, a("uploads/p/100%.mp4"), code=0, told="a run begins: 100-20260102-367dde"),
    Case(
        "uploads/p/a%20b%2Fc.mp4",
        EVENT,
        a("uploads/p/a%20b%2Fc.mp4"),
        code=0,
        told="a run begins: a-20b-2fc-20260102-367dde",
    ),
    Case("uploads/p/a+b.mp4", EVENT, a("uploads/p/a+b.mp4"), code=0, told="a run begins: a-b-20260102-367dde"),
    Case(
        "uploads/p/a film with spaces .mp4",
        EVENT,
        a("uploads/p/a film with spaces .mp4"),
        code=0,
        told="a run begins: a-film-with-spaces-20260102-367dde",
    ),
    Case("uploads/🐰/🎬.mp4", EVENT, a("uploads/🐰/🎬.mp4"), code=0, told="a run begins: film-20260102-367dde"),
    Case(
        "uploads/Café/é.mp4, its accents as letters",
        EVENT,
        a("uploads/Caf\u00e9/\u00e9.mp4"),
        code=0,
        told="a run begins: e-20260102-367dde",
    ),
    Case(
        "uploads/Café/é.mp4, its accents as marks",
        EVENT,
        a("uploads/Cafe\u0301/e\u0301.mp4"),
        code=0,
        told="a run begins: e-20260102-367dde",
    ),
    Case(
        "a mark that turns text round: uploads/p/gp4.jpg",
        EVENT,
        a("uploads/p/4pm\u202e.gpj"),
        code=0,
        told="a run begins: 4pm-20260102-367dde",
    ),
    Case(
        "a key of 1,024 bytes",
        EVENT,
        a(f"uploads/p/{'ü' * 505}.mp4"),
        code=0,
        told="a run begins: uuuuuuuuuuuuuuuuuuuuuuuu-20260102-367dde",
    ),
    Case(
        "a project of 101 letters",
        EVENT,
        a(f"uploads/{'p' * 101}/film.mp4"),
        code=2,
        told=(
            "RequestInvalidError: The request is not valid: project: String should have at most 100 "
            'characters. It needs {"project": "<name>", "footage": ["<key>", ...]} and may have a '
            '"run_id".'
        ),
    ),
    Case(
        "a slash at the beginning",
        EVENT,
        a("/uploads/p/film.mp4"),
        code=2,
        told=(
            "RequestInvalidError: '/uploads/p/film.mp4' is not an upload to a project. Upload to "
            "uploads/<project>/<file>."
        ),
    ),
    Case(
        "two slashes",
        EVENT,
        a("uploads//film.mp4"),
        code=2,
        told=(
            "RequestInvalidError: 'uploads//film.mp4' is not an upload to a project. Upload to "
            "uploads/<project>/<file>."
        ),
    ),
    Case(
        "two slashes in the file's name",
        EVENT,
        a("uploads/p//film.mp4"),
        code=0,
        told="a run begins: film-20260102-367dde",
    ),
    Case(
        "a backslash",
        EVENT,
        a("uploads/p\\..\\film.mp4"),
        code=2,
        told=(
            "RequestInvalidError: 'uploads/p\\..\\film.mp4' is not an upload to a project. Upload to "
            "uploads/<project>/<file>."
        ),
    ),
    Case(
        "a new line in the project",
        EVENT,
        a("uploads/p\nq/film.mp4"),
        code=2,
        told=(
            "RequestInvalidError: The request is not valid: project: String should match pattern "
            '\'^[^/\\x00-\\x1f]+$\'. It needs {"project": "<name>", "footage": ["<key>", ...]} and may '
            'have a "run_id".'
        ),
    ),
    Case(
        "a new line in the file's name",
        EVENT,
        a("uploads/p/fi\nlm.mp4"),
        code=0,
        told="a run begins: fi-lm-20260102-367dde",
    ),
    Case(
        "a NUL in the project",
        EVENT,
        a("uploads/p\x00/film.mp4"),
        code=2,
        told=(
            "RequestInvalidError: The request is not valid: project: String should match pattern "
            '\'^[^/\\x00-\\x1f]+$\'. It needs {"project": "<name>", "footage": ["<key>", ...]} and may '
            'have a "run_id".'
        ),
    ),
    Case(
        "HTML",
        EVENT,
        a("uploads/p/<img src=x onerror=alert(1)>.mp4"),
        code=0,
        told="a run begins: img-src-x-onerror-alert-20260102-367dde",
    ),
    Case(
        "no file's name",
        EVENT,
        a("uploads/p/"),
        code=2,
        told=(
            "RequestInvalidError: 'uploads/p/' is not an upload to a project. Upload to uploads/<project>/<file>."
        ),
    ),
    Case(
        "no project",
        EVENT,
        a("uploads/film.mp4"),
        code=2,
        told=(
            "RequestInvalidError: 'uploads/film.mp4' is not an upload to a project. Upload to "
            "uploads/<project>/<file>."
        ),
    ),
    Case(
        "a folder that no rule watches",
        EVENT,
        a("incoming/r/film.mp4"),
        code=2,
        told=(
            "RequestInvalidError: 'incoming/r/film.mp4' is not an upload to a project. Upload to "
            "uploads/<project>/<file>."
        ),
    ),
    Case("a name of dots alone", EVENT, a("uploads/p/..."), code=0, told="a run begins: film-20260102-367dde"),
]
