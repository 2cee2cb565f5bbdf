"""An SDXL with random weights: the same architecture from its configuration classes, for tests and stand-ins.

It draws noise. The folder says so, and whatever is made with it repeats that.
"""

import argparse
import json
import pydoc_data.topics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from trainer.weights import STAND_IN_FILE

MARK = "STAND-IN: an SDXL with random weights, which has learned nothing and draws noise"
LICENSE = """# No licence is needed: this is no model

The weights in this folder are random numbers in the shape of Stable Diffusion XL. They stand in for a base model
in tests and on the embedded AWS. No weights of Stability AI are in it.
"""
TOKEN_LIMIT = 77
START, END = "<|startoftext|>", "<|endoftext|>"


@dataclass(frozen=True)
class Shape:
    """How large the parts are; the names are those of the configuration classes."""

    unet: dict[str, Any]
    vae: dict[str, Any]
    text: tuple[dict[str, Any], dict[str, Any]]
    vocabulary_size: int


TINY = Shape(
    unet={
        "block_out_channels": (8, 16, 32),
        "attention_head_dim": (2, 4, 8),
        "transformer_layers_per_block": (1, 1, 2),
        "layers_per_block": 1,
        "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": 6 * 8 + 32,
        "cross_attention_dim": 64,
        "norm_num_groups": 4,
        "sample_size": 32,
    },
    vae={"block_out_channels": (4, 4, 8, 8), "layers_per_block": 1, "norm_num_groups": 4, "sample_size": 64},
    text=(
        {"hidden_size": 32, "intermediate_size": 37, "num_hidden_layers": 2, "num_attention_heads": 4},
        {"hidden_size": 32, "intermediate_size": 37, "num_hidden_layers": 2, "num_attention_heads": 4},
    ),
    vocabulary_size=8000,
)
"""A few hundred kilobytes: milliseconds a step on a CPU."""

FULL = Shape(
    unet={
        "block_out_channels": (320, 640, 1280),
        "attention_head_dim": (5, 10, 20),
        "transformer_layers_per_block": (1, 2, 10),
        "layers_per_block": 2,
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 6 * 256 + 1280,
        "cross_attention_dim": 2048,
        "norm_num_groups": 32,
        "sample_size": 128,
    },
    vae={"block_out_channels": (128, 256, 512, 512), "layers_per_block": 2, "sample_size": 1024},
    text=(
        {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12},
        {"hidden_size": 1280, "intermediate_size": 5120, "num_hidden_layers": 32, "num_attention_heads": 20},
    ),
    vocabulary_size=49408,
)
"""The sizes of SDXL base 1.0: for measuring speed and memory, where weights do not matter."""


def write_tiny_sdxl(folder: Path, seed: int = 0) -> None:
    """Write a tiny SDXL in diffusers' layout; the same seed gives the same weights."""
    write_random_sdxl(folder, TINY, seed=seed)


def write_random_sdxl(
    folder: Path, shape: Shape, *, seed: int = 0, dtype: torch.dtype = torch.float32, device: str = "cpu"
) -> None:
    """Write an SDXL of a shape with random weights, in diffusers' layout.

    Args:
        folder: Where to; made if need be.
        shape: How large its parts are.
        seed: Of the weights.
        dtype: Of the weights in the files.
        device: Where the weights are drawn.
    """
    torch.manual_seed(seed)
    vocabulary, merges = _toy_vocabulary(shape.vocabulary_size)
    with torch.device(device):
        unet = UNet2DConditionModel(
            in_channels=4,
            out_channels=4,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            use_linear_projection=True,
            addition_embed_type="text_time",
            **shape.unet,
        )
        vae = AutoencoderKL(
            in_channels=3,
            out_channels=3,
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            latent_channels=4,
            scaling_factor=0.13025,
            force_upcast=True,
            **shape.vae,
        )
        encoders = [
            kind(
                CLIPTextConfig(
                    vocab_size=shape.vocabulary_size,
                    max_position_embeddings=TOKEN_LIMIT,
                    hidden_act=activation,
                    projection_dim=sizes["hidden_size"],
                    bos_token_id=vocabulary[START],
                    eos_token_id=vocabulary[END],
                    pad_token_id=vocabulary[END],
                    **sizes,
                )
            )
            for kind, activation, sizes in zip(
                (CLIPTextModel, CLIPTextModelWithProjection), ("quick_gelu", "gelu"), shape.text, strict=True
            )
        ]
    tokenizers = [CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=TOKEN_LIMIT) for _ in range(2)]
    pipeline = StableDiffusionXLPipeline(
        vae=vae.to(dtype=dtype),
        text_encoder=encoders[0].to(dtype),
        text_encoder_2=encoders[1].to(dtype),
        tokenizer=tokenizers[0],
        tokenizer_2=tokenizers[1],
        unet=unet.to(dtype=dtype),
        scheduler=EulerDiscreteScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            steps_offset=1,
            timestep_spacing="leading",
        ),
        add_watermarker=False,
    )
    pipeline.save_pretrained(folder)
    (folder / STAND_IN_FILE).write_text(f"{MARK}.\n", encoding="utf-8")
    (folder / "LICENSE.md").write_text(LICENSE, encoding="utf-8")


def _toy_vocabulary(size: int) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Learn a small vocabulary in the form of CLIP's from the documentation that comes with Python.

    Common words so become a token or two, as with the real one; what a caption says is as good as lost on it.
    """
    learner = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    learner.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    texts = [text.lower() for _, text in sorted(pydoc_data.topics.topics.items())]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    learner.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=min(size, TINY.vocabulary_size) - len(alphabet) - 2,
            initial_alphabet=alphabet,
            end_of_word_suffix="</w>",
            show_progress=False,
        ),
    )
    learned = sorted(learner.get_vocab().items(), key=lambda item: item[1])
    entries = [token for token, _ in learned]
    entries += [letter + "</w>" for letter in alphabet if letter + "</w>" not in dict(learned)]
    merges = [tuple(pair) for pair in json.loads(learner.to_str())["model"]["merges"]]
    return {token: number for number, token in enumerate([*entries, START, END])}, merges


def main() -> None:
    """Write a tiny SDXL from the command line."""
    parser = argparse.ArgumentParser(description="Write a tiny SDXL with random weights, for tests.")
    parser.add_argument("folder", type=Path)
    write_tiny_sdxl(parser.parse_args().folder)


if __name__ == "__main__":
    main()
