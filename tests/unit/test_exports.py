"""Exports: names that every system takes, layouts as their trainers read them, and cards."""

import json
import re
import tomllib
import unicodedata
from collections import Counter
from pathlib import PurePosixPath

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from trainer.balance import MOST_REPEATS, balance

from storycast.curation import CuratedImage
from storycast.dataset import DatasetImage
from storycast.dataset_card import RIGHTS
from storycast.exports.card import export_card, split_front
from storycast.exports.file_names import MAX_LENGTH, FileNames, safe_name
from storycast.exports.imagefolder import lay_out_imagefolder
from storycast.exports.kohya import lay_out_kohya
from storycast.exports.layout import ExportPicture, Layout, halves
from storycast.exports.manifests import lay_out_manifest, prefix_problem
from storycast.manifest import read_manifest

DEVICES = {"con", "prn", "aux", "nul", *(f"{one}{at}" for one in ("com", "lpt") for at in range(10))}


def picture(number: int, *names: str, held_out: bool = False, name: str = "", caption: str = "") -> ExportPicture:
    image = CuratedImage(
        crop_id=f"0123456789ab-{number:09d}-00",
        character=names[0],
        frame_id=f"0123456789ab-{number:09d}",
        frame_key="k",
        footage_id="0123456789ab",
        time_ms=number * 1000,
        shot=number,
        left_px=0,
        top_px=0,
        side_px=512,
        in_picture=names,
        framing="medium",
        enlarged=False,
        score=1.0,
        duplicates=(),
    )
    file = name or f"{number:03d}.png"
    text = caption or f"{names[0]} waits, number {number}"
    known = DatasetImage(
        file_name=file, caption=text, image=image, caption_by="a model", flags=(), held_out=held_out
    )
    return ExportPicture(file, f"s3://media/runs/r/dataset/images/{file}", text, held_out, known)


def stranger(name: str) -> ExportPicture:
    """A picture that the dataset's records do not tell of."""
    return ExportPicture(name, f"s3://media/{name}", "somebody waits", held_out=False, known=None)


def folders(layout: Layout) -> Counter[str]:
    return Counter(str(PurePosixPath(path).parent) for path in layout.pictures)


# ---- names ----------------------------------------------------------------------------------------


MOST_BYTES = 255
"""Of a name, on the file systems of Linux."""


@given(st.text(max_size=300), st.integers(20, MAX_LENGTH))
@example("うさぎ" * 40, MAX_LENGTH)
@example("🐇" * 100, MAX_LENGTH)
def test_a_safe_name_is_one_on_every_system(text: str, length: int) -> None:
    name = safe_name(text, max_length=length)
    assert 1 <= len(name) <= length
    assert len(name.encode()) <= MOST_BYTES
    assert not re.search(r'[<>:"/\\|?*\x00-\x1f\x7f]', name)
    assert name.isprintable()
    assert name == name.strip()
    assert not name.endswith(".")
    assert name.split(".")[0].strip().casefold() not in DEVICES
    assert safe_name(name, max_length=length) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Jürgen und Ольга", "Jürgen und Ольга"),
        ("うさぎ", "うさぎ"),
        ("a/b\\c:d", "a_b_c_d"),
        ("nul.png", "_nul.png"),
        ("COM1", "_COM1"),
        ("console", "console"),
        ("...", "_"),
        ("", "_"),
        (unicodedata.normalize("NFD", "Zoë"), "Zoë"),
    ],
)
def test_letters_stay_and_the_rest_becomes_legal(text: str, name: str) -> None:
    assert safe_name(text) == name


@given(
    st.lists(
        st.sampled_from(
            ["a.png", "A.PNG", "a.jpg", "b.png", "ß.png", "ss.png", "a-2.png", "x", "", "兎" * 120 + ".png"]
        )
    )
)
def test_no_two_names_of_a_folder_meet(names: list[str]) -> None:
    taken = FileNames()
    given_names = [taken.take_picture(name) for name in names]
    stems = [name.rpartition(".")[0].casefold() or name.casefold() for name in given_names]
    assert all(len(name.encode()) <= MOST_BYTES for name in given_names)
    assert len(set(stems)) == len(stems), "captions lie beside pictures by their stems"


# ---- manifests ------------------------------------------------------------------------------------


@pytest.mark.parametrize("keys", ["bedrock", "walkthrough"])
def test_a_manifest_names_the_pictures_where_they_will_be(keys: str) -> None:
    pictures = [picture(at, "Zoë", held_out=at == 3, name=f"zo ë {at}.png") for at in range(4)]
    layout = lay_out_manifest(pictures, keys=keys, bucket_prefix="s3://my-bucket/a b")  # type: ignore[arg-type]
    records, wrong = read_manifest(layout.texts["manifest.jsonl"].encode())
    assert wrong == {}
    uris = [one.image_uri for one in records.values()]
    assert uris == [f"s3://my-bucket/a b/images/zo ë {at}.png" for at in range(3)]
    assert all(uri.removeprefix("s3://my-bucket/a b/") in layout.pictures for uri in uris)
    (held,) = read_manifest(layout.texts["held_out.jsonl"].encode())[0].values()
    assert held.image_uri.endswith("3.png")
    assert "aws s3 cp --recursive . 's3://my-bucket/a b/'" in layout.usage
    has = set(json.loads(layout.texts["manifest.jsonl"].splitlines()[0]))
    assert has == ({"image-ref", "caption"} if keys == "bedrock" else {"image_ref", "alt_text"})


def test_without_a_prefix_a_manifest_names_the_runs_own_pictures() -> None:
    pictures = [picture(at, "Zoë") for at in range(2)]
    layout = lay_out_manifest(pictures, keys="bedrock", bucket_prefix=None)
    records, _ = read_manifest(layout.texts["manifest.jsonl"].encode())
    assert [one.image_uri for one in records.values()] == [one.uri for one in pictures]
    assert "held_out.jsonl" not in layout.texts


@pytest.mark.parametrize(
    ("prefix", "fits"),
    [
        ("s3://bucket", True),
        ("s3://bucket/a/b/", True),
        ("s3://bücket/", False),
        ("s3://b", False),
        ("bucket/a", False),
        ("s3://bucket//a", False),
        ("s3://bucket/a\nb", False),
        ("https://bucket.s3.amazonaws.com/", False),
    ],
)
def test_a_prefix_is_the_uri_of_a_folder_in_s3(prefix: str, fits: bool) -> None:
    assert (prefix_problem(prefix) == "") == fits


# ---- image folders --------------------------------------------------------------------------------


def test_an_image_folder_has_a_line_for_each_picture_of_a_split() -> None:
    pictures = [picture(at, "Ольга", "Zoë", held_out=at == 2) for at in range(4)]
    layout = lay_out_imagefolder(pictures)
    assert layout.splits == {"train": "train/**", "validation": "validation/**"}
    for split, count in (("train", 3), ("validation", 1)):
        rows = [json.loads(line) for line in layout.texts[f"{split}/metadata.jsonl"].splitlines()]
        assert [f"{split}/{row['file_name']}" for row in rows] == [
            path for path in layout.pictures if path.startswith(split)
        ]
        assert len(rows) == count
        assert rows[0]["characters"] == ["Ольга", "Zoë"]
    assert rows[0]["text"] == pictures[2].caption


def test_all_lines_have_the_same_columns_although_one_picture_is_unknown() -> None:
    layout = lay_out_imagefolder([picture(1, "Zoë"), stranger("x.png")])
    rows = [json.loads(line) for line in layout.texts["train/metadata.jsonl"].splitlines()]
    assert [set(row) for row in rows] == [{"file_name", "text"}] * 2
    assert "validation/metadata.jsonl" not in layout.texts


# ---- kohya ----------------------------------------------------------------------------------------


def as_read(layout: Layout) -> dict[str, int]:
    """Return the repeats by folder, which ``--train_data_dir train`` takes from before the first ``_``."""
    found = {}
    for folder in folders(layout):
        if not folder.startswith("train/"):
            continue
        times, _, words = folder.removeprefix("train/").partition("_")
        found[folder] = int(times)
        assert words
    return found


def lay_out(pictures: list[ExportPicture], resolution: int = 1024) -> Layout:
    repeats = balance([one.characters for one in halves(pictures)[0]]).repeats
    return lay_out_kohya(pictures, repeats, resolution=resolution)


def test_both_ways_of_kohya_read_the_same() -> None:
    rows = [("Zoë",)] * 6 + [("Ольга?",)] * 2 + [("Zoë", "Ольга?")]
    pictures = [picture(at, *names, held_out=at in (0, 6)) for at, names in enumerate(rows)]
    layout = lay_out(pictures)
    config = tomllib.loads(layout.texts["dataset_config.toml"])
    assert set(config) == {"general", "datasets"}
    (dataset,) = config["datasets"]
    assert dataset["resolution"] == 1024
    assert {one["image_dir"]: one["num_repeats"] for one in dataset["subsets"]} == as_read(layout)
    assert {one["class_tokens"] for one in dataset["subsets"]} == {
        "Zoë character",
        "Ольга? character",
        "Zoë Ольга? character",
    }
    assert config["general"] == {"caption_extension": ".txt", "shuffle_caption": False}
    assert folders(layout)["held_out"] == 2
    assert not any("held_out" in one["image_dir"] for one in dataset["subsets"])
    for path, name in layout.pictures.items():
        caption = next(one.caption for one in pictures if one.name == name)
        assert layout.texts[str(PurePosixPath(path).with_suffix(".txt"))] == caption + "\n"


@given(st.lists(st.sampled_from([("A",), ("B",), ("C",), ("A", "B"), ("B", "A"), ("A", "B", "C")]), max_size=40))
def test_each_picture_is_seen_as_often_as_by_our_own_trainer(casts: list[tuple[str, ...]]) -> None:
    pictures = [picture(at, *cast) for at, cast in enumerate(casts)]
    layout = lay_out(pictures)
    read = as_read(layout)
    seen = {name: read[str(PurePosixPath(path).parent)] for path, name in layout.pictures.items()}
    assert [seen[one.name] for one in pictures] == list(balance(casts).repeats)
    assert all(1 <= times <= MOST_REPEATS for times in read.values())


def test_characters_with_few_pictures_are_repeated() -> None:
    layout = lay_out([picture(at, "Zoë") for at in range(12)] + [picture(20 + at, "Tom") for at in range(4)])
    assert as_read(layout) == {"train/1_Zoë character": 1, "train/3_Tom character": 3}


def test_names_that_no_folder_could_have_do_not_meet() -> None:
    layout = lay_out([picture(0, "Who?"), picture(1, "Who:"), picture(2, "WHO*")])
    names = [folder.casefold() for folder in folders(layout)]
    assert len(set(names)) == 3
    config = tomllib.loads(layout.texts["dataset_config.toml"])
    told = [one["class_tokens"] for one in config["datasets"][0]["subsets"]]
    assert sorted(told) == ["WHO* character", "Who: character", "Who? character"]


@given(st.text(min_size=1, max_size=30))
def test_any_name_survives_the_configuration(name: str) -> None:
    layout = lay_out([picture(0, name)])
    config = tomllib.loads(layout.texts["dataset_config.toml"])
    (subset,) = config["datasets"][0]["subsets"]
    assert subset["class_tokens"] == f"{name} character"
    assert f"{subset['image_dir']}/000.png" in layout.pictures


def test_a_caption_of_several_lines_is_read_whole() -> None:
    layout = lay_out([picture(0, "Zoë", caption="Zoë waits\nby the  door")])
    assert layout.texts["train/1_Zoë character/000.txt"] == "Zoë waits by the door\n"


def test_pictures_of_nobody_known_are_seen_once() -> None:
    layout = lay_out([stranger("x.png"), stranger("y.png")])
    assert as_read(layout) == {"train/1_character": 1}


# ---- cards ----------------------------------------------------------------------------------------

CARD = (
    "---\nlicense: other\ntask_categories:\n- text-to-image\n---\n\n# Zoë\n\n"
    + RIGHTS
    + "\n\n## Split\n\nOther numbers.\n\n## What is in it\n\n"
    "| `images/` |\n\n## How to load it\n\n```\nstorycast export\n```\n\n## Captions\n\nText.\n"
)


def test_an_exports_card_begins_with_its_own_use_and_keeps_the_datasets() -> None:
    pictures = [picture(at, "Zoë", held_out=at == 0) for at in range(3)]
    card = export_card("film-1", "diffusers", pictures, lay_out_imagefolder(pictures), CARD)
    front, body = split_front(card)
    assert front["license"] == "other"
    assert front["configs"] == [
        {
            "config_name": "default",
            "data_files": [
                {"split": "train", "path": "train/**"},
                {"split": "validation", "path": "validation/**"},
            ],
        }
    ]
    assert re.findall(r"^#+ .*$", body, re.MULTILINE) == [
        "# film-1 for diffusers and datasets",
        "## Zoë",
        "### Captions",
    ]
    assert body.count("The rights in the pictures are those of the footage") == 1
    assert "2 pictures with captions to train on; 1 more, whole shots, are held out" in body
    assert "`images/`" not in body
    assert "storycast export" not in body
    assert "Other numbers" not in body
    assert body.endswith("Text.\n")


def test_a_card_without_a_head_or_with_a_broken_one_is_kept_as_it_is() -> None:
    assert split_front("# Title\n") == ({}, "# Title\n")
    broken = "---\n: [\n---\n# Title\n"
    assert split_front(broken) == ({}, broken)
    pictures = [picture(0, "Zoë")]
    card = export_card("film-1", "kohya", pictures, lay_out(pictures), "")
    assert card.startswith("# film-1 for kohya-ss/sd-scripts\n")


def test_the_head_of_a_card_is_valid_yaml() -> None:
    pictures = [picture(0, "Zoë")]
    card = export_card("film-1", "diffusers", pictures, lay_out_imagefolder(pictures), CARD)
    assert "1 pictures with captions, all to train on." in card
    assert yaml.safe_load(card.split("---\n")[1])["task_categories"] == ["text-to-image"]
