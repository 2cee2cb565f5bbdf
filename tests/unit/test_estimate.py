"""Estimates: ranges that are narrow enough to decide by and wide enough to be true."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storycast.caption_prompt import repair_request, write_prompt
from storycast.caption_template import MAX_TOKENS
from storycast.cast import Cast, CastMember
from storycast.costs import costs
from storycast.estimate import (
    JOB_STOP_HOURS,
    REPAIRED_SHARE,
    WIDEST,
    Estimate,
    Range,
    captions_usd,
    drawing_hours,
    estimate,
    frames_usd,
    hosting_most_usd,
    hosting_usd,
    job_hour_usd,
    most_hours,
    storyboard_usd,
    training_hours,
    training_most_usd,
    training_usd,
)
from storycast.prices import price_table
from storycast.runs import ModelUsed, Run
from storycast.settings import Settings
from tests.fakes.workflow import NOW
from tests.unit.test_captions import image

CAST = [{"name": name, "references": [f"cast/{name}/*"]} for name in ("Mara", "Tom", "Ida", "Bo")]
TRAINED = {
    "training": {"target": "bedrock", "step_count": 500, "batch_size": 8},
    "budget_usd": 250,
    "storyboard": {"prompts": ["Mara at dawn", "Tom at dusk"]},
}


def settings(**changes: Any) -> Settings:
    return Settings.model_validate(changes)


def stage(expected: Estimate, name: str) -> Range:
    return sum((line.usd for line in expected.lines if line.stage == name), Range(0, 0))


@given(
    st.lists(st.integers(0, 7_200_000), min_size=1, max_size=5),
    st.floats(0.01, 60.0),
    st.integers(0, 6),
    st.integers(1, 1000),
    st.sampled_from(("none", "bedrock", "sagemaker")),
    st.integers(0, 40),
    st.floats(0.1, 72.0),
)
def test_no_range_is_wider_than_threefold(
    durations_ms: list[int],
    rate: float,
    characters: int,
    images: int,
    target: str,
    prompts: int,
    hours: float,
) -> None:
    asked = settings(
        characters=[{"name": f"C{number}", "references": ["a/*"]} for number in range(characters)],
        sampling={"frames_per_second": rate},
        selection={"images_per_character": images},
        training={"target": target, "max_hours": hours},
        storyboard={"prompts": ["a panel"] * prompts},
        hosting={"hours": hours},
    )
    expected = estimate(asked, durations_ms)
    for line in (*expected.lines,):
        assert 0 <= line.usd.low <= line.usd.high <= line.usd.low * WIDEST * (1 + 1e-9), line
    assert 0 < expected.total.low <= expected.total.high <= expected.total.low * WIDEST * (1 + 1e-9)
    json.dumps(expected.to_json())


@pytest.mark.parametrize(
    ("changes", "duration_ms", "counts"),
    [
        # A scene that hardly leaves its characters, many of them clear.
        ({"characters": CAST}, 40_000, {"frames_kept": 40, "crops": 80, "curated": 22}),
        # A film with titles, landscapes and two thirds of its frames empty, but a cast that fills its budget.
        ({"characters": CAST}, 600_000, {"frames_kept": 580, "crops": 400, "curated": 118, "segments": 10}),
        # A trailer whose cast nobody named.
        ({}, 120_000, {"frames_kept": 112, "crops": 60, "curated": 14, "segments": 2}),
    ],
)
def test_what_runs_did_cost_lies_within(changes: dict[str, Any], duration_ms: int, counts: dict[str, int]) -> None:
    expected = estimate(settings(**changes), [duration_ms])
    run = Run(
        run_id="r",
        project="p",
        status="dataset_ready",
        execution_arn="arn",
        started_at="2026-01-02",
        models=tuple(
            ModelUsed(model_id=model_id, name="", provider="Amazon")
            for model_id in ("amazon.titan-embed-image-v1", "amazon.nova-pro-v1:0")
        ),
        counts={
            "segments": 1,
            **counts,
            "paid_detections": counts["frames_kept"],
            "paid_embeddings": counts["crops"],
            "paid_captions": counts["curated"],
            "paid_input_tokens": 1_780 * counts["curated"],
            "paid_output_tokens": 45 * counts["curated"],
        },
    )
    assert expected.total.low <= costs(run, (), NOW).total_usd <= expected.total.high


@pytest.mark.parametrize("repaired_share", [0.0, 0.1, REPAIRED_SHARE])
def test_captions_cost_what_is_expected_with_as_many_repairs_as_are_reckoned_with(repaired_share: float) -> None:
    asked = settings(characters=CAST)
    expected = stage(estimate(asked, [40_000]), "caption_images")
    price = price_table().price
    read = 22 * (1_780 + repaired_share * (1_780 + 120))
    written = 22 * (1 + repaired_share) * 45
    usd = (
        read * price("input_token", asked.captions.model).usd
        + written * price("output_token", asked.captions.model).usd
    )
    assert expected.low <= usd <= expected.high <= 3 * expected.low + 1e-9


@pytest.mark.parametrize(
    "own",
    [
        None,
        "{in_picture} {words} {cast} " + "背景" * 2_000,
        "{in_picture} {words} " + "{cast} {examples} " * 40,
        "{words} " + "{in_picture} " * 1_000,
    ],
    ids=["default", "long", "looks and examples often", "names often"],
)
def test_no_caption_costs_more_than_the_bound_before_captioning(own: str | None) -> None:
    """The worst of it: a large picture, a full cast in it, two answers that are cut off, signs of a token each."""
    looks = "a very large, gentle and pale grey rabbit with long ears, small teeth and a torn waistcoat. " * 4
    people = [{"name": f"Character {number}", "description": looks[:400]} for number in range(4)]
    asked = settings(characters=people)
    cast = Cast(
        embedding_model="m",
        members=tuple(
            CastMember(name=one["name"], description=one["description"], labels=(), references=())
            for one in people
        ),
    )
    prompt = write_prompt(image(*(person["name"] for person in people)), cast, (20, 30), own)
    signs = prompt.user.count("背") + prompt.user.count("景")
    text = signs + (len(prompt.system) + len(prompt.user) - signs) / 3
    faults = [f"a fault that is told in some {number} words, as long as they may ever be" for number in range(7)]
    repair = len(repair_request(faults)) / 3
    read = 2 * (2_600 + text) + MAX_TOKENS + repair
    price = price_table().price
    usd = (
        read * price("input_token", asked.captions.model).usd
        + 2 * MAX_TOKENS * price("output_token", asked.captions.model).usd
    )
    assert usd <= captions_usd(asked, 1, own)
    assert captions_usd(asked, 7, own) == pytest.approx(7 * captions_usd(asked, 1, own))


def test_more_film_more_frames_and_more_pictures_cost_more() -> None:
    base = estimate(settings(characters=CAST), [60_000]).total.high
    assert estimate(settings(characters=CAST), [120_000]).total.high > base
    assert estimate(settings(characters=CAST), [60_000, 60_000]).total.high > base
    twice = settings(characters=CAST, sampling={"frames_per_second": 2})
    assert estimate(twice, [60_000]).total.high > base
    fewer = settings(characters=CAST, selection={"images_per_character": 3})
    assert estimate(fewer, [60_000]).total.high < base


def test_a_still_is_one_frame_whatever_the_rate() -> None:
    (detected,) = [line for line in estimate(settings(), [0, 0, 0]).lines if line.stage == "detect_characters"]
    assert detected.count.high == 3


def test_the_budget_of_pictures_bounds_the_captions() -> None:
    asked = settings(characters=CAST[:1], selection={"images_per_character": 10})
    captioned = stage(estimate(asked, [7_200_000]), "caption_images")
    assert captioned.high <= captions_usd(asked, 10)


def test_references_are_counted_where_somebody_did() -> None:
    def references(asked: Settings, count: int | None) -> float:
        return stage(estimate(asked, [1000], reference_count=count), "build_cast").high

    asked = settings(characters=CAST)
    assert references(asked, 12) == pytest.approx(12 * 0.00006)
    assert references(asked, None) > 0
    assert references(asked, 0) == 0
    assert references(settings(characters=CAST, detection={"methods": ["labels"]}), 12) == 0


def test_training_is_in_the_estimate_only_where_it_is_asked_for() -> None:
    stages = {line.stage for line in estimate(settings(storyboard={"prompts": ["a"]}), [1000]).lines}
    assert not stages & {"start_training", "provision_model", "draw_storyboard"}
    asked = settings(**TRAINED)
    expected = estimate(asked, [1000])
    assert stage(expected, "start_training") == training_usd(asked, None) == Range(20, 20)
    assert stage(expected, "provision_model") == hosting_usd(asked) == Range(60.5, 121)
    drawn = stage(expected, "draw_storyboard") + stage(expected, "grade_storyboard")
    assert drawn.high == pytest.approx(storyboard_usd(asked).high)


def test_nothing_is_hosted_without_prompts_and_nothing_trained_on_nothing() -> None:
    asked = settings(training={"target": "bedrock"}, budget_usd=1)
    assert hosting_usd(asked) == storyboard_usd(asked) == Range(0, 0)
    assert training_usd(asked, 0) == Range(0, 0)
    assert training_usd(asked, 5) == training_usd(asked, None)


@pytest.mark.parametrize(
    ("hours", "units", "high", "most"), [(0.5, 1, 60.5, 60.5), (2, 3, 363, 544.5), (72, 1, 121, 4416.5)]
)
def test_hosting_is_counted_by_begun_hours(hours: float, units: int, high: float, most: float) -> None:
    asked = settings(**{**TRAINED, "hosting": {"hours": hours, "model_units": units}})
    assert hosting_usd(asked) == Range(60.5 * units, high)
    assert hosting_most_usd(asked) == most


def test_larger_pictures_cost_more() -> None:
    def drawn(**board: Any) -> float:
        return storyboard_usd(settings(storyboard={"prompts": ["a"], "images_per_prompt": 1, **board})).high

    small, large = drawn(), drawn(width=2048, height=2048)
    assert large - small == pytest.approx(0.02)
    assert drawn(quality="standard") < small


def test_a_price_that_nobody_knows_is_told_and_counted() -> None:
    asked = settings(duplicates={"embedding": "maker.new-embed-v9"}, captions={"model": "amazon.nova-2-lite-v1:0"})
    expected = estimate(asked, [60_000])
    assert stage(expected, "crop_characters").low > 0
    assert any("No price of maker.new-embed-v9 is known" in note for note in expected.notes)
    assert any("amazon.nova-2-lite-v1:0 is not confirmed" in note for note in expected.notes)
    unknown = [line for line in expected.to_json()["lines"] if not line["price_known"]]
    assert [line["stage"] for line in unknown] == ["crop_characters"]
    assert "not paid again" in " ".join(expected.notes)
    unconfirmed = {line["stage"] for line in expected.to_json()["lines"] if not line["price_confirmed"]}
    assert unconfirmed == {"crop_characters", "caption_images", "workflow"}


def test_what_the_guards_count_is_no_less_than_the_estimate() -> None:
    asked = settings(characters=CAST)
    expected = estimate(asked, [60_000])
    looked_at = stage(expected, "detect_characters") + stage(expected, "crop_characters")
    assert frames_usd(asked, 60) >= looked_at.high - 1e-9
    assert captions_usd(asked, 45) >= stage(expected, "caption_images").high


def test_workers_of_amazon_a2i_cost_something_and_a_page_nothing() -> None:
    def shown(mode: str) -> list[float]:
        told = estimate(Settings.model_validate({"review": {"mode": mode}}), [60_000])
        return [line.usd.high for line in told.lines if line.stage == "start_human_reviews"]

    assert shown("page") == shown("auto") == []
    (most,) = shown("a2i")
    assert most == pytest.approx(0.08 * 0.7 * 60)


LORA = {
    "training": {"target": "sagemaker"},
    "budget_usd": 20,
    "storyboard": {"prompts": ["Mara at dawn", "Tom at dusk"]},
}


def test_a_training_on_sagemaker_is_billed_by_the_hour_and_hosts_nothing() -> None:
    asked = settings(**LORA)
    expected = estimate(asked, [1000])
    by_stage = {line.stage: line for line in expected.lines}
    assert by_stage["start_training"].unit == "hour"
    assert stage(expected, "start_training") == training_usd(asked, None) == training_hours(asked) * 1.408
    assert stage(expected, "provision_model") == hosting_usd(asked) == drawing_hours(asked) * 1.408
    assert "draw_storyboard" not in by_stage
    told = expected.to_json()
    assert any(
        "ml.g5.xlarge" in assumption and "not measured on that GPU" in assumption
        for assumption in told["assumptions"]
    )
    assert not any("hosting lasts" in assumption for assumption in told["assumptions"])
    assert any("spot capacity" in note for note in told["notes"])
    assert any("ml.g5.xlarge is not confirmed" in note for note in told["notes"])


def test_more_steps_larger_pictures_and_slower_gpus_take_longer() -> None:
    def hours(**training: Any) -> float:
        return training_hours(settings(training={"target": "sagemaker", **training})).high

    base = hours()
    assert hours(step_count=3000) > base
    assert hours(batch_size=2) == pytest.approx(hours(step_count=3000))
    assert hours(lora={"resolution": 512}) < base < hours(lora={"resolution": 1536})
    assert hours(lora={"instance_type": "ml.g6e.xlarge"}) < base < hours(lora={"instance_type": "ml.g4dn.xlarge"})
    assert hours(lora={"instance_type": "ml.z9.xlarge"}) >= hours(lora={"instance_type": "ml.g4dn.xlarge"})


def test_nothing_is_drawn_without_prompts_by_a_job_either() -> None:
    asked = settings(training={"target": "sagemaker"})
    assert drawing_hours(asked) == hosting_usd(asked) == Range(0, 0)
    assert training_usd(asked, 0) == Range(0, 0)


def test_an_instance_type_that_nobody_knows_is_counted_as_the_dearest_and_slowest() -> None:
    expected = estimate(
        settings(**{**LORA, "training": {"target": "sagemaker", "lora": {"instance_type": "ml.z9.large"}}}), [0]
    )
    (line,) = [line for line in expected.lines if line.stage == "start_training"]
    assert not line.price_known
    assert any("No price of ml.z9.large is known" in note and "slowest" in note for note in expected.notes)


@given(
    st.floats(0.01, 200.0),
    st.floats(0.0, 1.0),
    st.floats(0.01, 72.0),
    st.sampled_from(("ml.g4dn.xlarge", "ml.g5.xlarge", "ml.p5.48xlarge", "ml.z9.large")),
)
def test_a_job_that_runs_to_its_end_never_passes_what_is_left(
    budget_usd: float, share: float, asked_hours: float, instance_type: str
) -> None:
    asked = settings(
        training={"target": "sagemaker", "max_hours": asked_hours, "lora": {"instance_type": instance_type}},
        budget_usd=budget_usd,
    )
    left_usd = share * budget_usd
    hours = most_hours(asked, left_usd, asked_hours)
    assert 0 <= hours <= asked_hours
    if hours:
        assert (hours + JOB_STOP_HOURS) * job_hour_usd(asked) <= left_usd + 1e-9
    assert training_usd(asked, None).high <= (asked_hours + JOB_STOP_HOURS) * job_hour_usd(asked) + 1e-9
    assert training_most_usd(asked) <= budget_usd


def test_without_a_budget_a_job_runs_as_long_as_it_was_asked_to() -> None:
    assert most_hours(settings(training={"target": "sagemaker"}), 0.0, 5.0) == 5.0


@pytest.mark.parametrize("asked", [TRAINED, LORA])
def test_what_draws_nothing_costs_nothing_at_the_most(asked: dict[str, Any]) -> None:
    assert hosting_most_usd(settings(**asked)) > 0
    assert hosting_most_usd(settings(**{**asked, "storyboard": {}})) == 0


def test_a_drawing_job_costs_no_more_than_its_hours() -> None:
    asked = settings(**{**LORA, "hosting": {"hours": 0.1}})
    assert hosting_usd(asked).high <= hosting_most_usd(asked) == pytest.approx((0.1 + JOB_STOP_HOURS) * 1.408)
