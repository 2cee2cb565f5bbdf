"""The review page's API: what it gives, takes in and refuses."""

import io
import socket
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from review.pictures import MOST_THUMB_BYTES, Pictures
from review.serving import PortTakenError, Serving
from storycast.decisions import Change
from storycast.errors import ThrottledError
from storycast.review import Review
from tests.fakes.reviews import Waiting, made_review, put_pictures
from tests.review.conftest import Page, opened

PICTURE = "000000"


def change(crop_id: str = PICTURE, after: str = "kept", before: str = "open") -> dict[str, str]:
    return {"subject": f"picture:{crop_id}", "field": "verdict", "before": before, "after": after}


def draft(*changes: dict[str, str], **fields: Any) -> dict[str, Any]:
    return {"id": "decision-0001", "what": "keep", "changes": list(changes), "undoes": None, "after": 0, **fields}


def decide(page: Page, *changes: dict[str, str], **fields: Any) -> Any:
    answer = page.client.post("/api/decisions", json=draft(*changes, **fields))
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_page_gets_the_review_and_all_decisions(page: Page) -> None:
    page.waiting.decide("bob", "keep", [Change.model_validate(change("000100"))])
    given = page.client.get("/api/review").json()
    assert Review.model_validate(given["review"]) == page.review
    assert [(one["who"], one["seq"]) for one in given["decisions"]] == [("bob", 1)]
    assert given["me"] == "anna"
    assert given["status"] == {"state": "waiting", "message": "", "deadline": "2026-01-05T12:00:00+00:00"}


def test_a_decision_is_kept_with_who_and_when(page: Page) -> None:
    given = decide(page, change())
    (made,) = page.waiting.decisions
    assert given["decisions"] == [made.model_dump(mode="json")]
    assert given["conflicts"] == []
    assert (made.who, made.via, made.what, made.id) == ("anna", "page", "keep", "decision-0001")


def test_only_what_came_since_is_given(page: Page) -> None:
    for number in range(3):
        page.waiting.decide("bob", "keep", [Change.model_validate(change(f"000{number}00"))])
    given = page.client.get("/api/decisions?after=2").json()
    assert [one["seq"] for one in given["decisions"]] == [3]
    assert given["status"]["state"] == "waiting"
    assert [one["seq"] for one in decide(page, change("000300"), after=3)["decisions"]] == [4]


def test_the_same_decision_sent_twice_is_one(page: Page) -> None:
    assert decide(page, change()) == decide(page, change())
    assert len(page.waiting.decisions) == 1


def test_what_somebody_else_changed_meanwhile_is_left_and_told(page: Page) -> None:
    answer = page.waiting.decide("bob", "drop", [Change.model_validate(change(after="dropped"))])
    assert answer.decision
    given = decide(page, change(), change("000100"))
    when = answer.decision.when
    assert given["conflicts"] == [{**change(), "now": "dropped", "who": "bob", "when": when}]
    assert [one.changes[0].subject for one in page.waiting.decisions] == ["picture:000000", "picture:000100"]


def test_undo_is_a_decision_that_names_the_one_it_takes_back(page: Page) -> None:
    decide(page, change())
    decide(page, change(after="open", before="kept"), id="decision-0002", what="undo", undoes="decision-0001")
    assert page.waiting.decisions[1].undoes == "decision-0001"
    assert page.waiting.desk.state().text("picture:000000", "verdict") == "open"


@pytest.mark.parametrize(
    ("posted", "told"),
    [
        (draft(change(after="loved")), "'loved' is no verdict"),
        (draft(change("999900")), "no picture '999900'"),
        (draft({**change(), "field": "caption", "before": "x", "after": "x"}), "3 to 1,024 characters"),
        (draft({**change(), "field": "verdicts"}), "field"),
        (draft({**change(), "subject": "x" * 201}), "subject"),
        (draft(change(), id="short"), "id"),
        (draft(change(), id="../../etc/passwd"), "id"),
        (draft(change(), what="finish"), "what"),
        (draft(change(), what="time_out"), "what"),
        (draft(change(), who="bob"), "who"),
        (draft(change(), via="rule"), "via"),
        (draft(change(), after=-1), "after"),
        (draft(*[change()] * 501), "500"),
        (draft(*[{**change(), "field": "caption", "after": "x" * 1000}] * 400), "divide it into several"),
        ([], "object"),
        ("decision", "object"),
    ],
)
def test_what_can_not_be_is_refused_in_words(page: Page, posted: Any, told: str) -> None:
    answer = page.client.post("/api/decisions", json=posted)
    assert answer.status_code == 422
    assert told in answer.json()["message"]
    assert not page.waiting.decisions


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"id": NaN}', b"[" * 100_000])
def test_what_is_no_json_is_refused(page: Page, body: bytes) -> None:
    answer = page.client.post("/api/decisions", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert not page.waiting.decisions


@pytest.mark.parametrize("after", ["-1", "x", "", "1.5", "9" * 5000])
def test_a_number_that_is_none_is_refused(page: Page, after: str) -> None:
    assert page.client.get(f"/api/decisions?after={after}").status_code == 422


def test_finish_lets_the_run_go_on_and_closes_the_review(page: Page) -> None:
    decide(page, change())
    given = page.client.post("/api/finish", json={"id": "finish-0001", "after": 1})
    assert given.status_code == 200
    assert given.json()["status"]["state"] == "finished"
    assert [one["what"] for one in given.json()["decisions"]] == ["finish"]
    assert page.waiting.callbacks.told == [("token-1", {"decisions": 2})]

    late = page.client.post("/api/decisions", json=draft(change("000100"), id="decision-0002", after=1))
    assert late.status_code == 409
    assert "anna finished this review" in late.json()["message"]
    assert [one["what"] for one in late.json()["decisions"]] == ["finish"]
    assert late.json()["status"]["state"] == "finished"
    again = page.client.post("/api/finish", json={"id": "finish-0002", "after": 2})
    assert again.status_code == 409
    assert len(page.waiting.decisions) == 2


def test_a_finish_whose_answer_was_lost_is_sent_again(page: Page) -> None:
    for _ in range(2):
        assert page.client.post("/api/finish", json={"id": "finish-0001", "after": 0}).status_code == 200
    assert len(page.waiting.decisions) == 1


def test_a_run_that_ended_is_told(page: Page) -> None:
    page.waiting.end("failed", error="Interrupted", cause="The user interrupted the command.")
    assert page.client.get("/api/decisions?after=0").json()["status"]["state"] == "ended"
    finished = page.client.post("/api/finish", json={"id": "finish-0001", "after": 0})
    assert finished.status_code == 409
    assert "The run failed: Interrupted" in finished.json()["message"]
    assert not page.waiting.callbacks.told


def test_what_goes_wrong_behind_the_desk_is_told_without_a_trace(
    waiting: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(error: Exception) -> None:
        def read(*_: Any) -> Any:
            raise error

        monkeypatch.setattr(waiting.log, "read", read)

    def explain(error: Exception) -> tuple[int, str] | None:
        return (403, "You need ReviewerPolicy.") if isinstance(error, PermissionError) else None

    with opened(waiting, explain=explain) as page:
        page.client.get(page.url)
        for error, status, told in (
            (PermissionError("no"), 403, "You need ReviewerPolicy."),
            (ThrottledError("reading the log: SlowDown"), 503, "AWS is busy: reading the log: SlowDown."),
            (RuntimeError("two\nlines"), 500, "RuntimeError: two lines"),
        ):
            fail(error)
            answer = page.client.get("/api/review")
            assert answer.status_code == status
            assert told in answer.json()["message"]
            assert "Traceback" not in answer.text


# ---- pictures


def size(content: bytes) -> tuple[int, int, str | None]:
    picture = Image.open(io.BytesIO(content))
    return (*picture.size, picture.format)


def test_pictures_are_given_small_and_whole_and_need_no_second_reading(page: Page) -> None:
    thumb = page.client.get(f"/pictures/{PICTURE}/thumb")
    full = page.client.get(f"/pictures/{PICTURE}/full")
    assert size(thumb.content) == (320, 320, "JPEG")
    assert size(full.content) == (512, 512, "PNG")
    assert (thumb.headers["content-type"], full.headers["content-type"]) == ("image/jpeg", "image/png")
    for answer, path in ((thumb, "thumb"), (full, "full")):
        assert answer.headers["cache-control"].startswith("private, max-age=")
        assert answer.headers["vary"] == "Cookie"
        again = page.client.get(f"/pictures/{PICTURE}/{path}", headers={"if-none-match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    assert thumb.headers["etag"] != full.headers["etag"]


def test_an_alternative_is_given_too_with_a_thumb_made_here(page: Page) -> None:
    for key in page.waiting.store.keys("runs/run-1/review/thumbs/"):
        page.waiting.store.delete(key)
    assert size(page.client.get("/pictures/0002a1/full").content) == (512, 512, "JPEG")
    assert size(page.client.get("/pictures/0002a1/thumb").content) == (320, 320, "JPEG")
    assert size(page.client.get(f"/pictures/{PICTURE}/thumb").content) == (320, 320, "JPEG")


@pytest.mark.parametrize(
    "path",
    [
        "/pictures/9999/full",
        "/pictures/../run.json/full",
        "/pictures/%2e%2e%2frun.json/full",
        "/pictures/..%2f..%2freview.json/thumb",
        "/pictures/000000%2f..%2f000100/full",
        "/pictures/000000/full/..",
        "/pictures/000000/",
        "/pictures/000000/run.json",
        "/pictures/runs%2frun-2%2freview%2fthumbs%2f000000/thumb",
        "/review.json",
        "/../server.py",
        "/%2e%2e%2fserver.py",
        "/..%5cserver.py",
        "/page/index.html",
        "/__init__.py",
    ],
)
def test_nothing_but_the_reviews_own_pictures_and_files_is_given(page: Page, path: str) -> None:
    other = made_review(3, run_id="run-2")
    put_pictures(page.waiting.store, other)
    assert page.raw(path)[0] == 404


def test_a_review_that_names_what_is_none_of_its_footages_crops_shows_none_of_it(waiting: Waiting) -> None:
    store, review = waiting.store, waiting.review
    one = next(one for one in review.pictures if one.alternatives)
    for key in (
        "runs/run-2/dataset/images/x.png",
        "projects/secret/cast/x.jpg",
        "footage/f1/crops-aa/../../../projects/secret/x.jpg",
        "footage/f1/crops-aa/x.json",
        "footage/other/crops-aa/x.jpg",
    ):
        store.put(key, b"secret", "image/jpeg")
        foreign = one.alternatives[0].model_copy(update={"crop_key": key})
        hostile = review.model_copy(update={"pictures": (one.model_copy(update={"alternatives": (foreign,)}),)})
        pictures = Pictures(hostile, store)
        assert pictures.crop_ids == (one.image.crop_id,), key


def test_a_picture_that_is_gone_is_told_as_a_picture(page: Page) -> None:
    for key in page.waiting.store.keys("runs/run-1/"):
        if key.endswith((".png", ".jpg")):
            page.waiting.store.delete(key)
    page.waiting.store.put("footage/f1/crops-aa/0002a1.jpg", b"no picture", "image/jpeg")
    for path in (f"/pictures/{PICTURE}/full", f"/pictures/{PICTURE}/thumb", "/pictures/0002a1/thumb"):
        answer = page.client.get(path)
        assert answer.status_code == 404
        assert answer.headers["content-type"].startswith("image/svg+xml")
        assert answer.headers["cache-control"] == "no-store"
        assert "can't be read" in answer.text


def test_thumbs_are_kept_at_hand_up_to_a_limit(waiting: Waiting, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_THUMB_BYTES >= 16 * 1024 * 1024
    pictures = Pictures(waiting.review, waiting.store)
    first, second = waiting.review.pictures[0].image.crop_id, waiting.review.pictures[1].image.crop_id
    content = pictures.thumb(first).content
    waiting.store.delete(f"runs/run-1/review/thumbs/{first}.jpg")
    assert pictures.thumb(first).content == content
    monkeypatch.setattr("review.pictures.MOST_THUMB_BYTES", len(content) + 100)
    pictures.thumb(second)
    waiting.store.put(f"runs/run-1/review/thumbs/{first}.jpg", b"newer", "image/jpeg")
    assert pictures.thumb(first).content == b"newer"


# ---- who may ask


def test_only_the_address_with_the_key_opens_the_page(stranger: Page) -> None:
    client, key = stranger.client, stranger.key
    assert len(key) >= 40
    for path in ("/", "/?key=", "/?key=wrong", f"/api/review?key={key}", f"/pictures/{PICTURE}/full?key={key}"):
        answer = client.get(path)
        assert answer.status_code == 403, path
        assert "that the command printed" in answer.text
    assert client.get("/api/review").json()["message"]
    assert client.post(f"/?key={key}").status_code == 403
    opened = client.get(f"/?key={key}")
    assert (opened.status_code, opened.headers["location"]) == (303, "/")
    cookie = opened.headers["set-cookie"]
    for part in (f"storycast-review-{stranger.port}={key}", "HttpOnly", "SameSite=strict", "Path=/"):
        assert part in cookie
    assert client.get("/api/review").status_code == 200
    # The key leaves the address, also where the cookie is there already.
    assert client.get(f"/?key={key}").status_code == 303


def test_each_start_has_a_key_of_its_own(waiting: Waiting, stranger: Page) -> None:
    with opened(waiting) as other:
        assert other.key != stranger.key
        assert other.client.get(f"/?key={stranger.key}").status_code == 403


def test_a_cookie_of_another_start_or_port_opens_nothing(stranger: Page) -> None:
    name = f"storycast-review-{stranger.port}"
    for cookie in (f"{name}=old", f"storycast-review-9999={stranger.key}", f"{name}=\xe9", name, ""):
        answer = stranger.client.get("/api/review", headers=[(b"cookie", cookie.encode("latin-1"))])
        assert answer.status_code == 403


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "127.0.0.1",
        "127.0.0.1:80",
        "localhost.evil.example:{port}",
        "[::1]",
        "",
    ],
)
def test_another_name_for_this_machine_is_refused(page: Page, host: str) -> None:
    host = host.format(port=page.port)
    for path in ("/", "/api/review", f"/pictures/{PICTURE}/full"):
        assert page.client.get(path, headers={"host": host}).status_code == 421
    posted = page.client.post("/api/decisions", json=draft(change()), headers={"host": host})
    assert posted.status_code == 421
    assert not page.waiting.decisions


def test_localhost_is_this_machines_name_too(page: Page) -> None:
    assert page.client.get("/api/review", headers={"host": f"LocalHost:{page.port}"}).status_code == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:9999", "https://127.0.0.1:{port}", ""]
)
def test_another_websites_post_is_refused(page: Page, origin: str) -> None:
    foreign = {"origin": origin.format(port=page.port)}
    for path in ("/api/decisions", "/api/finish"):
        answer = page.client.post(path, json=draft(change()), headers=foreign)
        assert answer.status_code == 403
    assert not page.waiting.decisions
    own = {"origin": page.origin}
    assert page.client.post("/api/decisions", json=draft(change()), headers=own).status_code == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_what_a_form_can_send_is_refused(page: Page, kind: str) -> None:
    answer = page.client.post("/api/finish", content=b'{"id": "finish-0001"}', headers={"content-type": kind})
    assert answer.status_code == 415
    assert not page.waiting.decisions


def test_a_body_that_is_too_large_is_refused_whatever_its_headers_say(page: Page) -> None:
    json_type = {"content-type": "application/json"}
    large = b" " * (1024 * 1024 + 1)
    assert page.client.post("/api/decisions", content=large, headers=json_type).status_code == 413
    parts = (b" " * 100_000 for _ in range(12))
    streamed = page.client.post("/api/decisions", content=parts, headers=json_type)
    assert streamed.status_code == 413
    assert "1,048,576 bytes" in streamed.json()["message"]


def test_other_methods_do_nothing(page: Page) -> None:
    for method in ("PUT", "DELETE", "PATCH"):
        answer = page.client.request(method, "/api/decisions", json=draft(change()))
        assert answer.status_code == 405
    assert page.client.request("OPTIONS", "/api/decisions").status_code in (405, 415)
    assert not page.waiting.decisions


@pytest.mark.parametrize(
    "path", ["/", "/api/review", "/nowhere", f"/pictures/{PICTURE}/full", "/pictures/9999/full", "/app.css"]
)
def test_every_answer_has_the_headers(page: Page, path: str) -> None:
    for answer in (page.client.get(path), page.client.get(path, headers={"host": "evil.example"})):
        headers = answer.headers
        assert "script-src 'self'; style-src 'self'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in headers
    if path.startswith("/api"):
        assert page.client.get(path).headers["cache-control"] == "no-store"


def test_it_listens_on_loopback_only(page: Page) -> None:
    # Every address of 127.0.0.0/8 is this machine: a server on all interfaces would answer there.
    for host in ("127.0.0.2", "::1"):
        with pytest.raises(OSError, match=r"refused|not available|unreachable"):
            socket.create_connection((host, page.port), timeout=2).close()
    listening = Path("/proc/net/tcp").read_text().splitlines()[1:]
    addresses = {line.split()[1] for line in listening if line.split()[3] == "0A"}
    assert {one for one in addresses if one.endswith(f":{page.port:04X}")} == {f"0100007F:{page.port:04X}"}


def test_a_port_that_is_taken_is_told_or_passed_over(waiting: Waiting, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: Any) -> None: ...

    taken = Serving(nothing, 0)
    try:
        with pytest.raises(PortTakenError, match=rf"Port {taken.port} is taken .* --port"):
            Serving(nothing, taken.port)
        monkeypatch.setattr("review.serving.PORT", taken.port)
        monkeypatch.setattr("review.serving.PORTS", 1)
        with pytest.raises(PortTakenError, match="The ports"):
            Serving(nothing)
        monkeypatch.setattr("review.serving.PORTS", 20)
        following = Serving(nothing)
        assert taken.port < following.port < taken.port + 20
        following.stop()
    finally:
        taken.stop()
