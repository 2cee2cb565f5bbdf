"""``kohya``: folders with repeats and a ``.txt`` beside each picture, as kohya-ss/sd-scripts reads them.

Both of its ways are served: ``--train_data_dir train`` reads the repeats out of the folders' names,
``--dataset_config dataset_config.toml`` reads them out of that file.
"""

import json
from collections import defaultdict
from collections.abc import Sequence

from storycast.exports.file_names import FileNames
from storycast.exports.layout import ExportPicture, Layout, halves

CONFIG = "dataset_config.toml"
CAPTIONS = ".txt"
TRAIN, HELD_OUT = "train", "held_out"
CLASS = "character"
"""What everybody in the dataset is, for whoever trains with regularisation pictures of that class."""


def lay_out_kohya(pictures: Sequence[ExportPicture], repeats: Sequence[int], *, resolution: int) -> Layout:
    """Lay out folders ``train/<repeats>_<name> character``, ``held_out/`` and the configuration.

    Args:
        pictures: The dataset.
        repeats: How often each picture that is trained on is seen in an epoch, in their order.
        resolution: Side in px of a square picture as the model sees it.
    """
    trained_on, held_out = halves(pictures)
    folders: dict[tuple[tuple[str, ...], int], list[ExportPicture]] = defaultdict(list)
    for one, times in zip(trained_on, repeats, strict=True):
        # A picture of two characters lies in one folder, whomever it is of.
        folders[tuple(sorted(one.characters)), times].append(one)
    paths: dict[str, str] = {}
    texts: dict[str, str] = {}
    subsets: list[tuple[str, str, int]] = []
    folder_names = FileNames()
    for (characters, times), part in sorted(folders.items()):
        instance = " ".join((*characters, CLASS))
        folder = f"{TRAIN}/{folder_names.take(f'{times}_{instance}')}"
        _lay_out(folder, part, paths, texts)
        subsets.append((folder, instance, times))
    if held_out:
        _lay_out(HELD_OUT, held_out, paths, texts)
    texts[CONFIG] = _config(subsets, resolution)
    return Layout(paths, texts, _usage(bool(held_out), resolution), {})


def _lay_out(folder: str, part: Sequence[ExportPicture], paths: dict[str, str], texts: dict[str, str]) -> None:
    names = FileNames()
    for one in part:
        name = names.take_picture(one.name)
        paths[f"{folder}/{name}"] = one.name
        stem = name.rpartition(".")[0] or name
        # Only the first line of a file is read.
        texts[f"{folder}/{stem}{CAPTIONS}"] = " ".join(one.caption.split()) + "\n"


def _config(subsets: Sequence[tuple[str, str, int]], resolution: int) -> str:
    lines = [
        "# Paths are relative to this file's folder: start the trainer in it.",
        "",
        "[general]",
        f'caption_extension = "{CAPTIONS}"',
        "# Captions are sentences: shuffling or dropping words of them would break them.",
        "shuffle_caption = false",
        "",
        "[[datasets]]",
        f"resolution = {resolution}",
        "batch_size = 1",
        "# Pictures of fewer pixels are trained on as they are.",
        "enable_bucket = true",
        "bucket_no_upscale = true",
    ]
    for folder, instance, times in subsets:
        lines += [
            "",
            "  [[datasets.subsets]]",
            f"  image_dir = {_string(folder)}",
            f"  class_tokens = {_string(instance)}",
            f"  num_repeats = {times}",
        ]
    return "\n".join(lines) + "\n"


def _string(text: str) -> str:
    """Return a basic string of TOML, which escapes as JSON does, and the delete character as well."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _usage(has_held_out: bool, resolution: int) -> str:
    parts = [
        "Start the trainer of [kohya-ss/sd-scripts](https://github.com/kohya-ss/sd-scripts) in this folder, with "
        "either",
        f"```\n--dataset_config {CONFIG}\n```",
        f"or\n\n```\n--train_data_dir {TRAIN} --caption_extension {CAPTIONS} --resolution {resolution} "
        "--enable_bucket --bucket_no_upscale\n```",
        "The number before each folder's name is how often its pictures are seen in an epoch, by the rule of "
        "Storycast's own trainer: each character about as often, and nothing more than five times.",
    ]
    if has_held_out:
        parts.append(f"`{HELD_OUT}/` is not trained on: whole shots, to grade what is drawn.")
    return "\n\n".join(parts)
