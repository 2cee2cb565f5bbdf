"""The price table: dated, sourced, and never silent about a price that it does not have."""

from datetime import date
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storycast.estimate import drawing
from storycast.model_ids import plain_model_id
from storycast.prices import price_table, usd
from storycast.settings import Settings, Storyboard

TABLE = price_table()


def test_the_table_is_dated_and_of_one_region() -> None:
    assert date(2026, 11, 1) <= date.fromisoformat(TABLE.as_of)
    assert TABLE.region == "us-east-1"
    assert TABLE.currency == "USD"


@pytest.mark.parametrize("price", TABLE.prices, ids=lambda price: f"{price.item}-{price.model}")
def test_each_price_has_an_amount_a_unit_and_a_source(price: object) -> None:
    assert price.usd > 0  # type: ignore[attr-defined]
    assert price.unit  # type: ignore[attr-defined]
    assert price.source  # type: ignore[attr-defined]


def test_no_price_stands_twice() -> None:
    named = [(price.item, price.model) for price in TABLE.prices]
    assert len(set(named)) == len(named)


def test_every_model_that_the_settings_name_by_default_has_a_confirmed_price() -> None:
    settings = Settings()
    for item, model in (
        ("embedding", settings.duplicates.embedding),
        ("input_token", settings.captions.model),
        ("output_token", settings.captions.model),
        ("training_picture", settings.training.model_id),
        ("hosting_hour", settings.training.model_id),
        (drawing(settings.storyboard), settings.training.model_id),
    ):
        price = TABLE.price(item, model)
        assert price.known, item
        assert price.confirmed, item


@pytest.mark.parametrize(("quality", "side_px"), list(product(("standard", "premium"), (512, 1024, 2048))))
def test_each_kind_of_picture_has_a_price(quality: str, side_px: int) -> None:
    board = Storyboard.model_validate({"quality": quality, "width": side_px, "height": side_px})
    assert TABLE.price(drawing(board), "amazon.nova-canvas-v1:0").known


def test_the_walk_throughs_training_costs_what_it_says() -> None:
    price = TABLE.price("training_picture", "amazon.nova-canvas-v1:0").usd
    assert 14_000 * 64 * price == pytest.approx(4480)


def test_a_model_without_a_price_is_counted_at_the_dearest_and_marked() -> None:
    price = TABLE.price("embedding", "maker.new-embed-v9")
    assert not price.known
    assert not price.confirmed
    assert price.usd == max(one.usd for one in TABLE.prices if one.item == "embedding")
    assert "No price of maker.new-embed-v9 is known" in price.source


def test_what_nobody_sells_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        TABLE.price("moonlight")


@pytest.mark.parametrize("profile", ["us.amazon.nova-pro-v1:0", "eu.amazon.nova-pro-v1:0", "amazon.nova-pro-v1:0"])
def test_an_inference_profile_costs_what_its_model_does(profile: str) -> None:
    assert plain_model_id(profile) == "amazon.nova-pro-v1:0"
    assert TABLE.price("input_token", profile).known
    assert TABLE.has("input_token", profile)
    assert TABLE.knows(profile)


def test_amounts_for_people_hide_no_small_sums() -> None:
    assert [usd(amount) for amount in (0, 0.0123, 0.5, 1, 4480, 60.5)] == [
        "$0.00",
        "$0.0123",
        "$0.5000",
        "$1.00",
        "$4,480.00",
        "$60.50",
    ]


@given(st.floats(0.0001, 1e7))
def test_an_amount_for_people_is_the_amount(amount: float) -> None:
    shown = float(usd(amount).removeprefix("$").replace(",", ""))
    assert shown == pytest.approx(amount, abs=0.005 if amount >= 1 else 0.00005)
