"""SDXL's own part: encoded as its pipeline encodes, and weighted as the paper says."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DDPMScheduler, StableDiffusionXLPipeline
from diffusers.training_utils import compute_snr
from torch import Tensor, nn

from trainer.families import Example, find_family
from trainer.families.sdxl import MIN_SNR_GAMMA
from trainer.families.sdxl_prompts import prompt_values
from trainer.job import Base
from trainer.memory import pick
from trainer.order import draws_and_noise
from trainer.places import Places
from trainer.weights import Weights, find_weights

SDXL = find_family("sdxl")
CPU = pick(0, supports_bf16=False, has_bitsandbytes=False, resolution=64, batch_size=1)
DEVICE = torch.device("cpu")
CAPTION = "Bunny stands in a meadow and looks at Frank, who isn't there."


def find(folder: Path, root: Path) -> Weights:
    places = Places(root)
    places.weights.parent.mkdir(parents=True)
    shutil.copytree(folder, places.weights)
    return find_weights(Base(source="folder", id="tiny"), SDXL.parts, places)


@pytest.fixture
def found(weights: Path, tmp_path: Path) -> Weights:
    return find(weights, tmp_path)


@pytest.mark.parametrize("caption", [CAPTION, ""])
def test_captions_are_encoded_as_the_pipeline_does(found: Weights, caption: str) -> None:
    pipeline = StableDiffusionXLPipeline.from_pretrained(found.folder)
    hidden, _, pooled, _ = pipeline.encode_prompt(caption, do_classifier_free_guidance=False)
    encoded = SDXL.load_encoders(found, CPU, DEVICE).encode_caption(caption)
    assert torch.equal(encoded["hidden"], hidden[0])
    assert torch.equal(encoded["pooled"], pooled[0])


def test_pictures_are_encoded_as_the_vae_does(found: Weights) -> None:
    pipeline = StableDiffusionXLPipeline.from_pretrained(found.folder)
    pixels = torch.rand(3, 64, 96) * 2 - 1
    moments = SDXL.load_encoders(found, CPU, DEVICE).encode_picture(pixels)
    with torch.no_grad():
        expected = pipeline.vae.encode(pixels[None]).latent_dist
    assert moments.shape == (2, 4, 8, 12)
    assert torch.equal(moments[0], expected.mean[0])
    assert torch.equal(moments[1], expected.std[0])


def test_long_captions_are_encoded_as_long_prompts_are(found: Weights) -> None:
    caption = f"{'Bunny runs over a hill. ' * 20} It snows"
    pipeline = StableDiffusionXLPipeline.from_pretrained(found.folder)
    drawn = prompt_values(pipeline, caption, "")
    encoded = SDXL.load_encoders(found, CPU, DEVICE).encode_caption(caption)
    assert len(encoded["hidden"]) > 77
    assert torch.equal(encoded["hidden"], drawn["prompt_embeds"][0])
    assert torch.equal(encoded["pooled"], drawn["pooled_prompt_embeds"][0])


def test_a_short_caption_beside_a_long_one_is_filled_up_with_nothing(found: Weights) -> None:
    encoders = SDXL.load_encoders(found, CPU, DEVICE)
    short, long = (encoders.encode_caption(caption) for caption in ("Bunny", "Bunny " * 100))
    shown = [replace(one, conditions=two) for one, two in zip(examples(2), (short, long), strict=True)]
    network = Says()
    draws, noise = draws_and_noise(1, "noise", 0, 2, (4, 8, 8))
    SDXL.load_denoiser(found, CPU, DEVICE, rank=4, seed=1).losses(network, shown, draws, noise)
    nothing = encoders.encode_caption("")["hidden"]
    parts = len(long["hidden"]) // 77
    assert parts > 1
    assert torch.equal(network.hidden[0], torch.cat([short["hidden"], *[nothing] * (parts - 1)]))
    assert torch.equal(network.hidden[1], long["hidden"])


def test_tokenizers_in_the_form_of_the_real_ones_read_the_same(found: Weights) -> None:
    """SDXL's own folder has vocab.json and merges.txt, and its second tokenizer pads with another token."""
    expected = SDXL.load_encoders(found, CPU, DEVICE).encode_caption(CAPTION)
    for name, pad in (("tokenizer", "<|endoftext|>"), ("tokenizer_2", "!</w>")):
        folder = found.folder / name
        model = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]
        for file in folder.iterdir():
            file.unlink()
        (folder / "vocab.json").write_text(json.dumps(model["vocab"]), encoding="utf-8")
        merges = "\n".join(" ".join(pair) for pair in model["merges"])
        (folder / "merges.txt").write_text(f"#version: 0.2\n{merges}\n", encoding="utf-8")
        tokens = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"}
        config = {**tokens, "pad_token": pad, "model_max_length": 77, "tokenizer_class": "CLIPTokenizer"}
        (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    encoded = SDXL.load_encoders(found, CPU, DEVICE).encode_caption(CAPTION)
    # All but the second encoder's padding is the same.
    assert torch.allclose(encoded["pooled"], expected["pooled"], atol=1e-5)
    assert torch.allclose(encoded["hidden"][:20], expected["hidden"][:20], atol=1e-5)


class Says(nn.Module):
    """A network that predicts zero, and notes what it was told."""

    def forward(self, noisy: Tensor, steps: Tensor, hidden: Tensor, **given: Any) -> tuple[Tensor]:
        self.steps, self.hidden, self.given = steps, hidden, given
        return (torch.zeros_like(noisy),)


def examples(count: int) -> list[Example]:
    conditions = {"hidden": torch.zeros(77, 64), "pooled": torch.zeros(32), "nothing": torch.zeros(77, 64)}
    sizes = torch.tensor([500.0, 1000.0, 16.0, 0.0, 64.0, 64.0])
    return [Example(torch.rand(2, 4, 8, 8), conditions, sizes) for _ in range(count)]


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_losses_are_weighted_by_min_snr(found: Weights, prediction: str) -> None:
    config = found.folder / "scheduler/scheduler_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"prediction_type": prediction}))
    denoiser = SDXL.load_denoiser(found, CPU, DEVICE, rank=4, seed=1)
    network, shown = Says(), examples(4)
    draws = torch.tensor([0.0, 0.25, 0.5, 0.9995], dtype=torch.float64)
    _, noise = draws_and_noise(1, "noise", 0, 4, (4, 8, 8))
    losses = denoiser.losses(network, shown, draws, noise)
    assert network.steps.tolist() == [0, 250, 500, 999]
    assert network.given["added_cond_kwargs"]["time_ids"][0].tolist() == [500, 1000, 16, 0, 64, 64]
    scheduler = DDPMScheduler.from_pretrained(found.folder, subfolder="scheduler")
    snr = compute_snr(scheduler, network.steps)
    latents = (
        torch.stack([one.moments[0] + one.moments[1] * noise[0][at] for at, one in enumerate(shown)]) * 0.13025
    )
    if prediction == "epsilon":
        target, weight = noise[1], snr.clamp(max=MIN_SNR_GAMMA) / snr
    else:
        target = scheduler.get_velocity(latents, noise[1], network.steps)
        weight = snr.clamp(max=MIN_SNR_GAMMA) / (snr + 1)
    assert torch.allclose(losses, (target**2).mean(dim=(1, 2, 3)) * weight)


def test_only_lora_is_trained_and_begins_as_nothing(found: Weights) -> None:
    denoiser = SDXL.load_denoiser(found, CPU, DEVICE, rank=4, seed=1)
    state = denoiser.adapter_state()
    assert len(denoiser.parameters()) == len(state)
    assert all(tensor.dtype == torch.float32 for tensor in state.values())
    assert all(torch.all(tensor == 0) for name, tensor in state.items() if "lora_B" in name)
    assert all(torch.any(tensor != 0) for name, tensor in state.items() if "lora_A" in name)
