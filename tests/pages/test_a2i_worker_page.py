"""The page of Amazon A2I's workers in a real browser: hostile captions stay text, and a run reads the answer."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from axe_playwright_python.base import AXE_FILE_PATH  # type: ignore[import-untyped]
from liquid import Environment
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, expect

from local.standins.a2i_world import BUILT_IN_ARN
from local.standins.human_loops import OwnKeys
from local.standins.server import StandinServer, running
from storycast.human_answers import merge, read_output
from storycast.human_loops import content_text, input_content
from storycast.names import human_loop_name
from storycast.review import Carried, Review
from tests.fakes.reviews import made_png, made_review

TEMPLATE = (Path(__file__).parents[2] / "review/a2i/worker_template.liquid.html").read_text("utf-8")
HOSTILE = (
    "</textarea><script>window.hacked = 1</script> waves",
    '"><img src=x onerror="window.hacked = 1"> waves',
    "' autofocus onfocus='window.hacked = 1 waves",
    "{{ task.input.pictures }} {% raw %}{% for x in y %} waves",
    "</fieldset></crowd-form><crowd-form> &lt;b&gt; &amp;amp; waves",
    "javascript:window.hacked=1 <svg/onload=window.hacked=1> waves",
)
LOOP = human_loop_name("run-1", 0)


def hostile_review() -> Review:
    """Return a review in which everything that people or models wrote is hostile."""
    review = made_review(len(HOSTILE))
    pictures = []
    for one, words in zip(review.pictures, HOSTILE, strict=True):
        image = one.image.model_copy(update={"character": words, "in_picture": (words, "<i>Frank</i>")})
        flags = (words, f"The caption: {words}.")
        pictures.append(one.model_copy(update={"image": image, "caption": words, "flags": flags}))
    characters = tuple(one.model_copy(update={"description": HOSTILE[0]}) for one in review.characters)
    update = {"pictures": tuple(pictures), "characters": characters, "project": HOSTILE[1]}
    return review.model_copy(update=update)


class WorkerPage:
    """The stand-in's page of one loop, with all that it asked for and said."""

    def __init__(self, server: StandinServer, context: BrowserContext, review: Review) -> None:
        self.server = server
        self.page: Page = context.new_page()
        self.asked: list[str] = []
        self.said: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", self._dismiss)
        client: Any = boto3.client("sagemaker-a2i-runtime", endpoint_url=server.url)
        client.start_human_loop(
            HumanLoopName=LOOP,
            FlowDefinitionArn=BUILT_IN_ARN,
            HumanLoopInput={"InputContent": content_text(input_content(review, 0, "media"))},
        )

    def open(self, worker: str = "anna") -> "WorkerPage":
        self.page.goto(f"{self.server.url}/_storycast/a2i/?worker={worker}")
        self.page.get_by_role("link", name=LOOP).click()
        expect(self.page.get_by_role("button", name="Submit")).to_be_visible()
        return self

    def _dismiss(self, dialog: Dialog) -> None:
        self.said.append(f"dialog: {dialog.message}")
        dialog.dismiss()


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """A bucket in which every object is one picture; what is written to it, by URI."""
    found: dict[str, bytes] = {}
    picture = made_png("000000", 512)
    monkeypatch.setattr(OwnKeys, "read", lambda _self, _uri: picture)
    monkeypatch.setattr(OwnKeys, "write", lambda _self, uri, content: found.update({uri: content}))
    return found


@pytest.fixture
def server(tmp_path: Path, written: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> Iterator[StandinServer]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with running(tmp_path) as server:
        yield server


@pytest.fixture(params=[1280, 360], ids=["desktop", "phone"])
def context(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[BrowserContext]:
    context = chromium.new_context(viewport={"width": request.param, "height": 800})
    yield context
    context.close()


@pytest.fixture
def hostile(server: StandinServer, context: BrowserContext) -> WorkerPage:
    return WorkerPage(server, context, hostile_review()).open()


def test_hostile_words_stay_text(hostile: WorkerPage) -> None:
    page = hostile.page
    for number, words in enumerate(HOSTILE):
        picture = page.locator("fieldset").nth(number)
        expect(picture.locator("textarea")).to_have_value(words)
        expect(picture.locator("legend")).to_have_text(f"{number + 1}. {words}")
        expect(picture.locator("li").first).to_have_text(words)
        assert picture.locator("img").get_attribute("alt") == f"Picture {number + 1}, said to show {words}"
    assert page.locator("crowd-form").count() == page.locator("form").count() == 1
    assert page.locator("script").count() == 1
    assert page.locator("fieldset").count() == page.locator("img").count() == len(HOSTILE)
    assert page.locator("b, i, svg").count() == 0
    assert page.evaluate("window.hacked") is None
    assert hostile.said == []


def test_it_asks_nobody_but_this_machine_and_shows_its_pictures(hostile: WorkerPage) -> None:
    page = hostile.page
    broken = page.evaluate(
        """async () => { await Promise.all([...document.images].map(one => one.decode().catch(() => {})));
             return [...document.images].filter(one => one.naturalWidth !== 512).length }"""
    )
    assert broken == 0
    assert hostile.asked
    assert all(url.startswith(f"{hostile.server.url}/_storycast/a2i/") for url in hostile.asked), hostile.asked
    expect(page.get_by_text("LOCAL STAND-IN")).to_be_visible()


def test_it_fits(hostile: WorkerPage) -> None:
    page = hostile.page
    page.get_by_text("What to keep, what to drop, what to write").click()
    expect(page.get_by_text("An image model learns from these pictures")).to_be_visible()
    width = page.viewport_size["width"] if page.viewport_size else 0
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_axe_finds_nothing_serious(hostile: WorkerPage) -> None:
    hostile.page.evaluate(AXE_FILE_PATH.read_text(encoding="utf-8"))
    found = hostile.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    serious = [
        (one["id"], [node["html"][:200] for node in one["nodes"][:3]])
        for one in found["violations"]
        if one["impact"] in {"serious", "critical"}
    ]
    assert serious == []


def test_the_answer_is_one_that_a_run_reads(
    server: StandinServer, context: BrowserContext, written: dict[str, bytes]
) -> None:
    review = hostile_review()
    worker = WorkerPage(server, context, review).open()
    page, crops = worker.page, [one.image.crop_id for one in review.pictures]
    for number in range(len(crops)):
        verdict = "Drop" if number % 2 else "Keep"
        page.locator("fieldset").nth(number).get_by_role("radio", name=verdict).press("Space")
    page.get_by_label("Caption").first.fill("Bunny <b>waits</b> & waves,\nin the rain")
    page.get_by_role("button", name="Submit").press("Enter")
    expect(page.get_by_role("status")).to_have_text("Your answer was taken in.")
    expect(page.get_by_role("button", name="Submit")).to_be_disabled()
    ((uri, output),) = written.items()
    assert uri.startswith("s3://media/a2i/storycast-local/")
    merged = merge(read_output(output, LOOP), {one.image.crop_id: one.caption for one in review.pictures})
    assert merged.workers == ("anna",)
    assert [one.crop_id for one in merged.pictures] == crops
    assert [one.verdict for one in merged.pictures] == ["kept", "dropped"] * 3
    assert merged.pictures[0].caption == "Bunny <b>waits</b> & waves, in the rain"
    assert {one.caption for one in merged.pictures[1:]} == {None}, "what nobody touched comes back as it was"
    page.get_by_role("link", name="All human loops").click()
    expect(page.get_by_text("None waits.")).to_be_visible()
    assert worker.said == []


def test_nothing_is_sent_before_every_picture_has_a_verdict(
    server: StandinServer, context: BrowserContext, written: dict[str, bytes]
) -> None:
    page = WorkerPage(server, context, made_review(2)).open().page
    page.get_by_role("radio", name="Keep").first.check()
    page.get_by_role("button", name="Submit").click()
    page.wait_for_timeout(200)
    assert written == {}
    page.get_by_role("radio", name="Drop").nth(1).check()
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("status")).to_have_text("Your answer was taken in.")
    assert len(written) == 1


def test_who_comes_too_late_is_told(server: StandinServer, context: BrowserContext) -> None:
    anna = WorkerPage(server, context, made_review(1)).open()
    late = context.new_page()
    late.goto(anna.page.url.replace("anna", "ben"))
    late.get_by_role("radio", name="Keep").check()
    anna.page.get_by_role("radio", name="Keep").check()
    anna.page.get_by_role("button", name="Submit").click()
    expect(anna.page.get_by_role("status")).to_have_text("Your answer was taken in.")
    late.get_by_role("button", name="Submit").click()
    expect(late.get_by_role("status")).to_contain_text("takes no more answers")
    late.reload()
    expect(late.get_by_role("status")).to_contain_text("takes no answer from you any more")


def test_what_was_said_before_is_chosen_already(server: StandinServer, context: BrowserContext) -> None:
    before = Carried(run_id="run-0", who="ada", when="2026-01-01T00:00:00+00:00", verdict="dropped")
    page = WorkerPage(server, context, made_review(2, carried={0: before})).open().page
    expect(page.get_by_role("radio", name="Drop").first).to_be_checked()
    expect(page.get_by_role("radio", name="Drop").nth(1)).not_to_be_checked()


# ---- the template alone ----------------------------------------------------------------------------


def test_the_template_escapes_by_itself() -> None:
    """Amazon's Liquid escapes what nobody escapes; the template does not rely on it."""
    environment = Environment(autoescape=False, strict_filters=True)
    environment.add_filter("grant_read_access", lambda uri: f"https://pictures.example/{uri.rpartition('/')[2]}")
    content = input_content(hostile_review(), 0, "media")
    text = str(environment.from_string(TEMPLATE).render(task={"input": content}))
    for raw in ("<script>window", "<img src=x", "<svg", "<i>", "<b>", "</fieldset></crowd-form>"):
        assert raw not in text
    assert "&lt;script&gt;window.hacked = 1&lt;/script&gt;" in text
    assert "{{ task.input.pictures }}" in text, "Liquid in a caption is not run"
    assert text.count("<fieldset") == len(HOSTILE)


def test_the_template_is_what_amazon_takes() -> None:
    assert len(TEMPLATE) <= 128_000
    outputs = re.findall(r"\{\{(.*?)\}\}", TEMPLATE)
    assert outputs
    for output in outputs:
        assert output.strip().endswith(("| escape", "| grant_read_access")), output
    assert "skip_autoescape" not in TEMPLATE
    assert re.findall(r"<script[^>]*>", TEMPLATE) == [
        '<script src="https://assets.crowd.aws/crowd-html-elements.js">'
    ]
    assert not re.search(r"\son\w+=|style=", TEMPLATE), "no inline script or style"
    for element in ("crowd-form", "crowd-button", "short-instructions", "full-instructions"):
        assert f"</{element}>" in TEMPLATE
