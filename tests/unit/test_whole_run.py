"""A run from its request to its dataset, over fakes: what it leaves, what it pays for, what it survives."""

import io
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from PIL import Image

from local.standins.nonsense import nonsense
from local.standins.outcomes import CaptionOutcome
from storycast import keys
from storycast.captions import Caption
from storycast.crops import FrameCrops
from storycast.curation import CuratedImage
from storycast.dataset import DatasetImage
from storycast.errors import (
    MOST_MESSAGE_BYTES,
    BudgetExceededError,
    CaptionsFailedError,
    FootageMissingError,
    FootageRepeatedError,
    FootageUnreadableError,
    FrameRefusedError,
    ModelNotAvailableError,
    NoCharactersError,
    ReferenceMissingError,
    RequestInvalidError,
    SettingsInvalidError,
    ThrottledError,
    TooManyLostError,
    TrainingPlanInvalidError,
)
from storycast.failures import ExecutionEnd
from storycast.footage import Segment
from storycast.frames import SegmentReport, from_json_lines, to_json_lines, write_segment_list
from storycast.ledger import FINAL_OUTCOMES
from storycast.plan import RunPlan, read_plan
from storycast.ports import Answer
from storycast.runs import change_run, read_run
from storycast.sightings import Sighting
from storycast.stages.cluster_sheets import ListedCluster
from storycast.stages.prepare_run import prepare_run
from storycast.stages.record_failure import record_failure
from storycast.stages.training_dataset import dataset_pictures, split
from tests.fakes.custom_labels import ARN
from tests.fakes.film import encoded, film, turned
from tests.fakes.services import ColourDetector, ColourEmbedder, NamingCaptioner
from tests.fakes.steps import Meanwhile, Stepped
from tests.fakes.workflow import BLUE, NOW, RED, World, scene

PROJECT = """
characters:
  - name: Rosso
    description: a large red square
    references: [cast/rosso/*]
  - name: Blu
    description: a small blue square
    references: [cast/blu/*.png]
sampling: {frames_per_second: 2, pick: fixed}
duplicates: {threshold: 0.995}
"""
REQUEST = {"project": "p", "footage": ["incoming/a/film.mp4"]}


def short_film() -> bytes:
    """Three shots of two seconds: red, red and blue, blue."""
    pictures = []
    for number in range(72):
        shot, step = divmod(number, 24)
        shapes = [{RED: 20}, {RED: 20, BLUE: 180}, {BLUE: 120}][shot]
        pictures.append(scene(step, ground=[60, 130, 200][shot], shapes=shapes))
    return film(pictures)


FILM = short_film()


def world(project: str | None = PROJECT, **parts: Any) -> World:
    made = World(**parts)
    made.store.put("incoming/a/film.mp4", FILM, "video/mp4")
    if project is not None:
        made.store.put("projects/p/project.yaml", project.encode(), "application/yaml")
    for name, colour in (("rosso", RED), ("blu", BLUE)):
        picture = scene(0, ground=100, shapes={colour: 100})[60:180, 75:195]
        made.store.put(f"projects/p/cast/{name}/1.png", encoded(picture, "PNG"), "image/png")
    return made


def assert_ledger_is_whole(of: World, run_id: str) -> None:
    """Every frame and crop of the run is in the ledger once, with an outcome that may be the last."""
    entries = of.ledger(run_id)
    counts = Counter((entry.kind, entry.id) for entry in entries)
    assert set(counts.values()) <= {1}
    for entry in entries:
        assert entry.outcome in FINAL_OUTCOMES[entry.kind], entry
        assert entry.reason, entry
    plan = read_plan(of.store, run_id)
    in_ledger = {entry.id for entry in entries}
    for key in kept(of):
        name = key.rsplit("/", 1)[-1]
        if f"crops-{plan.footage[0].crops}" in key and name.endswith(".json"):
            record = FrameCrops.model_validate_json(of.store.get(key))
            assert {crop.crop_id for crop in record.crops} <= in_ledger
            assert record.frame_id in in_ledger


def kept(of: World) -> list[str]:
    """Return the keys of what was learned of the footage, without the notes on whose turn it is."""
    return [key for key in of.store.keys("footage/") if "/turns/" not in key]


def outcomes(of: World, run_id: str, kind: str) -> Counter[str]:
    return Counter(entry.outcome for entry in of.ledger(run_id) if entry.kind == kind)


# ---- a run that goes well -------------------------------------------------------------------------


def test_records_card_and_training_hold_out_the_same_pictures() -> None:
    project = PROJECT.replace("threshold: 0.995", "threshold: 1.0")
    one = world(project + "training: {hold_out_share: 0.3}\n")
    shots = [{RED: 20, BLUE: 180}, {RED: 20}, {BLUE: 120}] * 3
    pictures = [
        scene(step, ground=60 + 18 * shot, shapes=shapes)
        for shot, shapes in enumerate(shots)
        for step in range(24)
    ]
    one.store.put("incoming/a/film.mp4", film(pictures), "video/mp4")
    end = one.run(REQUEST)
    images = from_json_lines(one.store.get(keys.run_file(end.run_id, keys.PICTURES)), DatasetImage)
    marked = {image.image.crop_id for image in images if image.held_out}
    assert marked
    dataset = dataset_pictures(one.store, keys.run_file(end.run_id, keys.APPROVED_MANIFEST))
    assert marked == set(split(one.store, end.run_id, dataset, 0.3).held_out_ids)
    card = one.store.get(keys.run_file(end.run_id, keys.DATASET_CARD)).decode()
    assert f"{len(images) - len(marked)} pictures are to be trained on. {len(marked)}, all of" in card
    assert "| 0:00:18 | 320 x 240 |" in card
    assert "- Lint: " in card
    assert "- Rosso: " in card.partition("## Known gaps")[2]


def test_a_run_writes_its_dataset_and_a_whole_ledger() -> None:
    one = world()
    end = one.run(REQUEST)
    assert end.name == "DatasetReady"
    assert_ledger_is_whole(one, end.run_id)
    run = one.record(end.run_id)
    assert run.status == "dataset_ready"
    assert run.ended_at is not None
    assert outcomes(one, end.run_id, "frame") == {"cropped": 12}
    crops = outcomes(one, end.run_id, "crop")
    assert sum(crops.values()) == 16
    assert crops["in_dataset"] == run.counts["dataset_images"] > 0
    manifest = one.store.get(keys.run_file(end.run_id, keys.MANIFEST)).decode().splitlines()
    assert len(manifest) == crops["in_dataset"]
    for line in manifest:
        record = json.loads(line)
        assert set(record) == {"image-ref", "caption"}
        assert record["image-ref"].startswith("s3://media/runs/")
        picture = Image.open(io.BytesIO(one.store.get(record["image-ref"].removeprefix("s3://media/"))))
        assert picture.format == "PNG"
        assert picture.size == (512, 512)
        assert any(name in record["caption"] for name in ("Rosso", "Blu"))
    assert one.store.get(keys.run_file(end.run_id, keys.APPROVED_MANIFEST)).decode().splitlines() == manifest
    sheet = Image.open(io.BytesIO(one.store.get(keys.run_file(end.run_id, "dataset/contact_sheet.jpg"))))
    assert sheet.format == "JPEG"
    card = one.store.get(keys.run_file(end.run_id, "dataset/README.md")).decode()
    assert "Rosso" in card
    assert "film.mp4" in card
    decisions = one.store.get(keys.run_file(end.run_id, "review/decisions.jsonl")).decode().splitlines()
    kept, finished = (json.loads(line) for line in decisions)
    assert (kept["who"], kept["what"], len(kept["changes"])) == ("Ada", "keep", len(manifest))
    assert finished["what"] == "finish"
    told = [f"Storycast: review waits ({end.run_id})", f"Storycast: dataset ready ({end.run_id})"]
    assert [subject for subject, _ in one.notifier.told] == told


def test_those_in_the_picture_are_named_by_the_detections() -> None:
    one = world()
    end = one.run(REQUEST)
    images = from_json_lines(one.store.get(keys.run_file(end.run_id, "curated.jsonl")), CuratedImage)
    assert {image.character for image in images} == {"Rosso", "Blu"}
    assert all(image.in_picture[0] == image.character for image in images)
    assert any(set(image.in_picture) == {"Rosso", "Blu"} for image in images)


def test_a_film_without_a_project_file_finds_who_returns() -> None:
    one = world(None)
    end = one.run(REQUEST)
    assert end.name == "DatasetReady"
    assert_ledger_is_whole(one, end.run_id)
    images = from_json_lines(one.store.get(keys.run_file(end.run_id, "curated.jsonl")), CuratedImage)
    assert {image.character for image in images} == {"Character 1", "Character 2"}


def test_what_is_odd_about_footage_is_among_the_runs_warnings() -> None:
    one = world()
    one.store.put("incoming/a/film.mp4", turned(FILM, 90), "video/mp4")
    end = one.run({"project": "bunny", "footage": ["incoming/a/film.mp4"]})
    run = read_run(one.store, end.run_id)
    assert "film.mp4: shown turned by 90 degrees to the right, as its metadata say" in run.warnings


def test_stills_and_a_film_make_one_dataset() -> None:
    one = world()
    for number, left in enumerate((20, 120)):
        still = encoded(scene(0, ground=30, shapes={RED: left}), "JPEG" if number else "PNG")
        one.store.put(f"incoming/a/still_{number}", still, "image/jpeg")
    request = {"project": "p", "footage": [*REQUEST["footage"], "incoming/a/still_0", "incoming/a/still_1"]}
    end = one.run(request)
    assert end.name == "DatasetReady"
    assert_ledger_is_whole(one, end.run_id)
    assert len(one.record(end.run_id).footage) == 3
    assert outcomes(one, end.run_id, "frame") == {"cropped": 14}


def test_two_films_make_one_dataset_and_a_film_alone_is_not_paid_again() -> None:
    one = world()
    other = film([scene(number, ground=90, shapes={BLUE: 40}) for number in range(24)])
    one.store.put("incoming/a/other.mp4", other, "video/mp4")
    first = one.run({"project": "p", "footage": [*REQUEST["footage"], "incoming/a/other.mp4"]})
    assert first.name == "DatasetReady"
    assert_ledger_is_whole(one, first.run_id)
    assert {entry.footage_id for entry in one.ledger(first.run_id)} == {
        source.footage_id for source in one.record(first.run_id).footage
    }
    paid = one.paid
    second = one.run({"project": "p", "footage": ["incoming/a/other.mp4"]}, number=2)
    assert second.name == "DatasetReady"
    assert one.paid[:2] == paid[:2]


# ---- paid once ------------------------------------------------------------------------------------


def test_the_same_run_again_pays_nothing_and_writes_the_same_dataset() -> None:
    one = world()
    first = one.run(REQUEST, number=1)
    paid = one.paid
    second = one.run(REQUEST, number=2)
    assert second.run_id != first.run_id
    assert one.paid == paid
    counts = one.record(second.run_id).counts
    assert {name: count for name, count in counts.items() if name.startswith("paid_")} == {
        "paid_reference_embeddings": 0,
        "paid_detections": 0,
        "paid_embeddings": 0,
        "paid_captions": 0,
        "paid_caption_repairs": 0,
        "paid_input_tokens": 0,
        "paid_output_tokens": 0,
    }
    first_counts = one.record(first.run_id).counts
    assert first_counts["paid_detections"] == one.detector.answered
    assert first_counts["paid_embeddings"] + first_counts["paid_reference_embeddings"] == one.embedder.answered
    assert first_counts["paid_captions"] == one.captioner.answered
    assert first_counts["paid_input_tokens"] == 100 * one.captioner.answered
    for read in (first_counts, counts):
        assert (read["segment_requests"], read["segment_bytes"]) == (1, len(FILM)), "as when it was sampled"

    def captions(run_id: str) -> list[str]:
        manifest = one.store.get(keys.run_file(run_id, keys.MANIFEST)).decode()
        return [json.loads(line)["caption"] for line in manifest.splitlines()]

    assert captions(second.run_id) == captions(first.run_id)


def test_another_threshold_pays_for_new_captions_alone() -> None:
    one = world()
    first = one.run(REQUEST)
    curated = {(image.crop_id, image.cut) for image in _curated(one, first.run_id)}
    paid = one.paid
    one.store.put("projects/p/project.yaml", PROJECT.replace("0.995", "0.99999").encode(), "application/yaml")
    second = one.run(REQUEST, number=2)
    more = {(image.crop_id, image.cut) for image in _curated(one, second.run_id)}
    assert len(more) > len(curated)
    assert one.paid == (paid[0], paid[1], paid[2] + len(more - curated))
    one.store.put("projects/p/project.yaml", PROJECT.encode(), "application/yaml")
    paid = one.paid
    one.run(REQUEST, number=3)
    assert one.paid == paid


def test_captions_of_a_stand_in_do_not_pass_for_those_of_who_answers_now() -> None:
    one = world()
    one.catalogue.provider = "a stand-in"
    first = one.run(REQUEST)
    paid = one.paid
    one.catalogue.provider = "the maker"
    second = one.run(REQUEST, number=2)
    assert one.paid == (paid[0], paid[1], paid[2] + len(_curated(one, first.run_id)))
    assert one.record(second.run_id).models[-1].provider == "the maker"


@pytest.mark.parametrize(
    ("change", "pays"),
    [
        ("crop: {padding: 0.3}", (False, True, None)),  # captions hang on which pictures are chosen now
        ("detection: {min_confidence: 50}", (True, True, False)),
        ("captions: {words: [10, 20]}", (False, False, True)),
        ("selection: {images_per_character: 1}", (False, False, False)),
        ("max_lost_share: 0.5", (False, False, False)),
        ("manifest: {keys: walkthrough}", (False, False, False)),
        ("storyboard: {cfg_scale: 7.0}", (False, False, False)),
    ],
)
def test_a_setting_pays_only_for_what_depends_on_it(change: str, pays: tuple[bool, bool, bool | None]) -> None:
    one = world()
    one.run(REQUEST)
    before = one.paid
    one.store.put("projects/p/project.yaml", f"{PROJECT}{change}\n".encode(), "application/yaml")
    end = one.run(REQUEST, number=2)
    assert end.name == "DatasetReady"
    paid = [now > then for now, then in zip(one.paid, before, strict=True)]
    assert all(expected in {None, found} for expected, found in zip(pays, paid, strict=True)), paid


def test_a_throttled_embedder_is_paid_for_no_crop_twice() -> None:
    undisturbed = world()
    undisturbed.run(REQUEST)
    throttled = {number: ThrottledError("slow down") for number in (3, 6, 7, 11)}
    one = world(embedder=ColourEmbedder(throttled))
    end = one.run(REQUEST)
    assert end.name == "DatasetReady"
    assert one.embedder.calls == undisturbed.embedder.calls + len(throttled)
    assert one.embedder.answered == undisturbed.embedder.answered
    assert_ledger_is_whole(one, end.run_id)


def test_a_refused_crop_is_asked_about_once_though_the_next_is_throttled() -> None:
    # Calls 1 and 2 embed the references, 3 to 6 the first shot; frame 5 has two crops.
    one = world(embedder=ColourEmbedder({7: FrameRefusedError("no"), 8: ThrottledError("slow down")}))
    end = one.run(REQUEST)
    assert end.name == "DatasetReady"
    assert outcomes(one, end.run_id, "crop")["refused"] == 1
    assert one.embedder.calls == 2 + 16 + 1
    records = [
        FrameCrops.model_validate_json(one.store.get(key))
        for key in kept(one)
        if "/crops-" in key and key.endswith(".json")
    ]
    assert [len(record.refused) for record in records if record.refused] == [1]
    assert_ledger_is_whole(one, end.run_id)


def test_a_detector_that_is_throttled_is_asked_again() -> None:
    one = world()
    one.detector = ColourDetector(one.store, {2: ThrottledError("slow down"), 3: ThrottledError("slow down")})
    end = one.run(REQUEST)
    assert outcomes(one, end.run_id, "frame") == {"cropped": 12}
    assert (one.detector.calls, one.detector.answered) == (14, 12)


# ---- losses ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["detections", "crops"])
def test_a_lost_result_ends_as_lost_and_the_run_goes_on(kind: str) -> None:
    one = world(PROJECT + "max_lost_share: 0.1\n")

    def lose_one(plan: RunPlan) -> None:
        results = (key for key in kept(one) if f"/{kind}-" in key and key.endswith(".json"))
        one.store.delete(next(results))

    one.before = {"name_characters": lose_one}
    end = one.run(REQUEST)
    assert end.name == "DatasetReady"
    assert outcomes(one, end.run_id, "frame") == {"lost": 1, "cropped": 11}
    assert one.record(end.run_id).counts["frames_lost"] == 1
    lost = next(entry for entry in one.ledger(end.run_id) if entry.outcome == "lost")
    assert "left no result" in lost.reason


def test_more_losses_than_allowed_end_the_run_with_the_number_and_starting_again_mends_it() -> None:
    one = world()

    def lose_all(plan: RunPlan) -> None:
        for key in one.store.keys(f"footage/{plan.footage[0].source.footage_id}/detections-"):
            one.store.delete(key)

    one.before = {"name_characters": lose_all}
    with pytest.raises(TooManyLostError, match=r"12 of 12 frames were lost \(100.0%\)"):
        one.run(REQUEST)
    run_id = next(iter(one.claims.runs.values()))
    assert outcomes(one, run_id, "frame") == {"lost": 12}
    one.before = {}
    embedded = one.embedder.answered
    assert one.run(REQUEST, number=2).name == "DatasetReady"
    assert one.embedder.answered == embedded


def test_a_frame_that_the_detector_refuses_is_refused_and_the_run_goes_on() -> None:
    one = world()
    one.detector = ColourDetector(one.store, {4: FrameRefusedError("DetectLabels: InvalidImageFormatException")})
    end = one.run(REQUEST)
    assert outcomes(one, end.run_id, "frame") == {"refused": 1, "cropped": 11}
    assert one.record(end.run_id).counts["paid_detections"] == 11


def test_a_frame_that_is_damaged_after_sampling_refuses_its_crops() -> None:
    one = world()
    end = one.run(REQUEST)
    plan = read_plan(one.store, end.run_id)
    footage = plan.footage[0]
    crops = keys.crops_folder(footage.source.footage_id, footage.crops)
    for key in [*one.store.keys(crops), *one.store.keys(keys.turn(crops))]:
        one.store.delete(key)
    frame_key = next(key for key in kept(one) if "/frames-" in key and key.endswith(".jpg"))
    one.store.put(frame_key, b"damaged", "image/jpeg")
    second = one.run(REQUEST, number=2)
    assert second.name == "DatasetReady"
    assert outcomes(one, second.run_id, "crop")["refused"] == 1
    assert_ledger_is_whole(one, second.run_id)


def test_a_lost_segment_is_counted_and_named() -> None:
    one = world(PROJECT + "max_lost_share: 1.0\n")

    def lose_list(plan: RunPlan) -> None:
        one.store.delete(next(key for key in kept(one) if key.endswith(".jsonl")))

    one.before = {"list_frames": lose_list}
    end = one.run(REQUEST)
    assert end.name == "NoFrames"
    assert outcomes(one, end.run_id, "segment") == {"lost": 1}
    one.store.put("projects/p/project.yaml", PROJECT.encode(), "application/yaml")
    with pytest.raises(TooManyLostError, match="1 of 1 segments"):
        one.run(REQUEST, number=2)


def test_a_film_that_is_cut_off_hides_no_other_damage() -> None:
    one = world()

    def tell_of_damage(plan: RunPlan) -> None:
        key = keys.run_file(plan.run_id, "segments.jsonl")
        (first,) = from_json_lines(one.store.get(key), Segment)
        more = [first.model_copy(update={"segment": number}) for number in range(1, 8)]
        one.store.put(key, to_json_lines([first, *more]), "application/jsonl")
        for number, segment in enumerate(more):
            note = "its data end before this segment" if number < 6 else "it is damaged"
            report = SegmentReport(
                segment=segment.segment, fingerprint=segment.fingerprint, cuts_ms=(), complete=False, note=note
            )
            list_key = keys.segment_list(segment.source.footage_id, segment.fingerprint, segment.segment)
            one.store.put(list_key, write_segment_list(report, []), "application/jsonl")

    one.before = {"list_frames": tell_of_damage}
    warnings = one.record(one.run(REQUEST).run_id).warnings
    assert [text for text in warnings if "the rest was used" in text] == [
        "its data end before this segment; the rest was used",
        "it is damaged; the rest was used",
    ]


# ---- captions -------------------------------------------------------------------------------------


def test_nonsense_of_the_captioner_is_refused_picture_by_picture() -> None:
    nonsense = {
        1: Answer("I cannot help with that.", "end_turn", 10, 5),
        2: Answer("I said that I cannot.", "end_turn", 10, 5),
        3: Answer('{"caption": "cut o', "max_tokens", 10, 5),
        4: Answer('{"caption": "cut o', "max_tokens", 10, 5),
    }
    one = world(captioner=NamingCaptioner(answers=nonsense))
    end = one.run(REQUEST)
    assert end.name == "DatasetReady"
    assert outcomes(one, end.run_id, "crop")["caption_refused"] == 2
    assert one.record(end.run_id).counts["captions_refused"] == 2
    counts = one.record(end.run_id).counts
    assert counts["paid_captions"] + counts["paid_caption_repairs"] == one.captioner.answered
    assert counts["paid_caption_repairs"] == 2
    assert_ledger_is_whole(one, end.run_id)
    paid = one.paid
    one.run(REQUEST, number=2)
    assert one.paid == paid, "an answer that was paid for is kept, also a useless one"


class RavingCaptioner(NamingCaptioner):
    """A captioner that answers nonsense to a share of its calls, by the picture and the turn."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.asked = CaptionOutcome(nonsense_share=share)
        self.raved = 0

    def answer(self, system: str, turns: Sequence[str], picture: bytes, *, max_tokens: int) -> Answer:
        said = super().answer(system, turns, picture, max_tokens=max_tokens)
        if (instead := nonsense(self.asked, picture, len(turns))) is None:
            return said
        self.raved += 1
        return replace(said, text=instead[0], stop_reason=instead[1])


def test_a_captioner_that_raves_a_third_of_the_time_loses_no_picture_and_invents_no_caption() -> None:
    project = PROJECT.replace("threshold: 0.995", "threshold: 0.99999").replace(
        "frames_per_second: 2", "frames_per_second: 12"
    )
    sane = world(project)
    expected = sane.run(REQUEST)
    curated = {image.crop_id for image in _curated(sane, expected.run_id)}
    raving = RavingCaptioner(0.3)
    one = world(project, captioner=raving)
    end = one.run(REQUEST)
    assert (end.name, {image.crop_id for image in _curated(one, end.run_id)}) == (expected.name, curated)
    assert 0.2 * raving.answered < raving.raved < 0.4 * raving.answered
    assert_ledger_is_whole(one, end.run_id)
    found = outcomes(one, end.run_id, "crop")
    assert found["in_dataset"] + found["caption_refused"] == len(curated)
    assert 0 < found["caption_refused"] < 0.2 * len(curated)
    captions = [
        Caption.model_validate_json(one.store.get(key)) for key in one.store.keys(f"runs/{end.run_id}/captions/")
    ]
    assert {caption.crop_id for caption in captions} == curated
    for caption in captions:
        assert bool(caption.caption) != bool(caption.refused)
        assert any(json.dumps(caption.caption) in answer.text for answer in caption.answers) or caption.refused
    counts = one.record(end.run_id).counts
    assert counts["paid_captions"] == len(curated)
    assert counts["paid_captions"] + counts["paid_caption_repairs"] == raving.answered
    assert counts["captions_refused"] == found["caption_refused"]
    assert (
        counts["captions_repaired"] + counts["captions_flagged"] + counts["captions_refused"]
        >= (counts["paid_caption_repairs"])
    )
    assert counts["paid_input_tokens"] == 100 * raving.answered
    paid = one.paid
    assert one.run(REQUEST, number=2).name == expected.name
    assert one.paid == paid


def test_a_prompt_of_ones_own_is_asked_and_pays_for_captions_alone() -> None:
    one = world()
    one.run(REQUEST)
    before = one.paid
    one.store.put("projects/p/project.yaml", f"{PROJECT}captions: {{prompt: prompts/mine.txt}}\n".encode(), "a/y")
    one.store.put("projects/p/prompts/mine.txt", b"Who: {in_picture}. How long: {words}.", "text/plain")
    second = one.run(REQUEST, number=2)
    assert one.paid == (*before[:2], before[2] + len(_curated(one, second.run_id)))
    assert one.captioner.conversations[-1][0].startswith('Who: <in_picture>["')
    assert read_plan(one.store, second.run_id).caption_prompt == "Who: {in_picture}. How long: {words}."
    paid = one.paid
    one.run(REQUEST, number=3)
    assert one.paid == paid
    one.store.put("projects/p/prompts/mine.txt", b"For whom: {in_picture}. How long: {words}.", "text/plain")
    fourth = one.run(REQUEST, number=4)
    assert one.paid == (*paid[:2], paid[2] + len(_curated(one, fourth.run_id))), "another prompt, other captions"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "captions.prompt: there is no object 'projects/p/prompts/mine.txt' in the bucket. Upload it"),
        (b"{in_picture} {words} {who}", "projects/p/prompts/mine.txt: line 1: '{who}' is no placeholder"),
        (b"x" * 20_000, "projects/p/prompts/mine.txt has 20,000 bytes; a prompt has at most 16,384"),
    ],
)
def test_a_prompt_that_cannot_be_used_stops_a_run_unpaid(content: bytes | None, told: str) -> None:
    one = world(PROJECT + "captions: {prompt: prompts/mine.txt}\n")
    if content is not None:
        one.store.put("projects/p/prompts/mine.txt", content, "text/plain")
    with pytest.raises(SettingsInvalidError) as caught:
        one.run(REQUEST)
    assert told in str(caught.value)
    assert one.paid == (0, 0, 0)


def test_a_run_of_which_no_picture_is_left_ends_by_name_and_pays_for_no_caption() -> None:
    one = world()
    tiny = [scene(step, ground=60, shapes={RED: 20}, size=(120, 160)) for step in range(48)]
    one.store.put("incoming/a/film.mp4", film(tiny), "video/mp4")
    with pytest.raises(NoCharactersError, match=r"None of \d+ crops .*: \d+ below_quality\."):
        one.run(REQUEST)
    run_id = next(iter(one.claims.runs.values()))
    assert_ledger_is_whole(one, run_id)
    assert one.paid[2] == 0


def test_a_captioner_that_only_talks_nonsense_ends_the_run_by_name() -> None:
    answers = {number: Answer("no", "end_turn", 1, 1) for number in range(1, 100)}
    one = world(captioner=NamingCaptioner(answers=answers))
    with pytest.raises(CaptionsFailedError, match="got a caption"):
        one.run(REQUEST)
    run_id = next(iter(one.claims.runs.values()))
    assert_ledger_is_whole(one, run_id)
    assert outcomes(one, run_id, "crop")["caption_refused"] > 0


def test_a_caption_that_never_comes_is_lost() -> None:
    always = {number: ThrottledError("slow down") for number in range(1, 5)}
    one = world(PROJECT + "max_lost_share: 0.5\n", captioner=NamingCaptioner(always))
    end = one.run(REQUEST)
    assert end.name == "DatasetReady"
    assert outcomes(one, end.run_id, "crop")["lost"] == 1
    assert_ledger_is_whole(one, end.run_id)


def test_a_caption_says_who_paid_for_it() -> None:
    one = world()
    first = one.run(REQUEST)
    second = one.run(REQUEST, number=2)
    for key in one.store.keys(f"runs/{second.run_id}/captions/"):
        (answer,) = Caption.model_validate_json(one.store.get(key)).answers
        assert answer.paid_by == first.run_id


# ---- ends that a user should expect -----------------------------------------------------------------


def test_who_was_discovered_is_named_merged_and_dropped_in_the_project_file_and_nothing_is_paid_again() -> None:
    bare = "sampling: {frames_per_second: 2, pick: fixed}\nduplicates: {threshold: 0.995}\n"
    one = world(bare)
    first = one.run(REQUEST)
    clusters = from_json_lines(one.store.get(keys.run_file(first.run_id, "cast/clusters.jsonl")), ListedCluster)
    assert [cluster.character for cluster in clusters] == ["Character 1", "Character 2"]
    for cluster in clusters:
        sheet = Image.open(
            io.BytesIO(one.store.get(keys.run_file(first.run_id, f"cast/{cluster.cluster_id}.jpg")))
        )
        assert (sheet.format, sheet.width > 400) == ("JPEG", True)
    assert one.record(first.run_id).counts["clusters"] == 2
    looked, embedded, _ = one.paid
    red, blue = (cluster.cluster_id for cluster in clusters)
    told = f"characters: [{{name: Zoë 🐰, clusters: [{red}]}}]\ndetection: {{drop: [{blue}, c-00000000]}}\n"
    one.store.put("projects/p/project.yaml", (bare + told).encode(), "application/yaml")
    second = one.run(REQUEST, number=2)
    assert one.paid[:2] == (looked, embedded)
    sightings = from_json_lines(one.store.get(keys.run_file(second.run_id, "sightings.jsonl")), Sighting)
    assert {(sighting.cluster, sighting.character) for sighting in sightings} == {(red, "Zoë 🐰"), (blue, "")}
    assert outcomes(one, second.run_id, "crop")["dropped"] == sum(one.cluster == blue for one in sightings)
    assert (
        "detection.drop names the cluster c-00000000, which this run does not have"
        in one.record(second.run_id).warnings
    )
    merged = f"characters: [{{name: Both, clusters: [{blue}, {red}]}}]\n"
    one.store.put("projects/p/project.yaml", (bare + merged).encode(), "application/yaml")
    third = one.run(REQUEST, number=3)
    assert one.paid[:2] == (looked, embedded)
    sightings = from_json_lines(one.store.get(keys.run_file(third.run_id, "sightings.jsonl")), Sighting)
    assert {sighting.character for sighting in sightings if sighting.outcome == "named"} == {"Both"}


def test_economy_spares_paid_calls_for_frames_in_which_nothing_moves() -> None:
    still = film([scene(0, ground=60, shapes={RED: 40, BLUE: 170})] * 48)
    runs = {}
    for economy in (True, False):
        one = world()
        one.store.put("incoming/a/film.mp4", still, "video/mp4")
        project = f"{PROJECT}detection: {{economy: {str(economy).lower()}}}\n"
        one.store.put("projects/p/project.yaml", project.encode(), "application/yaml")
        end = one.run(REQUEST)
        counts = one.record(end.run_id).counts
        runs[economy] = (counts["frames_kept"], counts["frames_settled"], one.paid[0])
        assert outcomes(one, end.run_id, "frame").get("settled", 0) == counts["frames_settled"]
    assert runs[False][1] == 0
    assert runs[False][0] == runs[False][2] == sum(runs[True][:2])
    assert runs[True][0] == runs[True][2] < runs[False][2]


def test_a_film_without_anyone_ends_as_no_characters_and_says_what_to_try() -> None:
    one = world()
    one.store.put("incoming/a/empty.mp4", film([scene(n, ground=90, shapes={}) for n in range(24)]), "video/mp4")
    end = one.run({"project": "p", "footage": ["incoming/a/empty.mp4"]})
    assert end.name == "NoCharacters"
    assert "nothing in 1 frames" in end.message
    assert_ledger_is_whole(one, end.run_id)
    assert one.paid[1:] == (2, 0)


def test_strangers_alone_end_as_no_characters_and_name_the_cast() -> None:
    one = world()
    stranger = film([scene(n, ground=90, shapes={(20, 230, 20): 60}) for n in range(24)])
    one.store.put("incoming/a/stranger.mp4", stranger, "video/mp4")
    end = one.run({"project": "p", "footage": ["incoming/a/stranger.mp4"]})
    assert end.name == "NoCharacters"
    assert "Rosso, Blu" in end.message
    assert outcomes(one, end.run_id, "crop") == {"unknown": 4}
    assert_ledger_is_whole(one, end.run_id)


def test_a_blank_film_ends_as_no_frames() -> None:
    one = world()
    one.store.put("incoming/a/blank.mp4", film([np.full((48, 64, 3), 9, np.uint8)] * 24), "video/mp4")
    end = one.run({"project": "p", "footage": ["incoming/a/blank.mp4"]})
    assert end.name == "NoFrames"
    assert "None of 4 sampled frames" in end.message
    assert outcomes(one, end.run_id, "frame") == {"blank": 4}


def test_the_same_upload_twice_is_one_run() -> None:
    one = world()
    one.store.put("uploads/p/ein film+100%.mp4", FILM, "video/mp4")
    event = {
        "detail-type": "Object Created",
        "detail": {
            "bucket": {"name": "media"},
            "object": {
                "key": "uploads/p/ein film+100%.mp4",
                "size": len(FILM),
                "etag": one.store.head("uploads/p/ein film+100%.mp4").etag,
                "sequencer": "0062E99A88DC407460",
            },
        },
    }
    assert one.run(event, number=1).name == "DatasetReady"
    assert one.run(event, number=2).name == "AlreadyClaimed"
    assert one.run(event, number=1).name == "DatasetReady", "the one that holds the claim may begin again"


# ---- what is refused before anything is paid --------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (
            PROJECT + f"detection: {{methods: [custom_labels], custom_labels_model: '{ARN}'}}\n",
            BudgetExceededError,
        ),
        (PROJECT + "training: {target: sagemaker}\n", TrainingPlanInvalidError),
        (PROJECT + "training: {target: bedrock}\n", TrainingPlanInvalidError),
        (PROJECT + "budget_usd: 0.001\n", BudgetExceededError),
        (PROJECT + "captions: {prompt: prompts/mine.txt}\n", SettingsInvalidError),
        (PROJECT + "nonsense: 1\n", SettingsInvalidError),
        (PROJECT + "#" * 300_000, SettingsInvalidError),
        (PROJECT.replace("cast/rosso/*", "cast/nobody/*"), ReferenceMissingError),
    ],
)
def test_a_project_that_cannot_run_is_refused_unpaid(change: str, error: type[Exception]) -> None:
    one = world(change)
    with pytest.raises(error):
        one.run(REQUEST)
    assert one.paid == (0, 0, 0)


@pytest.mark.parametrize(
    ("footage", "error"),
    [
        (["incoming/a/nothing.mp4"], FootageMissingError),
        (["incoming/a/film.mp4", "incoming/a/film.mp4"], FootageRepeatedError),
        (["incoming/a/film.mp4", "incoming/a/copy.mp4"], FootageRepeatedError),
        (["incoming/a/film.mp4", "incoming/b/film.mp4"], FootageRepeatedError),
        (["incoming/a/hollow.mp4"], FootageUnreadableError),
        (["incoming/a/text.mp4"], FootageUnreadableError),
    ],
)
def test_footage_that_cannot_be_used_is_refused_unpaid(footage: list[str], error: type[Exception]) -> None:
    one = world()
    one.store.put("incoming/a/copy.mp4", FILM, "video/mp4")
    one.store.put("incoming/b/film.mp4", FILM + b"x", "video/mp4")
    one.store.put("incoming/a/hollow.mp4", b"", "video/mp4")
    one.store.put("incoming/a/text.mp4", b"text" * 1000, "video/mp4")
    with pytest.raises(error):
        one.run({"project": "p", "footage": footage})
    assert one.paid == (0, 0, 0)


def test_a_model_that_is_not_here_is_refused_unpaid() -> None:
    one = world()
    one.catalogue = type(one.catalogue)(missing=["amazon.nova-pro-v1:0"])
    with pytest.raises(ModelNotAvailableError):
        one.run(REQUEST)
    assert one.paid == (0, 0, 0)


def test_of_two_executions_that_ask_for_one_run_id_at_once_one_is_refused() -> None:
    one = world()
    asked = {**REQUEST, "run_id": "mine"}
    prepare = partial(prepare_run, asked, started_at=NOW, claims=one.claims)
    gate = Meanwhile("before put_if", lambda: prepare(execution_arn="arn:first", store=one.store))
    with pytest.raises(RequestInvalidError, match="'mine' is taken"):
        prepare(execution_arn="arn:second", store=Stepped(one.store, gate))
    assert gate.has_happened
    assert one.record("mine").execution_arn == "arn:first"


def test_a_repeated_attempt_pins_the_footage_anew_and_takes_no_end_back() -> None:
    one = world()
    prepare = partial(
        prepare_run, {**REQUEST, "run_id": "mine"}, execution_arn="arn", started_at=NOW, store=one.store
    )
    prepare(claims=one.claims)
    change_run(one.store, "mine", lambda run: run.model_copy(update={"status": "failed", "error": "Cancelled"}))
    one.store.put("incoming/a/film.mp4", FILM + b"x", "video/mp4")
    prepare(claims=one.claims)
    run = one.record("mine")
    assert (run.status, run.error) == ("failed", "Cancelled")
    assert run.footage == tuple(one.source for one in read_plan(one.store, "mine").footage)
    assert run.footage[0].size_bytes == len(FILM) + 1


def test_a_run_id_that_another_run_has_is_refused() -> None:
    one = world()
    assert one.run({**REQUEST, "run_id": "mine"}, number=1).run_id == "mine"
    assert one.run({**REQUEST, "run_id": "mine"}, number=1).run_id == "mine"
    with pytest.raises(RequestInvalidError, match="'mine' is taken"):
        one.run({**REQUEST, "run_id": "mine"}, number=2)


def test_a_reference_without_a_direction_is_named() -> None:
    class Zero(ColourEmbedder):
        def embed(self, picture: bytes) -> list[float]:
            return [0.0] * 48

    one = world(embedder=Zero())
    with pytest.raises(ReferenceMissingError, match=r"cast/rosso/1\.png"):
        one.run(REQUEST)


def test_no_picture_is_sent_to_the_embedder_that_is_larger_than_it_takes() -> None:
    class Particular(ColourEmbedder):
        def embed(self, picture: bytes) -> list[float]:
            if max(Image.open(io.BytesIO(picture)).size) > 2048:
                raise FrameRefusedError("InvokeModel: ValidationException")
            return super().embed(picture)

    one = world(PROJECT + "crop: {max_size: 4096}\n", embedder=Particular())
    boxes = scene(0, ground=60, shapes={})
    boxes[5:235, 40:280] = RED
    large = encoded(np.kron(boxes, np.ones((10, 10, 1), np.uint8)), "JPEG")
    one.store.put("incoming/a/large.jpg", large, "image/jpeg")
    end = one.run({"project": "p", "footage": ["incoming/a/large.jpg"]})
    assert end.name == "DatasetReady"
    assert outcomes(one, end.run_id, "crop") == {"in_dataset": 1}


def test_the_end_of_an_execution_is_recorded_and_told() -> None:
    one = world(PROJECT + "budget_usd: 0.001\n")
    with pytest.raises(BudgetExceededError):
        one.run(REQUEST)
    ((arn, run_id),) = one.claims.runs.items()
    detail = {
        "executionArn": arn,
        "status": "FAILED",
        "error": "BudgetExceededError",
        "cause": json.dumps({"errorMessage": "not here", "errorType": "BudgetExceededError", "stackTrace": []}),
    }
    ports: dict[str, Any] = {"store": one.store, "claims": one.claims, "notifier": one.notifier, "now": NOW}
    recorded = record_failure(ExecutionEnd.model_validate(detail), **ports)
    assert (recorded.scope, recorded.run_id, recorded.failed) == ("run", run_id, True)
    run = one.record(run_id)
    assert (run.status, run.error, run.cause) == ("failed", "BudgetExceededError", "not here")
    stranger = {**detail, "executionArn": "arn:x:stranger", "cause": None, "error": None, "status": "ABORTED"}
    recorded = record_failure(ExecutionEnd.model_validate(stranger), **ports)
    assert (recorded.scope, recorded.run_id) == ("none", None)
    assert one.notifier.told[-1] == ("Storycast: stranger aborted", "stranger: ABORTED\nABORTED\n")


def test_a_run_is_recorded_as_failed_whatever_its_cause_holds() -> None:
    one = world(PROJECT + "budget_usd: 0.001\n")
    with pytest.raises(BudgetExceededError):
        one.run(REQUEST)
    ((arn, run_id),) = one.claims.runs.items()
    cause = json.dumps({"errorMessage": "half of one: \ud83d, and " + "x" * 100_000, "errorType": "KeyError"})
    end = ExecutionEnd.model_validate(
        {"executionArn": arn, "status": "FAILED", "error": "KeyError", "cause": cause}
    )
    record_failure(end, store=one.store, claims=one.claims, notifier=one.notifier, now=NOW)
    run = one.record(run_id)
    assert (run.status, run.error) == ("failed", "KeyError")
    assert run.cause
    assert run.cause.startswith(r"half of one: \ud83d, and x")
    assert len(run.cause.encode()) <= MOST_MESSAGE_BYTES
    assert one.notifier.told[-1][1].encode()


def _curated(of: World, run_id: str) -> list[CuratedImage]:
    return from_json_lines(of.store.get(keys.run_file(run_id, "curated.jsonl")), CuratedImage)
