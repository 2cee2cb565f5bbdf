"""Parts of the report: charts, words, money, and the pictures' budget."""

import json
import re
from datetime import timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storycast import errors
from storycast.decisions import What
from storycast.ledger import FINAL_OUTCOMES
from storycast.losses import Loss, read_losses
from storycast.report.charts import SIDE, curve, histogram
from storycast.report.money import money
from storycast.report.words import DECISIONS, OUTCOMES, STATUS, duration, next_step, outcome, place
from storycast.runs import Run, RunStatus
from storycast.similarity import count_similarity

COSINES = st.lists(st.floats(-1.0, 1.0), min_size=1, max_size=60)


def numbers(path: str) -> list[float]:
    return [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", path)]


# ---- charts ---------------------------------------------------------------------------------------


@given(COSINES, COSINES, st.lists(st.floats(-1.0, 1.0), max_size=60), st.floats(0.01, 1.0))
def test_a_histogram_stays_in_its_square(
    neighbours: list[float], strangers: list[float], nearest: list[float], at: float
) -> None:
    drawn = histogram(count_similarity(neighbours, strangers, nearest, at))
    assert drawn
    for path in (drawn.neighbours, drawn.strangers, drawn.nearest_kept):
        assert all(0 <= number <= SIDE for number in numbers(path))
    assert (drawn.neighbour_count, drawn.stranger_count) == (len(neighbours), len(strangers))
    assert drawn.nearest_kept_count == len(nearest)
    assert bool(drawn.nearest_kept) is bool(nearest)
    assert 0 <= drawn.threshold_percent <= 100
    assert [tick.percent for tick in drawn.ticks] == sorted(tick.percent for tick in drawn.ticks)
    assert drawn.ticks[-1].text == "1.0"


def test_a_histogram_needs_both_kinds() -> None:
    assert histogram(count_similarity([], [0.5], [], 0.9)) is None
    assert histogram(count_similarity([0.5], [], [], 0.9)) is None


def test_the_threshold_stands_where_the_axis_has_it() -> None:
    drawn = histogram(count_similarity([0.9, 0.95], [0.2, 0.3], [0.5, 0.61, 0.7], 0.6))
    assert drawn
    assert drawn.ticks[0].text == "0.2"
    assert drawn.threshold_percent == 50.0
    assert (drawn.nearest_kept_count, drawn.duplicate_count) == (3, 2)


@given(st.lists(st.tuples(st.integers(0, 20_000), st.floats(0, 1e6)), min_size=2, max_size=600))
def test_a_curve_stays_in_its_square(points: list[tuple[int, float]]) -> None:
    losses = sorted((Loss(step, 0, loss) for step, loss in points), key=lambda one: one.step)
    drawn = curve(losses)
    if drawn is None:
        assert losses[0].step == losses[-1].step
        return
    assert all(-0.1 <= number <= SIDE + 0.1 for number in numbers(drawn.points))
    assert drawn.lowest.loss == min(loss for _, loss in points)


def test_the_loss_on_held_out_pictures_is_a_second_line_over_the_same_axes() -> None:
    losses = [Loss(step, 0, 1.0 / step, 2.0 / step if step % 2 else None) for step in range(1, 10)]
    drawn = curve(losses)
    assert drawn
    assert [drawn.held_out_first, drawn.held_out_last] == pytest.approx([2.0, 2 / 9])
    assert [drawn.top, drawn.bottom] == pytest.approx([2.0, 1 / 9])
    assert drawn.held_out.split()[0] == "0.0,0.0"
    assert all(-0.1 <= number <= SIDE + 0.1 for number in numbers(drawn.held_out))
    once = curve([Loss(1, 0, 1.0, 0.5), Loss(2, 0, 0.5)])
    assert once
    assert (once.held_out, once.held_out_first) == ("", None)


def test_metrics_are_read_as_far_as_they_are_numbers() -> None:
    content = (
        b"\xef\xbb\xbfstep_number,epoch_number,training_loss\n2,0.2,0.5\n1,0.1,0.7\nx,0,1\n3,0,nan\n4,0\n5,,0.25\n"
    )
    assert [(one.step, one.loss) for one in read_losses(content)] == [(1, 0.7), (2, 0.5), (5, 0.25)]
    assert read_losses(b"") == []
    assert read_losses(b"loss\n1\n") == []
    with pytest.raises(ValueError, match="decode"):
        read_losses(b"step_number\xff")


def test_the_loss_on_held_out_pictures_is_read_where_it_was_measured() -> None:
    content = (
        b"step_number,epoch_number,training_loss,held_out_loss,learning_rate,pictures_per_second\n"
        b"1,0,0.7,0.8,0.0001,1.5\n2,0,0.6,,0.0001,1.5\n3,0,0.5,nan,0.0001,\n4,0,0.5,0.75,0.0001,\n"
    )
    assert [one.held_out for one in read_losses(content)] == [0.8, None, None, 0.75]


# ---- words ----------------------------------------------------------------------------------------


def leaves(kind: type[Exception]) -> list[type[Exception]]:
    below = [leaf for sub in kind.__subclasses__() for leaf in leaves(sub)]
    return below or [kind]


@pytest.mark.parametrize("kind", leaves(errors.StorycastError), ids=lambda kind: kind.__name__)
def test_after_each_error_something_can_be_done(kind: type[Exception]) -> None:
    assert next_step(kind.__name__).endswith(".")


def test_errors_of_others_have_a_next_step_too() -> None:
    for name in (
        "ABORTED",
        "TIMED_OUT",
        "States.Timeout",
        "Lambda.Unknown",
        "",
        "errors",
        "StorycastError",
        "__name__",
    ):
        assert "again" in next_step(name), name
    assert next_step("TooManyLostError") != next_step("BudgetExceededError") != next_step("SettingsInvalidError")


def test_every_status_and_outcome_has_words() -> None:
    assert set(STATUS) == set(get_args(RunStatus))
    assert set(DECISIONS) == set(get_args(What))
    assert {(kind, name) for kind, names in FINAL_OUTCOMES.items() for name in names} <= set(OUTCOMES)
    assert outcome("frame", "new_thing") == "frame: new thing"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (59.6, "1 min"), (83, "1 min 23 s"), (7200, "2 h"), (7260, "2 h 1 min"), (200_000, "2 days 7 h")],
)
def test_lengths_of_time(seconds: float, said: str) -> None:
    assert duration(timedelta(seconds=seconds)) == said


@pytest.mark.parametrize(("time_ms", "said"), [(0, "0:00.0"), (62_450, "1:02.5"), (3_600_000, "1:00:00.0")])
def test_places_in_a_film(time_ms: int, said: str) -> None:
    assert place(time_ms) in {said, said.replace("02.5", "02.4")}


# ---- money ----------------------------------------------------------------------------------------


def run(**fields: Any) -> Run:
    return Run(run_id="r", project="p", status="failed", execution_arn="a", started_at="", **fields)


def test_the_expected_stands_beside_the_actual() -> None:
    told = money(
        run(
            estimate={
                "lines": [
                    {"stage": "detect_characters", "what": "label detection", "usd": [1, 2], "unit": "picture"},
                    {"stage": "start_training", "what": "steps x batch size", "usd": [20, 20], "unit": "picture"},
                ],
                "total_usd": [21, 22],
            },
            cost={
                "lines": [
                    {"stage": "start_training", "what": "job-1", "usd": 20.0, "count": 4000, "unit_usd": 0.005},
                    {"stage": "start_training", "what": "job-2", "usd": 10.0, "count": 2000, "at_most": True},
                    {"stage": "detect_characters", "what": "label detection", "usd": 1.5, "count": 1500},
                ],
                "total_usd": 31.5,
                "charged": False,
                "statement": "nobody was charged",
            },
        )
    )
    assert told
    assert [(line.what, line.expected, line.actual) for line in told.lines] == [
        ("label detection", "$1.00 to $2.00", "$1.50"),
        ("job-1", "$20.00", "$20.00"),
        ("job-2", "", "at most $10.00"),
    ]
    assert (told.expected, told.actual, told.charged) == ("$21.00 to $22.00", "$31.50", False)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(-1e9, 1e9) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["lines", "stage", "what", "usd", "count", "unit", "unit_usd", "total_usd", "notes", "charged"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["lines", "total_usd", "notes", "statement"]), JSON, max_size=4))
def test_records_of_another_release_are_read_as_far_as_they_go(record: dict[str, Any]) -> None:
    told = money(run(cost=record, estimate=json.loads(json.dumps(record))))
    assert told is None or all(isinstance(line.actual, str) for line in told.lines)


def test_nothing_written_down_is_no_cost() -> None:
    assert money(run()) is None
