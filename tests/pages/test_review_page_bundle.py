"""The review page in an offline bundle: decisions stay in the browser, and are given as a file."""

import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from review.bundle import write_bundle
from review.intake import read_decisions, take_in
from review.pictures import Pictures
from storycast.approval import approve
from storycast.decisions import Change
from tests.fakes.reviews import Waiting, made_review
from tests.pages.reviewing import Reviewer, told, waiting_for

Unpacked = tuple[Reviewer, Waiting]


@pytest.fixture
def unpacked(chromium: Browser, tmp_path: Path) -> Iterator[Callable[..., Unpacked]]:
    """Unpack a bundle and open it from its folder."""
    reviewers = []

    def come(waiting: Waiting | None = None) -> Unpacked:
        waiting = waiting or waiting_for(made_review(12))
        pictures = Pictures(waiting.review, waiting.store)
        write_bundle(tmp_path / "bundle.zip", waiting.review, waiting.decisions, waiting.desk.status(), pictures)
        with zipfile.ZipFile(tmp_path / "bundle.zip") as packed:
            packed.extractall(tmp_path)
        (page,) = tmp_path.glob("*/index.html")
        reviewers.append(Reviewer(chromium, page.as_uri()))
        return reviewers[-1], waiting

    yield come
    for reviewer in reviewers:
        reviewer.close()


def _begin(reviewer: Reviewer, name: str = "Käthe O'Hara") -> None:
    reviewer.sees("dialog[open]", "Who are you?")
    reviewer.page.keyboard.type(name)
    reviewer.press("Enter")
    reviewer.ready()


def _saved(reviewer: Reviewer, tmp_path: Path) -> Path:
    with reviewer.page.expect_download() as download:
        reviewer.press("s")
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    return path


def test_decisions_go_into_a_file_and_come_back(unpacked: Callable[..., Unpacked], tmp_path: Path) -> None:
    reviewer, waiting = unpacked()
    _begin(reviewer)
    reviewer.press("ArrowRight", "Enter", "k", "d", "k", "u", "e")
    reviewer.page.locator("textarea").fill("Bunny as Käthe sees it, on a meadow in the sun")
    reviewer.press("Control+Enter")
    reviewer.sees("#tools .save", "Save decisions (5 new)")
    path = _saved(reviewer, tmp_path)
    assert path.name == "decisions-run-1-Käthe-O-Hara.json"
    reviewer.sees(".toasts", "5 decisions saved as decisions-run-1-Käthe-O-Hara.json. Send this file back.")
    expect(reviewer.page.locator("#tools .save .label")).to_have_text("Save decisions")
    content = json.loads(path.read_bytes())
    assert {name: content[name] for name in ("format", "run_id", "who")} == {
        "format": "storycast-decisions-1",
        "run_id": "run-1",
        "who": "Käthe O'Hara",
    }
    assert [one["what"] for one in content["decisions"]] == ["keep", "drop", "keep", "undo", "caption"]
    assert content["decisions"][3]["undoes"] == content["decisions"][2]["id"]
    assert set(content["decisions"][0]) == {"id", "what", "changes", "undoes", "when"}
    # The command takes it in, and comes to what the page has shown.
    taken = take_in(waiting.desk, read_decisions(path))
    assert (taken.new, taken.conflicts, taken.refused) == (5, (), ())
    assert {one.who for one in waiting.decisions} == {"Käthe O'Hara"}
    (kept,) = approve(waiting.review, waiting.desk.state()).pictures
    assert kept.image.crop_id == waiting.review.pictures[0].image.crop_id
    reviewer.press("g")
    expect(reviewer.page.locator(".tile[data-state=kept]")).to_have_count(1)


def test_a_reload_loses_nothing(unpacked: Callable[..., Unpacked], tmp_path: Path) -> None:
    reviewer, _ = unpacked()
    _begin(reviewer)
    reviewer.page.get_by_label("Framing").select_option("medium")
    reviewer.press("ArrowRight", "Enter", "k", "k")
    before = reviewer.page.locator(".side .head").inner_text()
    reviewer.remembered()
    reviewer.page.reload()
    reviewer.ready()
    expect(reviewer.dialog()).to_have_count(0)
    assert reviewer.page.locator(".side .head").inner_text() == before
    reviewer.sees("#remaining", "10 of 12 pictures are open")
    reviewer.sees("#tools .save", "Save decisions (2 new)")
    assert len(json.loads(_saved(reviewer, tmp_path).read_bytes())["decisions"]) == 2
    # Later ones come after them in the next file.
    reviewer.press("d")
    assert len(json.loads(_saved(reviewer, tmp_path).read_bytes())["decisions"]) == 3


def test_it_begins_with_what_was_decided(unpacked: Callable[..., Unpacked], tmp_path: Path) -> None:
    waiting = waiting_for(made_review(6))
    waiting.decide("ben", "keep", [_keep(waiting, 1)])
    reviewer, _ = unpacked(waiting)
    _begin(reviewer, "ann")
    expect(reviewer.tile(1)).to_contain_text("Kept · ben")
    reviewer.press("h")
    reviewer.dialog().get_by_role("button", name="Undo").click()
    reviewer.press("Escape")
    expect(reviewer.tile(1)).to_contain_text("Open")
    content = json.loads(_saved(reviewer, tmp_path).read_bytes())
    assert [(one["what"], one["undoes"]) for one in content["decisions"]] == [("undo", waiting.decisions[0].id)]
    assert told(waiting.decisions) == [("ben", "keep", 1)]


def _keep(waiting: Waiting, number: int) -> Change:
    crop_id = waiting.review.pictures[number - 1].image.crop_id
    return Change(subject=f"picture:{crop_id}", field="verdict", before="open", after="kept")


def test_done_says_what_to_do_with_the_file(unpacked: Callable[..., Unpacked]) -> None:
    reviewer, _ = unpacked()
    _begin(reviewer)
    reviewer.press("Control+a", "Shift+K", "Shift+F")
    expect(reviewer.dialog()).to_contain_text("12 pictures of 3 characters")
    expect(reviewer.dialog()).to_contain_text("storycast review run-1 --import FILE")
    # It can't finish anything, so it names no price for it.
    expect(reviewer.dialog()).not_to_contain_text("$")
    with reviewer.page.expect_download():
        reviewer.dialog().get_by_role("button", name="Save decisions").click()
    reviewer.press("Escape")
    expect(reviewer.page.locator("#tools")).not_to_contain_text("Finish")


def test_nothing_leaves_the_folder(unpacked: Callable[..., Unpacked]) -> None:
    reviewer, _ = unpacked()
    _begin(reviewer)
    reviewer.press("ArrowRight", "Enter", "k", "k", "ArrowRight", "1")
    reviewer.page.wait_for_timeout(300)
    folder = reviewer.url.rpartition("/")[0]
    assert [url for url in reviewer.requests if not url.startswith((folder, "data:"))] == []
    assert reviewer.said == []
    broken = reviewer.page.evaluate("[...document.images].filter(one => one.complete && !one.naturalWidth).length")
    assert broken == 0


def test_a_name_is_asked_for_until_there_is_one(unpacked: Callable[..., Unpacked]) -> None:
    reviewer, _ = unpacked()
    reviewer.sees("dialog[open]", "Who are you?")
    reviewer.press("Escape")
    reviewer.sees("dialog[open]", "Who are you?")
    reviewer.page.locator("#who").fill("   ")
    reviewer.press("Enter")
    reviewer.sees("dialog[open]", "Who are you?")
    reviewer.page.locator("#who").fill("ann\u200b")
    reviewer.press("Enter")
    reviewer.sees("dialog[open] .problem", "control characters")
    reviewer.page.locator("#who").fill("ann")
    reviewer.press("Enter")
    reviewer.ready()


def test_two_windows_of_one_bundle_share_their_decisions(unpacked: Callable[..., Unpacked]) -> None:
    reviewer, _ = unpacked()
    _begin(reviewer)
    second = reviewer.context.new_page()
    second.goto(reviewer.url)
    second.locator(".tile").first.wait_for(state="attached")
    reviewer.press("ArrowRight", "k")
    expect(second.locator("#tiles > li").first).to_contain_text("Kept · you")
    second.keyboard.press("End")
    second.keyboard.press("d")
    expect(reviewer.page.locator("#tiles > li").last).to_contain_text("Dropped · you")
    reviewer.sees("#tools .save", "Save decisions (2 new)")
