"""The base model: from a folder, from the hub, from its cache, and not at all."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from diffusers import StableDiffusionXLPipeline
from huggingface_hub import constants

from cases import Case
from hub import Hub
from trainer.errors import WeightsMissingError, WeightsRefusedError
from trainer.families import find_family
from trainer.job import Base
from trainer.places import Places
from trainer.tiny import MARK
from trainer.weights import STAND_IN_FILE, find_missing, find_weights

PARTS = find_family("sdxl").parts
MODEL = "films/tiny-sdxl"
FROM_HUB = Base(source="hub", id=MODEL)
FROM_FOLDER = Base(source="folder", id="s3://films/models/tiny/")


@pytest.fixture
def places(tmp_path: Path, weights: Path) -> Places:
    places = Places(tmp_path / "root")
    shutil.copytree(weights, places.weights)
    return places


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def online(monkeypatch: pytest.MonkeyPatch, places: Places) -> Iterator[Hub]:
    hub = Hub(places.weights, MODEL)
    go_online(monkeypatch, hub)
    yield hub
    hub.close()


def go_online(monkeypatch: pytest.MonkeyPatch, hub: Hub) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + "/{repo_id}/resolve/{revision}/{filename}"
    )


def test_a_folder_is_taken_as_it_is(places: Places) -> None:
    found = find_weights(FROM_FOLDER, PARTS, places)
    assert (found.folder, found.variant, found.name) == (places.weights, None, FROM_FOLDER.id)
    assert found.stand_in == f"{MARK}."
    (places.weights / STAND_IN_FILE).unlink()
    assert find_weights(FROM_FOLDER, PARTS, places).stand_in == ""


@pytest.mark.parametrize(
    ("gone", "missing"),
    [
        ("model_index.json", ["model_index.json"]),
        ("unet/diffusion_pytorch_model.safetensors", ["unet/*.safetensors"]),
        ("vae", ["vae/*.safetensors", "vae/config.json"]),
        ("tokenizer/tokenizer.json", ["tokenizer/merges.txt", "tokenizer/vocab.json"]),
        ("tokenizer_2", ["tokenizer_2/merges.txt", "tokenizer_2/tokenizer_config.json", "tokenizer_2/vocab.json"]),
        ("scheduler/scheduler_config.json", ["scheduler/scheduler_config.json"]),
    ],
)
def test_what_a_folder_lacks_is_told(places: Places, gone: str, missing: list[str]) -> None:
    path = places.weights / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert find_missing(places.weights, PARTS) == missing
    with pytest.raises(WeightsMissingError) as caught:
        find_weights(FROM_FOLDER, PARTS, places)
    for words in (*missing, "s3://films/models/tiny/", "training.base_model", "--weights DIR"):
        assert words in str(caught.value)


def test_shards_count_when_all_are_there(places: Places) -> None:
    whole = places.weights / "unet/diffusion_pytorch_model.safetensors"
    first = whole.with_name("diffusion_pytorch_model-00001-of-00002.safetensors")
    whole.rename(first)
    assert find_missing(places.weights, PARTS) == ["unet/*.safetensors"]
    shutil.copyfile(first, whole.with_name("diffusion_pytorch_model-00002-of-00002.safetensors"))
    assert find_missing(places.weights, PARTS) == []


def test_halves_are_taken_where_all_are_there(places: Places) -> None:
    StableDiffusionXLPipeline.from_pretrained(places.weights).save_pretrained(places.weights, variant="fp16")
    assert find_weights(FROM_FOLDER, PARTS, places).variant == "fp16"
    (places.weights / "vae/diffusion_pytorch_model.fp16.safetensors").unlink()
    assert find_weights(FROM_FOLDER, PARTS, places).variant is None


def test_from_the_hub_only_halves_are_loaded(places: Places, online: Hub) -> None:
    StableDiffusionXLPipeline.from_pretrained(places.weights).save_pretrained(places.weights, variant="fp16")
    (places.weights / "sd_xl_base.safetensors").write_bytes(b"of no use")
    found = find_weights(FROM_HUB, PARTS, places)
    assert found.variant == "fp16"
    assert found.licence.text is not None
    assert "LICENSE.md" in online.asked
    assert "unet/diffusion_pytorch_model.fp16.safetensors" in online.asked
    assert not {"unet/diffusion_pytorch_model.safetensors", "sd_xl_base.safetensors"} & online.asked


def test_from_the_hub_the_others_where_there_are_no_halves(
    places: Places, online: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = find_weights(FROM_HUB, PARTS, places)
    assert found.variant is None
    assert "unet/diffusion_pytorch_model.safetensors" in online.asked
    # And then without the hub.
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert find_weights(FROM_HUB, PARTS, places) == found
    (found.folder / "LICENSE.md").unlink()
    assert find_weights(FROM_HUB, PARTS, places).folder == found.folder


def test_a_cache_that_lacks_weights_is_told(places: Places, online: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    found = find_weights(FROM_HUB, PARTS, places)
    (found.folder / "unet/diffusion_pytorch_model.safetensors").unlink()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsMissingError, match=r"lacks unet/\*\.safetensors"):
        find_weights(FROM_HUB, PARTS, places)


@pytest.mark.parametrize("status", [403, 404])
def test_a_model_that_the_hub_does_not_give_is_told(
    places: Places, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    hub = Hub(places.weights, MODEL, status)
    go_online(monkeypatch, hub)
    try:
        with pytest.raises(WeightsRefusedError, match="HF_TOKEN"):
            find_weights(FROM_HUB, PARTS, places)
    finally:
        hub.close()


def test_a_name_that_can_be_no_model_is_told(places: Places) -> None:
    with pytest.raises(WeightsRefusedError, match="a/b/c"):
        find_weights(Base(source="hub", id="a/b/c"), PARTS, places)


def test_offline_without_a_cache_the_failure_says_what_to_put_where(case: Case) -> None:
    case.ask(base_model={"source": "hub", "id": "stabilityai/stable-diffusion-xl-base-1.0"})
    assert case.run() == 1
    failure = case.failure()
    assert failure.startswith("WeightsMissingError: The base model stabilityai/stable-diffusion-xl-base-1.0 ")
    for words in (
        "s3://<bucket>/<prefix>/",
        "--weights DIR",
        "*.safetensors in unet/",
        "scheduler_config.json",
        "LICENSE",
    ):
        assert words in failure
    # SageMaker shows this much of it.
    assert len(failure) < 1024


def test_a_hub_that_does_not_answer_is_as_none(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = Hub(places.weights, MODEL)
    hub.close()
    go_online(monkeypatch, hub)
    with pytest.raises(WeightsMissingError, match="could not be loaded from the model hub"):
        find_weights(FROM_HUB, PARTS, places)


def test_the_known_licence_is_told_without_its_card(places: Places) -> None:
    known = Base(source="folder", id="stabilityai/stable-diffusion-xl-base-1.0")
    (places.weights / "LICENSE.md").unlink()
    licence = find_weights(known, PARTS, places).licence
    assert licence.name == "CreativeML Open RAIL++-M"
    assert licence.link.startswith("https://")
    assert licence.text is None


def test_the_cards_licence_is_told(places: Places) -> None:
    card = "---\nlicense: other\nlicense_name: some-licence\nlicense_link: https://example.org/licence\n---\n"
    (places.weights / "README.md").write_text(card, encoding="utf-8")
    licence = find_weights(FROM_FOLDER, PARTS, places).licence
    assert (licence.name, licence.link) == ("some-licence", "https://example.org/licence")


def test_no_licence_is_told_as_such(places: Places) -> None:
    (places.weights / "LICENSE.md").unlink()
    assert find_weights(FROM_FOLDER, PARTS, places).licence.name == "unknown: the weights came without one"
