"""Which shots are held out of a training, how long it should be, and its values as the service takes them."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storycast.advice import (
    FEW_ADAPTER_EPOCHS,
    FEW_EPOCHS,
    MANY_ADAPTER_EPOCHS,
    MANY_EPOCHS,
    MAX_STEPS,
    advice,
    epochs,
)
from storycast.held_out import MIN_SHOTS, MOST_TIMES_THE_SHARE, Picture, hold_out
from storycast.manifest import MIN_RECORDS
from storycast.settings import Training
from storycast.training import hyperparameters, training_fingerprint

NAMES = ("Mara", "Old Tom", "Nell")


def _pictures(rows: list[tuple[str, int]]) -> list[Picture]:
    return [
        Picture(crop_id=f"crop-{number:03d}", character=name, footage_id=f"film-{shot % 2}", shot=shot)
        for number, (name, shot) in enumerate(rows)
    ]


films = st.lists(st.tuples(st.sampled_from(NAMES), st.integers(0, 9)), max_size=60).map(_pictures)
shares = st.floats(0.0, 0.5)


@given(films, shares, st.randoms(use_true_random=False))
def test_the_split_does_not_depend_on_the_order(pictures: list[Picture], share: float, chance: object) -> None:
    shuffled = list(pictures)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert hold_out(shuffled, share) == hold_out(pictures, share)


@given(films, shares)
def test_whole_shots_are_held_out_and_enough_is_left(pictures: list[Picture], share: float) -> None:
    held = set(hold_out(pictures, share))
    shots = {(one.footage_id, one.shot) for one in pictures if one.crop_id in held}
    assert {one.crop_id for one in pictures if (one.footage_id, one.shot) in shots} == held
    assert not held or len(pictures) - len(held) >= MIN_RECORDS
    assert len(held) <= round(len(pictures) * share * MOST_TIMES_THE_SHARE)
    before = {name: {(o.footage_id, o.shot) for o in pictures if o.character == name} for name in NAMES}
    for own in before.values():
        if own & shots:
            assert len(own - shots) >= MIN_SHOTS - 1, "whoever gives a shot away is still seen in two"


@given(st.integers(3, 10), st.integers(2, 6))
def test_each_character_of_a_large_film_is_held_out_once(shot_count: int, per_shot: int) -> None:
    """Everybody in shots of their own, so that each one's shot costs the same."""
    rows = [
        (name, 100 * number + shot)
        for number, name in enumerate(NAMES)
        for shot in range(shot_count)
        for _ in range(per_shot)
    ]
    pictures = _pictures(rows)
    held = set(hold_out(pictures, 1 / shot_count))
    assert Counter(one.character for one in pictures if one.crop_id in held) == dict.fromkeys(NAMES, per_shot)


def test_nothing_is_held_out_where_nothing_should_be_or_can_be() -> None:
    large = _pictures([("Mara", number) for number in range(30)])
    assert hold_out(large, 0.0) == ()
    assert hold_out(large[:5], 0.5) == ()
    assert hold_out([], 0.5) == ()
    assert hold_out(_pictures([("Mara", number % 2) for number in range(30)]), 0.5) == ()
    assert len(hold_out(large, 0.1)) == 1


# ---- advice ---------------------------------------------------------------------------------------


def test_the_walk_throughs_values_on_a_small_dataset_are_absurd() -> None:
    (told,) = advice(Training(step_count=14_000, batch_size=64), 60)
    assert told.startswith("14,000 steps of 64 on 60 pictures are 14,933 epochs")
    assert "training.step_count: 281" in told


def test_more_than_the_most_steps_are_never_advised() -> None:
    (told,) = advice(Training(step_count=500, batch_size=8), 10_000)
    assert f"training.step_count: {MAX_STEPS}" in told
    assert "training.batch_size" in told


@given(st.integers(10, MAX_STEPS), st.integers(8, 192), st.integers(MIN_RECORDS, 10_000))
def test_what_is_advised_needs_no_advice_and_is_legal(steps: int, batch: int, pictures: int) -> None:
    training = Training(step_count=steps, batch_size=batch)
    told = advice(training, pictures)
    assert bool(told) == (not FEW_EPOCHS <= epochs(training, pictures) <= MANY_EPOCHS)
    for line in told:
        if "if that is not enough" in line:
            continue
        advised = int(line.rpartition("training.step_count: ")[2].rstrip("."))
        assert advice(Training(step_count=advised, batch_size=batch), pictures) == []


@given(st.integers(10, MAX_STEPS), st.integers(1, 64), st.integers(1, 10_000))
def test_an_adapter_has_a_rule_of_its_own(steps: int, batch: int, pictures: int) -> None:
    training = Training(target="sagemaker", step_count=steps, batch_size=batch)
    told = advice(training, pictures)
    assert bool(told) == (not FEW_ADAPTER_EPOCHS <= epochs(training, pictures) <= MANY_ADAPTER_EPOCHS)
    for line in told:
        if "training.step_count" not in line or "if that is not enough" in line:
            continue
        advised = int(line.rpartition("training.step_count: ")[2].rstrip("."))
        assert advice(training.model_copy(update={"step_count": advised}), pictures) == []


def test_an_adapters_default_values_suit_some_dozens_of_pictures() -> None:
    training = Training(target="sagemaker")
    assert advice(training, 30) == advice(training, 120) == []
    (told,) = advice(training, 3)
    assert "copied" in told


# ---- values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rate", "text"), [(1e-6, "0.000001"), (1e-7, "0.0000001"), (1e-4, "0.0001"), (2.5e-5, "0.000025")]
)
def test_a_learning_rate_is_written_out(rate: float, text: str) -> None:
    assert hyperparameters(Training(learning_rate=rate))["learningRate"] == text


@given(st.floats(1e-7, 1e-4))
def test_a_learning_rate_never_has_an_exponent(rate: float) -> None:
    text = hyperparameters(Training(learning_rate=rate))["learningRate"]
    assert "e" not in text
    assert float(text) == pytest.approx(rate, rel=1e-3)


@given(st.permutations([("a", "x"), ("b", "y"), ("c", "z")]))
def test_a_trainings_fingerprint_does_not_depend_on_the_order(pictures: list[tuple[str, str]]) -> None:
    training = Training()
    assert training_fingerprint(training, pictures) == training_fingerprint(training, sorted(pictures))
    swapped = [("a", "y"), ("b", "x"), ("c", "z")]
    assert training_fingerprint(training, swapped) != training_fingerprint(training, pictures)
