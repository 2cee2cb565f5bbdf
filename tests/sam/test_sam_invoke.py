"""Functions in their real containers, under the runtime client and SAM's emulator of the runtime interface."""

import io
import json
from typing import Any

import numpy as np
import pytest

from local.tools import REPOSITORY
from storycast import keys
from storycast.adapters.s3 import S3Store
from storycast.footage import Probe, Segment, plan_segments
from storycast.frames import KeptFrame, from_json_lines, read_segment_list, to_json_lines
from storycast.plan import RunPlan, read_plan
from storycast.runs import read_run
from storycast.sightings import Sighting
from tests.sam.conftest import FILM_KEY, Invoke
from tests.sam.film import HEIGHT_PX, RATE, SECONDS_PER_SHOT, WIDTH_PX
from tests.sam.sam import Answer

EXECUTION = "arn:aws:states:us-east-1:000000000000:execution:storycast-build-dataset:prepared"


@pytest.fixture(scope="module")
def probe(invoke: Invoke, plan: RunPlan, store: S3Store) -> Probe:
    footage_id = plan.footage[0].source.footage_id
    answer = invoke("ProbeFootageFunction", {"run_id": plan.run_id, "footage_id": footage_id})
    assert answer.payload == {"footage_id": footage_id, "duration_ms": 2 * SECONDS_PER_SHOT * 1000}
    return Probe.model_validate_json(store.get(keys.probe(footage_id)))


@pytest.fixture(scope="module")
def segment(plan: RunPlan, probe: Probe, store: S3Store) -> Segment:
    """The run's one segment, as CheckPlan writes it."""
    footage = plan.footage[0]
    sampling = plan.settings.sampling
    [segment] = plan_segments(
        footage.source,
        probe,
        frames_per_second=sampling.frames_per_second,
        pick=sampling.pick,
        fingerprint=footage.frames,
    )
    store.put(keys.run_file(plan.run_id, "segments.jsonl"), to_json_lines([segment]), "application/jsonl")
    return segment


@pytest.fixture(scope="module")
def sampled(invoke: Invoke, plan: RunPlan, segment: Segment) -> Answer:
    return invoke("SampleFramesFunction", {"run_id": plan.run_id, "segment": segment.model_dump(mode="json")})


@pytest.fixture(scope="module")
def frames(invoke: Invoke, plan: RunPlan, sampled: Answer, store: S3Store) -> list[KeptFrame]:
    answer = invoke("ListFramesFunction", {"run_id": plan.run_id})
    assert not answer.error, answer.payload
    listed = from_json_lines(store.get(answer.payload["frames_key"]), KeptFrame)
    assert answer.payload["frame_count"] == len(listed)
    return listed


def test_the_image_probes_a_film(probe: Probe) -> None:
    assert (probe.width_px, probe.height_px) == (WIDTH_PX, HEIGHT_PX)
    assert probe.codec == "h264"
    assert probe.frames_per_second == RATE


def test_the_image_samples_a_film(sampled: Answer, segment: Segment, store: S3Store) -> None:
    key = keys.segment_list(segment.source.footage_id, segment.fingerprint, segment.segment)
    report, frames = read_segment_list(store.get(key))
    kept = [frame for frame in frames if frame.outcome == "kept"]
    assert sampled.payload == {
        "kept": len(kept),
        "dropped": len(frames) - len(kept),
        "reused": False,
        "requests": report.requests,
        "bytes_read": report.bytes_read,
    }
    assert report.requests > 0
    assert len(kept) > SECONDS_PER_SHOT
    assert report.complete
    assert report.cuts_ms == (SECONDS_PER_SHOT * 1000,)
    for frame in kept:
        assert frame.key
        assert store.get(frame.key).startswith(b"\xff\xd8\xff"), f"{frame.key} is no JPEG"


def test_the_image_pays_once(
    invoke: Invoke, plan: RunPlan, segment: Segment, sampled: Answer, store: S3Store
) -> None:
    again = invoke("SampleFramesFunction", {"run_id": plan.run_id, "segment": segment.model_dump(mode="json")})
    assert again.payload == {**sampled.payload, "reused": True}


def test_the_image_answers_a_bad_event_with_an_error(invoke: Invoke) -> None:
    answer = invoke("SampleFramesFunction", _event("sample_frames/invalid_segment_without_end"))
    assert answer.error == "RequestInvalidError"
    assert "end_ms" in answer.payload["errorMessage"]


def test_the_image_names_footage_that_changed(invoke: Invoke, plan: RunPlan, segment: Segment) -> None:
    source = segment.source.model_copy(update={"version_id": None, "etag": "0" * 32})
    changed = segment.model_copy(update={"source": source, "fingerprint": "changed"})
    answer = invoke("SampleFramesFunction", {"run_id": plan.run_id, "segment": changed.model_dump(mode="json")})
    assert answer.error == "FootageMissingError"


def test_a_zip_with_a_layer_prepares_a_run(invoke: Invoke, store: S3Store) -> None:
    event = _event("prepare_run/valid_upload")
    film = store.head(FILM_KEY)
    event["request"]["detail"]["object"].update(
        {"key": FILM_KEY, "size": film.size_bytes, "etag": film.etag, "version-id": film.version_id}
    )
    first, again = (
        invoke("PrepareRunFunction", event | {"execution_arn": arn}) for arn in (EXECUTION, f"{EXECUTION}2")
    )
    assert first.payload["claimed"] is True
    run_id = first.payload["run_id"]
    assert read_plan(store, run_id).footage[0].source.key == FILM_KEY
    assert read_run(store, run_id).execution_arn == EXECUTION
    assert again.payload == {"claimed": False, "held_by": EXECUTION}


def test_a_zip_with_a_layer_lists_frames(frames: list[KeptFrame]) -> None:
    assert [frame.shot for frame in frames] == sorted(frame.shot for frame in frames)
    assert {frame.shot for frame in frames} == {0, 1}


def test_a_zip_answers_an_unknown_run_with_an_error(invoke: Invoke) -> None:
    event = _event("list_frames/invalid_unknown_run")
    answer = invoke("ListFramesFunction", event)
    assert answer.error == "RequestInvalidError"
    assert event["run_id"] in answer.payload["errorMessage"]


def test_a_zip_answers_a_bad_request_with_our_error(invoke: Invoke) -> None:
    answer = invoke("PrepareRunFunction", _event("prepare_run/invalid_request_empty"))
    assert answer.error == "RequestInvalidError"


def test_a_zip_with_both_layers_curates(
    invoke: Invoke, plan: RunPlan, frames: list[KeptFrame], store: S3Store
) -> None:
    sightings = [_sighting(frame, number) for number, frame in enumerate(frames)]
    vectors = np.random.default_rng(7).normal(size=(len(frames), 64)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[1] = vectors[0]
    out = io.BytesIO()
    np.save(out, vectors, allow_pickle=False)
    store.put(keys.run_file(plan.run_id, "sightings.jsonl"), to_json_lines(sightings), "application/jsonl")
    store.put(keys.run_file(plan.run_id, "embeddings.npy"), out.getvalue(), "application/octet-stream")
    answer = invoke("CurateDatasetFunction", {"run_id": plan.run_id})
    assert not answer.error, answer.payload
    assert answer.payload["image_count"] > 0
    report = json.loads(store.get(keys.run_file(plan.run_id, "curation.json")))
    assert report["outcomes"]["duplicate"] == 1
    assert report["pictures"] == {"Square": answer.payload["image_count"]}


def test_a_zip_with_both_layers_reports(invoke: Invoke, plan: RunPlan, store: S3Store) -> None:
    answer = invoke("ReportRunFunction", {"run_id": plan.run_id})
    assert not answer.error, answer.payload
    page = store.get(keys.run_file(plan.run_id, "report.html")).decode()
    assert page.startswith("<!doctype html>")
    assert plan.run_id in page


def test_a_zip_with_a_layer_keeps_the_book(invoke: Invoke, plan: RunPlan) -> None:
    """With nothing in it, nothing is billed, and no service is asked."""
    event = _event("end_billed/valid_run")
    event["request"]["run_id"] = plan.run_id
    answer = invoke("EndBilledFunction", event)
    assert not answer.error, answer.payload
    assert answer.payload["status"] == "ended"


def _event(name: str) -> Any:
    return json.loads((REPOSITORY / f"events/{name}.json").read_text())


def _sighting(frame: KeptFrame, number: int) -> Sighting:
    return Sighting(
        crop_id=f"{frame.frame_id}-0",
        key=f"footage/{frame.footage_id}/crops-x/{frame.frame_id}-0.jpg",
        frame_id=frame.frame_id,
        frame_key=frame.key,
        footage_id=frame.footage_id,
        time_ms=frame.time_ms,
        shot=frame.shot,
        width_px=frame.width_px,
        height_px=frame.height_px,
        left=0.1,
        top=0.1,
        width=0.6,
        height=0.6,
        left_px=20,
        top_px=20,
        side_px=200,
        confidence=90.0,
        labels=(("Square", 90.0),),
        sharpness=100.0,
        light=0.5,
        contrast=0.2,
        track=number,
        character="Square",
        score=0.9,
        outcome="named",
        reason="",
    )
