"""The offline bundle: what is in the zip, and how the decisions that were made in it are taken in."""

import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from review.bundle import Packed, data_js, write_bundle
from review.intake import MOST_FILE_BYTES, FileRefusedError, read_decisions, take_in
from review.pictures import Pictures
from storycast.decisions import Change
from storycast.review import Review, ReviewCharacter
from storycast.review_desk import ReviewClosedError, Status
from tests.fakes.reviews import Waiting

HOSTILE = "</script><script>alert(1)</script><!--\u2028\u2029 {{ x }} & \\ ' \" \U0001f430"


def pack(waiting: Waiting, path: Path) -> Packed:
    pictures = Pictures(waiting.review, waiting.store)
    return write_bundle(path, waiting.review, waiting.decisions, waiting.desk.status(), pictures)


def told(script: bytes) -> Any:
    """Return what a data.js says, as a browser would read it."""
    match = re.fullmatch(r"window\.STORYCAST_REVIEW = (.*);\n", script.decode("ascii"))
    assert match
    return json.loads(match[1])


def test_the_zip_holds_page_review_and_pictures(waiting: Waiting, tmp_path: Path) -> None:
    waiting.decide("bob", "keep", [verdict("000000", "kept")])
    path = tmp_path / "review.zip"
    packed = pack(waiting, path)
    crops = [one.image.crop_id for one in waiting.review.pictures]
    crops += [other.image.crop_id for one in waiting.review.pictures for other in one.alternatives]
    assert (packed.picture_count, packed.missing, packed.size_bytes) == (len(crops), (), path.stat().st_size)
    assert list(tmp_path.iterdir()) == [path]
    with zipfile.ZipFile(path) as opened:
        assert opened.testzip() is None
        names = opened.namelist()
        assert len(set(names)) == len(names)
        assert {name.partition("/")[0] for name in names} == {"review-run-1"}
        assert {name for name in names if "/pictures/" in name} == {
            f"review-run-1/pictures/{crop_id}-{size}.jpg" for crop_id in crops for size in ("thumb", "full")
        }
        given = told(opened.read("review-run-1/data.js"))
        assert Review.model_validate(given["review"]) == waiting.review
        assert [one["who"] for one in given["decisions"]] == ["bob"]
        assert given["status"]["state"] == "waiting"
        assert set(given) == {"review", "decisions", "status"}
        for size, side_px in (("thumb", 320), ("full", 512)):
            picture = Image.open(io.BytesIO(opened.read(f"review-run-1/pictures/0002a1-{size}.jpg")))
            assert (picture.size, picture.format) == ((side_px, side_px), "JPEG")
        readme = opened.read("review-run-1/README.txt").decode()
        assert "storycast review run-1 --import" in readme
        assert "2026-01-05 12:00" in readme


def test_a_script_can_not_be_left_from_within(waiting: Waiting) -> None:
    one = waiting.review.pictures[0].model_copy(update={"caption": HOSTILE, "footage": HOSTILE})
    review = waiting.review.model_copy(
        update={"pictures": (one,), "characters": (ReviewCharacter(name="</script>\u2028"),), "project": HOSTILE}
    )
    script = data_js(review, [], Status("waiting", HOSTILE))
    assert not set(b"<>&") & set(script)
    assert script.count(b"\n") == 1
    assert told(script)["review"]["pictures"][0]["caption"] == HOSTILE
    assert told(script)["status"]["message"] == HOSTILE


def test_what_can_not_be_read_is_left_out_and_told(waiting: Waiting, tmp_path: Path) -> None:
    first, second = waiting.review.pictures[:2]
    waiting.store.delete(f"runs/run-1/dataset/images/{first.file_name}")
    waiting.store.put(f"runs/run-1/dataset/images/{second.file_name}", b"broken", "image/png")
    packed = pack(waiting, tmp_path / "review.zip")
    assert packed.missing == (first.image.crop_id, second.image.crop_id)
    with zipfile.ZipFile(tmp_path / "review.zip") as opened:
        assert not [name for name in opened.namelist() if first.image.crop_id in name]


def test_a_bundle_that_breaks_off_leaves_what_was_there(
    waiting: Waiting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "review.zip"
    path.write_bytes(b"the one before")

    def full(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("review.bundle.fitted", full)
    with pytest.raises(KeyboardInterrupt):
        pack(waiting, path)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"the one before"


# ---- taking decisions in


def verdict(crop_id: str, after: str, before: str = "open") -> Change:
    return Change(subject=f"picture:{crop_id}", field="verdict", before=before, after=after)


def draft(number: int, what: str, *changes: Change, undoes: int | None = None) -> dict[str, Any]:
    return {
        "id": f"bundle-{number:04d}",
        "what": what,
        "changes": [one.model_dump() for one in changes],
        "undoes": None if undoes is None else f"bundle-{undoes:04d}",
        "when": "2026-01-02T13:00:00.000Z",
    }


def decisions_file(path: Path, *drafts: dict[str, Any], **fields: Any) -> Path:
    content = {"format": "storycast-decisions-1", "run_id": "run-1", "who": "carla", "decisions": drafts, **fields}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "decisions-run-1-carla.json"


def test_decisions_are_taken_in_once_however_often(waiting: Waiting, path: Path) -> None:
    drafts = [
        draft(1, "keep", verdict("000000", "kept")),
        draft(2, "drop", verdict("000100", "dropped")),
        draft(3, "undo", verdict("000100", "open", before="dropped"), undoes=2),
    ]
    first = take_in(waiting.desk, read_decisions(decisions_file(path, *drafts)))
    assert (first.new, first.known, first.conflicts, first.refused) == (3, 0, (), ())
    log = waiting.decisions
    assert [(one.who, one.via, one.what, one.undoes) for one in log] == [
        ("carla", "bundle", "keep", None),
        ("carla", "bundle", "drop", None),
        ("carla", "bundle", "undo", "bundle-0002"),
    ]
    for _ in range(2):
        again = take_in(waiting.new_desk(), read_decisions(path))
        assert (again.new, again.known) == (0, 3)
    assert waiting.decisions == log

    later = take_in(
        waiting.desk, read_decisions(decisions_file(path, *drafts, draft(4, "keep", verdict("000200", "kept"))))
    )
    assert (later.new, later.known) == (1, 3)


def test_what_changed_nothing_at_first_is_not_taken_in_later(waiting: Waiting, path: Path) -> None:
    # Bob had kept the picture already; then carla looked again, and dropped it.
    waiting.decide("bob", "keep", [verdict("000000", "kept")])
    drafts = [
        draft(1, "keep", verdict("000000", "kept")),
        draft(2, "drop", verdict("000000", "dropped", before="kept")),
    ]
    decisions_file(path, *drafts)
    assert take_in(waiting.desk, read_decisions(path)).new == 1
    waiting.decide("bob", "reopen", [verdict("000000", "open", before="dropped")])
    assert take_in(waiting.desk, read_decisions(path)).new == 0
    assert waiting.desk.state().text("picture:000000", "verdict") == "open"


def test_conflicts_are_told_with_who_holds_what(waiting: Waiting, path: Path) -> None:
    waiting.decide("bob", "drop", [verdict("000000", "dropped")])
    decisions_file(path, draft(1, "keep", verdict("000000", "kept"), verdict("000100", "kept")))
    taken = take_in(waiting.desk, read_decisions(path))
    assert taken.new == 1
    (conflict,) = taken.conflicts
    assert conflict.now.by
    assert (conflict.change.subject, conflict.now.text, conflict.now.by.who) == (
        "picture:000000",
        "dropped",
        "bob",
    )
    assert waiting.desk.state().text("picture:000100", "verdict") == "kept"


def test_taking_back_what_was_never_taken_in_overrides_nobody(waiting: Waiting, path: Path) -> None:
    waiting.decide("bob", "keep", [verdict("000000", "kept")])
    waiting.decide("bob", "drop", [verdict("000100", "dropped")])
    decisions_file(
        path,
        # No conflict, and nothing to add: bob says so, too. Carla's undo must not open what bob kept.
        draft(1, "keep", verdict("000000", "kept")),
        draft(2, "undo", verdict("000000", "open", before="kept"), undoes=1),
        # A conflict that carla took back herself.
        draft(3, "keep", verdict("000100", "kept")),
        draft(4, "undo", verdict("000100", "open", before="kept"), undoes=3),
        # One part of it was taken in.
        draft(5, "keep", verdict("000100", "kept"), verdict("000200", "kept")),
        draft(
            6, "undo", verdict("000100", "open", before="kept"), verdict("000200", "open", before="kept"), undoes=5
        ),
    )
    taken = take_in(waiting.desk, read_decisions(path))
    state = waiting.desk.state()
    assert [state.text(f"picture:{number}", "verdict") for number in ("000000", "000100", "000200")] == [
        "kept",
        "dropped",
        "open",
    ]
    assert (taken.new, taken.conflicts) == (2, ())


def test_somebody_who_agrees_in_the_end_is_no_conflict(waiting: Waiting, path: Path) -> None:
    waiting.decide("bob", "drop", [verdict("000000", "dropped")])
    decisions_file(
        path,
        draft(1, "keep", verdict("000000", "kept")),
        draft(2, "drop", verdict("000000", "dropped", before="kept")),
    )
    assert not take_in(waiting.desk, read_decisions(path)).conflicts


def test_what_can_not_be_is_left_out_and_told(waiting: Waiting, path: Path) -> None:
    caption = {"subject": "picture:000000", "field": "caption", "before": "x", "after": "<script>\n"}
    decisions_file(
        path,
        {**draft(1, "caption"), "changes": [caption]},
        draft(2, "keep", verdict("999900", "kept")),
        draft(3, "keep", verdict("000000", "kept")),
    )
    taken = take_in(waiting.desk, read_decisions(path))
    assert taken.new == 1
    assert len(taken.refused) == 2
    assert "one line" in taken.refused[0]


def test_a_closed_review_takes_nothing_in(waiting: Waiting, path: Path) -> None:
    waiting.desk.finish("bob", "finish-0001")
    decisions_file(path, draft(1, "keep", verdict("000000", "kept")))
    with pytest.raises(ReviewClosedError, match="bob finished this review"):
        take_in(waiting.desk, read_decisions(path))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"format": "storycast-decisions-2"}, "format"),
        ({"run_id": 1}, "run_id"),
        ({"who": ""}, "who"),
        ({"who": "x" * 201}, "who"),
        ({"who": "a\x1b[31mb"}, "nobody who can decide"),
        ({"who": " carla"}, "nobody who can decide"),
        ({"decisions": {}}, "decisions"),
        ({"decisions": [draft(1, "finish")]}, "decisions.0.what"),
        ({"decisions": [{**draft(1, "keep"), "via": "page"}]}, "decisions.0.via"),
        ({"decisions": [{**draft(1, "keep"), "seq": 1}]}, "decisions.0.seq"),
        ({"decisions": [{**draft(1, "keep"), "id": "x"}]}, "decisions.0.id"),
        ({"decisions": [draft(1, "keep", *[verdict("000000", "kept")] * 501)]}, "decisions.0.changes"),
        ({"more": 1}, "more"),
    ],
)
def test_a_file_of_another_form_is_refused_by_name(path: Path, fields: dict[str, Any], words: str) -> None:
    with pytest.raises(FileRefusedError, match=re.escape(words)) as refused:
        read_decisions(decisions_file(path, **fields))
    assert str(path) in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\x00\xff", b"not json", b"[" * 200_000])
def test_what_is_no_json_of_ours_is_refused_by_name(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(FileRefusedError, match="no file of decisions"):
        read_decisions(path)


def test_a_file_that_is_too_large_is_refused_before_it_is_read_whole(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(MOST_FILE_BYTES * 64)
    with pytest.raises(FileRefusedError, match="more than"):
        read_decisions(path)
