"""The base model: found, checked, and with what it says of its licence and of itself."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from huggingface_hub import ModelCard, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    IncompleteSnapshotError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)

from trainer.errors import WeightsMissingError, WeightsRefusedError
from trainer.job import Base
from trainer.places import Places

STAND_IN_FILE = "STAND-IN.txt"
"""In a folder of weights: they are no real model, and why; its first line is told wherever results are shown."""
HALF = "fp16"
"""The variant of weight files that is taken where there is one: half the size, and loaded in 16 bits anyway."""
LICENCES = {
    "openrail++": "CreativeML Open RAIL++-M",
    "creativeml-openrail-m": "CreativeML OpenRAIL-M",
    "apache-2.0": "Apache License 2.0",
    "mit": "MIT License",
}
"""Names of licences by the id that model cards use."""
KNOWN = {"stabilityai/stable-diffusion-xl-base-1.0": "openrail++"}
"""Licences of base models whose card may not be at hand."""


@dataclass(frozen=True)
class Part:
    """A folder that a model in diffusers' layout consists of."""

    folder: str
    kind: Literal["model", "tokenizer", "scheduler"]


@dataclass(frozen=True)
class Licence:
    """What the base model may be used for, as far as it says."""

    name: str
    link: str
    text: Path | None
    """Its wording, where it came with the weights."""


@dataclass(frozen=True)
class Weights:
    """A base model that is there."""

    name: str
    folder: Path
    variant: str | None
    """Of its weight files, as diffusers calls it."""
    licence: Licence
    stand_in: str
    """What it says of itself where it is no real model; else empty."""


def is_stand_in(folder: Path) -> bool:
    """Whether the weights in a folder say that they are no real model."""
    return (folder / STAND_IN_FILE).is_file()


def find_weights(base: Base, parts: Sequence[Part], places: Places) -> Weights:
    """Find the base model, and load it from the hub if need be.

    Raises:
        WeightsMissingError: It is not there, or not all of it; the message says what to put where.
        WeightsRefusedError: The hub does not give it.
    """
    if base.source == "folder":
        folder = places.weights
        missing = find_missing(folder, parts)
        if missing:
            raise WeightsMissingError(
                f"The base model {base.id} is not complete: {folder} lacks {', '.join(missing)}. "
                f"{_what_to_put(base, parts)}"
            )
    else:
        folder = _load_from_hub(base, parts)
    variant = HALF if _has_halves(folder, parts) else None
    stand_in = ""
    if is_stand_in(folder):
        stand_in = (folder / STAND_IN_FILE).read_text(encoding="utf-8").strip().splitlines()[0]
    return Weights(base.id, folder, variant, _licence(base, folder), stand_in)


def find_missing(folder: Path, parts: Sequence[Part]) -> list[str]:
    """Say what a folder lacks to be a model of these parts; empty where it is complete."""
    missing = [] if (folder / "model_index.json").is_file() else ["model_index.json"]
    is_half = _has_halves(folder, parts)
    for part in parts:
        own = folder / part.folder
        match part.kind:
            case "model":
                files = [own / "config.json"]
                if not is_half and not _has_weights(own, half=False):
                    missing.append(f"{part.folder}/*.safetensors")
            case "tokenizer":
                files = [own / "tokenizer_config.json"]
                if not (own / "tokenizer.json").is_file():
                    files += [own / "vocab.json", own / "merges.txt"]
            case "scheduler":
                files = [own / "scheduler_config.json"]
        missing += [f"{part.folder}/{file.name}" for file in files if not file.is_file()]
    return sorted(missing)


def _has_halves(folder: Path, parts: Sequence[Part]) -> bool:
    """Whether all weights are there in 16 bits: diffusers loads all parts in one variant."""
    return all(_has_weights(folder / part.folder, half=True) for part in parts if part.kind == "model")


def _has_weights(folder: Path, *, half: bool) -> bool:
    """Whether a part's weights are there, in one file or in all of its shards."""
    variant = rf"\.{HALF}" if half else ""
    name = re.compile(rf"(?:diffusion_pytorch_)?model{variant}(?:-\d+-of-(?P<count>\d+))?\.safetensors")
    found = [match for file in folder.glob("*.safetensors") if (match := name.fullmatch(file.name))]
    return any(match["count"] is None or len(found) == int(match["count"]) for match in found)


def _load_from_hub(base: Base, parts: Sequence[Part]) -> Path:
    """Load the files of a model, or find them in the cache; weights in 16 bits where the hub has them."""
    small = ["model_index.json", "LICENSE*", "README.md", STAND_IN_FILE]
    small += [f"{part.folder}/{pattern}" for part in parts for pattern in ("*.json", "*.txt")]
    models = [part.folder for part in parts if part.kind == "model"]
    said = ""
    for pattern in (f"*.{HALF}*.safetensors", "*.safetensors"):
        try:
            wanted = [*small, *(f"{name}/{pattern}" for name in models)]
            folder = Path(snapshot_download(base.id, allow_patterns=wanted))
        except IncompleteSnapshotError as error:
            # No answer from the hub, and the cache lacks some of it: of a licence, say, which is no reason to end.
            folder, said = Path(error.snapshot_path), _first_line(error)
        except (GatedRepoError, RepositoryNotFoundError, HFValidationError) as error:
            raise WeightsRefusedError(
                f"The model hub does not give {base.id}: there is no such model, or its terms have to be accepted "
                f"on its page and a token set in HF_TOKEN. {_first_line(error)}"
            ) from error
        except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
            raise WeightsMissingError(
                f"The base model {base.id} could not be loaded from the model hub, and is not in its cache here "
                f"({_first_line(error).partition('. ')[0][:200]}). {_what_to_put(base, parts)}"
            ) from error
        if not find_missing(folder, parts):
            return folder
    raise WeightsMissingError(
        f"Of the base model {base.id} the model hub, or this machine's cache of it, lacks "
        f"{', '.join(find_missing(folder, parts))}; weights are taken as safetensors only. {said} "
        f"{_what_to_put(base, parts)}"
    )


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else 'no message'}"


def _what_to_put(base: Base, parts: Sequence[Part]) -> str:
    """Say what to put where; short, since SageMaker shows the first 1024 characters of a failure."""
    of: dict[str, list[str]] = {"model": [], "tokenizer": [], "scheduler": []}
    for part in parts:
        of[part.kind].append(f"{part.folder}/")
    what = base.id if base.source == "hub" else "a model of this family"
    return (
        f"Without the model hub, put {what} below one S3 prefix and set `training.base_model: "
        "s3://<bucket>/<prefix>/`, or into a folder for `storycast train --local --weights DIR`: "
        f"model_index.json, LICENSE; config.json and *.safetensors in {', '.join(of['model'])}; "
        f"tokenizer_config.json, vocab.json and merges.txt in {', '.join(of['tokenizer'])}; "
        f"scheduler_config.json in {', '.join(of['scheduler'])}."
    )


def _licence(base: Base, folder: Path) -> Licence:
    texts = sorted(file for file in folder.glob("LICENSE*") if file.is_file())
    page = f"https://huggingface.co/{base.id}" if base.source == "hub" or base.id in KNOWN else ""
    licence_id, name, link = KNOWN.get(base.id, ""), "", ""
    card = folder / "README.md"
    if card.is_file():
        said = ModelCard.load(card, ignore_metadata_errors=True).data.to_dict()
        licence_id = str(said.get("license") or licence_id)
        name, link = str(said.get("license_name") or ""), str(said.get("license_link") or "")
    name = name or LICENCES.get(licence_id, licence_id)
    if not name and texts:
        name = next(
            (line.strip(" #*") for line in texts[0].read_text(encoding="utf-8").splitlines() if line.strip()), ""
        )
    return Licence(
        name=name or "unknown: the weights came without one",
        link=link or (f"{page}/blob/main/LICENSE.md" if base.id in KNOWN else page),
        text=texts[0] if texts else None,
    )
