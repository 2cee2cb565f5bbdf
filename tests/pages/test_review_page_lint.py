"""The caption lint on the review page: what it tells, where it leads, and who lets it stay."""

import json
import re

from playwright.sync_api import expect

from storycast.approval import approve
from storycast.caption_lint.findings import RULES
from storycast.decisions import state_of
from storycast.review import Review
from tests.fakes.captions import HARBOUR, HARBOUR_CAPTIONS
from tests.fakes.reviews import made_review
from tests.pages.conftest import Opens
from tests.pages.reviewing import Reviewer, eventually

STILL = "drawn in coloured chalk"
SOLO = [one for one in HARBOUR_CAPTIONS if one.in_picture == ("Mara",)]


def spoiled(count: int = 8, ending: str = f", {STILL}.") -> Review:
    """Return a review whose captions all end alike, and whose last one lacks the name."""
    captions = [f"{one.caption[:-1]}{ending}" for one in SOLO[:count]]
    captions[-1] = captions[-1].replace("Mara", "She")
    review = made_review(count, names=["Mara"], captions=captions, acknowledged=())
    characters = tuple(one.model_copy(update={"description": HARBOUR["Mara"]}) for one in review.characters)
    return review.model_copy(update={"characters": characters})


def rewrite(anna: Reviewer, number: int, caption: str) -> None:
    anna.tile(number).locator(".face").click()
    anna.press("e")
    anna.page.locator("textarea").fill(caption)
    anna.press("Control+Enter")
    anna.press("g")


def test_the_page_has_the_rules_that_there_are(opened: Opens) -> None:
    anna, _ = opened(spoiled())
    assert anna.page.evaluate("() => Storycast.RULES") == list(RULES)
    assert "_" not in "".join(anna.page.evaluate("() => Storycast.RULES.map(Storycast.ruleWords)"))


def test_captions_to_look_at_lead_to_their_pictures_and_go_when_they_are_mended(opened: Opens) -> None:
    anna, _ = opened(spoiled())
    panel = anna.page.locator("#lint")
    expect(panel).to_contain_text("Captions to look at")
    expect(panel).to_contain_text(f"8 of 8 captions hold '{STILL}'.")
    expect(panel).to_contain_text("Mara: 1 of 8 captions does not name Mara.")
    lacking = panel.locator("li").filter(has_text="does not name")
    lacking.get_by_role("button").click()
    expect(anna.page.locator("#single-view")).to_be_visible()
    expect(anna.page.locator(".flagged")).to_contain_text("All captions together: Mara: 1 of 8")
    anna.press("g")
    for number, one in enumerate(SOLO[:8], 1):
        rewrite(anna, number, one.caption)
    expect(panel).to_be_hidden()


def test_at_finish_a_tick_lets_it_stay_with_name_and_time(opened: Opens) -> None:
    anna, waiting = opened(spoiled())
    anna.press("Control+a", "Shift+K", "Shift+F")
    dialog = anna.dialog()
    expect(dialog).to_contain_text("The training is refused for these captions, before anything is billed")
    expect(dialog).to_contain_text(f"8 of 8 captions hold '{STILL}'.")
    expect(dialog).to_contain_text("No training starts as it is")
    expect(dialog.get_by_role("button", name=re.compile("Finish and train"))).to_have_count(0)
    dialog.get_by_label("The same words in nearly all captions: may stay").check()
    expect(dialog).to_contain_text("No training starts as it is")
    dialog.get_by_label("Names missing or misspelled: may stay").check()
    expect(dialog).to_contain_text("may stay · You")
    dialog.get_by_role("button", name=re.compile("Finish and train")).click()
    anna.sees(".banner.good", "Finished.")
    said = [one for one in waiting.decisions if one.what == "acknowledge"]
    assert [one.changes[0].subject for one in said] == ["lint:repeated_fragment", "lint:missing_names"]
    assert {one.who for one in said} == {"anna"}
    allowed = approve(waiting.review, state_of(waiting.review.initial, waiting.decisions)).acknowledged
    assert {(one.rule, one.who) for one in allowed} == {("repeated_fragment", "anna"), ("missing_names", "anna")}


def test_what_is_dropped_is_not_looked_at(opened: Opens) -> None:
    anna, waiting = opened(spoiled())
    expect(anna.page.locator("#lint")).to_contain_text("does not name Mara")
    anna.tile(8).locator(".face").click()
    anna.press("d")
    eventually(lambda: len(waiting.decisions) == 1)
    expect(anna.page.locator("#lint")).not_to_contain_text("does not name Mara")
    expect(anna.page.locator("#lint")).to_contain_text("7 of 7 captions")


def test_the_history_tells_who_let_it_stay_and_takes_it_back(opened: Opens) -> None:
    anna, waiting = opened(spoiled())
    anna.press("Control+a", "Shift+K", "Shift+F")
    anna.dialog().get_by_label("Names missing or misspelled: may stay").check()
    eventually(lambda: waiting.decisions[-1].what == "acknowledge")
    anna.press("Escape", "h")
    expect(anna.dialog()).to_contain_text("You let this stay: “Names missing or misspelled”.")
    anna.dialog().get_by_role("button", name="Undo").first.click()
    eventually(lambda: waiting.decisions[-1].what == "undo")
    assert approve(waiting.review, state_of(waiting.review.initial, waiting.decisions)).acknowledged == ()


def test_what_the_project_lets_stay_needs_no_tick(opened: Opens) -> None:
    review = spoiled().model_copy(update={"acknowledged": ("repeated_fragment", "missing_names")})
    anna, _ = opened(review)
    anna.press("Control+a", "Shift+K", "Shift+F")
    expect(anna.dialog().get_by_role("button", name=re.compile("Finish and train"))).to_be_visible()
    expect(anna.dialog().get_by_role("checkbox")).to_have_count(0)


def test_the_server_lints_what_is_kept_alone_where_it_is_asked_so(opened: Opens) -> None:
    anna, waiting = opened(spoiled())
    assert asked(anna, "kept") == (0, 0)
    assert asked(anna, "all") == (8, 2)
    anna.tile(1).locator(".face").click()
    anna.press("k")
    eventually(lambda: len(waiting.decisions) == 1)
    assert asked(anna, "kept")[0] == 1


def asked(anna: Reviewer, of: str) -> tuple[int, int]:
    """Return how many captions the server linted, and how many findings it has."""
    told = json.loads(anna.page.evaluate(f"() => fetch('api/lint?of={of}').then(one => one.text())"))
    return told["caption_count"], len(told["findings"])
