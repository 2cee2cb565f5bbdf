"""The page shows what the approval will write: its rules, in JavaScript, against the package's, on random data."""

import random
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from storycast.approval import approve, renamed
from storycast.caption_faults import flag
from storycast.decisions import Change, Decision, FieldName, state_of
from storycast.held_out import Picture, hold_out
from storycast.review import Carried, Review, caption_problem, name_problem
from tests.fakes.reviews import made_review
from tests.pages.reviewing import Reviewer, ServedReview, waiting_for

# Letters whose case folding has one sign: of the others the two regular expressions think differently.
LETTERS = "abcXYZ äÉøñ Жя Ωλ 日本 אב 12 _-'.!?,()[]*+^$|/&#"
NAMES = (
    "Bunny",
    "bun",
    "Al",
    "Al Pine",
    "Dr. No",
    "R2-D2",
    "Ünal",
    "Жанна",
    "日本",
    "[x]",
    "A+",
    "O'Hara",
    "X",
    "שרה",
)
ODD = (
    "",
    " ",
    "x",
    "unknown",
    "Unknown",
    "a\nb",
    "a\u200bb",
    "a\u00a0b",
    "<b>",
    'q"',
    "b\\",
    "{",
    "x" * 61,
    " a",
    "a ",
    "🐇",
)


@pytest.fixture(scope="module")
def page(chromium: Browser) -> Iterator[Page]:
    """A page with the scripts."""
    with ServedReview(waiting_for(made_review(3))) as served:
        reviewer = Reviewer(chromium, served.url).ready()
        yield reviewer.page
        reviewer.close()


def _words(chance: random.Random, names: list[str]) -> str:
    parts = [
        chance.choice([*names, *(name.upper() for name in names), "and", "meets", "on", ",", "always", "s"])
        if chance.random() < 0.7
        else "".join(chance.choices(LETTERS, k=chance.randrange(1, 6)))
        for _ in range(chance.randrange(1, 12))
    ]
    return chance.choice([" ", " ", ""]).join(parts)


def test_renaming(page: Page) -> None:
    chance = random.Random(4)
    cases: list[tuple[str, dict[str, str]]] = []
    for _ in range(2000):
        names = chance.sample(NAMES, chance.randrange(1, 5))
        new = [chance.choice([*NAMES, "Hops", "$1 $& \\1"]) for _ in names]
        cases.append((_words(chance, names), dict(zip(names, new, strict=True))))
    # Two names are exchanged, and one is part of the other.
    cases.append(("Al Pine meets Al", {"Al": "Al Pine", "Al Pine": "Al"}))
    found = page.evaluate(
        "cases => cases.map(([text, names]) => Storycast.text.renamed(text, new Map(Object.entries(names))))",
        cases,
    )
    expected = [renamed(text, names) for text, names in cases]
    assert found == expected
    assert sum(one != text for one, (text, _) in zip(expected, cases, strict=True)) > 500


def test_flags_of_captions(page: Page) -> None:
    chance = random.Random(5)
    cases = []
    for _ in range(2000):
        names = chance.sample(NAMES, 3)
        cases.append((_words(chance, names), names[: chance.randrange(1, 4)], [3, 8]))
    found = page.evaluate(
        """cases => cases.map(([text, names, words]) =>
             Storycast.text.captionFlags(text, names, words).map(one => one.text))""",
        cases,
    )
    assert found == [list(flag(text, names, (words[0], words[1]))) for text, names, words in cases]


def test_names_and_captions_that_cannot_be(page: Page) -> None:
    chance = random.Random(6)
    names = [*ODD, *("".join(chance.choices(LETTERS + '<>"{}\t', k=chance.randrange(0, 70))) for _ in range(500))]
    captions = [*ODD, "x" * 1024, "x" * 1025, "🐇" * 1024, *(_words(chance, list(NAMES)) for _ in range(300))]
    assert page.evaluate("all => all.map(Storycast.text.nameProblem)", names) == list(map(name_problem, names))
    found = page.evaluate("all => all.map(Storycast.text.captionProblem)", captions)
    assert found == list(map(caption_problem, captions))
    assert "" in found


def test_what_is_held_out(page: Page) -> None:
    chance = random.Random(7)
    cases: list[tuple[list[dict[str, Any]], float]] = []
    for _ in range(400):
        shots, count = chance.randrange(1, 14), chance.randrange(0, 60)
        pictures = [
            {
                "id": f"{number:03d}",
                "character": chance.choice(NAMES[: chance.randrange(1, 6)]),
                "footage": chance.choice(["f1", "f2"]),
                "shot": chance.randrange(shots),
            }
            for number in range(count)
        ]
        cases.append((pictures, chance.choice([0, 0.1, 0.1, 0.25, 0.5])))
    found = page.evaluate("cases => cases.map(([pictures, share]) => Storycast.holdOut(pictures, share))", cases)
    expected = [
        list(
            hold_out(
                [
                    Picture(
                        crop_id=one["id"], character=one["character"], footage_id=one["footage"], shot=one["shot"]
                    )
                    for one in pictures
                ],
                share,
            )
        )
        for pictures, share in cases
    ]
    assert found == expected
    assert sum(map(bool, expected)) > 50


def _decided(review: Review, chance: random.Random, count: int) -> list[Decision]:
    """Return decisions at random, as the log may have them."""
    values = dict(review.initial)
    names = [member.name for member in review.characters]
    decisions: list[Decision] = []
    for seq in range(1, count + 1):
        changes = []
        for _ in range(chance.randrange(1, 4)):
            if chance.random() < 0.75:
                one = chance.choice(review.pictures)
                subject = f"picture:{one.image.crop_id}"
                crops = [one.image.crop_id, *(other.image.crop_id for other in one.alternatives)]
                field, after = chance.choice(
                    [
                        ("verdict", chance.choice(["kept", "kept", "kept", "dropped", "open"])),
                        ("character", chance.choice(names)),
                        ("shown", chance.choice(crops)),
                        ("caption", f"{chance.choice(names)} in somebody's own words {chance.randrange(9)}"),
                    ]
                )
            else:
                subject = f"character:{chance.choice(names)}"
                field, after = chance.choice(
                    [
                        ("name", chance.choice([*names, "Hops", "Al Pine"])),
                        ("standing", chance.choice(["cast", "cast", "dropped"])),
                    ]
                )
            name: FieldName = field  # type: ignore[assignment]
            changes.append(Change(subject=subject, field=name, before=values[subject, name], after=after))
            values[subject, name] = after
        decisions.append(
            Decision(
                seq=seq,
                id=f"decision-{seq}",
                who=chance.choice(["anna", "ben"]),
                when="2026-01-02T12:00:00+00:00",
                what="undo",
                via="page",
                changes=tuple(changes),
            )
        )
    return decisions


LOOKS = """([review, decisions]) => {
  const state = new Storycast.ReviewState(review);
  state.take(decisions);
  const found = Storycast.summary(state);
  const kept = state.pictures.map(one => state.look(one.id)).filter(look => look.state === "kept");
  return {
    pictures: kept.map(look => [look.image.crop_id, look.name, look.inPicture, look.caption,
      look.captionBy || look.record.caption_model,
      look.flags.filter(one => ["length", "unnamed"].includes(one.kind)).map(one => one.text)]),
    perCharacter: Object.fromEntries(found.perCharacter),
    shortfalls: found.shortfalls.map(([name]) => name),
    trainedOn: found.trainedOn, together: found.together, unnamed: found.unnamed,
  };
}"""


@pytest.mark.parametrize("seed", range(12))
def test_the_page_shows_what_is_approved(page: Page, seed: int) -> None:
    chance = random.Random(seed)
    carried = {
        number: Carried(
            run_id="run-0",
            who="carla",
            when="2025-12-30T10:00:00+00:00",
            verdict=chance.choice(["open", "kept", "dropped"]),
            caption=chance.choice([None, "Bunny as carla wrote it"]),
        )
        for number in (1, 4, 9)
    }
    review = made_review(40, names=("Bunny", "Al", "Al Pine", "Frank"), carried=carried, minimum=4)
    decisions = _decided(review, chance, 60)
    shown = page.evaluate(
        LOOKS, [review.model_dump(mode="json"), [one.model_dump(mode="json") for one in decisions]]
    )
    approval = approve(review, state_of(review.initial, decisions))
    assert shown["pictures"] == [
        [
            one.image.crop_id,
            one.image.character,
            list(one.image.in_picture),
            one.caption,
            one.caption_by,
            [f"The caption: {told}." for told in one.flags],
        ]
        for one in approval.pictures
    ]
    assert shown["perCharacter"] == approval.per_character
    assert shown["shortfalls"] == [told.partition(":")[0] for told in approval.shortfalls]
    places = [
        Picture(
            crop_id=one.image.crop_id,
            character=one.image.character,
            footage_id=one.image.footage_id,
            shot=one.image.shot,
        )
        for one in approval.pictures
    ]
    assert shown["trainedOn"] == len(places) - len(hold_out(places, 0.1))
    assert shown["together"] == sum(len(one.image.in_picture) > 1 for one in approval.pictures)
    assert shown["unnamed"] == sum(any("name" in told for told in one.flags) for one in approval.pictures)
