"""The budget within a run: each paid step is refused before it could pass it, and what was paid counts no more."""

from datetime import UTC, datetime
from typing import Any

import pytest

from storycast.costs import spent_usd
from storycast.errors import BudgetExceededError, ModelRetiredError, TrainingAccessError
from storycast.estimate import frames_usd
from storycast.plan import read_plan
from storycast.runs import read_run
from tests.fakes.film import encoded, film
from tests.fakes.services import GivenRoles, ListedModels
from tests.fakes.workflow import BLUE, NOW, RED, ROLE_ARN, World, scene

PROJECT = """
characters:
  - {name: Rosso, references: [cast/rosso/*]}
  - {name: Blu, references: [cast/blu/*]}
sampling: {frames_per_second: 2, pick: fixed}
duplicates: {threshold: 0.9999}
"""
TRAINED = """
training: {target: bedrock, step_count: 500, batch_size: 8}
storyboard: {prompts: [Rosso at dawn]}
budget_usd: 200
"""
CANVAS = "amazon.nova-canvas-v1:0"
FILM = film([scene(number, ground=90, shapes={RED: 20, BLUE: 180}) for number in range(72)])


def world(more: str = "", **parts: Any) -> World:
    made = World(**parts)
    made.store.put("incoming/a/film.mp4", FILM, "video/mp4")
    made.store.put("projects/p/project.yaml", (PROJECT + more).encode(), "application/yaml")
    for name, colour in (("rosso", RED), ("blu", BLUE)):
        picture = scene(0, ground=100, shapes={colour: 100})[60:180, 75:195]
        made.store.put(f"projects/p/cast/{name}/1.png", encoded(picture, "PNG"), "image/png")
    return made


def go(one: World, number: int = 1) -> str:
    return one.run({"project": "p", "footage": ["incoming/a/film.mp4"], "run_id": f"run-{number}"}, number).name


def set_budget(one: World, budget_usd: float) -> None:
    content = PROJECT + f"budget_usd: {budget_usd}\n"
    one.store.put("projects/p/project.yaml", content.encode(), "application/yaml")


@pytest.fixture(scope="module")
def free() -> World:
    """A run that no budget stops."""
    one = world()
    assert go(one) == "DatasetReady"
    return one


def before_detection(free: World) -> float:
    """What the run has cost when its frames are listed, and what looking at them costs at most."""
    run = read_run(free.store, "run-1")
    listed = run.model_copy(update={"counts": {name: run.counts[name] for name in ("segments", "frames_kept")}})
    settings = read_plan(free.store, "run-1").settings
    return spent_usd(listed, (), NOW) + frames_usd(settings, run.counts["frames_kept"])


def test_a_run_knows_what_it_is_expected_to_cost(free: World) -> None:
    expected = read_run(free.store, "run-1").estimate
    assert expected is not None
    low, high = expected["total_usd"]
    assert 0 < low <= high <= 3 * low


def test_a_budget_below_the_low_end_stops_before_anything_and_leaves_the_estimate() -> None:
    one = world("budget_usd: 0.0005\n")
    with pytest.raises(BudgetExceededError, match=r"more than budget_usd: 0\.0005; nothing was paid"):
        go(one)
    assert one.paid == (0, 0, 0)
    assert read_run(one.store, "run-1").estimate is not None
    assert not one.store.keys("footage/x/frames")


def test_detection_stops_before_it_could_pass_the_budget(free: World) -> None:
    one = world(f"budget_usd: {before_detection(free) * 0.98}\n")
    with pytest.raises(BudgetExceededError, match=r"characters of \d+ frames .*sampling.frames_per_second"):
        go(one)
    assert one.paid == (0, 0, 0)


def test_captions_stop_before_they_could_pass_the_budget(free: World) -> None:
    one = world(f"budget_usd: {before_detection(free) * 1.02}\n")
    with pytest.raises(BudgetExceededError, match=r"captions of \d+ pictures .*images_per_character"):
        go(one)
    assert one.detector.answered > 0
    assert one.captioner.answered == 0
    assert one.store.keys("runs/run-1/curated.jsonl"), "what was chosen can be looked at"


def test_what_was_paid_before_is_not_counted_again(free: World) -> None:
    one = world()
    assert go(one) == "DatasetReady"
    paid = one.paid
    set_budget(one, before_detection(free) * 0.98)
    assert go(one, number=2) == "DatasetReady"
    assert one.paid == paid


# ---- what a training needs is looked at before anything is paid -------------------------------------


def test_an_ended_base_model_stops_a_run_that_trains_unpaid() -> None:
    one = world(TRAINED, catalogue=ListedModels({CANVAS: datetime(2025, 9, 30, tzinfo=UTC)}))
    with pytest.raises(ModelRetiredError, match="end of life on 2025-09-30"):
        go(one)
    assert one.paid == (0, 0, 0)


def test_an_ended_base_model_disturbs_no_run_that_trains_nothing() -> None:
    one = world(catalogue=ListedModels({CANVAS: datetime(2025, 9, 30, tzinfo=UTC)}))
    assert go(one) == "DatasetReady"
    assert CANVAS not in one.catalogue.asked


def test_the_role_stops_a_run_and_its_base_model_is_written_down() -> None:
    with pytest.raises(TrainingAccessError, match="no trust"):
        go(world(TRAINED, roles=GivenRoles("There is no trust.")))
    one = world(TRAINED)
    go(one)
    assert one.roles.asked == [(ROLE_ARN, "bedrock.amazonaws.com")]
    assert [model.model_id for model in read_run(one.store, "run-1").models][-1] == CANVAS
