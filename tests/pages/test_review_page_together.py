"""The review page with others: two reviewers at once, a network that fails, and the review's end."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from playwright.sync_api import Dialog, Route, expect

from storycast.decisions import Change, Decision, state_of
from storycast.ports import Gate
from storycast.review import BaseLicence
from tests.fakes.reviews import LORA_TRAINING, NOW, RUN, TRAINING, Waiting, made_review
from tests.pages.conftest import Opens
from tests.pages.reviewing import Reviewer, eventually, told, waiting_for

SitDown = Callable[..., Reviewer]


def _change(waiting: Waiting, number: int, field: str, before: str, after: str) -> Change:
    crop_id = waiting.review.pictures[number - 1].image.crop_id
    return Change.model_validate(
        {"subject": f"picture:{crop_id}", "field": field, "before": before, "after": after}
    )


def _value(waiting: Waiting, number: int, name: str) -> str:
    crop_id = waiting.review.pictures[number - 1].image.crop_id
    return state_of(waiting.review.initial, waiting.decisions).values[f"picture:{crop_id}", name].text


def _silent(reviewer: Reviewer) -> None:
    """Let a page hear nothing of the others, as between two looks at the server."""
    reviewer.page.route("**/api/decisions?after=*", lambda route: route.abort())


# ---- two at once ------------------------------------------------------------------------------


def test_each_sees_what_the_other_decides(sit_down: SitDown) -> None:
    waiting = waiting_for(made_review(12))
    anna, ben = sit_down(waiting, "anna"), sit_down(waiting, "ben")
    anna.press("ArrowRight", "k", "d")
    expect(ben.tile(1)).to_contain_text("Kept · anna")
    expect(ben.tile(2)).to_contain_text("Dropped · anna")
    ben.sees("#others", "anna dropped picture 2 (Bunny)")
    ben.sees("#remaining", "10 of 12 pictures are open")
    # And in the single view, where it is the very same picture.
    anna.tile(5).locator(".face").click()
    ben.tile(5).locator(".face").click()
    ben.press("k")
    anna.sees(".side .head .chip", "Kept")
    anna.sees(".decided", "ben kept it")


def test_two_at_once_lose_nothing(sit_down: SitDown) -> None:
    waiting = waiting_for(made_review(30))
    anna, ben = sit_down(waiting, "anna"), sit_down(waiting, "ben")
    anna.press("ArrowRight", "Enter")
    ben.page.get_by_role("button", name=re.compile("^Rinky")).first.click()
    ben.press("ArrowRight", "Enter")
    for _ in range(10):
        anna.press("k")
        ben.press("d")
    eventually(lambda: len(waiting.decisions) == 20)
    anna.sees("#remaining", f"{_open(waiting)} of 30 pictures are open")
    ben.sees("#remaining", f"{_open(waiting)} of 30 pictures are open")
    assert [one.seq for one in waiting.decisions] == list(range(1, len(waiting.decisions) + 1))
    assert {one.who for one in waiting.decisions} == {"anna", "ben"}
    expect(anna.page.locator(".banner")).to_have_count(0)


def _open(waiting: Waiting) -> int:
    state = state_of(waiting.review.initial, waiting.decisions)
    return sum(value.text == "open" for (_, name), value in state.values.items() if name == "verdict")


def test_a_conflict_is_told_and_can_be_insisted_on(sit_down: SitDown) -> None:
    waiting = waiting_for(made_review(6))
    anna = sit_down(waiting, "anna")
    _silent(anna)
    waiting.decide("ben", "drop", [_change(waiting, 1, "verdict", "open", "dropped")])
    anna.press("ArrowRight", "k")
    anna.sees(".banner.warn", "ben dropped picture 1 (Bunny) at 2 Jan, 12:00; your keep was not made.")
    expect(anna.tile(1)).to_contain_text("Dropped · ben")
    assert told(waiting.decisions) == [("ben", "drop", 1)]
    anna.banner("your keep was not made").get_by_role("button", name="Do it all the same").click()
    expect(anna.tile(1)).to_contain_text("Kept · you")
    eventually(lambda: _value(waiting, 1, "verdict") == "kept")
    expect(anna.banner("your keep was not made")).to_have_count(0)


def test_of_a_bulk_action_the_rest_is_made(sit_down: SitDown) -> None:
    waiting = waiting_for(made_review(9))
    anna = sit_down(waiting, "anna")
    _silent(anna)
    waiting.decide("ben", "drop", [_change(waiting, number, "verdict", "open", "dropped") for number in (1, 2)])
    anna.press("Control+a", "Shift+K")
    anna.sees(".banner.warn", "2 of your 9 changes (keep) were not made:")
    anna.sees(".banner.warn li:nth-child(2)", "ben dropped picture 2 (Bunny)")
    eventually(lambda: told(waiting.decisions) == [("ben", "drop", 2), ("anna", "keep", 7)])
    expect(anna.tile(1)).to_contain_text("Dropped · ben")


def test_agreement_is_no_conflict(sit_down: SitDown) -> None:
    waiting = waiting_for(made_review(6))
    anna = sit_down(waiting, "anna")
    _silent(anna)
    waiting.decide("ben", "keep", [_change(waiting, 1, "verdict", "open", "kept")])
    anna.press("ArrowRight", "k")
    expect(anna.tile(1)).to_contain_text("Kept · ben")
    expect(anna.page.locator(".banner.warn").filter(has_text="not made")).to_have_count(0)


def test_undo_leaves_what_others_decided_since(sit_down: SitDown) -> None:
    waiting = waiting_for(made_review(6))
    anna = sit_down(waiting, "anna")
    anna.press("ArrowRight", "k", "k")
    eventually(lambda: len(waiting.decisions) == 2)
    waiting.decide("ben", "drop", [_change(waiting, 2, "verdict", "kept", "dropped")])
    expect(anna.tile(2)).to_contain_text("Dropped · ben")
    anna.press("u")
    anna.sees(".banner.warn", "ben dropped picture 2 (Bunny) at 2 Jan, 12:00; your undo was not made.")
    # What came before it can still be taken back.
    anna.press("u")
    expect(anna.tile(1)).to_contain_text("Open")
    assert _value(waiting, 2, "verdict") == "dropped"
    # And another's decision from the history.
    anna.press("h")
    row = anna.dialog().locator(".history > li").filter(has_text="ben dropped picture 2")
    row.get_by_role("button", name="Undo").click()
    eventually(lambda: _value(waiting, 2, "verdict") == "kept")
    assert waiting.decisions[-1].who == "anna"


def test_words_being_written_survive_anothers_caption(sit_down: SitDown) -> None:
    waiting = waiting_for(made_review(6))
    anna = sit_down(waiting, "anna")
    anna.press("ArrowRight", "Enter", "e")
    anna.page.locator("textarea").fill("Bunny as anna writes it, on a wide green meadow")
    before = waiting.review.pictures[0].caption
    waiting.decide("ben", "caption", [_change(waiting, 1, "caption", before, "Bunny as ben wrote it")])
    anna.sees(".clash", "ben gave this picture another caption")
    anna.sees(".clash blockquote", "Bunny as ben wrote it")
    expect(anna.page.locator("textarea")).to_have_value("Bunny as anna writes it, on a wide green meadow")
    anna.page.locator("textarea").press("Control+Enter")
    expect(anna.page.locator(".clash").get_by_role("button", name="Keep mine")).to_be_focused()
    assert len(waiting.decisions) == 1
    anna.press("Enter")
    eventually(lambda: _value(waiting, 1, "caption") == "Bunny as anna writes it, on a wide green meadow")


def test_theirs_can_be_taken(sit_down: SitDown) -> None:
    waiting = waiting_for(made_review(6))
    anna = sit_down(waiting, "anna")
    anna.press("ArrowRight", "Enter", "e")
    anna.page.locator("textarea").fill("Bunny as anna writes it")
    before = waiting.review.pictures[0].caption
    waiting.decide("ben", "caption", [_change(waiting, 1, "caption", before, "Bunny as ben wrote it")])
    anna.page.locator(".clash").get_by_role("button", name="Take theirs").click()
    anna.sees(".words .caption", "Bunny as ben wrote it")
    assert told(waiting.decisions) == [("ben", "caption", 1)]


def test_a_caption_that_came_too_late_is_kept_at_hand(sit_down: SitDown) -> None:
    waiting = waiting_for(made_review(6))
    anna = sit_down(waiting, "anna")
    _silent(anna)
    anna.press("ArrowRight", "Enter", "e")
    anna.page.locator("textarea").fill("Bunny as anna writes it, on a wide green meadow")
    before = waiting.review.pictures[0].caption
    waiting.decide("ben", "caption", [_change(waiting, 1, "caption", before, "Bunny as ben wrote it")])
    anna.page.locator("textarea").press("Control+Enter")
    anna.sees(".banner.warn", "ben wrote for picture 1 (Bunny) at 2 Jan, 12:00: “Bunny as ben wrote it”")
    anna.banner("your caption was not made").get_by_role("button", name="Show it").click()
    expect(anna.page.locator("textarea")).to_have_value("Bunny as anna writes it, on a wide green meadow")
    anna.sees(".clash blockquote", "Bunny as ben wrote it")
    anna.page.locator(".clash").get_by_role("button", name="Keep mine").click()
    eventually(lambda: _value(waiting, 1, "caption").startswith("Bunny as anna"))


# ---- a network that fails ---------------------------------------------------------------------


def test_decisions_wait_for_the_server(sit_down: SitDown) -> None:
    waiting = waiting_for(made_review(12))
    anna = sit_down(waiting, "anna")
    assert anna.served
    anna.press("ArrowRight", "Enter", "k")
    eventually(lambda: len(waiting.decisions) == 1)
    anna.served.stop()
    anna.press("k", "d", "k")
    anna.sees(".banner", "3 decisions are not saved yet. The review server does not answer.")
    anna.sees(".banner", "Is storycast review still running?")
    anna.sees("#remaining", "8 of 12 pictures are open")
    assert len(waiting.decisions) == 1
    warned: list[str] = []

    def stay(dialog: Dialog) -> None:
        warned.append(dialog.type)
        dialog.dismiss()

    anna.page.on("dialog", stay)
    anna.page.close(run_before_unload=True)
    anna.eventually(lambda: warned == ["beforeunload"])
    anna.served.start()
    anna.eventually(lambda: len(waiting.decisions) == 4)
    assert [one.what for one in waiting.decisions] == ["keep", "keep", "drop", "keep"]
    expect(anna.banner("not saved yet")).to_have_count(0)


def test_an_answer_that_got_lost_does_not_decide_twice(sit_down: SitDown) -> None:
    waiting = waiting_for(made_review(6))
    anna = sit_down(waiting, "anna")
    lost: list[int] = []

    def lose_first(route: Route) -> None:
        if route.request.method == "POST" and not lost:
            lost.append(route.fetch().status)
            route.abort()
        else:
            route.continue_()

    anna.page.route("**/api/decisions*", lose_first)
    anna.press("ArrowRight", "k")
    anna.eventually(lambda: lost == [200])
    anna.sees("#tiles > li:first-child", "Kept · you")
    anna.press("k")
    anna.eventually(lambda: len(waiting.decisions) == 2)
    expect(anna.page.locator(".banner")).to_have_count(0)


def test_what_was_not_saved_survives_a_reload(sit_down: SitDown) -> None:
    waiting = waiting_for(made_review(6))
    anna = sit_down(waiting, "anna")
    anna.page.on("dialog", lambda dialog: dialog.accept())
    anna.page.route("**/api/decisions*", lambda route: route.abort())
    anna.press("ArrowRight", "k", "d")
    anna.sees(".banner", "2 decisions are not saved yet")
    anna.page.unroute("**/api/decisions*")
    anna.page.reload()
    anna.ready()
    anna.sees(".toasts", "2 decisions from before this page was loaded are being saved.")
    eventually(lambda: told(waiting.decisions) == [("anna", "keep", 1), ("anna", "drop", 1)])


def test_a_server_of_another_start_says_what_to_do(sit_down: SitDown) -> None:
    waiting = waiting_for(made_review(6))
    anna = sit_down(waiting, "anna")
    anna.context.clear_cookies()
    anna.press("ArrowRight", "k")
    anna.sees(".banner", "1 decision is not saved yet. This address alone opens nothing.")


# ---- the end ----------------------------------------------------------------------------------


def test_finish_says_what_training_gets_and_asks_once(opened: Opens) -> None:
    anna, waiting = opened(made_review(30, minimum=5))
    anna.press("Control+a", "Shift+K", "d", "ArrowRight", "d", "o")
    eventually(lambda: len(waiting.decisions) == 4)
    anna.page.locator("#tools .finish").click()
    dialog = anna.dialog()
    for words in (
        "28 pictures of 3 characters for the training",
        "show two characters or more",
        "1 picture is still open and stays out",
        "$118 to $187 at list prices of 2026-11",
        "The project's budget is $250",
        "amazon.nova-canvas-v1:0 sees each picture about",
        "500 steps of 8 over",
        "held out to grade it",
    ):
        expect(dialog).to_contain_text(words)
    dialog.get_by_role("button", name="Keep it too").click()
    expect(dialog).to_contain_text("29 pictures of 3 characters")
    expect(dialog).not_to_contain_text("still open")
    dialog.get_by_role("button", name="Finish and train, $118 to $187").click()
    anna.sees(".banner.good", "Finished. anna finished this review on 2026-01-02")
    assert waiting.decisions[-1].what == "finish"
    assert waiting.callbacks.told == [("token-1", {"decisions": 6})]
    # Then the page is for reading.
    expect(anna.page.locator("#tools .finish")).to_be_disabled()
    anna.press("ArrowRight", "k", "u", "Shift+F", "Enter", "d", "1", "e", "m", "r")
    expect(anna.dialog()).to_have_count(0)
    expect(anna.page.locator("textarea")).to_have_count(0)
    expect(anna.page.locator(".acts .good")).to_be_disabled()
    assert len(waiting.decisions) == 6


def test_where_stand_ins_train_nobody_is_charged(opened: Opens) -> None:
    anna, _ = opened(made_review(12, training=TRAINING.model_copy(update={"charged": False})))
    anna.press("Control+a", "Shift+K", "Shift+F")
    expect(anna.dialog()).to_contain_text("nobody is charged: on AWS it would cost $118 to $187")
    expect(anna.dialog().get_by_role("button", name="Finish and train", exact=True)).to_be_enabled()


def test_where_an_adapter_is_trained_its_machine_and_licence_are_told(opened: Opens) -> None:
    anna, _ = opened(made_review(12, training=LORA_TRAINING))
    anna.press("Control+a", "Shift+K", "Shift+F")
    dialog = anna.dialog()
    for words in (
        "costs $0.73 to $2.18 at list prices of 2026-11, drawing the storyboard included, $20 at the very most",
        "1,500 steps of 1 over",
        "A job on ml.g5.xlarge trains an adapter (LoRA) on spot capacity",
        "Licence of stabilityai/stable-diffusion-xl-base-1.0: CreativeML Open RAIL++-M. It forbids a list of",
    ):
        expect(dialog).to_contain_text(words)
    expect(dialog).not_to_contain_text("hosting")
    link = dialog.get_by_role("link", name="Its text")
    expect(link).to_have_attribute("href", "https://example.com/LICENSE.md")
    expect(link).to_have_attribute("rel", "noopener noreferrer")


def test_an_adapter_is_trained_on_few_pictures_too(opened: Opens) -> None:
    anna, _ = opened(made_review(3, minimum=1, training=LORA_TRAINING.model_copy(update={"licence": None})))
    anna.press("Control+a", "Shift+K", "Shift+F")
    expect(anna.dialog()).to_contain_text("Then the training starts")
    expect(anna.dialog()).not_to_contain_text("Licence")


@pytest.mark.parametrize("link", ["", "javascript:alert(1)"])
def test_a_licence_without_an_address_of_the_web_has_no_link(opened: Opens, link: str) -> None:
    licence = BaseLicence(name="mine", link=link, restricts="Read it.")
    anna, _ = opened(made_review(12, training=LORA_TRAINING.model_copy(update={"licence": licence})))
    anna.press("Control+a", "Shift+K", "Shift+F")
    expect(anna.dialog()).to_contain_text(": mine. Read it.")
    expect(anna.dialog().get_by_role("link")).to_have_count(0)


def test_under_the_minimum_no_training_is_promised(opened: Opens) -> None:
    anna, _ = opened(made_review(30, minimum=5))
    for _ in range(6):
        anna.press("ArrowRight", "k")
    anna.press("Shift+F")
    expect(anna.dialog()).to_contain_text("No training starts:")
    expect(anna.dialog()).not_to_contain_text("$118")
    expect(anna.dialog().get_by_role("button", name="Finish the review")).to_be_enabled()


def test_without_training_the_dataset_is_the_end(opened: Opens) -> None:
    anna, _ = opened(made_review(9, training=None))
    anna.press("Control+a", "Shift+K", "Shift+F")
    expect(anna.dialog()).to_contain_text("The run then ends with the dataset: no training was asked for")
    expect(anna.dialog()).not_to_contain_text("$")


def test_rejecting_everything_is_told(opened: Opens) -> None:
    anna, _ = opened(6)
    anna.press("Control+a", "Shift+D", "Shift+F")
    expect(anna.dialog()).to_contain_text("Nothing is kept. The run ends without a dataset")
    anna.dialog().get_by_role("button", name="Finish the review").click()
    anna.sees(".banner.good", "anna finished this review")


def test_finishing_twice(sit_down: SitDown) -> None:
    waiting = waiting_for(made_review(6))
    anna, ben = sit_down(waiting, "anna"), sit_down(waiting, "ben")
    _silent(ben)
    ben.press("Shift+F")
    anna.press("Shift+F")
    anna.dialog().get_by_role("button", name="Finish the review").click()
    anna.sees(".banner.good", "anna finished this review")
    ben.dialog().get_by_role("button", name="Finish the review").click()
    ben.sees(".banner.good", "anna finished this review")
    expect(ben.dialog()).to_have_count(0)
    assert told(waiting.decisions) == [("anna", "finish", 0)]
    # Whoever comes later reads it at once.
    sit_down(waiting, "carla").sees(".banner.good", "anna finished this review")


def test_a_finish_whose_answer_got_lost_is_the_same_finish(sit_down: SitDown) -> None:
    waiting = waiting_for(made_review(6))
    anna = sit_down(waiting, "anna")
    lost: list[int] = []

    def lose_first(route: Route) -> None:
        if not lost:
            lost.append(route.fetch().status)
            route.abort()
        else:
            route.continue_()

    _silent(anna)
    anna.page.route("**/api/finish", lose_first)
    anna.press("Shift+F")
    anna.dialog().get_by_role("button", name="Finish the review").click()
    anna.sees("dialog[open] .problem", "The review server does not answer.")
    anna.dialog().get_by_role("button", name="Finish the review").click()
    anna.sees(".banner.good", "anna finished this review")
    assert told(waiting.decisions) == [("anna", "finish", 0)]


def test_closed_meanwhile_what_came_too_late_is_told(sit_down: SitDown) -> None:
    waiting = waiting_for(made_review(6))
    anna = sit_down(waiting, "anna")
    _silent(anna)
    waiting.new_desk().finish("ben", "finished-by-ben")
    anna.press("ArrowRight", "k")
    anna.sees(".banner.bad", "1 decision of yours came too late and was not made:")
    anna.sees(".banner.good", "Finished. ben finished this review")
    expect(anna.tile(1)).to_contain_text("Open")
    assert told(waiting.decisions) == [("ben", "finish", 0)]


def test_time_over_is_told(sit_down: SitDown) -> None:
    waiting = waiting_for(made_review(6))
    anna = sit_down(waiting, "anna")
    expect(anna.page.locator("#until")).to_contain_text("until 5 Jan, 12:00")
    over = Decision(
        seq=1, id="time-out-1", who="review.on_timeout", when=NOW.isoformat(), what="time_out", via="rule"
    )
    waiting.log.append(RUN, over)
    anna.sees(".banner.warn", "Time is over. The time for this review was over")
    expect(anna.page.locator("#tools .finish")).to_be_disabled()


def test_a_run_that_ended_is_told(sit_down: SitDown) -> None:
    waiting = waiting_for(made_review(6))
    waiting.log.open(Gate(RUN, "meadow", "token-1", NOW, NOW + timedelta(hours=1), NOW))
    anna = sit_down(waiting, "anna")
    waiting.end("failed", error="States.Timeout", cause="it took too long")
    anna.sees(".banner.warn", "Closed. The run does not wait for a review. The run failed: States.Timeout")


def test_finish_waits_for_what_is_not_saved(sit_down: SitDown) -> None:
    waiting = waiting_for(made_review(6))
    anna = sit_down(waiting, "anna")
    anna.page.route("**/api/decisions*", lambda route: route.abort())
    anna.press("ArrowRight", "k", "Shift+F")
    anna.sees("dialog[open]", "1 decision is being saved first.")
    finish = anna.dialog().get_by_role("button", name="Finish the review")
    expect(finish).to_be_disabled()
    anna.page.unroute("**/api/decisions*")
    expect(finish).to_be_enabled(timeout=10_000)
