"""What goes with an adapter: ``adapter.json`` for programs, a model card for people, the base model's licence."""

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from trainer.balance import Balance
from trainer.captions import Trigger
from trainer.job import Job
from trainer.pictures import Item
from trainer.places import ADAPTER_FILE, OTHER_PROGRAMS_FILE
from trainer.progress import write_json
from trainer.weights import Weights

FORMAT = "storycast-adapter-1"


@dataclass(frozen=True)
class Told:
    """What the card tells of."""

    job: Job
    weights: Weights
    device: str
    options: str
    triggers: Sequence[Trigger]
    balance: Balance
    items: Sequence[Item]
    held_out_before: Mapping[str, float]
    held_out_after: Mapping[str, float]
    warnings: Sequence[str]


def write_card(folder: Path, told: Told) -> None:
    """Write all that goes with an adapter into its folder."""
    job, weights = told.job, told.weights
    text = weights.licence.text
    if text is not None:
        shutil.copyfile(text, folder / text.name)
    write_json(
        folder / "adapter.json",
        {
            "format": FORMAT,
            "family": job.family,
            "base_model": weights.name,
            "rank": job.training.rank,
            "step_count": job.training.step_count,
            "characters": list(job.characters),
            "licence": {
                "name": weights.licence.name,
                "link": weights.licence.link,
                "file": "" if text is None else text.name,
            },
            "stand_in": weights.stand_in,
        },
    )
    (folder / "README.md").write_text(_card(told), encoding="utf-8")


def _card(told: Told) -> str:
    parts = [_head(told), _how_to(told), _triggers(told), _dataset(told), _training(told), _licence(told)]
    return "\n\n".join(part.strip("\n") for part in parts if part) + "\n"


def _head(told: Told) -> str:
    job, weights = told.job, told.weights
    lines = ["---", "library_name: diffusers", "tags: [text-to-image, lora, storycast]"]
    if job.base_model.source == "hub":
        lines.append(f"base_model: {job.base_model.id}")
    lines += ["---", "", f"# {job.project}: a LoRA adapter for {weights.name}", ""]
    if weights.stand_in:
        lines += [f"> **{weights.stand_in}** Nothing in this folder shows what a real training achieves.", ""]
    people = ", ".join(job.characters) or "nobody by name"
    lines.append(f"It draws {people}. It was trained by Storycast.")
    return "\n".join(lines)


def _how_to(told: Told) -> str:
    base = told.weights.name if told.job.base_model.source == "hub" else "FOLDER-OF-THE-BASE-MODEL"
    prompt = f"{told.job.characters[0]} on a hill at sunset" if told.job.characters else "a hill at sunset"
    return f"""
## Use it

In diffusers:

```python
import torch
from diffusers import StableDiffusionXLPipeline

pipeline = StableDiffusionXLPipeline.from_pretrained({base!r}, torch_dtype=torch.float16).to("cuda")
pipeline.load_lora_weights("FOLDER-OF-THIS-FILE", weight_name="{ADAPTER_FILE}")
pipeline({prompt!r}).images[0].save("panel.png")
```

In ComfyUI, Forge, A1111 and others that know kohya's names: put `{OTHER_PROGRAMS_FILE}` into their folder of LoRAs
(`models/loras`, `models/Lora`) and load it beside the base model, at strength 1."""


def _triggers(told: Told) -> str:
    if not told.triggers:
        return ""
    rows = [
        f"| {trigger.name} | {trigger.captions} of {trigger.pictures} "
        f"| {told.balance.shares.get(trigger.name, 0.0):.0%} |"
        for trigger in told.triggers
    ]
    head = "| name | captions that say it | share of what was seen |\n|---|---|---|\n"
    return "\n## Names to call in a prompt\n\n" + head + "\n".join(rows)


def _dataset(told: Told) -> str:
    learned = [item for item in told.items if not item.picture.held_out]
    held_out = len(told.items) - len(learned)
    buckets = Counter((item.fit.bucket.width, item.fit.bucket.height) for item in learned)
    sizes = ", ".join(f"{width}x{height} px: {count}" for (width, height), count in sorted(buckets.items()))
    balance = told.balance
    lines = [
        "\n## Dataset",
        "",
        f"{len(learned)} pictures, {balance.shared_pictures} of them with several characters; {held_out} more "
        f"were held out and only measured on. An epoch showed {sum(balance.repeats)} pictures, "
        f"{balance.shared_share:.0%} with several characters.",
        "",
        f"As they were trained on: {sizes}. "
        f"{sum(item.fit.is_enlarged for item in told.items)} were enlarged for it.",
    ]
    if told.warnings:
        lines += ["", "Mind:", "", *(f"- {warning}" for warning in told.warnings)]
    return "\n".join(lines)


def _training(told: Told) -> str:
    values = told.job.training
    lines = [
        "\n## Training",
        "",
        f"LoRA of rank {values.rank} on the attention of the denoiser, {values.step_count} steps of "
        f"{values.batch_size} at {values.resolution} px, learning rate {values.learning_rate:g}, "
        f"seed {values.seed}. {told.device}: {told.options}.",
    ]
    if told.held_out_before and told.held_out_after:
        lines += ["", "Loss on held-out shots, with the same noise each time:", "", "| shot | before | after |"]
        lines += ["|---|---|---|"]
        lines += [
            f"| {shot} | {loss:.4f} | {told.held_out_after[shot]:.4f} |"
            for shot, loss in told.held_out_before.items()
        ]
    return "\n".join(lines)


def _licence(told: Told) -> str:
    licence = told.weights.licence
    link = f": {licence.link}" if licence.link else ""
    text = f" Its wording is in [{licence.text.name}]({licence.text.name})." if licence.text is not None else ""
    return (
        "\n## Licence\n\n"
        f"The base model's: {licence.name}{link}.{text} It holds for this adapter and for what is drawn with it. "
        "The film's and the characters' rights are their owners'."
    )
