"""How the review page looks: at any width, in light and dark, to screen readers, and with hostile words in it."""

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.base import AXE_FILE_PATH  # type: ignore[import-untyped]
from playwright.sync_api import Page, expect

from storycast.decisions import Change
from storycast.review import Carried
from tests.fakes.reviews import Waiting, made_review
from tests.pages.conftest import Opens
from tests.pages.reviewing import Reviewer, eventually, waiting_for

HOSTILE = (
    '<img src=x onerror="window.hacked=1"><script>window.hacked=2</script>',
    "{{ 7 | times: 6 }}{% raw %}<crowd-button>{% endraw %} ${window.hacked=3} javascript:window.hacked=4",
    "\u202eright to left override\u202c and שלום עולם and مرحبا بالعالم, one after the other",
    "an_unbroken_word_that_no_line_of_a_phone_can_hold_" * 20,
    "</bdi></p></li><style>*{display:none}</style><svg onload=window.hacked=5><a href=//example.com>x</a>",
)
LONG_NAMES = (
    "N" * 60,
    "Eine sehr lange Namensgebung mit Wörtern und ohne ein Ende",
    "שרה בת אברהם מבית לחם העתיקה",
)


def _hostile_review() -> Any:
    captions = [text[:1024] for text in HOSTILE] + ["x" * 1024, "🐇 " * 511 + "x"]
    carried = {
        1: Carried(run_id="run-0", who=HOSTILE[0], when="2025-12-30T10:00:00+00:00", verdict="kept", caption=None)
    }
    review = made_review(
        12, names=LONG_NAMES, captions=captions, carried=carried, footage=f"{HOSTILE[0]} {HOSTILE[3]}.mp4"
    )
    pictures = [
        one.model_copy(update={"file_name": f"{HOSTILE[0]}{index}.png", "flags": (*one.flags, *HOSTILE)})
        for index, one in enumerate(review.pictures)
    ]
    return review.model_copy(update={"pictures": tuple(pictures), "made_by": (*review.made_by, *HOSTILE)})


def _waiting(anna: Reviewer) -> Waiting:
    assert anna.served
    return anna.served.waiting


def _clash(anna: Reviewer) -> None:
    anna.press("ArrowRight", "Enter", "e", "x")
    one = _waiting(anna).review.pictures[0]
    change = Change(
        subject=f"picture:{one.image.crop_id}", field="caption", before=one.caption, after="Ben wrote it so"
    )
    _waiting(anna).decide("ben", "caption", [change])
    expect(anna.page.locator(".clash")).to_be_visible()


def _twins(anna: Reviewer) -> None:
    anna.page.evaluate("Storycast.app.open('000200')")
    anna.press("1")


def _history(anna: Reviewer) -> None:
    anna.press("ArrowRight", "k", "Control+a", "Shift+D", "u", "h")
    anna.dialog().locator("summary").nth(1).click()


def _merge(anna: Reviewer) -> None:
    anna.press("ArrowRight", "r")
    anna.dialog().get_by_role("button", name="Merge …").click()
    expect(anna.dialog()).to_contain_text("You can undo this.")


def _offline(anna: Reviewer) -> None:
    assert anna.served
    anna.served.stop()
    anna.press("ArrowRight", "d")
    anna.sees(".banner", "not saved yet")


def _closed(anna: Reviewer) -> None:
    _waiting(anna).new_desk().finish("ben", "finished-by-ben")
    anna.sees(".banner", "ben finished")


# What a reviewer can have before them: a name, and how to come there.
VIEWS: dict[str, Callable[[Reviewer], None]] = {
    "grid": lambda anna: None,
    "chosen": lambda anna: anna.press("ArrowRight", "x", "Shift+ArrowRight"),
    "decided": lambda anna: anna.press("ArrowRight", "k", "d", "k", "ArrowRight", "d"),
    "nothing": lambda anna: anna.page.evaluate("Storycast.app.setFilter('text', 'no such words')"),
    "single": lambda anna: anna.press("ArrowRight", "Enter"),
    "twins": _twins,
    "carried": lambda anna: anna.page.evaluate("Storycast.app.open('000100')"),
    "editor": lambda anna: anna.press("ArrowRight", "Enter", "e", "x"),
    "clash": _clash,
    "help": lambda anna: anna.press("?"),
    "history": _history,
    "finish": lambda anna: anna.press("Control+a", "Shift+K", "d", "o", "Shift+F"),
    "nothing kept": lambda anna: anna.press("Shift+F"),
    "character": lambda anna: anna.press("ArrowRight", "r"),
    "merge": _merge,
    "move": lambda anna: anna.press("ArrowRight", "m"),
    "characters": lambda anna: anna.page.evaluate("Storycast.app._toggleCast()"),
    "offline": _offline,
    "closed": _closed,
}


def _violations(page: Page) -> list[str]:
    page.wait_for_timeout(100)
    page.evaluate(AXE_FILE_PATH.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['impact']}: {one['id']}: {one['help']}: {[node['html'][:200] for node in one['nodes'][:3]]}"
        for one in found["violations"]
        if one["impact"] in {"serious", "critical"}
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing_serious(opened: Opens, view: str, scheme: str) -> None:
    carried = {1: Carried(run_id="run-0", who="carla", when="2025-12-30T10:00:00+00:00", verdict="kept")}
    anna, _ = opened(made_review(12, carried=carried), color_scheme=scheme)
    VIEWS[view](anna)
    assert _violations(anna.page) == []


def test_axe_would_find_something(opened: Opens) -> None:
    anna, _ = opened(3)
    anna.page.evaluate("document.querySelector('.face').removeAttribute('aria-label')")
    assert [one.partition(":")[0] for one in _violations(anna.page)] == ["critical"]


# What a parent cuts off by intent, such as the end of a long name, is not outside.
OUTSIDE = """() => [...document.querySelectorAll("body *")]
  .filter(one => !one.closest(".unseen, .sprite, .skip, [hidden], .label"))
  .filter(one => {
    for (let at = one.parentElement; at !== document.body; at = at.parentElement)
      if (!at || getComputedStyle(at).overflowX !== "visible") return false;
    return true;
  })
  .map(one => [one, one.getBoundingClientRect()])
  .filter(([, at]) => at.width && (at.right > innerWidth + 1 || at.left < -1))
  .map(([one]) => `${one.tagName}.${one.className} ${one.textContent.slice(0, 40)}`)"""


@pytest.mark.parametrize("words", ["plain", "hostile"])
@pytest.mark.parametrize("view", VIEWS)
def test_it_fits(opened: Opens, view: str, words: str) -> None:
    anna, _ = opened(_hostile_review() if words == "hostile" else 12)
    VIEWS[view](anna)
    for width in (1280, 768, 360):
        anna.page.set_viewport_size({"width": width, "height": 780})
        anna.page.wait_for_timeout(40)
        wide = anna.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{wide} px of {width}"
        assert anna.page.evaluate(OUTSIDE) == [], width
    assert anna.page.evaluate("window.hacked") is None


def test_a_phone_has_everything_under_its_thumb(opened: Opens) -> None:
    anna, waiting = opened(12, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    page = anna.page
    # Without a mouse nothing waits for one to hover.
    anna.tile(1).get_by_role("button", name="Keep picture 1").tap()
    anna.tile(2).locator("label.choose").tap()
    page.locator("#bulk").get_by_role("button", name="Drop").tap()
    eventually(lambda: [one.what for one in waiting.decisions] == ["keep", "drop"])
    anna.tile(3).locator(".face").tap()
    expect(page.locator(".acts .good")).to_be_in_viewport()
    page.locator(".acts").get_by_role("button", name="Keep").tap()
    anna.sees(".side .head", "picture 4 of 12")
    page.get_by_role("button", name="Characters").tap()
    expect(page.locator("#cast")).to_be_visible()
    page.get_by_role("button", name="More filters").tap()
    page.get_by_label("Framing").select_option("full")
    anna.sees("#shown", "4 of 12 pictures")
    small = page.evaluate(
        """() => [...document.querySelectorAll("button, select, input, summary")]
             .filter(one => one.checkVisibility() && !one.closest(".states, .choose, .mine"))
             .map(one => [one, one.getBoundingClientRect()])
             .filter(([, at]) => at.width && (at.height < 24 || at.width < 24))
             .map(([one]) => one.outerHTML.slice(0, 80))"""
    )
    assert small == []


def test_hostile_words_stay_words(sit_down: Callable[..., Reviewer]) -> None:
    waiting = waiting_for(_hostile_review())
    anna = sit_down(waiting)
    page = anna.page
    for number, one in enumerate(waiting.review.pictures, 1):
        expect(anna.tile(number).locator(".caption")).to_have_text(" ".join(one.caption.split()))
    anna.press("ArrowRight", "Enter")
    for _ in waiting.review.pictures:
        anna.press("k")
    # Somebody decides with a hostile name, words and all.
    name, crop_id = HOSTILE[0], waiting.review.pictures[0].image.crop_id
    caption = waiting.review.pictures[0].caption
    anna.press("Home", "e")
    page.locator("textarea").fill("anna writes too")
    change = Change(subject=f"picture:{crop_id}", field="caption", before=caption, after=HOSTILE[4])
    waiting.decide(name, "caption", [change])
    anna.sees(".clash blockquote", "<svg onload=window.hacked=5>")
    anna.sees("#others", "<img src=x onerror=")
    anna.page.locator(".clash").get_by_role("button", name="Keep mine").click()
    anna.press("h")
    for summary in anna.dialog().locator("summary").all():
        summary.click()
    anna.sees("dialog[open]", "<script>window.hacked=2</script>")
    anna.press("Escape", "r", "Escape", "m", "Escape", "Shift+F")
    anna.page.wait_for_timeout(300)
    assert page.evaluate("window.hacked") is None
    assert page.locator("script:not([src]), style, .tile a, svg[onload], main img[onerror]").count() == 0
    assert anna.served
    assert [url for url in anna.requests if not url.startswith((anna.served.url, "data:"))] == []
    assert [said for said in anna.said if "error" in said or "Refused" in said] == []


def test_nothing_is_asked_of_anybody_else(opened: Opens) -> None:
    anna, _ = opened(12)
    anna.press("ArrowRight", "Enter", "k", "k", "g")
    anna.page.evaluate("scrollTo(0, document.body.scrollHeight)")
    anna.page.wait_for_timeout(2500)
    assert anna.served
    assert {url.split("/")[2] for url in anna.requests if not url.startswith("data:")} == {
        f"127.0.0.1:{anna.served.port}"
    }
    assert anna.said == []


def test_who_stands_in_is_shown(opened: Opens) -> None:
    anna, waiting = opened(3)
    for line in waiting.review.made_by:
        anna.sees("#made-by", line)
    anna.sees("#made-by", "stand-in")


def test_what_happens_is_announced(opened: Opens) -> None:
    anna, _ = opened(6)
    anna.press("ArrowRight", "Enter", "k")
    anna.sees("#live", "Kept. Picture 2: Bunny")
    anna.press("g", "x")
    anna.sees("#live", "1 chosen.")
    names = anna.page.evaluate(
        "[...document.querySelectorAll('.face')].map(one => one.getAttribute('aria-label'))"
    )
    assert names[0] == "Picture 1: Bunny, close-up. Kept by you"


def test_state_is_more_than_a_colour(opened: Opens) -> None:
    anna, _ = opened(6, forced_colors="active")
    anna.press("ArrowRight", "k", "d")
    for number, (word, symbol) in enumerate([("Kept", "keep"), ("Dropped", "drop"), ("Open", "open")], 1):
        chip = anna.tile(number).locator(".chip")
        expect(chip).to_contain_text(word)
        expect(chip.locator("use")).to_have_attribute("href", f"#icon-{symbol}")
