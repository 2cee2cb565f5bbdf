"""The dataset's card: a valid head, tables that hold whatever names there are, and nothing that is not so."""

import re
from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from storycast.curation import CuratedImage
from storycast.dataset import DatasetImage, with_split
from storycast.dataset_card import CardFacts, dataset_card
from storycast.decisions import Change, Decision
from storycast.footage import FootageSource, Probe
from storycast.runs import ModelUsed, Run
from storycast.settings import Settings

CAPTIONER = ModelUsed(model_id="amazon.nova-pro-v1:0", name="Nova Pro", provider="Amazon")
SOURCE = FootageSource(footage_id="f1", name="a|film.mp4", key="k", size_bytes=1_234_567, etag="0a1b2c")
PROBE = Probe(
    footage_id="f1",
    container="mp4",
    codec="h264",
    width_px=1280,
    height_px=720,
    duration_ms=3_725_000,
    frames_per_second=24.0,
    fingerprint="x",
)


def run(**fields: Any) -> Run:
    base = {
        "run_id": "film-1",
        "project": "film",
        "status": "dataset_ready",
        "execution_arn": "a",
        "started_at": "2026-11-22T12:00:00+00:00",
        "footage": (SOURCE,),
        "models": (CAPTIONER,),
        "chosen": {"threshold_source": "set in the project file", "duplicates_threshold": 0.9},
    }
    return Run.model_validate({**base, **fields})


def image(number: int, name: str = "Mara", *others: str, **fields: Any) -> DatasetImage:
    curated = CuratedImage(
        crop_id=f"c{number}",
        character=name,
        frame_id=f"f{number}",
        frame_key="k",
        footage_id="f1",
        time_ms=number,
        shot=number // 2,
        left_px=0,
        top_px=0,
        side_px=512,
        in_picture=(name, *others),
        framing=("close-up", "medium", "full")[number % 3],
        enlarged=False,
        score=1.0,
        duplicates=(f"d{number}",),
    )
    base = {
        "file_name": f"{number}.png",
        "caption": f"{name} waits",
        "image": curated,
        "caption_by": CAPTIONER.model_id,
        "flags": (),
    }
    return DatasetImage.model_validate({**base, **fields})


def facts(**fields: Any) -> CardFacts:
    return replace(CardFacts(run=run(), settings=Settings()), **fields)


def decision(who: str, what: str = "keep", via: str = "page", seq: int = 1) -> Decision:
    changes = (
        (Change(subject="picture:c1", field="verdict", before="open", after="kept"),) if what == "keep" else ()
    )
    return Decision.model_validate(
        {
            "seq": seq,
            "id": f"decision-{seq}",
            "who": who,
            "when": "2026-11-23T09:00:00Z",
            "what": what,
            "via": via,
            "changes": changes,
        }
    )


def rows(card: str, heading: str) -> list[list[str]]:
    """Return the cells of the table below a heading, its head left out."""
    below = card.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in below.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def test_the_head_is_yaml_as_hubs_read_it() -> None:
    card = dataset_card([image(1, "Zoë: a 'name'", "Tom")], facts())
    assert card.startswith("---\n")
    head = yaml.safe_load(card.split("---\n")[1])
    assert head == {
        "pretty_name": "film: Tom, Zoë: a 'name'",
        "license": "other",
        "license_name": "rights-of-the-footage",
        "task_categories": ["text-to-image"],
        "size_categories": ["n<1K"],
        "tags": ["storycast", "characters"],
    }


@pytest.mark.parametrize(
    ("count", "size"), [(0, "n<1K"), (999, "n<1K"), (1_000, "1K<n<10K"), (10_000, "10K<n<100K")]
)
def test_sizes_are_the_hubs_categories(count: int, size: str) -> None:
    card = dataset_card([image(1)] * count, facts())
    assert yaml.safe_load(card.split("---\n")[1])["size_categories"] == [size]


def test_characters_are_counted_by_framing_shot_light_and_company() -> None:
    images = [
        image(number, "Mara" if number < 4 else "Tom", *(["Tom"] if number == 0 else [])) for number in range(6)
    ]
    images[1] = images[1].model_copy(update={"held_out": True})
    lights = ("dark", "mid", "bright", "bright", "dark", "dark")
    card = dataset_card(images, facts(light=dict(zip(("c0", "c1", "c2", "c3", "c4", "c5"), lights, strict=True))))
    #   pictures, held out, with others, shots, close-up, medium, full, dark, mid, bright
    assert rows(card, "Characters") == [
        ["Mara", "4", "1", "1", "2", "2", "1", "1", "1", "1", "2"],
        ["Tom", "2", "0", "0", "1", "0", "1", "1", "2", "0", "0"],
        ["**all**", "6", "1", "1", "3", "2", "2", "2", "3", "1", "2"],
    ]


def test_footage_is_named_with_its_length_and_hash() -> None:
    card = dataset_card([image(1)], facts(probes={"f1": PROBE}))
    assert rows(card, "Footage") == [["a\\|film.mp4", "1:02:05", "1280 x 720", "1,234,567", "`0a1b2c`"]]
    assert rows(dataset_card([image(1)], facts()), "Footage")[0][1:3] == ["-", "-"]


@given(st.text(min_size=1, max_size=40))
def test_no_name_breaks_the_tables_or_the_head(name: str) -> None:
    card = dataset_card([image(1, name)], facts())
    ((cell, *numbers),) = rows(card, "Characters")
    assert numbers == ["1", "0", "0", "1", "0", "1", "0", "-", "-", "-"]
    assert "<" not in cell.replace("\\<", "")
    head = yaml.safe_load(card.split("\n---\n")[0].removeprefix("---\n"))
    assert head["pretty_name"].endswith(name)


def test_the_split_is_told_with_its_rule() -> None:
    images = with_split([image(number) for number in range(40)], 0.1)
    held_out = sum(one.held_out for one in images)
    assert held_out == 2
    card = dataset_card(images, facts())
    assert "38 pictures are to be trained on. 2, all of 1 shot, are held out" in card
    assert "asks for 10%" in card


@pytest.mark.parametrize(
    ("share", "says"), [(0.0, "`training.hold_out_share` is 0"), (0.1, "there are too few shots")]
)
def test_nothing_held_out_is_told_with_the_reason(share: float, says: str) -> None:
    settings = Settings.model_validate({"training": {"hold_out_share": share}})
    assert f"Nothing is held out: {says}" in dataset_card([image(1)], facts(settings=settings))


def test_who_reviewed_is_told_and_what_they_wrote() -> None:
    images = [image(1, caption_by="Nova Pro (Amazon)"), image(2, caption_by="Ada")]
    decisions = [decision("Ada"), decision("Bo|b", seq=2), decision("Ada", "finish", seq=3)]
    card = dataset_card(images, facts(decisions=decisions, proposed=5))
    assert "Ada and Bo\\|b approved 2 of 5 proposed pictures, and wrote or rewrote 1 captions." in card
    assert "It was closed by Ada on 2026-11-23." in card
    assert "1 of 2 were written or rewritten by people" in card


def test_what_nobody_looked_at_says_so() -> None:
    assert "Nobody has reviewed it yet." in dataset_card([image(1)], facts())
    auto = facts(decisions=[decision("review.mode auto", via="auto")])
    assert "Nobody looked at it" in dataset_card([image(1)], auto)


def test_gaps_are_told_once_each() -> None:
    told = facts(
        run=run(warnings=("Mara: 2 of 10", "careful")),
        shortfalls=["Mara: 2 of 10"],
        obstacles=["too few"],
        lint=["'is shown' is in 9 of 10 captions"],
    )
    card = dataset_card([image(1)], told)
    assert card.count("Mara: 2 of 10") == 1
    assert "- Not ready for training: too few." in card
    assert "- Lint: 'is shown' is in 9 of 10 captions" in card
    assert "None that the run knows of." in dataset_card([image(1)], facts())


def test_stand_ins_say_so_first() -> None:
    standin = ModelUsed(model_id="amazon.nova-pro-v1:0", name="played", provider="Storycast local stand-in")
    card = dataset_card([image(1)], facts(run=run(models=(standin,))))
    assert card.index("Made with stand-ins") < card.index("## ")
    assert "Made with stand-ins" not in dataset_card([image(1)], facts())


def test_a_dataset_of_nothing_has_a_card() -> None:
    card = dataset_card([], facts(obstacles=["the dataset has 0"]))
    assert "# 0 captioned pictures of nobody by name" in card
