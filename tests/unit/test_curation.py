"""Curation: the quality floor, near-duplicates, and the selection under a budget."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from time import process_time
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from storycast.boxes import overlap_ratio
from storycast.curation import CuratedImage, Curation, Verdict, curate, curated_image
from storycast.cuts import TRAINING_SIDE_PX
from storycast.embeddings import Vectors, stack, unit
from storycast.frames import TextBox
from storycast.quality_floor import below_floor
from storycast.selection import PerShot, Rules, shot_cap
from storycast.selection_summary import CharacterSelection
from storycast.sightings import Sighting
from storycast.views import TEXT_SHARE, View, views
from tests.fakes.sightings import seen as seen_of_nobody

SUBTITLE: TextBox = (0.3, 0.85, 0.4, 0.05)


def seen(number: int, **changes: Any) -> Sighting:
    """Return a named sighting of middling sharpness."""
    return seen_of_nobody(number, **{"sharpness": 60.0, "character": "Mara", **changes})


def directions(*degrees: float) -> Vectors:
    return stack([unit([np.cos(np.radians(one)), np.sin(np.radians(one))]) for one in degrees])


def apart(count: int) -> Vectors:
    """Return vectors none of which is like another."""
    return np.eye(count, dtype=np.float32)


def curation(
    sightings: Sequence[Sighting],
    vectors: Vectors,
    *,
    threshold: float = 0.999,
    budget: int = 30,
    per_shot: PerShot = "auto",
    pairs_share: float = 0.12,
    texts: Mapping[str, Sequence[TextBox]] | None = None,
) -> Curation:
    rules = Rules(budget, per_shot, pairs_share)
    done = curate(sightings, vectors, threshold=threshold, rules=rules, padding=0.15, texts=texts or {})
    assert {verdict.crop_id for verdict in done.verdicts} == {one.crop_id for one in sightings if one.character}
    assert len(done.verdicts) == len({verdict.crop_id for verdict in done.verdicts})
    return done


def curated(
    sightings: Sequence[Sighting], degrees: Sequence[float], *, threshold: float = 0.999, budget: int = 30
) -> tuple[list[CuratedImage], dict[str, Verdict]]:
    done = curation(sightings, directions(*degrees), threshold=threshold, budget=budget)
    return done.images, {verdict.crop_id: verdict for verdict in done.verdicts}


def outcomes(done: Curation) -> dict[str, str]:
    return {verdict.crop_id: verdict.outcome for verdict in done.verdicts}


def told(done: Curation, character: str = "Mara") -> CharacterSelection:
    return next(one for one in done.summary.characters if one.character == character)


def pair(number: int, **changes: Any) -> list[Sighting]:
    """Return a frame in which Mara and Tom stand side by side."""
    beside: dict[str, Any] = {"crop_id": f"f-{number:09d}-01", "character": "Tom", "left": 0.52, "width": 0.1}
    return [seen(number, width=0.1, **changes), seen(number, **changes, **beside)]


# ---- near-duplicates ------------------------------------------------------------------------------


def test_of_twins_the_better_picture_stays_and_names_the_other() -> None:
    blurred, sharp = seen(0, sharpness=80.0), seen(1, sharpness=90.0)
    (image,), verdicts = curated([blurred, sharp], [0, 0])
    assert image.crop_id == sharp.crop_id
    assert image.duplicates == (blurred.crop_id,)
    assert verdicts[blurred.crop_id].outcome == "duplicate"
    assert sharp.crop_id in verdicts[blurred.crop_id].reason


def test_who_has_no_name_is_left_out_without_a_verdict() -> None:
    images, verdicts = curated([seen(0, character=""), seen(1)], [0, 90])
    assert [image.character for image in images] == ["Mara"]
    assert list(verdicts) == ["f-000000001-00"]


# ---- the quality floor ----------------------------------------------------------------------------


def test_what_is_blurred_beside_the_rest_of_its_footage_is_no_picture_and_takes_no_twin_with_it() -> None:
    sightings = [seen(n, sharpness=60.0) for n in range(4)] + [seen(9, sharpness=30.0)]
    done = curation(sightings, directions(0, 40, 80, 120, 0))
    assert outcomes(done)["f-000000009-00"] == "below_quality"
    reason = next(one.reason for one in done.verdicts if one.crop_id == "f-000000009-00")
    assert reason == "sharpness 30 of at least 42, which is 0.7 of the median of its footage"
    assert len(done.images) == 4


def test_a_soft_film_is_held_against_itself() -> None:
    assert below_floor([seen(n, sharpness=20.0 + n) for n in range(8)]) == {}


def test_stills_are_held_against_each_other() -> None:
    stills = [seen(n, footage_id=f"still-{n}", sharpness=60.0) for n in range(5)]
    blurred = seen(7, footage_id="still-7", sharpness=20.0)
    assert list(below_floor([*stills, blurred])) == [blurred.crop_id]


def test_a_tiny_character_and_a_tiny_frame_are_told_with_their_sizes() -> None:
    tiny = seen(0, width=0.02, height=0.03)
    stamp = seen(1, footage_id="g", width_px=160, height_px=120, width=0.9, height=0.9)
    reasons = below_floor([tiny, stamp])
    assert reasons[tiny.crop_id] == "size: the character is 38 px of at least 64"
    assert "120 px and would be enlarged more than 3 times" in reasons[stamp.crop_id]


# ---- burnt-in text --------------------------------------------------------------------------------


def test_a_picture_with_a_subtitle_in_it_is_left_out_and_one_above_it_is_not() -> None:
    low = seen(0, top=0.5, height=0.5)
    high = seen(1, top=0.05, height=0.4)
    texts = {low.frame_id: [SUBTITLE], high.frame_id: [SUBTITLE]}
    done = curation([low, high], apart(2), texts=texts)
    assert outcomes(done) == {low.crop_id: "burnt_in_text", high.crop_id: "curated"}
    assert "text covers" in done.verdicts[[one.crop_id for one in done.verdicts].index(low.crop_id)].reason


def test_a_tighter_square_is_taken_where_it_alone_has_no_text() -> None:
    one = seen(0, top=0.15, height=0.65, width=0.3)
    squares = views(one, [one], 0.15, [SUBTITLE])
    assert [view.framing for view in squares] == ["medium", "close-up"]
    assert squares[0].text_share > 0.02
    assert squares[1].text_share == 0
    done = curation([one], apart(1), texts={one.frame_id: [SUBTITLE]})
    assert [image.framing for image in done.images] == ["close-up"]


# ---- squares --------------------------------------------------------------------------------------


def test_a_small_box_grows_with_its_surroundings_and_a_small_frame_is_marked() -> None:
    small = seen(0, width=0.05, height=0.08)
    tiny = seen(1, width_px=400, height_px=300, footage_id="g")
    images, _ = curated([small, tiny], [0, 90])
    assert [(image.side_px, image.enlarged) for image in images] == [(TRAINING_SIDE_PX, False), (300, True)]


sizes = st.tuples(st.integers(64, 2000), st.integers(64, 2000))
places = st.tuples(st.floats(0, 0.9), st.floats(0, 0.9), st.floats(0.01, 1), st.floats(0.01, 1))


@given(sizes, places, st.floats(0, 1))
def test_a_view_is_a_square_in_the_frame_and_only_the_planned_one_may_be_enlarged(
    size: tuple[int, int], place: tuple[float, float, float, float], padding: float
) -> None:
    (width_px, height_px), (left, top, width, height) = size, place
    one = seen(0, width_px=width_px, height_px=height_px, left=left, top=top, width=width, height=height)
    squares = views(one, [one], padding)
    for number, view in enumerate(squares):
        assert 0 <= view.cut.left_px <= width_px - view.cut.side_px
        assert 0 <= view.cut.top_px <= height_px - view.cut.side_px
        assert view.cut.side_px >= TRAINING_SIDE_PX or number == 0
        assert view.in_picture == ("Mara",)
    assert len({view.framing for view in squares}) == len(squares)
    image = curated_image(one, [one], padding)
    assert image.cut == squares[0].cut
    assert image.enlarged == (image.side_px < TRAINING_SIDE_PX)
    assert image.side_px >= min(TRAINING_SIDE_PX, width_px, height_px)


def test_a_picture_by_itself_is_shown_without_burnt_in_text_where_a_square_has_none() -> None:
    one = seen(0, width=0.4, height=0.8, top=0.05)
    planned, *others = views(one, [one], 0.15, [SUBTITLE])
    assert planned.text_share > TEXT_SHARE
    (free,) = [view for view in others if view.text_share <= TEXT_SHARE]
    assert curated_image(one, [one], 0.15, [SUBTITLE]).cut == free.cut
    assert curated_image(one, [one], 0.15, [(0.0, 0.0, 1.0, 1.0)]).cut == planned.cut


def test_all_who_are_in_the_picture_are_named_whom_it_is_of_first() -> None:
    mara = seen(0)
    left = seen(0, crop_id="f-000000000-01", character="Tom", left=0.36, width=0.05)
    right = seen(0, crop_id="f-000000000-02", character="Ann", left=0.58, width=0.04)
    far = seen(0, crop_id="f-000000000-03", character="Zoe", left=0.9, width=0.05)
    (view, *_) = views(mara, [right, far, mara, left], 0.15)
    assert view.in_picture == ("Mara", "Tom", "Ann")


def test_one_frame_gives_no_two_pictures_of_the_same_square() -> None:
    done = curation(pair(0), apart(2), pairs_share=1.0)
    assert Counter(outcomes(done).values()) == {"curated": 1, "same_picture": 1}
    reason = next(one.reason for one in done.verdicts if one.outcome == "same_picture")
    assert reason == "the picture of Mara from this frame shows it as well"


# ---- variety --------------------------------------------------------------------------------------


def test_the_budget_is_spent_over_the_shots() -> None:
    sightings = [seen(n, shot=0 if n < 5 else n) for n in range(8)]
    done = curation(sightings, apart(8), budget=4)
    assert {image.shot for image in done.images} == {0, 5, 6, 7}
    assert Counter(outcomes(done).values()) == {"curated": 4, "less_varied": 4}


def test_a_shot_gives_no_more_than_its_cap_even_where_nothing_else_is_left() -> None:
    sightings = [seen(n, shot=min(n // 10, 5)) for n in range(15)]
    done = curation(sightings, apart(15), per_shot=3)
    assert Counter(image.shot for image in done.images) == {0: 3, 1: 3}
    left = [one for one in done.verdicts if one.outcome == "shot_has_enough"]
    assert len(left) == 9
    assert left[0].reason == "its shot has its 3 pictures of Mara"
    assert told(done).words == (
        "Mara: 6 of 30; no close-up; none with its surroundings; 2 shots only; "
        "9 more are of shots that have their 3 (selection.per_shot)"
    )


@pytest.mark.parametrize(("shots", "cap"), [(0, 30), (1, 30), (2, 15), (4, 8), (5, 6), (100, 6)])
def test_few_shots_share_the_budget_where_the_project_sets_no_cap(shots: int, cap: int) -> None:
    assert shot_cap(Rules(30, "auto", 0.12), shots) == cap
    assert shot_cap(Rules(4, "auto", 0.12), 100) == 2
    assert shot_cap(Rules(30, 3, 0.12), shots) == 3


def test_a_film_of_one_shot_gives_its_pictures_and_says_so() -> None:
    done = curation([seen(n) for n in range(12)], apart(12))
    assert len(done.images) == 12
    assert "1 shot only, up to 30 of each" in told(done).words


def test_framings_come_near_40_30_30_out_of_squares_of_the_same_sightings() -> None:
    # Boxes of 600 px: planned half close, but with the pixels for a close-up, and in a frame that has room.
    sightings = [seen(n, shot=n, height=600 / 1080, width=0.2) for n in range(40)]
    done = curation(sightings, apart(40), budget=20)
    assert told(done).framing == {"close-up": 8, "medium": 6, "full": 6}


def test_light_and_dark_are_both_taken() -> None:
    sightings = [seen(n, shot=n, light=0.5 if n < 30 else 0.1) for n in range(33)]
    done = curation(sightings, apart(33), budget=6)
    assert told(done).light["dark"] >= 1


def test_who_is_surely_named_goes_before_who_is_not() -> None:
    sightings = [seen(n, shot=n, score=0.9 if n % 2 else 0.5) for n in range(20)]
    done = curation(sightings, apart(20), budget=10)
    assert sum(image.score > 0.8 for image in done.images) >= 9


def test_looks_are_covered_rather_than_one_of_them_repeated() -> None:
    degrees = [0.0, 3, 6, 9, 12, 15, 60, 63, 66, 120]
    done = curation([seen(n) for n in range(10)], directions(*degrees), threshold=0.9999, budget=3)
    kept = {degrees[image.time_ms // 1000] // 30 for image in done.images}
    assert len(kept) == 3


def test_what_is_left_out_for_the_budget_says_what_is_there_instead() -> None:
    sightings = [seen(n, shot=n) for n in range(3)] + [seen(5, shot=9, light=0.9)]
    done = curation(sightings, apart(4), budget=2)
    reasons = {one.outcome: one.reason for one in done.verdicts}
    assert reasons["budget_full"] == "Mara has its 2 pictures, and each of them adds more"


# ---- pairs ----------------------------------------------------------------------------------------


def test_the_share_of_pictures_with_several_is_met_over_the_dataset() -> None:
    sightings = [one for n in range(30) for one in pair(n, shot=n)]
    sightings += [seen(100 + n, shot=100 + n, character=name) for n, name in enumerate(["Mara", "Tom"] * 40)]
    done = curation(sightings, apart(len(sightings)), budget=25)
    assert len(done.images) == 50
    assert done.summary.pairs == done.summary.pairs_asked == 6
    assert done.summary.pairs_words == ""
    assert sum(len(image.in_picture) > 1 for image in done.images) == 6


def test_too_few_pictures_with_several_are_told() -> None:
    sightings = [*pair(0), *[seen(10 + n, shot=n, character=name) for n, name in enumerate(["Mara", "Tom"] * 20)]]
    done = curation(sightings, apart(len(sightings)), budget=20)
    assert done.summary.pairs == 1
    assert done.summary.pairs_words == (
        "pictures with several characters: 1 of 5; the footage has 2 different ones"
    )


def test_characters_that_are_never_alone_have_pictures_all_the_same() -> None:
    sightings = [one for n in range(12) for one in pair(n, shot=n)]
    done = curation(sightings, apart(len(sightings)), budget=6)
    assert told(done).pictures == told(done, "Tom").pictures == 6
    assert done.summary.pairs_words == (
        "pictures with several characters: 12, where selection.pairs_share asks for 1; "
        "the footage has too few of them alone"
    )


# ---- what is missing, in words --------------------------------------------------------------------


def test_what_is_missing_is_told_and_full_budgets_warn_of_nothing() -> None:
    sightings = [seen(n, shot=n % 3, height=0.2, width=0.1, character="Gamera") for n in range(6)]
    sightings += [seen(50 + n, shot=n, character="Bunny") for n in range(40)]
    done = curation(sightings, apart(len(sightings)), budget=20)
    gamera, bunny = told(done, "Gamera"), told(done, "Bunny")
    assert gamera.words == (
        "Gamera: 6 of 20; no close-up; none half close; 3 shots only, up to 7 of each; "
        "no picture with another character"
    )
    assert bunny.pictures == 20
    assert bunny.left_out == {"budget_full": 20}
    assert done.summary.warnings() == (gamera.words,)


def test_many_characters_with_too_few_are_counted_rather_than_listed() -> None:
    sightings = [seen(n, shot=n, character=f"Character {n}") for n in range(9)]
    warnings = curation(sightings, apart(9)).summary.warnings()
    assert len(warnings) == 6
    assert warnings[-1] == "4 more characters have fewer pictures than asked for: see the report"


def test_a_character_of_whom_nothing_is_left_is_told() -> None:
    done = curation([seen(0, width=0.02, height=0.02), seen(1, character="Tom")], apart(2))
    assert told(done).words == "Mara: 0 of 30; left out: 1 below_quality"
    assert told(done).left_out == {"below_quality": 1}


@pytest.mark.parametrize("budget", [1, 2])
def test_of_a_budget_of_one_or_two_nothing_is_missing_that_it_could_not_hold(budget: int) -> None:
    sightings = [seen(n, shot=n) for n in range(8)] + [seen(50, shot=50, character="Tom")]
    done = curation(sightings, apart(9), budget=budget)
    assert told(done).words == f"Mara: {budget} of {budget}"


# ---- seasons --------------------------------------------------------------------------------------


def test_two_videos_and_stills_make_one_dataset() -> None:
    sightings = [
        seen(n, footage_id=video, frame_id=f"{video}-{n}", crop_id=f"{video}-{n:09d}-00", shot=0)
        for video in ("one", "two")
        for n in range(10)
    ]
    sightings += [
        seen(0, footage_id=f"still-{n}", frame_id=f"still-{n}", crop_id=f"still-{n}-00") for n in range(4)
    ]
    done = curation(sightings, apart(len(sightings)), budget=10, per_shot=3)
    by_shot = Counter((image.footage_id, image.shot) for image in done.images)
    assert by_shot["one", 0] == by_shot["two", 0] == 3, "the first shot of one video is not that of the other"
    assert sum(count for (footage, _), count in by_shot.items() if footage.startswith("still")) == 4
    assert told(done).shots == 6


# ---- properties -----------------------------------------------------------------------------------

crowds = st.lists(
    st.tuples(st.sampled_from(["", "Mara", "Tom"]), st.integers(0, 3), st.integers(0, 170), st.integers(40, 60)),
    min_size=1,
    max_size=10,
)


@given(crowds, st.integers(1, 4), st.integers())
def test_curation_does_not_depend_on_the_order_of_sightings(
    crowd: list[tuple[str, int, int, int]], budget: int, seed: int
) -> None:
    # Two sightings a frame, so that squares of one frame meet.
    sightings = [
        seen(
            number // 2,
            crop_id=f"f-{number // 2:09d}-{number % 2:02d}",
            left=0.3 + 0.2 * (number % 2),
            character=name,
            shot=shot,
            sharpness=float(sharp),
        )
        for number, (name, shot, _, sharp) in enumerate(crowd)
    ]
    vectors = directions(*(float(degree) for _, _, degree, _ in crowd))
    rows = list(range(len(sightings)))
    random.Random(seed).shuffle(rows)
    done = curation(sightings, vectors, threshold=0.9, budget=budget)
    again = curation([sightings[row] for row in rows], vectors[rows], threshold=0.9, budget=budget)
    assert again.images == done.images
    assert outcomes(again) == outcomes(done)
    assert again.summary == done.summary


@given(crowds, st.integers(1, 4), st.integers(1, 3))
def test_budget_cap_and_threshold_hold(crowd: list[tuple[str, int, int, int]], budget: int, per_shot: int) -> None:
    assume(any(name for name, *_ in crowd))
    sightings = [seen(n, character=name, shot=shot) for n, (name, shot, _, _) in enumerate(crowd)]
    vectors = directions(*(float(degree) for _, _, degree, _ in crowd))
    done = curation(sightings, vectors, threshold=0.9, budget=budget, per_shot=per_shot)
    assert all(count <= budget for count in Counter(image.character for image in done.images).values())
    shots = Counter((image.character, image.shot) for image in done.images)
    assert all(count <= per_shot for count in shots.values())
    rows = [
        next(row for row, one in enumerate(sightings) if one.crop_id == image.crop_id) for image in done.images
    ]
    cosines = vectors[rows] @ vectors[rows].T
    assert all(cosines[a, b] < 0.9 + 1e-6 for a in range(len(rows)) for b in range(a))
    for one in done.summary.characters:
        left = sum(one.left_out.values())
        assert one.pictures + left == sum(seen_one.character == one.character for seen_one in sightings)


def test_the_choice_is_within_a_half_of_the_best_there_is() -> None:
    """The greedy choice against all choices, by the framings and shots that it may count."""

    def worth(chosen: Sequence[View], shots: Sequence[int]) -> float:
        return len({view.framing for view in chosen}) + len(set(shots))

    sightings = [seen(n, shot=n // 2, height=(0.2, 0.4, 0.9)[n % 3]) for n in range(6)]
    done = curation(sightings, apart(6), budget=3)
    best = 6
    greedy = worth(
        [View(image.cut, image.framing, image.in_picture, 0) for image in done.images],
        [image.shot for image in done.images],
    )
    assert greedy >= best / 2


def test_squares_of_one_frame_differ() -> None:
    sightings = [one for n in range(6) for one in pair(n, shot=n)]
    done = curation(sightings, apart(12), pairs_share=0.5)
    for number, one in enumerate(done.images):
        for other in done.images[:number]:
            if one.frame_id == other.frame_id:
                assert overlap_ratio(one.cut.box(1920, 1080), other.cut.box(1920, 1080)) < 1 / 3


@pytest.mark.parametrize("budget", [30, 1000])
def test_twenty_thousand_sightings_of_one_character_are_chosen_from_in_seconds(budget: int) -> None:
    random_vectors = np.random.default_rng(0).normal(size=(20_000, 64)).astype(np.float32)
    vectors = random_vectors / np.linalg.norm(random_vectors, axis=1, keepdims=True)
    sightings = [seen(n, shot=n // 20, light=(n % 10) / 10) for n in range(20_000)]
    began = process_time()
    done = curation(sightings, vectors, budget=budget)
    assert len(done.images) == budget
    assert process_time() - began < 30
