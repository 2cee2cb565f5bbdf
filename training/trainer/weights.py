"""The base model: found, checked, and with what it says of its licence and of itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from huggingface_hub import ModelCard, snapshot_download
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError

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
    models = [part.folder for part in parts if part.kind == "model"]
    halves = all(any((folder / name).glob(f"*.{HALF}*.safetensors")) for name in models)
    marker = folder / STAND_IN_FILE
    stand_in = marker.read_text(encoding="utf-8").strip().splitlines()[0] if marker.is_file() else ""
    return Weights(base.id, folder, HALF if halves else None, _licence(base, folder), stand_in)


def find_missing(folder: Path, parts: Sequence[Part]) -> list[str]:
    """Say what a folder lacks to be a model of these parts; empty where it is complete."""
    missing = [] if (folder / "model_index.json").is_file() else ["model_index.json"]
    for part in parts:
        own = folder / part.folder
        match part.kind:
            case "model":
                files = [own / "config.json"]
                if not any(own.glob("*.safetensors")):
                    missing.append(f"{part.folder}/*.safetensors")
            case "tokenizer":
                files = [own / "tokenizer_config.json"]
                if not (own / "tokenizer.json").is_file():
                    files += [own / "vocab.json", own / "merges.txt"]
            case "scheduler":
                files = [own / "scheduler_config.json"]
        missing += [f"{part.folder}/{file.name}" for file in files if not file.is_file()]
    return sorted(missing)


def _load_from_hub(base: Base, parts: Sequence[Part]) -> Path:
    """Load the files of a model, or find them in the cache; weights in 16 bits where the hub has them."""
    small = ["model_index.json", "LICENSE*", "README.md", STAND_IN_FILE]
    small += [f"{part.folder}/{pattern}" for part in parts for pattern in ("*.json", "*.txt")]
    models = [part.folder for part in parts if part.kind == "model"]
    missing = ["all of it"]
    for weights in (
        [f"{name}/*.{HALF}*.safetensors" for name in models],
        [f"{name}/*.safetensors" for name in models],
    ):
        try:
            folder = Path(snapshot_download(base.id, allow_patterns=[*small, *weights]))
        except (GatedRepoError, RepositoryNotFoundError) as error:
            raise WeightsRefusedError(
                f"The model hub does not give {base.id}: there is no such model, or its terms have to be accepted "
                f"on its page and a token set in HF_TOKEN. {_first_line(error)}"
            ) from error
        # Without an answer from the hub this raises where the cache has nothing of the model.
        except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
            raise WeightsMissingError(
                f"The base model {base.id} is not in the cache of this machine, and the model hub cannot be "
                f"reached ({_first_line(error)}). {_what_to_put(base, parts)}"
            ) from error
        missing = find_missing(folder, parts)
        if not missing:
            return folder
    raise WeightsMissingError(
        f"The base model {base.id} from the hub, or what the cache of this machine has of it, lacks "
        f"{', '.join(missing)}: only weights in safetensors are taken. {_what_to_put(base, parts)}"
    )


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else 'no message'}"


def _what_to_put(base: Base, parts: Sequence[Part]) -> str:
    needed = ["model_index.json"]
    for part in parts:
        match part.kind:
            case "model":
                needed += [f"{part.folder}/config.json", f"{part.folder}/*.safetensors"]
            case "tokenizer":
                needed += [f"{part.folder}/tokenizer_config.json, vocab.json and merges.txt"]
            case "scheduler":
                needed += [f"{part.folder}/scheduler_config.json"]
    what = base.id if base.source == "hub" else "a model of this family"
    return (
        f"Without the model hub, put these files of {what} below one S3 prefix and name it in the project file as "
        f"`training.base_model: s3://<bucket>/<prefix>/`, or into one folder of this machine and name that with "
        f"`storycast train --local --weights DIR`: {'; '.join(needed)}; and its LICENSE."
    )


def _licence(base: Base, folder: Path) -> Licence:
    texts = sorted(file for file in folder.glob("LICENSE*") if file.is_file())
    page = f"https://huggingface.co/{base.id}" if base.source == "hub" else ""
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
