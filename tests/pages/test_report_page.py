"""The report in a real browser: it loads nothing, says nothing on the console, and fits a phone.

Needs Chromium, as Debian and others install it; ``STORYCAST_CHROMIUM`` names another one. Without it the tests
fail: a page that nobody has looked at is not tested.
"""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from storycast.runs import ModelUsed
from storycast.stages.report_run import report_run
from tests.fakes.told import PROMPTS, Told, billed, drawn, made_dataset, trained, trained_adapter
from tests.unit.test_report_run import LATER

WIDTHS = (360, 390, 768, 1280)
LONG = "an_unbroken_word_that_no_line_of_a_phone_can_hold_" * 6


def _drawn() -> Told:
    told = trained(made_dataset(), prompts=(*PROMPTS, LONG))
    drawn(told, 4, "Blu in a bank", "trained", 1, refused="the prompt was blocked by a content filter")
    return told


def _failed() -> Told:
    told = made_dataset()
    for key in told.store.keys(f"runs/{told.run_id}/"):
        if not key.endswith(("run.json", "settings.json", "segments.jsonl", "frames.jsonl", "ledger.jsonl")):
            told.store.delete(key)
    told.book.given = [billed(told.run_id, LONG, state="live", ended_at=None)]
    told.change(
        status="failed",
        ended_at=LATER.isoformat(),
        error="TooManyLostError",
        cause=f"3 of 4 frames were lost. {LONG}",
        warnings=(LONG,),
        models=(ModelUsed(model_id=LONG, name=LONG, provider="stand-in"),),
        project=LONG[:90],
    )
    return told


@pytest.fixture(scope="module", params=["drawn", "adapter", "failed"])
def file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a run that ended well, and of one that did not."""
    makers = {"drawn": _drawn, "adapter": lambda: trained_adapter(made_dataset()), "failed": _failed}
    told = makers[request.param]()
    book: Any = told.book
    report_run(told.run_id, store=told.store, book=book, notifier=told.notifier, now=LATER)
    path = tmp_path_factory.mktemp("page") / f"{request.param}.html"
    path.write_text(told.page, encoding="utf-8")
    return path


class Opened:
    """A page with all that it asked for and said."""

    def __init__(self, page: Page, file: Path) -> None:
        self.page = page
        self.requests: list[str] = []
        self.said: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.goto(file.as_uri())


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("width", WIDTHS)
def test_it_fits_and_asks_for_nothing(chromium: Browser, file: Path, width: int, scheme: Any) -> None:
    context = chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    try:
        opened = Opened(context.new_page(), file)
        for details in opened.page.query_selector_all("details"):
            details.evaluate("one => { one.open = true }")
        wide = opened.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{wide} px of {width}"
        outside = opened.page.evaluate(
            """() => [...document.querySelectorAll("body *")].filter(one => !one.closest(".scroll, svg, .ticks"))
                 .filter(one => one.getBoundingClientRect().right > innerWidth + 1)
                 .map(one => one.tagName + " " + one.className)"""
        )
        assert outside == []
        opened.page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
        broken = opened.page.evaluate(
            """async () => { const all = [...document.images];
                 all.forEach(one => { one.loading = "eager" });
                 await Promise.all(all.map(one => one.decode().catch(() => {})));
                 return all.filter(one => !one.naturalWidth).length }"""
        )
        assert broken == 0
        assert [url for url in opened.requests if not url.startswith(("data:", file.as_uri()))] == []
        assert opened.said == []
    finally:
        context.close()


def test_it_reads_without_scripts_and_folds(chromium: Browser, file: Path) -> None:
    context = chromium.new_context(java_script_enabled=False, viewport={"width": 390, "height": 800})
    try:
        page = Opened(context.new_page(), file).page
        assert page.locator("h1").count() == 1
        folded = page.locator("details:not([open]) > summary")
        if folded.count():
            first = folded.first
            table = first.locator("xpath=..").locator("table").first
            assert not table.is_visible()
            first.click()
            assert page.locator("details[open] table").last.is_visible()
    finally:
        context.close()


CONTRAST = """() => {
  const channel = c => { c /= 255; return c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4 };
  const light = ([r, g, b]) => .2126 * channel(r) + .7152 * channel(g) + .0722 * channel(b);
  const parse = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const ground = one => { for (; one; one = one.parentElement) {
    const colour = parse(getComputedStyle(one).backgroundColor);
    if (colour.length === 3 || colour[3] > .99) return colour; } return [255, 255, 255] };
  const poor = [];
  for (const one of document.querySelectorAll("body *")) {
    if (![...one.childNodes].some(node => node.nodeType === 3 && node.textContent.trim())) continue;
    const style = getComputedStyle(one);
    const [a, b] = [light(parse(style.color)), light(ground(one))].sort((x, y) => y - x);
    const ratio = (a + .05) / (b + .05);
    if (ratio < 4.5) poor.push(one.className + " " + one.tagName + " " + ratio.toFixed(2));
  }
  return [...new Set(poor)];
}"""


def test_text_stands_out_from_its_ground(chromium: Browser, file: Path, scheme: Any) -> None:
    """WCAG 2.2 AA asks for 4.5 to 1."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, color_scheme=scheme)
    try:
        page = Opened(context.new_page(), file).page
        for details in page.query_selector_all("details"):
            details.evaluate("one => { one.open = true }")
        assert page.evaluate(CONTRAST) == []
    finally:
        context.close()


def test_it_prints_with_everything_unfolded(chromium: Browser, file: Path, tmp_path: Path) -> None:
    context = chromium.new_context()
    try:
        page = Opened(context.new_page(), file).page
        page.emulate_media(media="print")
        assert not page.locator("nav").is_visible()
        assert len(page.pdf(path=tmp_path / "report.pdf")) > 10_000
    finally:
        context.close()
