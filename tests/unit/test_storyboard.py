"""What a storyboard asks for, what it pays for, and what it leaves behind."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storycast import keys
from storycast.errors import (
    DependencyUnavailableError,
    ModelMissingError,
    ModelNotAvailableError,
    PanelRefusedError,
    StorycastError,
    ThrottledError,
)
from storycast.images import png_text
from storycast.ports import Drawn
from storycast.stages.draw_storyboard import draw_storyboard
from storycast.storyboard import (
    MAX_SEED,
    STAND_IN_MARK,
    Panels,
    paid_panels,
    panel_requests,
    panels_are_paid,
    panels_key,
    run_panels_key,
)
from storycast.training import TrainingPlan
from tests.fakes.store import MemoryStore
from tests.unit.sessions import BASE, TRAINED_ARN, ToldImages, hosted, png, session_plan

PICTURE = png(np.full((8, 8, 3), 90))
PROMPTS = ["Mara by a river", "Mara and Pip on a hill"]
STORYBOARD: dict[str, Any] = {"prompts": PROMPTS, "images_per_prompt": 3, "base_images_per_prompt": 1}


def _plan(**storyboard: Any) -> TrainingPlan:
    return session_plan({"storyboard": {**STORYBOARD, **storyboard}})


def _store(plan: TrainingPlan) -> MemoryStore:
    store = MemoryStore()
    hosted(plan, store)
    return store


def _all() -> ToldImages:
    return ToldImages(
        {TRAINED_ARN: lambda asked: Drawn((PICTURE,) * asked.image_count), BASE: lambda _: Drawn((PICTURE,))}
    )


def _copy(store: MemoryStore, plan: TrainingPlan, drawn_by: Any, index: int = 0) -> Panels:
    return Panels.model_validate_json(store.get(run_panels_key(plan, index, drawn_by)))


# ---- requests -------------------------------------------------------------------------------------


def test_a_request_has_the_projects_values_and_one_seed_for_both_models() -> None:
    trained, base = panel_requests(_plan(width=1280, height=720, cfg_scale=6.5, quality="standard"), 1)
    assert (trained.drawn_by, base.drawn_by) == ("trained", "base")
    assert trained.request.model_dump(exclude={"seed"}) == {
        "prompt": PROMPTS[1],
        "negative_prompt": "text, ugly, blurry, distorted, low quality, pixelated, watermark, text, deformed",
        "image_count": 3,
        "width_px": 1280,
        "height_px": 720,
        "quality": "standard",
        "cfg_scale": 6.5,
    }
    assert base.request.image_count == 1
    assert trained.request.seed == base.request.seed
    assert trained.fingerprint != base.fingerprint


def test_no_base_pictures_are_asked_for_where_the_project_wants_none() -> None:
    (only,) = panel_requests(_plan(base_images_per_prompt=0), 0)
    assert only.drawn_by == "trained"


def test_the_projects_seed_goes_before_a_derived_one() -> None:
    assert {order.request.seed for order in panel_requests(_plan(seed=7), 0)} == {7}


@given(prompt=st.text(min_size=1, max_size=60).filter(str.strip), index=st.integers(0, 3))
def test_a_derived_seed_is_legal_and_always_the_same(prompt: str, index: int) -> None:
    plan = session_plan({"storyboard": {"prompts": [prompt] * 4}})
    seed = panel_requests(plan, index)[0].request.seed
    assert 1 <= seed <= MAX_SEED == 858_993_459
    assert panel_requests(plan, index)[0].request.seed == seed


def test_another_prompt_place_or_training_has_another_seed() -> None:
    plans = [_plan(), _plan(prompts=["Mara by a river"] * 2), _plan().model_copy(update={"fingerprint": "0" * 12})]
    seeds = {panel_requests(plan, index)[0].request.seed for plan in plans for index in (0, 1)}
    assert len(seeds) == 5  # the first prompt stands in the same place of two plans


def test_a_panels_fingerprint_does_not_know_the_session() -> None:
    other = _plan().model_copy(update={"session_id": "ffffff", "run_id": "other-20260102-abcdef"})
    assert panel_requests(other, 0) == panel_requests(_plan(), 0)


def test_a_prompt_that_is_not_there_is_an_index_error() -> None:
    with pytest.raises(IndexError):
        panel_requests(_plan(), 2)


# ---- drawing --------------------------------------------------------------------------------------


def test_pictures_and_records_are_kept_for_all_runs_and_copied_to_this_one() -> None:
    plan = _plan()
    store, images = _store(plan), _all()
    assert draw_storyboard(plan, 1, store=store, image_model=images) == {"pictures": 4, "refused": ""}
    assert images.models == [TRAINED_ARN, BASE]
    trained = panel_requests(plan, 1)[0]
    record = paid_panels(store, plan, trained)
    assert record is not None
    assert record.picture_keys == tuple(
        keys.panel_picture("film", plan.fingerprint, trained.fingerprint, number) for number in range(3)
    )
    assert (record.model_id, record.paid_by, record.composite) == (TRAINED_ARN, plan.session_id, False)
    folder = keys.run_file(plan.run_id, "storyboard/")
    assert [key.removeprefix(folder) for key in store.keys(folder)] == [
        "t0123abcd-02-base-1.png",
        "t0123abcd-02-base.json",
        "t0123abcd-02-trained-1.png",
        "t0123abcd-02-trained-2.png",
        "t0123abcd-02-trained-3.png",
        "t0123abcd-02-trained.json",
    ]
    copy = _copy(store, plan, "trained", 1)
    assert [store.get(key) for key in copy.picture_keys] == [PICTURE] * 3
    assert copy == record.model_copy(update={"picture_keys": copy.picture_keys})


def test_the_same_panels_are_paid_once_by_whichever_session() -> None:
    plan = _plan()
    store = _store(plan)
    draw_storyboard(plan, 0, store=store, image_model=_all())
    later = plan.model_copy(update={"session_id": "ffffff", "run_id": "again-20260103-abcdef"})
    nobody = ToldImages({})
    assert draw_storyboard(later, 0, store=store, image_model=nobody)["pictures"] == 4
    assert nobody.asked == []
    assert _copy(store, later, "trained").paid_by == plan.session_id


def test_panels_are_paid_when_the_trained_model_answered_every_prompt() -> None:
    plan = _plan()
    store = _store(plan)
    assert not panels_are_paid(store, plan)
    draw_storyboard(plan, 0, store=store, image_model=_all())
    assert not panels_are_paid(store, plan)
    no_base = ToldImages({TRAINED_ARN: Drawn((), "all blocked"), BASE: ModelNotAvailableError("ended")})
    draw_storyboard(plan, 1, store=store, image_model=no_base)
    assert panels_are_paid(store, plan)
    assert not panels_are_paid(store, _plan(seed=1))
    assert panels_are_paid(store, session_plan({}))


def test_a_damaged_record_is_none() -> None:
    plan = _plan()
    store = _store(plan)
    store.put(panels_key(plan, panel_requests(plan, 0)[0]), b"{", "application/json")
    assert not panels_are_paid(store, plan)
    assert draw_storyboard(plan, 0, store=store, image_model=_all())["pictures"] == 4


def test_a_refusal_is_a_result_and_not_asked_for_again() -> None:
    plan = _plan(base_images_per_prompt=0)
    store = _store(plan)
    refusing = ToldImages({TRAINED_ARN: PanelRefusedError("blocked by our content filters")})
    for _ in range(2):
        drawn = draw_storyboard(plan, 0, store=store, image_model=refusing)
        assert drawn == {"pictures": 0, "refused": "trained: blocked by our content filters"}
    assert len(refusing.asked) == 1
    record = _copy(store, plan, "trained")
    assert (record.picture_keys, record.paid_by) == ((), "")
    assert record.refused == "blocked by our content filters"


def test_a_partial_answer_keeps_what_there_is_and_the_reason() -> None:
    plan = _plan(base_images_per_prompt=0)
    store = _store(plan)
    partial = ToldImages({TRAINED_ARN: Drawn((PICTURE,), "2 pictures were blocked")})
    drawn = draw_storyboard(plan, 0, store=store, image_model=partial)
    assert drawn == {"pictures": 1, "refused": "trained: 2 pictures were blocked"}
    assert _copy(store, plan, "trained").paid_by == plan.session_id


@pytest.mark.parametrize(
    "error", [ModelNotAvailableError("it has ended"), ThrottledError("slowly"), DependencyUnavailableError("down")]
)
def test_a_base_model_that_does_not_answer_is_noted_and_asked_anew_later(error: StorycastError) -> None:
    plan = _plan()
    store = _store(plan)
    answers: dict[str, Any] = {TRAINED_ARN: Drawn((PICTURE,) * 3), BASE: error}
    drawn = draw_storyboard(plan, 0, store=store, image_model=ToldImages(answers))
    assert drawn == {"pictures": 3, "refused": f"base: {type(error).__name__}: {error}"}
    assert str(error) in _copy(store, plan, "base").refused
    again = _all()
    draw_storyboard(plan, 0, store=store, image_model=again)
    assert again.models == [BASE]
    assert _copy(store, plan, "base").refused == ""


@pytest.mark.parametrize(
    "error",
    [ModelNotAvailableError("no such hosting"), ThrottledError("slowly"), DependencyUnavailableError("down")],
)
def test_a_trained_model_that_does_not_answer_is_not_a_result(error: StorycastError) -> None:
    plan = _plan()
    store = _store(plan)
    with pytest.raises(type(error)):
        draw_storyboard(plan, 0, store=store, image_model=ToldImages({TRAINED_ARN: error}))
    assert store.keys("projects/") == []


def test_without_hosting_there_is_nothing_to_draw_with() -> None:
    with pytest.raises(ModelMissingError, match=r"training/t0123abcd/0a1b2c/hosting\.json names no hosting"):
        draw_storyboard(_plan(), 0, store=MemoryStore(), image_model=_all())


@pytest.mark.parametrize("content", [b"", b"no picture", PICTURE[:40]])
def test_a_picture_that_nobody_can_read_is_a_fault_of_the_service(content: bytes) -> None:
    plan = _plan()
    store = _store(plan)
    broken = ToldImages({TRAINED_ARN: Drawn((PICTURE, content))})
    with pytest.raises(DependencyUnavailableError, match="picture 2 of 2"):
        draw_storyboard(plan, 0, store=store, image_model=broken)
    assert store.keys("projects/") == []


class _CrashingStore(MemoryStore):
    """Dies at the nth write, once."""

    def __init__(self, crash_at: int) -> None:
        super().__init__()
        self.left = crash_at

    def put(self, key: str, content: bytes, content_type: str) -> None:
        self.left -= 1
        if self.left == 0:
            raise RuntimeError("the function was cut off")
        super().put(key, content, content_type)


@pytest.mark.parametrize("crash_at", range(1, 15))
def test_after_a_crash_at_any_write_at_most_that_one_call_is_paid_again(crash_at: int) -> None:
    plan = _plan()
    store = _CrashingStore(0)
    hosted(plan, store)
    store.left = crash_at
    images = _all()
    try:
        draw_storyboard(plan, 0, store=store, image_model=images)
    except RuntimeError:
        draw_storyboard(plan, 0, store=store, image_model=images)
    assert 2 <= len(images.asked) <= 3
    for drawn_by, count in (("trained", 3), ("base", 1)):
        copy = _copy(store, plan, drawn_by)
        assert [store.get(key) for key in copy.picture_keys] == [PICTURE] * count
    folder = f"projects/film/models/{plan.fingerprint}/panels/"
    assert len(store.keys(folder)) == 4 + 2


@pytest.mark.parametrize(
    ("software", "composite"),
    [(f"{STAND_IN_MARK} composite", True), (f"{STAND_IN_MARK} composite 2", True), ("Other", False), ("", False)],
)
def test_a_composite_is_known_by_its_text(software: str, composite: bool) -> None:
    plan = _plan(base_images_per_prompt=0)
    store = _store(plan)
    picture = png(np.zeros((8, 8, 3)), software)
    draw_storyboard(plan, 0, store=store, image_model=ToldImages({TRAINED_ARN: Drawn((picture,))}))
    assert _copy(store, plan, "trained").composite is composite


def test_a_text_is_read_from_pngs_alone() -> None:
    assert png_text(png(np.zeros((4, 4, 3)), "me"), "Software") == "me"
    assert png_text(png(np.zeros((4, 4, 3)), "me"), "Author") == ""
    assert png_text(b"\xff\xd8 no PNG", "Software") == ""
    assert png_text(png(np.zeros((64, 64, 3)), "me")[:60], "Software") == ""
