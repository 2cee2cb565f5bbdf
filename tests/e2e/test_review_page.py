"""The review page before a real waiting run: the real command serves it, the real Chromium shows it, IAM is on."""

import contextlib
import json
import os
import re
import signal
import subprocess
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from local.tools import REPOSITORY
from storycast.ledger import FINAL_OUTCOMES
from tests.e2e.film import write_film
from tests.e2e.stack import Ended, Stack
from tests.pages.reviewing import started_chromium

pytestmark = pytest.mark.e2e

COMMAND = str(REPOSITORY / ".venv/bin/storycast")
THIRTY = (
    "sampling: {frames_per_second: 2}\nduplicates: {threshold: 0.99999}\n"
    "selection: {images_per_character: 15}\nreview: {mode: page, minimum_per_character: 2}\n"
)
SOON_MS = 20_000


@pytest.fixture(scope="module")
def long_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film with thirty different pictures of two figures."""
    return write_film(tmp_path_factory.mktemp("long") / "film.mp4", seed=51, shots=18, seconds_per_shot=1.5)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with started_chromium() as browser:
        yield browser


class Machine:
    """A reviewer's machine: the command that serves the page, and the browser before it."""

    def __init__(self, stack: Stack, browser: Browser, run_id: str, who: str) -> None:
        self._process = subprocess.Popen(
            [COMMAND, "review", run_id, "--as", who, "--no-open", "--state", str(stack.aws.state_dir)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"},
        )
        self.said: list[str] = []
        self.url = self._address()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.context = browser.new_context(viewport={"width": 1280, "height": 800})
        self.context.set_default_timeout(SOON_MS)
        self.page: Page = self.context.new_page()
        self.problems: list[str] = []
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.goto(self.url)
        self.page.locator(".tile").first.wait_for(state="attached")

    def _address(self) -> str:
        assert self._process.stdout
        for line in self._process.stdout:
            self.said.append(line)
            if found := re.search(r"http://127\.0\.0\.1:\d+/\?key=[\w-]+", line):
                return found[0]
        raise AssertionError("".join(self.said))

    def _read(self) -> None:
        assert self._process.stdout
        self.said += list(self._process.stdout)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def sees(self, selector: str, words: str | re.Pattern[str]) -> None:
        expect(self.page.locator(selector)).to_contain_text(words, timeout=SOON_MS)

    def ended(self) -> tuple[int, str]:
        """Wait until the command has ended by itself; return its exit code and all that it said."""
        code = self._process.wait(30)
        self._reader.join(10)
        return code, "".join(self.said)

    def close(self) -> None:
        self.context.close()
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(30)
        self._reader.join(10)
        if self._process.stdout:
            self._process.stdout.close()


@pytest.fixture
def sit_down(stack: Stack, chromium: Browser) -> Iterator[Callable[[str, str], Machine]]:
    with contextlib.ExitStack() as machines:

        def come(run_id: str, who: str) -> Machine:
            machine = Machine(stack, chromium, run_id, who)
            machines.callback(machine.close)
            return machine

        yield come


def waits(stack: Stack, film: Path, run_id: str) -> str:
    """Start a run, wait until it waits for its review, and return its execution."""
    arn = stack.start_with(film, run_id, run_id, THIRTY)
    stack.desk(run_id)
    return arn


def pictures(stack: Stack, run_id: str) -> list[dict[str, Any]]:
    return json.loads(stack.read(f"runs/{run_id}/review/review.json"))["pictures"]


def succeeded(stack: Stack, arn: str) -> Ended:
    ended = stack.wait(arn)
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    return ended


def test_thirty_pictures_by_keyboard_alone_and_the_run_goes_on(
    stack: Stack, long_film: Path, sit_down: Callable[[str, str], Machine]
) -> None:
    arn = waits(stack, long_film, "page-thirty")
    shown = pictures(stack, "page-thirty")
    assert len(shown) == 30
    anna = sit_down("page-thirty", "anna")
    anna.press("Enter")
    for number in range(15):
        anna.sees(".side .head", f"picture {number + 1} of 30")
        anna.press("d" if number % 5 == 4 else "k")
    anna.sees("#remaining", "15 of 30 pictures are open")
    # In the middle: taken back, edited, and the page loaded anew.
    anna.press("u")
    anna.sees("#remaining", "16 of 30 pictures are open")
    anna.press("e")
    anna.page.keyboard.press("Control+a")
    anna.page.keyboard.type("Character 1 in my <i>own</i> words, and no others.")
    anna.press("Control+Enter")
    anna.sees(".side", "in my <i>own</i> words")
    anna.page.reload()
    anna.sees("#remaining", "16 of 30 pictures are open")
    anna.sees(".side", "in my <i>own</i> words")
    stack.wait_until("it is saved", lambda: len(stack.desk("page-thirty").decisions()) == 17)
    for open_pictures in range(16, 0, -1):
        anna.sees("#remaining", re.compile(rf"^{open_pictures} of 30 pictures? (is|are) open"))
        anna.press("k")
    anna.sees("#remaining", "All 30 pictures decided")
    stack.wait_until("it is saved", lambda: len(stack.desk("page-thirty").decisions()) == 33)
    anna.press("Shift+F")
    anna.sees("dialog[open]", re.compile("pictures of 2 characters"))
    for _ in range(20):
        anna.press("Tab")
        if anna.page.evaluate("document.activeElement.matches('dialog button.main')"):
            break
    anna.press("Enter")
    anna.sees("[data-banner=closed]", "anna finished this review")
    succeeded(stack, arn)
    code, said = anna.ended()
    assert code == 0, said
    assert "anna finished this review" in said
    assert anna.problems == []
    outcomes = stack.assert_ledger_is_whole("page-thirty", FINAL_OUTCOMES)
    dropped = outcomes["crop", "rejected"]
    assert outcomes["crop", "in_dataset"] == 30 - dropped
    assert dropped in {2, 3}
    mine = [one for one in stack.lines("page-thirty", "dataset/pictures.jsonl") if one["caption_by"] == "anna"]
    assert [one["caption"] for one in mine] == ["Character 1 in my <i>own</i> words, and no others."]


def test_two_reviewers_at_once_and_a_merge(
    stack: Stack, long_film: Path, sit_down: Callable[[str, str], Machine]
) -> None:
    arn = waits(stack, long_film, "page-two")
    anna, ben = sit_down("page-two", "anna"), sit_down("page-two", "ben")
    assert anna.url != ben.url
    anna.press("ArrowRight", "k", "k")
    # Ben sees it within the page's two seconds, without loading anew.
    expect(ben.page.locator("#tiles > li").nth(1)).to_contain_text("Kept · anna", timeout=SOON_MS)
    ben.press("End", "d")
    expect(anna.page.locator("#tiles > li").nth(29)).to_contain_text("Dropped · ben", timeout=SOON_MS)
    # Both at once on one picture, each before hearing of the other: who was first holds, and the other is told.
    for machine in (anna, ben):
        machine.page.locator("#tiles > li").nth(9).locator(".face").focus()
    anna.press("k")
    ben.press("d")
    stack.wait_until("both are in", lambda: len(stack.desk("page-two").decisions()) >= 4)
    first = next(
        one
        for one in stack.desk("page-two").decisions()
        if one.changes[0].subject == f"picture:{pictures(stack, 'page-two')[9]['image']['crop_id']}"
    )
    word = "Kept" if first.changes[0].after == "kept" else "Dropped"
    for machine, me in ((anna, "anna"), (ben, "ben")):
        tile = machine.page.locator("#tiles > li").nth(9)
        who = "you" if first.who == me else first.who
        expect(tile).to_contain_text(f"{word} · {who}", timeout=SOON_MS)
        if first.who != me:
            machine.sees(".banner", re.compile(f"{first.who} {word.lower()} picture 10 .* was not made"))
    # One character after all.
    decided = stack.desk("page-two").state().seq
    anna.page.get_by_role("button", name="Change Character 2: rename, merge or drop").click()
    anna.page.get_by_label("The same character as").select_option("Character 1")
    anna.page.get_by_role("button", name="Merge …").click()
    anna.page.get_by_role("button", name="Merge", exact=True).click()
    stack.wait_until("the merge", lambda: stack.desk("page-two").state().seq > decided)
    ben.press("Control+a", "Shift+K")
    ben.sees("#remaining", "All 30 pictures decided")
    stack.wait_until("all", lambda: stack.desk("page-two").decisions()[-1].who == "ben")
    ben.press("Shift+F")
    ben.sees("dialog[open]", "1 character")
    ben.page.locator("dialog[open]").get_by_role("button", name=re.compile("^Finish")).click()
    for machine in (anna, ben):
        machine.sees("[data-banner=closed]", "ben finished this review")
    succeeded(stack, arn)
    done = stack.lines("page-two", "dataset/pictures.jsonl")
    assert {one["image"]["character"] for one in done} == {"Character 1"}
    assert not any("Character 2" in one["caption"] for one in done)
    assert {one["who"] for one in stack.lines("page-two", "review/decisions.jsonl")} == {"anna", "ben"}


def test_the_bundle_is_decided_offline_and_taken_back(
    stack: Stack, long_film: Path, chromium: Browser, tmp_path: Path
) -> None:
    arn = waits(stack, long_film, "page-bundle")
    bundle = tmp_path / "bundle.zip"
    state = ["--state", str(stack.aws.state_dir)]

    def storycast(*words: str) -> subprocess.CompletedProcess[str]:
        command = [COMMAND, "review", "page-bundle", *words, *state]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    made = storycast("--bundle", "--out", str(bundle))
    assert made.returncode == 0, made.stderr
    with zipfile.ZipFile(bundle) as packed:
        packed.extractall(tmp_path / "opened")
    (index,) = (tmp_path / "opened").rglob("index.html")
    context = chromium.new_context(offline=True, accept_downloads=True)
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(index.as_uri())
    page.locator("input:visible").first.fill("Clara")
    page.keyboard.press("Enter")
    page.locator(".tile").first.wait_for(state="attached")
    page.keyboard.press("Control+a")
    page.keyboard.press("Shift+K")
    expect(page.locator("#remaining")).to_contain_text("All 30 pictures decided")
    with page.expect_download() as download:
        page.get_by_role("button", name=re.compile("Save decisions")).first.click()
    decisions = tmp_path / download.value.suggested_filename
    download.value.save_as(decisions)
    context.close()
    assert all(url.startswith(("file:", "blob:", "data:")) for url in asked), asked
    taken = storycast("--import", str(decisions))
    assert taken.returncode == 0, taken.stderr + taken.stdout
    assert "1 taken in" in taken.stdout
    again = storycast("--import", str(decisions), "--finish", "--yes", "--as", "anna")
    assert again.returncode == 0, again.stderr + again.stdout
    succeeded(stack, arn)
    log = stack.lines("page-bundle", "review/decisions.jsonl")
    assert [(one["who"], one["via"]) for one in log if one["what"] == "keep"] == [("Clara", "bundle")]
    assert log[-1]["what"] == "finish"
    assert len(stack.lines("page-bundle", "dataset/manifest.jsonl")) == 30
    late = storycast("--import", str(decisions))
    assert late.returncode in {1, 2}
    assert "anna finished this review" in late.stderr + late.stdout
