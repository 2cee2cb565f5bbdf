"""The review page in a real browser: one reviewer decides, by keyboard and by pointer, and takes it back."""

import re

import pytest
from playwright.sync_api import expect

from storycast.approval import approve
from storycast.decisions import state_of
from storycast.review import Carried
from tests.fakes.reviews import Waiting, made_review
from tests.pages.conftest import Opens
from tests.pages.reviewing import eventually, told


def _verdicts(waiting: Waiting) -> dict[str, int]:
    state = state_of(waiting.review.initial, waiting.decisions)
    found = [state.text(f"picture:{one.image.crop_id}", "verdict") for one in waiting.review.pictures]
    return {verdict: found.count(verdict) for verdict in ("open", "kept", "dropped")}


def _text(waiting: Waiting, number: int, name: str) -> str:
    crop_id = waiting.review.pictures[number - 1].image.crop_id
    return state_of(waiting.review.initial, waiting.decisions).values[f"picture:{crop_id}", name].text


def _character(waiting: Waiting, key: str, name: str) -> str:
    return state_of(waiting.review.initial, waiting.decisions).values[f"character:{key}", name].text


# ---- by keyboard ------------------------------------------------------------------------------


def test_thirty_pictures_by_keyboard_alone(opened: Opens) -> None:
    reviewer, waiting = opened(30)
    reviewer.press("Enter")
    expect(reviewer.page.locator("#single-view")).to_be_visible()
    for number in range(30):
        expect(reviewer.page.locator(".side .head")).to_contain_text(f"picture {number + 1} of 30")
        reviewer.press("d" if number % 3 == 2 else "k")
    reviewer.sees("#remaining", "All 30 pictures decided")
    eventually(lambda: len(waiting.decisions) == 30)
    assert _verdicts(waiting) == {"open": 0, "kept": 20, "dropped": 10}
    reviewer.press("Shift+F")
    reviewer.sees("dialog[open]", "20 pictures of 3 characters for the training")
    for _ in range(20):
        reviewer.press("Tab")
        if reviewer.page.evaluate("document.activeElement.textContent").startswith("Finish and train"):
            break
    reviewer.press("Enter")
    reviewer.sees(".banner", "anna finished this review")
    assert waiting.callbacks.told == [("token-1", {"decisions": 31})]
    assert [message for message in reviewer.said if not message.startswith("info")] == []


def test_arrows_move_and_space_chooses(opened: Opens) -> None:
    reviewer, waiting = opened(12)

    def focused() -> str:
        return str(reviewer.page.evaluate("document.activeElement.closest('li')?.dataset.id"))

    ids = [one.image.crop_id for one in waiting.review.pictures]
    reviewer.press("ArrowRight")
    assert focused() == ids[0]
    reviewer.press("ArrowRight", "j")
    assert focused() == ids[2]
    reviewer.press("Shift+J")
    assert focused() == ids[1]
    columns = reviewer.page.evaluate(
        """() => { const tiles = [...document.querySelectorAll(".tile")];
             return tiles.findIndex(one => one.offsetTop !== tiles[0].offsetTop) }"""
    )
    reviewer.press("ArrowDown")
    assert focused() == ids[1 + columns]
    reviewer.press("End")
    assert focused() == ids[-1]
    reviewer.press("Home", " ", "ArrowRight", "x")
    reviewer.sees("#bulk", "2 chosen")
    reviewer.press("Shift+ArrowRight", "Shift+ArrowRight")
    reviewer.sees("#bulk", "4 chosen")
    reviewer.press("Escape")
    expect(reviewer.page.locator("#bulk")).to_be_hidden()
    # Space has not pressed the tile's button besides.
    expect(reviewer.page.locator("#grid-view")).to_be_visible()


def test_keys_in_the_grid_decide_and_go_on(opened: Opens) -> None:
    reviewer, waiting = opened(6)
    reviewer.press("ArrowRight", "k", "d", "k")
    eventually(lambda: len(waiting.decisions) == 3)
    assert [one.what for one in waiting.decisions] == ["keep", "drop", "keep"]
    expect(reviewer.tile(1)).to_contain_text("Kept · you")
    expect(reviewer.tile(2)).to_contain_text("Dropped · you")
    expect(reviewer.tile(4).locator(".face")).to_be_focused()
    reviewer.press("ArrowLeft", "o")
    expect(reviewer.tile(3)).to_contain_text("Open")


def test_no_key_acts_while_one_types(opened: Opens) -> None:
    reviewer, waiting = opened(6)
    reviewer.press("/")
    reviewer.page.keyboard.type("kdou")
    reviewer.press("Escape", "ArrowRight", "Enter", "e")
    reviewer.page.keyboard.type(" k d 1 g ?")
    expect(reviewer.page.locator("textarea")).to_have_value(re.compile(r" k d 1 g \?$"))
    expect(reviewer.dialog()).to_have_count(0)
    assert waiting.decisions == []


def test_a_key_held_down_decides_once(opened: Opens) -> None:
    reviewer, waiting = opened(6)
    reviewer.press("ArrowRight", "Enter")
    for _ in range(4):
        reviewer.page.keyboard.down("k")
    reviewer.page.keyboard.up("k")
    reviewer.sees("#remaining", "5 of 6 pictures are open")
    eventually(lambda: len(waiting.decisions) == 1)


def test_the_keys_are_shown(opened: Opens) -> None:
    reviewer, _ = opened(3)
    expect(reviewer.page.locator("#tools kbd").first).to_be_visible()
    reviewer.press("?")
    for words in ("keep, and go on to the next open picture", "undo your last decision", "rename, merge or drop"):
        expect(reviewer.dialog()).to_contain_text(words)
    reviewer.press("Escape")
    expect(reviewer.dialog()).to_have_count(0)


def test_after_a_decision_the_next_open_one_of_the_filter_follows(opened: Opens) -> None:
    reviewer, waiting = opened(12)
    reviewer.page.get_by_role("button", name=re.compile("^Frank")).first.click()
    reviewer.sees("#shown", "4 of 12 pictures")
    frank = [one.image.crop_id for one in waiting.review.pictures if one.image.character == "Frank"]
    reviewer.page.locator(f'[data-id="{frank[2]}"] .face').click()
    reviewer.press("k")
    reviewer.sees(".crumbs", "4 of 4 in this filter")
    reviewer.press("k")
    reviewer.sees(".crumbs", "1 of 4 in this filter")
    reviewer.press("k", "d")
    reviewer.sees(".toast", "Nothing is open here any more; 8 pictures are elsewhere.")
    eventually(lambda: len(waiting.decisions) == 4)
    assert {change.subject for one in waiting.decisions for change in one.changes} == {
        f"picture:{crop_id}" for crop_id in frank
    }


# ---- taking back ------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["u", "Control+z"])
def test_undo_of_one_and_once_more(opened: Opens, key: str) -> None:
    reviewer, waiting = opened(6)
    reviewer.press("ArrowRight", "Enter", "k", "d")
    reviewer.sees(".side .head", "picture 3 of 6")
    reviewer.press(key)
    # The picture of which it was is shown again.
    reviewer.sees(".side .head", "picture 2 of 6")
    reviewer.sees(".side .head .chip", "Open")
    reviewer.press(key)
    reviewer.sees(".side .head", "picture 1 of 6")
    eventually(lambda: len(waiting.decisions) == 4)
    assert [one.what for one in waiting.decisions] == ["keep", "drop", "undo", "undo"]
    assert [one.undoes for one in waiting.decisions[2:]] == [waiting.decisions[1].id, waiting.decisions[0].id]
    assert _verdicts(waiting)["open"] == 6
    reviewer.press(key)
    reviewer.sees(".toasts", "There is nothing of yours to undo.")
    reviewer.press("Shift+U", "Shift+U")
    eventually(lambda: _verdicts(waiting) == {"open": 4, "kept": 1, "dropped": 1})
    reviewer.press(key)
    eventually(lambda: _verdicts(waiting) == {"open": 5, "kept": 1, "dropped": 0})


def test_bulk_in_parts_and_its_undo(opened: Opens) -> None:
    reviewer, waiting = opened(520, has_pictures=False)
    reviewer.press("Control+a")
    reviewer.sees("#bulk", "520 chosen")
    reviewer.press("Shift+K")
    reviewer.sees(".toasts", "Kept 520 pictures.")
    eventually(lambda: told(waiting.decisions) == [("anna", "keep", 500), ("anna", "keep", 20)])
    assert _verdicts(waiting)["kept"] == 520
    reviewer.press("u")
    eventually(lambda: _verdicts(waiting)["open"] == 520)
    reviewer.sees("#remaining", "520 of 520 pictures are open")
    reviewer.press("h")
    # One row each, whatever the parts.
    expect(reviewer.dialog().locator(".history > li")).to_have_count(2)
    reviewer.sees("dialog[open] .history > li:nth-child(2)", "You kept 520 pictures.")


def test_undo_of_anything_from_the_history(opened: Opens) -> None:
    reviewer, waiting = opened(6)
    reviewer.press("ArrowRight", "Enter", "k", "d", "k", "h")
    rows = reviewer.dialog().locator(".history > li")
    expect(rows).to_have_count(3)
    expect(rows.nth(2)).to_contain_text("You kept picture 1 (Bunny).")
    rows.nth(1).get_by_role("button", name="Undo").click()
    expect(rows).to_have_count(4)
    expect(rows.nth(0)).to_contain_text("You took back the drop of picture 2")
    expect(rows.nth(2)).to_contain_text("taken back by you")
    expect(rows.nth(2).get_by_role("button", name="Undo")).to_have_count(0)
    eventually(lambda: _verdicts(waiting) == {"open": 4, "kept": 2, "dropped": 0})
    # An undo can be taken back, too.
    rows.nth(0).get_by_role("button", name="Do it again").click()
    eventually(lambda: _verdicts(waiting) == {"open": 3, "kept": 2, "dropped": 1})


def test_the_history_shows_before_and_after(opened: Opens) -> None:
    reviewer, _ = opened(6)
    reviewer.press("ArrowRight", "x", "ArrowRight", "x", "Shift+D", "h")
    row = reviewer.dialog().locator(".history > li").first
    expect(row).to_contain_text("You dropped 2 pictures.")
    row.locator("summary").click()
    expect(row.locator("details li").first).to_contain_text("picture 1 (Bunny): open → dropped")


# ---- captions ---------------------------------------------------------------------------------


def test_a_caption_is_edited(opened: Opens) -> None:
    reviewer, waiting = opened(6)
    reviewer.press("ArrowRight", "Enter", "c")
    area = reviewer.page.locator("textarea")
    area.fill("Somebody sleeps")
    reviewer.sees("#caption-count", "2 words, 8 to 30 asked for")
    expect(reviewer.page.locator(".named .not-named")).to_contain_text("Bunny not named")
    area.fill("  Bunny sleeps under\nthe old oak  tree in the sun  ")
    expect(reviewer.page.locator(".named .is-named")).to_contain_text("Bunny named")
    reviewer.press("Control+Enter")
    reviewer.sees(".words .caption", "Bunny sleeps under the old oak tree in the sun")
    reviewer.sees(".words", "Words by you")
    eventually(lambda: _text(waiting, 1, "caption") == "Bunny sleeps under the old oak tree in the sun")
    # Keys act again.
    reviewer.press("k")
    eventually(lambda: _text(waiting, 1, "verdict") == "kept")
    reviewer.press("u", "u")
    eventually(lambda: _text(waiting, 1, "caption") == waiting.review.pictures[0].caption)


def test_a_caption_that_cannot_be_is_not_saved(opened: Opens) -> None:
    reviewer, waiting = opened(3)
    reviewer.press("ArrowRight", "Enter", "e")
    reviewer.page.locator("textarea").fill("x" * 1030)
    reviewer.sees("#caption-problem", "A caption has 3 to 1,024 characters; this one has 1,030.")
    reviewer.press("Control+Enter")
    expect(reviewer.page.locator("textarea")).to_be_visible()
    assert waiting.decisions == []


def test_words_that_are_left_stay_at_hand_over_a_reload(opened: Opens) -> None:
    reviewer, waiting = opened(3)
    reviewer.press("ArrowRight", "Enter", "e")
    reviewer.page.locator("textarea").fill("Bunny, half")
    reviewer.press("Escape")
    reviewer.sees(".draft", "not saved yet")
    reviewer.press("ArrowRight", "ArrowLeft")
    reviewer.page.on("dialog", lambda dialog: dialog.accept())
    reviewer.page.reload()
    reviewer.ready()
    reviewer.sees(".draft", "not saved yet")
    reviewer.press("e")
    expect(reviewer.page.locator("textarea")).to_have_value("Bunny, half")
    reviewer.page.locator("textarea").press("Escape")
    reviewer.page.get_by_role("button", name="Throw them away").click()
    expect(reviewer.page.locator(".draft")).to_have_count(0)
    assert waiting.decisions == []


# ---- characters -------------------------------------------------------------------------------


def test_a_character_is_renamed_and_the_models_captions_follow(opened: Opens) -> None:
    reviewer, waiting = opened(6)
    reviewer.press("ArrowRight", "Enter", "e")
    reviewer.page.locator("textarea").fill("Bunny in words of a person, who knows Bunny well")
    reviewer.press("Control+Enter", "ArrowRight", "r")
    reviewer.sees("dialog[open]", "Character: Bunny")
    name = reviewer.dialog().locator("#new-name")
    name.fill('Hops "the" Hare')
    reviewer.press("Enter")
    reviewer.sees("#name-problem", "holds no quotes")
    name.fill("Hops")
    reviewer.press("Enter")
    expect(reviewer.dialog()).to_have_count(0)
    reviewer.sees(".side h2", "Hops")
    reviewer.sees(".words .caption", re.compile("^Hops "))
    reviewer.press("ArrowLeft")
    reviewer.sees(".words .caption", "Bunny in words of a person, who knows Bunny well")
    reviewer.sees(".named", "Hops not named")
    eventually(lambda: _character(waiting, "Bunny", "name") == "Hops")
    reviewer.press("g")
    expect(reviewer.page.locator("#cast-list")).to_contain_text("Hops")


def test_what_the_server_refuses_is_said(opened: Opens) -> None:
    reviewer, waiting = opened(3)
    # As if the page knew nothing of the rule.
    reviewer.page.evaluate(
        "() => { const { app } = Storycast; app.actions.rename(app.state.cast.get('Bunny'), 'un<known') }"
    )
    reviewer.sees(".banner", "Your new name was not made: A name has 1 to 60 characters")
    reviewer.sees("#cast-list", "Bunny")
    assert waiting.decisions == []
    # What comes after it is taken in.
    reviewer.press("ArrowRight", "k")
    eventually(lambda: len(waiting.decisions) == 1)


def test_two_characters_become_one_after_one_question(opened: Opens) -> None:
    reviewer, waiting = opened(12)
    reviewer.page.get_by_role("button", name="Change Frank: rename, merge or drop").click()
    reviewer.dialog().get_by_label("The same character as").select_option("Bunny")
    reviewer.dialog().get_by_role("button", name="Merge …").click()
    reviewer.sees("dialog[open]", "The 4 pictures of Frank become pictures of Bunny")
    reviewer.dialog().get_by_role("button", name="Merge", exact=True).click()
    expect(reviewer.page.locator("#cast-list > li")).to_have_count(2)
    reviewer.sees("#cast-list > li:first-child", "8 open")
    eventually(lambda: _character(waiting, "Frank", "name") == "Bunny")
    # What one does to the two is done to both.
    reviewer.page.get_by_role("button", name="Change Bunny: rename, merge or drop").click()
    reviewer.sees("dialog[open]", "In the run: Bunny, Frank")
    reviewer.dialog().get_by_role("button", name="Drop from the cast").click()
    eventually(lambda: [_character(waiting, key, "standing") for key in ("Bunny", "Frank")] == ["dropped"] * 2)
    reviewer.sees("#remaining", "4 of 12 pictures are open")
    reviewer.press("u", "u")
    expect(reviewer.page.locator("#cast-list > li")).to_have_count(3)


def test_a_character_is_dropped_and_restored(opened: Opens) -> None:
    reviewer, waiting = opened(12)
    reviewer.page.get_by_role("button", name="Change Rinky: rename, merge or drop").click()
    reviewer.dialog().get_by_role("button", name="Drop from the cast").click()
    reviewer.sees(".toasts", "Rinky is out of the cast, with 4 pictures.")
    expect(reviewer.page.locator(".tile").filter(has_text="Out of the cast")).to_have_count(4)
    reviewer.press("End", "k")
    reviewer.sees(".toasts", "take it back to keep its pictures")
    eventually(lambda: told(waiting.decisions) == [("anna", "drop_character", 1)])
    reviewer.page.get_by_role("button", name="Change Rinky: rename, merge or drop").click()
    reviewer.dialog().get_by_role("button", name="Take back into the cast").click()
    expect(reviewer.page.locator(".tile").filter(has_text="Out of the cast")).to_have_count(0)
    eventually(lambda: _character(waiting, "Rinky", "standing") == "cast")


def test_pictures_move_to_another_character(opened: Opens) -> None:
    reviewer, waiting = opened(12)
    reviewer.press("ArrowRight", "Shift+ArrowRight", "m")
    reviewer.sees("dialog[open]", "Who are these 2?")
    reviewer.press("3")
    reviewer.sees("#cast-list > li:nth-child(3)", "6 open")
    eventually(lambda: _text(waiting, 2, "character") == "Rinky")
    expect(reviewer.tile(1)).to_contain_text("Rinky")
    expect(reviewer.tile(1).locator(".caption")).to_contain_text("Rinky")


# ---- duplicates -------------------------------------------------------------------------------


def test_a_duplicate_stands_in_and_steps_back(opened: Opens) -> None:
    reviewer, waiting = opened(made_review(12))
    number = next(index for index, one in enumerate(waiting.review.pictures, 1) if len(one.alternatives) == 3)
    one = waiting.review.pictures[number - 1]
    reviewer.tile(number).locator(".face").click()
    reviewer.sees(".twins", "3 near-duplicates that could stand here")
    reviewer.press("2")
    eventually(lambda: _text(waiting, number, "shown") == one.alternatives[1].image.crop_id)
    expect(reviewer.page.locator(".stage img")).to_have_attribute(
        "src", f"pictures/{one.alternatives[1].image.crop_id}/full"
    )
    expect(reviewer.page.locator(".twins li.used img")).to_have_attribute("alt", "Duplicate 2")
    reviewer.press("k", "g")
    expect(reviewer.tile(number).locator("img")).to_have_attribute(
        "src", f"pictures/{one.alternatives[1].image.crop_id}/thumb"
    )
    eventually(lambda: _text(waiting, number, "verdict") == "kept")
    approval = approve(waiting.review, state_of(waiting.review.initial, waiting.decisions))
    assert [each.image.crop_id for each in approval.pictures] == [one.alternatives[1].image.crop_id]
    reviewer.tile(number).locator(".face").click()
    reviewer.page.locator(".twins").get_by_role("button", name="Use the run's choice").click()
    eventually(lambda: _text(waiting, number, "shown") == one.image.crop_id)


# ---- filters and the address ------------------------------------------------------------------


def test_filters_and_their_counts(opened: Opens) -> None:
    carried = {0: Carried(run_id="run-0", who="carla", when="2025-12-30T10:00:00+00:00", verdict="kept")}
    reviewer, waiting = opened(made_review(30, carried=carried))
    pictures = waiting.review.pictures
    page = reviewer.page
    close_ups = sum(one.image.framing == "close-up" for one in pictures)
    expect(page.get_by_label("Framing")).to_contain_text(f"close-up ({close_ups})")
    page.get_by_label("Framing").select_option("close-up")
    reviewer.sees("#shown", f"{close_ups} of 30 pictures")
    flagged = sum(bool(one.flags) and one.image.framing == "close-up" for one in pictures)
    expect(page.get_by_label("Flags", exact=True)).to_contain_text(f"Any flag ({flagged})")
    page.get_by_role("button", name="Clear filters").click()
    unsure = sum("guess" in flag for one in pictures for flag in one.flags)
    page.get_by_label("Flags", exact=True).select_option("unsure")
    reviewer.sees("#shown", f"{unsure} of 30 pictures")
    assert page.locator(".tile:visible").count() == unsure
    page.get_by_role("button", name="Clear filters").click()
    reviewer.press("f", "ArrowRight", "ArrowRight")
    reviewer.sees("#shown", "1 of 30 pictures")
    expect(page.locator(".tile:visible")).to_contain_text("Kept earlier, carla")
    reviewer.press("ArrowLeft", "/")
    page.keyboard.type("butterfly")
    said = sum("butterfly" in one.caption for one in pictures if one.carried is None)
    reviewer.sees("#shown", f"{said} of 30 pictures")
    reviewer.press("Enter", "k", "k")
    reviewer.sees("#shown", f"{said - 2} of 30 pictures")
    page.get_by_role("button", name="Clear filters").click()
    page.get_by_label("Mine").check()
    reviewer.sees("#shown", "2 of 30 pictures")


def test_flags_follow_what_people_do(opened: Opens) -> None:
    reviewer, waiting = opened(30)
    short = next(n for n, one in enumerate(waiting.review.pictures, 1) if one.caption.endswith(" alone"))
    reviewer.tile(short).locator(".face").click()
    reviewer.sees(".flagged", "The caption: 2 words, asked for 8 to 30.")
    reviewer.press("e")
    name = waiting.review.pictures[short - 1].image.character
    reviewer.page.locator("textarea").fill(f"{name} stands on the meadow and looks at the sky")
    reviewer.press("Control+Enter")
    expect(reviewer.page.locator(".flagged")).to_be_hidden()
    unsure = next(n for n, one in enumerate(waiting.review.pictures, 1) if one.image.score < 0.5)
    reviewer.press("g")
    reviewer.tile(unsure).locator(".face").click()
    reviewer.sees(".flagged", "The name is a guess")
    reviewer.press("m", "3")
    expect(reviewer.page.locator(".flagged")).to_be_hidden()


def test_a_reload_in_the_middle_loses_nothing(opened: Opens) -> None:
    reviewer, waiting = opened(30)
    reviewer.page.get_by_label("Framing").select_option("medium")
    reviewer.press("ArrowRight", "Enter", "k", "k", "d")
    eventually(lambda: len(waiting.decisions) == 3)
    before = reviewer.page.locator(".side .head").inner_text()
    reviewer.remembered()
    reviewer.page.reload()
    reviewer.ready()
    expect(reviewer.page.locator("#single-view")).to_be_visible()
    assert reviewer.page.locator(".side .head").inner_text() == before
    reviewer.sees("#remaining", "27 of 30 pictures are open")
    # Undo knows what was decided before.
    reviewer.press("u")
    eventually(lambda: len(waiting.decisions) == 4)
    reviewer.press("g")
    expect(reviewer.page.get_by_label("Framing")).to_have_value("medium")
    reviewer.press("ArrowRight", "ArrowRight")
    focused = reviewer.page.evaluate("document.activeElement.closest('li').dataset.id")
    reviewer.remembered()
    reviewer.page.reload()
    reviewer.ready()
    expect(reviewer.page.locator(f'[data-id="{focused}"] .face')).to_be_focused()


def test_the_browsers_back_leads_to_the_grid(opened: Opens) -> None:
    reviewer, _ = opened(12)
    reviewer.tile(5).locator(".face").click()
    reviewer.press("ArrowRight", "ArrowRight")
    reviewer.remembered()
    reviewer.page.go_back()
    expect(reviewer.page.locator("#grid-view")).to_be_visible()
    reviewer.page.go_forward()
    reviewer.sees(".side .head", "picture 7 of 12")


# ---- by pointer -------------------------------------------------------------------------------


def test_everything_by_pointer(opened: Opens) -> None:
    reviewer, waiting = opened(12)
    page = reviewer.page
    reviewer.tile(1).hover()
    reviewer.tile(1).get_by_role("button", name="Keep picture 1").click()
    reviewer.tile(2).hover()
    reviewer.tile(2).locator("label.choose").click()
    reviewer.tile(4).hover()
    reviewer.tile(4).locator("label.choose").click(modifiers=["Shift"])
    reviewer.sees("#bulk", "3 chosen")
    page.locator("#bulk").get_by_role("button", name="Drop").click()
    eventually(lambda: told(waiting.decisions) == [("anna", "keep", 1), ("anna", "drop", 3)])
    page.locator(".toast").get_by_role("button", name="Undo").click()
    eventually(lambda: _verdicts(waiting) == {"open": 11, "kept": 1, "dropped": 0})
    reviewer.tile(2).locator(".face").click()
    page.locator(".acts").get_by_role("button", name="Keep").click()
    page.locator(".acts").get_by_role("button", name="Next").click()
    page.locator(".acts").get_by_role("button", name="Drop").click()
    eventually(lambda: _verdicts(waiting) == {"open": 9, "kept": 2, "dropped": 1})
    page.get_by_role("button", name="Edit the caption").click()
    page.locator("textarea").fill("A caption by hand, that is long enough for the rule")
    page.get_by_role("button", name="Save").click()
    eventually(lambda: waiting.decisions[-1].what == "caption")
    page.get_by_role("button", name="All pictures").click()
    expect(page.locator("#grid-view")).to_be_visible()


def test_a_picture_that_is_gone_is_told(opened: Opens) -> None:
    reviewer, waiting = opened(3)
    one = waiting.review.pictures[1]
    waiting.store.delete(f"runs/run-1/dataset/images/{one.file_name}")
    reviewer.press("ArrowRight", "ArrowRight", "Enter")
    reviewer.sees(".side .head", "picture 2 of 3")
    # The server draws what it has to say; the page lives on.
    reviewer.press("k")
    reviewer.sees(".side .head", "picture 3 of 3")
