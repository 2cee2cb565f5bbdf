"""Prompts and captions of any length for SDXL: encoded part by part, and joined.

Its text encoders read 77 tokens at once. It is how most programs that draw with SDXL or train it read long ones;
what fits is encoded as the pipeline does it.
"""

from collections.abc import Sequence

import torch
from diffusers import StableDiffusionXLPipeline
from torch import Tensor
from transformers import CLIPTokenizer


def prompt_values(pipeline: StableDiffusionXLPipeline, prompt: str, negative_prompt: str) -> dict[str, Tensor]:
    """Encode a prompt and what shall not be in the picture, whole, as a call of the pipeline takes them."""
    tokenizers = [pipeline.tokenizer, pipeline.tokenizer_2]
    parts = split_prompt(tokenizers, prompt)
    negative_parts = split_prompt(tokenizers, negative_prompt)
    count = max(len(parts), len(negative_parts))
    # Without a negative prompt SDXL takes zeros, which is not the same as an empty one.
    negatives: Sequence[str | None] = [None] * count
    if negative_prompt:
        negatives = negative_parts + [""] * (count - len(negative_parts))
    with torch.no_grad():
        encoded = [
            pipeline.encode_prompt(prompt=part, negative_prompt=negative)
            for part, negative in zip(parts + [""] * (count - len(parts)), negatives, strict=True)
        ]
    return {
        "prompt_embeds": torch.cat([one[0] for one in encoded], dim=1),
        "negative_prompt_embeds": torch.cat([one[1] for one in encoded], dim=1),
        # One vector for all of it: that of the first part, where a prompt says what it is about.
        "pooled_prompt_embeds": encoded[0][2],
        "negative_pooled_prompt_embeds": encoded[0][3],
    }


def split_prompt(tokenizers: Sequence[CLIPTokenizer], prompt: str) -> list[str]:
    """Split a prompt or a caption between words into parts that each fit; one part where all of it fits.

    A word that is too long alone, as whole sentences are in scripts without spaces, is split between letters.
    """

    def fits(text: str) -> bool:
        return all(
            len(tokenizer(text, verbose=False).input_ids) <= int(tokenizer.model_max_length)
            for tokenizer in tokenizers
        )

    if fits(prompt):
        return [prompt]
    parts = [""]
    for word in prompt.split():
        joined = f"{parts[-1]} {word}".strip()
        if fits(joined):
            parts[-1] = joined
        elif fits(word):
            parts.append(word)
        else:
            for letter in word:
                if not fits(parts[-1] + letter):
                    parts.append("")
                parts[-1] += letter
    return parts
