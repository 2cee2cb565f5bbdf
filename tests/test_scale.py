"""The page on scale has what its script prints, and its words say the same."""

import re

import pytest

from benchmarks import scale_film, scale_on_paper
from benchmarks.scale_film import DAY_S, DEFAULTS, FILM_MS, WEEK_S, asked_for, costs, films, most_at_once, needs
from benchmarks.scale_quotas import QUOTAS
from storycast.estimate import WORKFLOW_SPREAD, estimate
from storycast.settings import Concurrency


def test_the_tables_are_the_scripts() -> None:
    page = scale_on_paper.PAGE.read_text()
    assert page == scale_on_paper.written(page), "run `python -m benchmarks.scale_on_paper --write`"


def test_the_words_say_what_the_tables_say() -> None:
    page, figures = scale_on_paper.PAGE.read_text(), scale_on_paper.summary()
    one, unnamed = films()
    day, week = asked_for(one, DAY_S), asked_for(one, WEEK_S)
    for said in (
        f"up to ${figures['film_usd']:.2f}",
        f"${sum(costs(unnamed).values()):.2f} where nobody",
        f"about {figures['lora_hours']} hours",
        f"{figures['lambda_at_once_by_default']} frames at once with {figures['crops_a_frame']} crops",
        f"{figures['embeddings_a_minute_by_default']:,} embeddings a minute",
        f"it is asked {figures['labels_a_second_by_default']} times",
        f"makes {figures['history_events_of_the_longest_training']:,} of {DEFAULTS['history']:,} events",
        f"makes {one.crops:,.0f} embeddings",
        f"A caption takes {scale_film.caption_tokens():,.0f}",
        f"× {figures['frame_s']} s",
    ):
        assert said in page, said
    asked = page.partition("## What to ask AWS for")[2]
    for key in ("embeddings", "training_instances"):
        assert f"{day[key]:,.0f}" in asked
        assert f"{week[key]:,.0f}" in asked
    assert f"{day['detect_labels']:,.0f} for a thousand a day" in asked
    assert f"has less: {scale_film.with_headroom(needs(one, DAY_S)['caption_tokens']):,.0f}" in asked
    assert week["detect_labels"] == DEFAULTS["detect_labels"]


def test_what_is_advised_keeps_to_the_quotas() -> None:
    """The settings that the page names for small quotas ask for no more than these."""
    one = films()[0]
    page = scale_on_paper.PAGE.read_text()
    advised = int(re.findall(r"`concurrency: \{frames: (\d+)\}`", page)[0])
    assert advised <= most_at_once(one, "ExtractCharacters", DEFAULTS)[0] < Concurrency().frames
    elsewhere = DEFAULTS | {"detect_labels": 5.0}
    assert (
        int(re.findall(r"There `frames: (\d+)`", page)[0]) <= most_at_once(one, "ExtractCharacters", elsewhere)[0]
    )


@pytest.mark.parametrize("one", films(), ids=lambda one: one.name)
def test_counts_and_costs_are_the_estimates(one: scale_film.Film) -> None:
    expected = estimate(one.settings, [FILM_MS], reference_count=0)
    paid = sum(line.usd.high for line in expected.lines if line.stage != "workflow")
    workflow = next(line for line in expected.lines if line.stage == "workflow")
    assert sum(costs(one).values()) == pytest.approx(paid + workflow.usd.high / WORKFLOW_SPREAD[1])
    wanted = len(one.settings.characters) * one.settings.selection.images_per_character
    assert one.captions == pytest.approx(wanted or 0.7 * FILM_MS / 1000)


def test_what_is_asked_for_is_enough_and_nothing_else_is() -> None:
    one = films()[0]
    for seconds in (DAY_S, WEEK_S):
        taken, asked = needs(one, seconds), asked_for(one, seconds)
        assert set(taken) <= {quota.key for quota in QUOTAS}
        for key, value in taken.items():
            assert asked[key] >= value
            assert (asked[key] != DEFAULTS[key]) == (value > DEFAULTS[key])
