"""What the benchmark of the cast is measured on: frames with their shots, and what the models say of them.

Frames are chosen by the product's own sampling, and the labelled ones are added. The models are those of
the local stand-ins, asked through the product's adapters in this process. What they said is kept, so that a
second run asks nothing again.
"""

import hashlib
import io
import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.standins.embeddings import titan_embedding
from local.standins.rekognition import LABEL_MODEL_VERSION, Rekognition
from local.standins.service import Call, World
from storycast import names
from storycast.adapters.bedrock_runtime import BedrockEmbedder
from storycast.footage import FootageSource, Probe, Segment, plan_segments
from storycast.frames import Frame, KeptFrame, from_json_lines, number_shots, to_json_lines
from storycast.plan import FRAMES_VERSION
from storycast.video import Sample, read_header, sample

EMBEDDING_MODEL = "amazon.titan-embed-image-v1"
EMBEDDER_VERSION = "efficientnet-lite0"
LEAST_CONFIDENCE = 25.0
"""What the stand-in is asked with, so that one answer serves all confidences above; it gives none below."""
LABELLED_MS = 200
"""About the length of the segment of whose frames the first is the labelled one."""


@dataclass(frozen=True)
class Film:
    """A film's frames, by time, with their pictures in a folder."""

    footage_id: str
    frames: tuple[KeptFrame, ...]

    def picture(self, frame: KeptFrame) -> bytes:
        """Return a frame's JPEG."""
        return Path(frame.key).read_bytes()


def read_film(video: Path, times_ms: Sequence[int], cache: Path, frames_per_second: float = 1.0) -> Film:
    """Sample a film as a run does, and take the labelled frames out of it.

    Args:
        video: The film.
        times_ms: Times of the labelled frames.
        cache: Folder in which frames are kept.
        frames_per_second: Of the sampling.
    """
    digest = hashlib.sha256(video.read_bytes()).hexdigest()
    marks = json.dumps([digest, sorted(times_ms), frames_per_second, FRAMES_VERSION])
    folder = cache / f"frames-{hashlib.sha256(marks.encode()).hexdigest()[:12]}"
    footage_id = digest[:12]
    listed = folder / "frames.jsonl"
    if not listed.exists():
        folder.mkdir(parents=True, exist_ok=True)
        listed.write_bytes(to_json_lines(_sampled(video, footage_id, times_ms, folder, frames_per_second)))
    frames = from_json_lines(listed.read_bytes(), KeptFrame)
    return Film(footage_id, tuple(frames))


def _sampled(
    video: Path, footage_id: str, times_ms: Sequence[int], folder: Path, frames_per_second: float
) -> list[KeptFrame]:
    with video.open("rb") as file:
        header = read_header(file, video.name)
    source = FootageSource(
        footage_id=footage_id, name=video.name, key=str(video), size_bytes=video.stat().st_size, etag=footage_id
    )
    probe = Probe(
        footage_id=footage_id,
        container=header.container,
        codec=header.codec,
        width_px=header.width_px,
        height_px=header.height_px,
        duration_ms=header.duration_ms,
        frames_per_second=header.frames_per_second,
        fingerprint="",
    )
    segments = plan_segments(
        source, probe, frames_per_second=frames_per_second, pick="sharpest", fingerprint="benchmark"
    )
    frames: dict[int, Frame] = {}
    cuts: list[int] = []
    for segment in segments:
        report = Sample()
        frames |= _frames_of(video, segment, report, footage_id, folder)
        cuts += report.cuts_ms
    for time_ms in times_ms:
        # An interval that begins at this very time, since intervals count from the beginning of the film.
        interval_ms = time_ms / max(round(time_ms / LABELLED_MS), 1) or LABELLED_MS
        labelled = Segment(
            source=source,
            segment=0,
            start_ms=time_ms,
            end_ms=time_ms + round(interval_ms),
            interval_ms=interval_ms,
            pick="fixed",
            fingerprint="benchmark",
        )
        taken = _frames_of(video, labelled, Sample(), footage_id, folder)
        frames |= taken
    return number_shots(frames.values(), cuts, footage_id)


def _frames_of(video: Path, segment: Segment, report: Sample, footage_id: str, folder: Path) -> dict[int, Frame]:
    frames = {}
    with video.open("rb") as file:
        for sampled in sample(file, video.name, segment, report):
            if sampled.jpeg is None:
                continue
            path = folder / f"{sampled.time_ms:09d}.jpg"
            path.write_bytes(sampled.jpeg)
            frames[sampled.time_ms] = Frame(
                frame_id=names.frame_id(footage_id, sampled.time_ms),
                time_ms=sampled.time_ms,
                outcome=sampled.outcome,
                reason=sampled.reason,
                key=str(path),
                width_px=sampled.width_px,
                height_px=sampled.height_px,
                sharpness=sampled.sharpness,
            )
    return frames


class Answers:
    """What was said before, in one SQLite file."""

    def __init__(self, cache: Path) -> None:
        cache.mkdir(parents=True, exist_ok=True)
        self._rows = sqlite3.connect(cache / "answers.sqlite")
        self._rows.execute("create table if not exists answers (question text primary key, answer text)")
        self.asked = 0
        self.known = 0

    def of(self, question: Sequence[Any], ask: Callable[[], Any]) -> Any:
        """Return the answer to a question, as JSON keeps it; ``ask`` is called where it was never asked."""
        key = json.dumps(question)
        row = self._rows.execute("select answer from answers where question = ?", (key,)).fetchone()
        if row:
            self.known += 1
            return json.loads(row[0])
        self.asked += 1
        answer = ask()
        with self._rows:
            self._rows.execute("insert or replace into answers values (?, ?)", (key, json.dumps(answer)))
        return answer


class LocalRekognition:
    """The stand-in's DetectLabels in this process, with the client's method; frames are named by their paths."""

    def __init__(self, answers: Answers, state: Path) -> None:
        self._service = Rekognition(World(state))
        self._answers = answers

    def detect_labels(self, **params: Any) -> Any:
        """Answer as a client's ``detect_labels`` does."""
        content = Path(params.pop("Image")["S3Object"]["Name"]).read_bytes()
        least = params["MinConfidence"]
        params["MinConfidence"] = LEAST_CONFIDENCE
        question = ["DetectLabels", LABEL_MODEL_VERSION, hashlib.sha256(content).hexdigest(), params]
        answer = self._answers.of(
            question,
            lambda: self._service.detect_labels({**params, "Image": {"Bytes": content}}, _call("DetectLabels")),
        )
        labels = [
            {**label, "Instances": [one for one in label["Instances"] if one["Confidence"] >= least]}
            for label in answer["Labels"]
            if label["Confidence"] >= least
        ]
        return {**answer, "Labels": labels}


class LocalRuntime:
    """The stand-in's image embeddings in this process, with the client's method."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    def invoke_model(self, **params: Any) -> Any:
        """Answer as a client's ``invoke_model`` does."""
        body = params["body"].encode()
        question = ["InvokeModel", EMBEDDER_VERSION, params["modelId"], hashlib.sha256(body).hexdigest()]
        answer = self._answers.of(question, lambda: titan_embedding(body, _call("InvokeModel")))
        return {"body": io.BytesIO(json.dumps(answer).encode())}


def embedder(answers: Answers) -> BedrockEmbedder:
    """Return the product's embedder over the stand-in."""
    return BedrockEmbedder(EMBEDDING_MODEL, LocalRuntime(answers))


def _call(operation: str) -> Call:
    return Call("benchmark", operation, "us-east-1", "", "")
