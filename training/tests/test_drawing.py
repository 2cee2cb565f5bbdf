"""Panels: who draws them, what their files say, what a panel that fails costs, and what is not drawn twice."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from trainer.drawing import Artist, PictureRefusedError, draw, is_recorded
from trainer.errors import AdapterMissingError, AdapterUnsuitableError, WeightsMissingError
from trainer.families import find_family
from trainer.families.sdxl_prompts import prompt_values, split_prompt
from trainer.job import Base, Job, Panel
from trainer.memory import Options
from trainer.picture_files import BAND
from trainer.places import ADAPTER_FILE, Places
from trainer.progress import Progress
from trainer.stopping import Stopped
from trainer.tiny import write_tiny_sdxl
from trainer.weights import STAND_IN_FILE, find_weights

CPU = Options("fp32", False, False, False, False)
SDXL = find_family("sdxl")
BASE = Base(source="folder", id="tiny")
LONG = " ".join(f"tree number {number}" for number in range(60))


def read(file: Path) -> Image.Image:
    with Image.open(file) as picture:
        picture.load()
        return picture


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    write_tiny_sdxl(folder)
    return folder


def put_adapter(tiny: Path, folder: Path, value: float | None = None) -> None:
    """Write an adapter that changes what is drawn; ``value`` in place of its weights."""
    weights = find_weights(BASE, SDXL.parts, Places(at(tiny, folder.parent / "making")))
    denoiser = SDXL.load_denoiser(weights, CPU, torch.device("cpu"), rank=4, seed=1)
    with torch.no_grad():
        for parameter in denoiser.parameters():
            parameter.normal_(0, 0.5) if value is None else parameter.fill_(value)
    denoiser.save_adapter(folder)
    (folder / "adapter.json").write_text(json.dumps({"format": "storycast-adapter-1", "family": "sdxl"}))


def at(tiny: Path, root: Path) -> Path:
    (root / "input/data").mkdir(parents=True, exist_ok=True)
    if not (root / "input/data/weights").exists():
        (root / "input/data/weights").symlink_to(tiny)
    return root


@pytest.fixture(scope="module")
def adapter(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("adapter") / "adapter"
    put_adapter(tiny, folder)
    return folder


@pytest.fixture
def places(tiny: Path, adapter: Path, tmp_path: Path) -> Places:
    places = Places(at(tiny, tmp_path / "root"))
    shutil.copytree(adapter, places.trained_adapter)
    places.make()
    return places


def panel(fingerprint: str, drawn_by: str = "trained", **fields: Any) -> Panel:
    values = {
        "fingerprint": fingerprint,
        "drawn_by": drawn_by,
        "prompt": "Bunny sits on a hill",
        "negative_prompt": "rain",
        "image_count": 1,
        "width_px": 128,
        "height_px": 64,
        "inference_steps": 2,
        "cfg_scale": 6.0,
        "seed": 5,
    }
    return Panel.model_validate({**values, **fields})


def run(places: Places, *panels: Panel, name: str = "a-job-h") -> Progress:
    job = Job(
        format="storycast-lora-1",
        name=name,
        task="draw",
        project="demo",
        family="sdxl",
        base_model=BASE,
        panels=panels,
    )
    progress = Progress(places.progress_file, "draw")
    draw(places, job, progress)
    return progress


def record(places: Places, fingerprint: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((places.panels / f"{fingerprint}.json").read_bytes())
    return found


def pixels(places: Places, name: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.asarray(read(places.panels / f"{name}.png"))


def without_band(places: Places, name: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return pixels(places, name)[:32]


def test_each_panel_has_its_pictures_and_its_record(places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    run(places, panel("aaa", image_count=2), panel("bbb", "base"))
    assert record(places, "aaa") == {
        "format": "storycast-panels-1",
        "fingerprint": "aaa",
        "pictures": ["aaa-0.png", "aaa-1.png"],
        "refused": "",
        "seconds": record(places, "aaa")["seconds"],
        "stand_in": "STAND-IN: an SDXL with random weights, which has learned nothing and draws noise.",
    }
    assert record(places, "aaa")["seconds"] > 0
    assert sorted(path.name for path in places.panels.iterdir()) == [
        *("aaa-0.png", "aaa-1.png", "aaa.json"),
        *("bbb-0.png", "bbb.json"),
    ]
    assert read(places.panels / "aaa-0.png").size == (128, 64)
    progress = json.loads(places.progress_file.read_bytes())
    assert (progress["phase"], progress["step"], progress["step_count"]) == ("done", 3, 3)
    assert progress["device"] == "CPU"
    assert progress["stand_in"].startswith("STAND-IN")
    assert "picture=3/3 pictures_per_second=" in capsys.readouterr().out


def test_a_picture_says_where_it_comes_from(places: Places) -> None:
    run(places, panel("aaa", prompt="Bunny – ein Hase", image_count=2), panel("bbb", "base", seed=9))
    texts = read(places.panels / "aaa-1.png").info
    assert texts["Software"] == "Storycast local stand-in: random weights, noise"
    assert texts["prompt"] == "Bunny – ein Hase"
    assert (texts["negative_prompt"], texts["seed"]) == ("rain", "6")
    assert texts["model"] == "an adapter (LoRA) of tiny, a-job-h"
    assert "this is no model" in texts["licence"]
    assert read(places.panels / "bbb-0.png").info["model"] == "tiny"


def test_noise_of_a_stand_in_has_a_band_and_real_pictures_have_none(
    tiny: Path, places: Places, tmp_path: Path
) -> None:
    run(places, panel("aaa", "base"))
    real = tmp_path / "real"
    shutil.copytree(tiny, real)
    (real / STAND_IN_FILE).unlink()
    other = Places(at(real, tmp_path / "other"))
    other.make()
    run(other, panel("aaa", "base"))
    assert read(other.panels / "aaa-0.png").info["Software"] == "Storycast"
    assert record(other, "aaa")["stand_in"] == ""
    changed = (pixels(places, "aaa-0") != pixels(other, "aaa-0")).any(axis=(1, 2))
    assert not changed[:32].any()
    assert changed[-8:].all(), BAND


def test_the_base_model_draws_as_if_there_were_no_adapter(tiny: Path, places: Places, tmp_path: Path) -> None:
    run(places, panel("aaa"), panel("bbb", "base"), panel("ccc"))
    alone = Places(at(tiny, tmp_path / "alone"))
    alone.make()
    run(alone, panel("bbb", "base"))
    np.testing.assert_array_equal(pixels(places, "bbb-0"), pixels(alone, "bbb-0"))
    np.testing.assert_array_equal(pixels(places, "aaa-0"), pixels(places, "ccc-0"))
    assert (without_band(places, "aaa-0") != without_band(places, "bbb-0")).mean() > 0.5


def test_a_picture_is_the_same_in_whatever_company(places: Places) -> None:
    run(places, panel("aaa", image_count=3), panel("bbb", seed=6), panel("ccc", seed=7, prompt="Frank"))
    np.testing.assert_array_equal(pixels(places, "aaa-1"), pixels(places, "bbb-0"))
    assert (without_band(places, "aaa-0") != without_band(places, "aaa-1")).mean() > 0.5
    assert (without_band(places, "aaa-2") != without_band(places, "ccc-0")).any()


@pytest.fixture(scope="module")
def pipeline(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    weights = find_weights(BASE, SDXL.parts, Places(at(tiny, tmp_path_factory.mktemp("pipeline"))))
    pipeline = SDXL.load_pipeline(weights, CPU, torch.device("cpu"))
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@pytest.mark.parametrize("negative", ["rain", ""])
def test_a_prompt_that_fits_is_read_as_the_pipeline_reads_it(pipeline: Any, negative: str) -> None:
    ours = Artist(SDXL, pipeline, False).draw(panel("aaa", "base", negative_prompt=negative), 0)
    theirs = pipeline(
        prompt="Bunny sits on a hill",
        negative_prompt=negative or None,
        width=128,
        height=64,
        num_inference_steps=2,
        guidance_scale=6.0,
        generator=torch.Generator("cpu").manual_seed(5),
        output_type="np",
    ).images[0]
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize(
    "prompt", [LONG, "ein Hase " * 80, "兎が丘の上に座って夕日を見ている。" * 12, "Bunny", ""]
)
def test_long_prompts_are_split_into_parts_that_fit_and_nothing_is_lost(pipeline: Any, prompt: str) -> None:
    parts = split_prompt([pipeline.tokenizer, pipeline.tokenizer_2], prompt)
    assert "".join("".join(parts).split()) == "".join(prompt.split())
    for part in parts:
        assert len(pipeline.tokenizer(part).input_ids) <= 77
    if len(prompt) < 20:
        assert parts == [prompt]
    else:
        assert len(parts) > 1
        # Not one word to a part, either.
        assert len(parts) <= 2 + len(pipeline.tokenizer(prompt, verbose=False).input_ids) // 60


def test_the_end_of_a_long_prompt_is_seen(pipeline: Any) -> None:
    artist = Artist(SDXL, pipeline, False)
    one = artist.draw(panel("aaa", "base", prompt=f"{LONG} at dusk"), 0)
    other = artist.draw(panel("aaa", "base", prompt=f"{LONG} underwater"), 0)
    assert np.abs(one - other).max() > 1e-4
    values = prompt_values(pipeline, LONG, "rain")
    assert values["prompt_embeds"].shape == values["negative_prompt_embeds"].shape
    tokenizers = [pipeline.tokenizer, pipeline.tokenizer_2]
    assert values["prompt_embeds"].shape[1] == 77 * len(split_prompt(tokenizers, LONG))
    longer = prompt_values(pipeline, "Bunny", LONG)
    assert longer["prompt_embeds"].shape == longer["negative_prompt_embeds"].shape


def test_what_is_recorded_is_not_drawn_again(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    panels = [panel("aaa"), panel("bbb", seed=2), panel("ccc", seed=3), panel("ddd", seed=4)]
    run(places, *panels)
    before = {path.name: path.read_bytes() for path in places.panels.glob("*.png")}
    times = {path.name: path.stat().st_mtime_ns for path in places.panels.iterdir()}
    (places.panels / "bbb.json").unlink()
    (places.panels / "ccc.json").write_text("{half of a rec")
    (places.panels / "ddd-0.png").unlink()
    assert [is_recorded(places.panels, one) for one in panels] == [True, False, False, False]
    run(places, *panels)
    assert {path.name: path.read_bytes() for path in places.panels.glob("*.png")} == before
    assert (places.panels / "aaa.json").stat().st_mtime_ns == times["aaa.json"]
    assert (places.panels / "bbb.json").stat().st_mtime_ns > times["bbb.json"]

    def unwanted(*_: Any) -> None:
        raise AssertionError("nothing is left to draw, so nothing needs to be loaded")

    monkeypatch.setattr("trainer.drawing.find_weights", unwanted)
    progress = run(places, *panels)
    assert json.loads(places.progress_file.read_bytes())["phase"] == "done"
    assert progress.warnings == ()


def test_an_interrupted_drawing_goes_on(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    original = Artist.draw

    def stop_at_third(self: Artist, panel: Panel, number: int) -> Any:
        drawn.append(panel.fingerprint)
        if len(drawn) == 3:
            raise Stopped
        return original(self, panel, number)

    monkeypatch.setattr(Artist, "draw", stop_at_third)
    panels = [panel("aaa"), panel("bbb", image_count=2), panel("ccc")]
    with pytest.raises(Stopped):
        run(places, *panels)
    assert [is_recorded(places.panels, one) for one in panels] == [True, False, False]
    drawn[:] = ["before"] * 3
    run(places, *panels)
    assert drawn[3:] == ["bbb", "bbb", "ccc"]
    assert all(is_recorded(places.panels, one) for one in panels)


def test_a_panel_that_can_not_be_drawn_costs_itself_alone(tiny: Path, places: Places) -> None:
    shutil.rmtree(places.trained_adapter)
    put_adapter(tiny, places.trained_adapter, float("nan"))
    progress = run(places, panel("aaa", image_count=2), panel("bbb", "base", height_px=68), panel("ccc", "base"))
    assert record(places, "aaa")["pictures"] == []
    assert record(places, "aaa")["refused"].startswith("Picture 1 came out as no numbers: the model diverged.")
    assert "divisible by 8" in record(places, "bbb")["refused"]
    assert (record(places, "ccc")["pictures"], record(places, "ccc")["refused"]) == (["ccc-0.png"], "")
    assert len(progress.warnings) == 3
    assert "'Bunny sits on a hill', trained model: Picture 2" in progress.warnings[1]
    # A refusal is an answer: it is not asked again.
    assert is_recorded(places.panels, panel("aaa", image_count=2))


class FakePipeline:
    """Does what it is told in place of drawing."""

    def __init__(self, *answers: Callable[[], Any]) -> None:
        self._answers = list(answers)
        self.vae = SimpleNamespace(enable_tiling=lambda: self.picked.append("tiling"))
        self.picked: list[str] = []

    def enable_attention_slicing(self) -> None:
        self.picked.append("slicing")

    def __call__(self, **_: Any) -> Any:
        return SimpleNamespace(images=[self._answers.pop(0)()])


def too_much() -> Any:
    raise torch.OutOfMemoryError("CUDA out of memory")


def picture() -> Any:
    return np.random.default_rng(0).random((64, 128, 3), dtype=np.float32)


def artist_with(*answers: Callable[[], Any]) -> tuple[Artist, FakePipeline]:
    family = SimpleNamespace(prompt_values=lambda *_: {}, call_values=lambda **_: {})
    fake = FakePipeline(*answers)
    return Artist(family, fake, False), fake  # type: ignore[arg-type]


def test_a_full_gpu_draws_in_pieces_and_then_gives_up_on_the_panel() -> None:
    artist, fake = artist_with(too_much, picture)
    np.testing.assert_array_equal(artist.draw(panel("aaa"), 0), picture())
    assert fake.picked == ["slicing", "tiling"]
    artist, _ = artist_with(too_much, too_much)
    with pytest.raises(PictureRefusedError, match="does not hold a picture of 128 x 64 px"):
        artist.draw(panel("aaa"), 0)


def test_a_black_picture_is_refused_and_a_fault_of_the_machine_is_not() -> None:
    artist, _ = artist_with(lambda: np.zeros((64, 128, 3), np.float32))
    with pytest.raises(PictureRefusedError, match="all one colour"):
        artist.draw(panel("aaa"), 0)

    def broken() -> Any:
        raise RuntimeError("CUDA error: device-side assert triggered")

    artist, _ = artist_with(broken)
    # It would befall all that follow: the job fails, and what is drawn is kept.
    with pytest.raises(RuntimeError, match="device-side"):
        artist.draw(panel("aaa"), 0)


def test_without_the_right_adapter_nothing_is_drawn(tiny: Path, places: Places, tmp_path: Path) -> None:
    known = places.trained_adapter / "adapter.json"
    known.write_text('{"family": "flux"}')
    with pytest.raises(AdapterUnsuitableError, match="models of the family flux; the job draws with sdxl"):
        run(places, panel("aaa"))
    known.unlink()
    from safetensors.torch import load_file, save_file

    file = places.trained_adapter / ADAPTER_FILE
    save_file({name: torch.cat([one, one]) for name, one in load_file(file).items()}, file)
    with pytest.raises(AdapterUnsuitableError, match="does not fit tiny"):
        run(places, panel("aaa"))
    file.unlink()
    with pytest.raises(AdapterMissingError, match=f"{ADAPTER_FILE} is missing"):
        run(places, panel("aaa"))
    # The base model needs none.
    run(places, panel("aaa", "base"))
    (places.root / "input/data/weights").unlink()
    with pytest.raises(WeightsMissingError):
        run(places, panel("bbb", "base"))
