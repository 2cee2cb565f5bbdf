"""Decisions and what follows from them: the state, what is approved, and why the rest is out."""

import random
import uuid
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storycast.approval import Approval, approve, keep_all, renamed
from storycast.decisions import MAX_CHANGES, Change, Decision, State, What, state_of
from storycast.review import ChangeRefusedError, Review, caption_problem, name_problem
from tests.fakes.reviews import NAMES, made_review

REVIEW = made_review(14)
CROPS = [one.image.crop_id for one in REVIEW.pictures]
TWINNED = next(one for one in REVIEW.pictures if one.alternatives)


def decision(seq: int, what: What, *changes: tuple[str, str, str, str], who: str = "Ada") -> Decision:
    made: Any = tuple(Change(subject=s, field=f, before=b, after=a) for s, f, b, a in changes)  # type: ignore[arg-type]
    when = f"2026-01-02T12:{seq // 60:02d}:{seq % 60:02d}.000+00:00"
    return Decision(seq=seq, id=uuid.UUID(int=seq).hex, who=who, when=when, what=what, via="page", changes=made)


def kept(seq: int, *crops: str, after: str = "kept", who: str = "Ada") -> Decision:
    return decision(seq, "keep", *((f"picture:{crop}", "verdict", "open", after) for crop in crops), who=who)


def approved(*log: Decision, review: Review = REVIEW) -> Approval:
    return approve(review, state_of(review.initial, log))


def in_dataset(approval: Approval) -> set[str]:
    return {one.image.crop_id for one in approval.pictures}


def reasons(approval: Approval) -> dict[str, tuple[str, str]]:
    return {one.crop_id: (one.outcome, one.reason) for one in approval.outcomes}


# ---- the state ------------------------------------------------------------------------------------


def test_nothing_is_decided_at_first() -> None:
    state = state_of(REVIEW.initial, ())
    assert state.seq == 0
    assert state.closed_by is None
    assert {value.text for (_, name), value in state.values.items() if name == "verdict"} == {"open"}
    assert all(value.by is None for value in state.values.values())
    assert approved().pictures == ()


def test_the_last_decision_holds_and_says_whose_it_is() -> None:
    subject = f"picture:{CROPS[0]}"
    state = state_of(
        REVIEW.initial,
        [kept(1, CROPS[0]), decision(2, "drop", (subject, "verdict", "kept", "dropped"), who="Ben")],
    )
    value = state.values[subject, "verdict"]
    assert (value.text, value.by and value.by.who, state.seq) == ("dropped", "Ben", 2)


def test_what_somebody_else_changed_is_a_conflict_and_agreement_is_none() -> None:
    state = state_of(REVIEW.initial, [kept(1, *CROPS[:2])])
    asked = [
        Change(subject=f"picture:{crop}", field="verdict", before="open", after=after)
        for crop, after in zip(CROPS[:3], ("kept", "dropped", "kept"), strict=True)
    ]
    sound, conflicts = state.divided(asked)
    assert sound == asked[2:]
    assert [(one.change, one.now.text) for one in conflicts] == [(asked[1], "kept")]
    with pytest.raises(KeyError):
        state.divided([Change(subject="picture:nobody", field="verdict", before="open", after="kept")])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_undoing_everything_backwards_restores_the_beginning(seed: int) -> None:
    """Taking back is exchanging before and after: any log followed by its mirror changes nothing."""
    log = _random_log(seed, 25)
    backwards = []
    for number, one in enumerate(reversed(log), len(log) + 1):
        undone = [(c.subject, c.field, c.after, c.before) for c in one.changes]
        backwards.append(decision(number, "undo", *undone))
    state = state_of(REVIEW.initial, [*log, *backwards])
    assert {key: value.text for key, value in state.values.items()} == REVIEW.initial


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 25))
def test_a_log_read_in_parts_leads_to_the_same_state(seed: int, cut: int) -> None:
    log = _random_log(seed, 25)
    parts = state_of(REVIEW.initial, log[:cut])
    for one in log[cut:]:
        parts.apply(one)
    assert parts == state_of(REVIEW.initial, log)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_every_picture_ends_in_one_outcome_and_no_name_is_left_of_the_dropped(seed: int) -> None:
    log = _random_log(seed, 40)
    state = state_of(REVIEW.initial, log)
    approval = approve(REVIEW, state)
    assert approval == approve(REVIEW, state_of(REVIEW.initial, log)), "derived again it is the same"
    ids = [one.crop_id for one in approval.outcomes]
    assert len(ids) == len(set(ids))
    assert set(CROPS) <= set(ids)
    told = {one.crop_id for one in approval.outcomes if one.outcome == "in_dataset"}
    assert told == in_dataset(approval)
    assert len({one.file_name for one in approval.pictures}) == len(approval.pictures)
    standing = {
        state.text(f"character:{name}", "name"): state.text(f"character:{name}", "standing") for name in NAMES
    }
    names = [state.text(f"character:{name}", "name") for name in NAMES]
    for one in approval.pictures:
        assert one.image.character in names
        assert len(one.image.in_picture) == len(set(one.image.in_picture))
        if len(set(names)) == len(names):
            assert standing[one.image.character] == "cast"
    assert all(outcome.reason for outcome in approval.outcomes)


def _random_log(seed: int, length: int) -> list[Decision]:
    chance = random.Random(seed)
    state = state_of(REVIEW.initial, ())
    log = []
    for seq in range(1, length + 1):
        kind = chance.choice(["verdict"] * 4 + ["caption", "character", "shown", "name", "standing"])
        of_character = kind in {"name", "standing"}
        subject = f"character:{chance.choice(NAMES)}" if of_character else f"picture:{chance.choice(CROPS)}"
        if kind == "shown":
            subject = f"picture:{TWINNED.image.crop_id}"
        after = {
            "verdict": lambda: chance.choice(["open", "kept", "dropped"]),
            "caption": lambda: f"words {chance.randrange(9)}",
            "character": lambda: chance.choice(NAMES),
            "shown": lambda: chance.choice([TWINNED.image.crop_id, TWINNED.alternatives[0].image.crop_id]),
            "name": lambda: chance.choice([*NAMES, "Zoë", "Old Tom"]),
            "standing": lambda: chance.choice(["cast", "dropped"]),
        }[kind]()
        before = state.text(subject, kind)  # type: ignore[arg-type]
        made = decision(seq, "keep", (subject, kind, before, after))
        state.apply(made)
        log.append(made)
    return log


# ---- what is approved -----------------------------------------------------------------------------


def test_what_is_kept_is_in_and_the_rest_has_its_reason() -> None:
    approval = approved(kept(1, *CROPS[:5]), kept(2, CROPS[5], after="dropped", who="Ben"))
    assert in_dataset(approval) == set(CROPS[:5])
    told = reasons(approval)
    assert told[CROPS[5]] == ("rejected", "dropped by Ben")
    assert told[CROPS[6]] == ("not_reviewed", "nobody decided on it before the review ended")


def test_a_character_out_of_the_cast_takes_its_pictures_along() -> None:
    approval = approved(
        kept(1, *CROPS),
        decision(2, "drop_character", ("character:Frank", "standing", "cast", "dropped"), who="Ben"),
    )
    assert {one.image.character for one in approval.pictures} == {"Bunny", "Rinky"}
    frank = [one for one in REVIEW.pictures if one.image.character == "Frank"]
    for one in frank:
        assert reasons(approval)[one.image.crop_id] == ("rejected", "Ben dropped the character from the cast")


def test_a_duplicate_in_a_pictures_place() -> None:
    crop, use = TWINNED.image.crop_id, TWINNED.alternatives[0].image.crop_id
    approval = approved(kept(1, crop), decision(2, "use", (f"picture:{crop}", "shown", crop, use)))
    assert in_dataset(approval) == {use}
    assert reasons(approval)[crop] == ("duplicate", f"Ada uses {use} in its place")
    assert approval.pictures[0].caption == TWINNED.caption


def test_models_captions_follow_names_and_a_persons_words_do_not() -> None:
    model, person = [one for one in REVIEW.pictures if one.image.character == "Bunny"][:2]
    words = "Bunny, as I wrote it."
    approval = approved(
        kept(1, model.image.crop_id, person.image.crop_id),
        decision(2, "caption", (f"picture:{person.image.crop_id}", "caption", person.caption, words)),
        decision(3, "rename", ("character:Bunny", "name", "Bunny", "Big Buck")),
    )
    by_crop = {one.image.crop_id: one for one in approval.pictures}
    assert by_crop[model.image.crop_id].caption == model.caption.replace("Bunny", "Big Buck")
    assert by_crop[model.image.crop_id].caption_by == "amazon.nova-pro-v1:0"
    assert by_crop[person.image.crop_id].caption == words
    assert by_crop[person.image.crop_id].caption_by == "Ada"
    assert "does not name Big Buck" in by_crop[person.image.crop_id].flags
    assert {one.file_name[:9] for one in approval.pictures} == {"big-buck-"}
    assert approval.names.of("Bunny") == "Big Buck"
    assert approval.names.of("Frank") == "Frank"


def test_words_that_were_taken_back_are_the_models_again() -> None:
    one = next(one for one in REVIEW.pictures if one.image.character == "Bunny")
    subject = f"picture:{one.image.crop_id}"
    approval = approved(
        kept(1, one.image.crop_id),
        decision(2, "caption", (subject, "caption", one.caption, "Bunny, as I wrote it.")),
        decision(3, "undo", (subject, "caption", "Bunny, as I wrote it.", one.caption), who="Ben"),
        decision(4, "rename", ("character:Bunny", "name", "Bunny", "Big Buck")),
    )
    (picture,) = approval.pictures
    assert picture.caption == one.caption.replace("Bunny", "Big Buck")
    assert picture.caption_by == one.caption_model


def test_merged_characters_are_one() -> None:
    approval = approved(kept(1, *CROPS), decision(2, "merge", ("character:Frank", "name", "Frank", "Bunny")))
    assert set(approval.per_character) == {"Bunny", "Rinky"}
    assert sum(approval.per_character.values()) == len(CROPS)
    assert not any("Frank" in one.caption for one in approval.pictures)


def test_a_picture_of_somebody_else() -> None:
    one = next(one for one in REVIEW.pictures if one.image.character == "Frank" and len(one.image.in_picture) == 1)
    crop = one.image.crop_id
    approval = approved(kept(1, crop), decision(2, "move", (f"picture:{crop}", "character", "Frank", "Rinky")))
    (picture,) = approval.pictures
    assert picture.image.in_picture == ("Rinky",)
    assert picture.caption == one.caption.replace("Frank", "Rinky")


def test_too_few_pictures_of_a_character_are_told_and_none_at_all_is_no_shortfall() -> None:
    bunny = next(one for one in REVIEW.pictures if one.image.character == "Bunny")
    assert approved(kept(1, bunny.image.crop_id)).shortfalls == ("Bunny: 1 of at least 2 pictures",)
    assert approved(kept(1, *CROPS)).shortfalls == ()


def test_keeping_all_is_what_auto_does() -> None:
    log = keep_all(REVIEW, who="review.mode auto", when="2026-01-02T12:00:00.000+00:00")
    assert in_dataset(approved(*log)) == set(CROPS)
    many = made_review(MAX_CHANGES + 1)
    parts = keep_all(many, who="review.mode auto", when="2026-01-02T12:00:00.000+00:00")
    assert [(one.seq, len(one.changes)) for one in parts] == [(1, MAX_CHANGES), (2, 1)]


@pytest.mark.parametrize(
    ("caption", "names", "said"),
    [
        ("Al always falls", {"Al": "Bo"}, "Bo always falls"),
        ("Ann meets Bob; bob waves", {"Ann": "Bob", "Bob": "Ann"}, "Bob meets Ann; Ann waves"),
        ("Ann Lee and Ann", {"Ann": "Bo", "Ann Lee": "Cy"}, "Cy and Bo"),
        ("Zoë's hat", {"Zoë": "Ann"}, "Ann's hat"),
        ("a+b (c)", {"a+b (c)": "x"}, "x"),
        ("Ann", {"Ann": r"\g<0> \1"}, r"\g<0> \1"),
        ("Ann", {"Ann": "Ann"}, "Ann"),
        ("Weiß runs", {"Weiß": "Bo"}, "Bo runs"),
        ("İan and Ian", {"Ian": "Bo"}, "Bo and Bo"),
        ("ſam and Sam", {"Sam": "Bo"}, "Bo and Bo"),
        ("Ann", {}, "Ann"),
    ],
)
def test_names_in_captions(caption: str, names: dict[str, str], said: str) -> None:
    assert renamed(caption, names) == said


# ---- what cannot be -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subject", "name", "after", "says"),
    [
        ("picture:nobody", "verdict", "kept", "has no picture 'nobody'"),
        ("picture:", "verdict", "kept", "has no picture"),
        ("frame:x", "verdict", "kept", "has no frame"),
        (f"picture:{CROPS[0]}", "name", "Ann", "to change so"),
        (f"picture:{CROPS[0]}", "verdict", "maybe", "is no verdict"),
        (f"picture:{CROPS[0]}", "character", "Nobody", "There is no character 'Nobody'"),
        (f"picture:{CROPS[0]}", "shown", CROPS[1], "is no duplicate of this picture"),
        (f"picture:{CROPS[0]}", "caption", "ab", "3 to 1,024 characters"),
        (f"picture:{CROPS[0]}", "caption", "two\nlines", "one line"),
        (f"picture:{CROPS[0]}", "caption", " ahead", "begin or end with a space"),
        ("character:Bunny", "name", "", "1 to 60 characters"),
        ("character:Bunny", "name", "unknown", "is not 'unknown'"),
        ("character:Bunny", "name", "{{ x }}", "holds no quotes"),
        ("character:Bunny", "name", " Bunny", "begin or end"),
        ("character:Bunny", "standing", "away", "is no standing"),
    ],
)
def test_a_change_to_what_cannot_be_is_refused(subject: str, name: Any, after: str, says: str) -> None:
    with pytest.raises(ChangeRefusedError, match=says):
        REVIEW.check(Change(subject=subject, field=name, before="", after=after))


@given(st.text(max_size=80))
def test_a_name_that_is_taken_can_be_in_a_project_file(name: str) -> None:
    from storycast.settings import Character

    if not name_problem(name):
        assert Character(name=name).name == name


@given(st.text(max_size=1100))
def test_a_caption_that_is_taken_fits_a_line_of_the_manifest(caption: str) -> None:
    if not caption_problem(caption):
        assert 3 <= len(caption) <= 1024
        assert len(caption.splitlines()) == 1


def test_a_decision_of_the_log_is_one_line_that_reads_back() -> None:
    one = kept(1, *CROPS)
    line = one.model_dump_json()
    assert len(line.splitlines()) == 1
    assert Decision.model_validate_json(line) == one
    assert isinstance(state_of(REVIEW.initial, [one]), State)
