"""The bucket of a made-up run: what its children would have left is made as it is read."""

import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import cv2
import numpy as np

from benchmarks.load_run import FOOTAGE, HEIGHT_PX, RUN_ID, WIDTH_PX, MadeRun, colours_of
from storycast import keys, names
from storycast.captions import Caption
from storycast.crops import Crop, FrameCrops
from storycast.detections import Detection, FrameDetections, LabelVote
from storycast.embeddings import encode
from storycast.ports import ObjectChangedError, Reads, StoredObject

_WORDS = (
    "walks",
    "stands",
    "sits",
    "looks",
    "turns",
    "waits",
    "under",
    "beside",
    "behind",
    "near",
    "tall",
    "bright",
)


class RunStore:
    """An object store: files of a folder for what the stages write, made up for what their children would have.

    What the stages write of pictures is counted and thrown away.
    """

    bucket = "load"

    def __init__(self, folder: Path, made: MadeRun) -> None:
        self.requests = 0
        self._folder, self._made = folder / "objects", made
        self._folder.mkdir(exist_ok=True)
        drawn = np.random.default_rng(0).integers(0, 255, (9, 16, 3)).astype(np.uint8)
        picture = cv2.resize(drawn, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_CUBIC)
        self._jpeg = cv2.imencode(".jpg", picture)[1].tobytes()

    def get(self, key: str) -> bytes:
        self.requests += 1
        folder, name = key.rpartition("/")[::2]
        if key.endswith((".jpg", ".png")):
            return self._jpeg
        if "/detections-" in folder:
            return self._detections(name.removesuffix(".json"), folder.rpartition("-")[2])
        if "/crops-" in folder:
            return self._crops(name.removesuffix(".json"), folder.rpartition("-")[2])
        if folder.endswith("/captions"):
            return self._caption(name.removesuffix(".json"))
        try:
            return self._path(key).read_bytes()
        except FileNotFoundError:
            raise KeyError(key) from None

    def get_with_etag(self, key: str) -> tuple[bytes, str]:
        content = self.get(key)
        return content, hashlib.sha256(content).hexdigest()

    def put(self, key: str, content: bytes, content_type: str) -> None:
        self.requests += 1
        if not content_type.startswith("image/"):
            self._path(key).write_bytes(content)

    def put_if(self, key: str, content: bytes, content_type: str, etag: str | None) -> None:
        there = self.get_with_etag(key)[1] if self._path(key).exists() else None
        if there != etag:
            raise ObjectChangedError(key)
        self.put(key, content, content_type)

    def head(self, key: str) -> StoredObject:
        self.requests += 1
        path = self._path(key)
        if not path.exists():
            raise KeyError(key)
        return StoredObject(key, path.stat().st_size, "etag")

    def list(self, prefix: str) -> Iterator[StoredObject]:
        self.requests += 1
        there = [one.name.replace("%", "/") for one in self._folder.iterdir()]
        yield from (
            StoredObject(key, 1, "etag") for key in sorted([*there, *self._made_up()]) if key.startswith(prefix)
        )

    def _made_up(self) -> Iterator[str]:
        """Yield the keys of pictures and captions of the run, as far as it has come."""
        manifest, curated = (self._path(keys.run_file(RUN_ID, one)) for one in (keys.MANIFEST, "curated.jsonl"))
        if manifest.exists():
            for line in manifest.read_text("utf-8").splitlines():
                yield json.loads(line)["image-ref"].partition(f"//{self.bucket}/")[2]
        if curated.exists():
            for line in curated.read_text("utf-8").splitlines():
                yield keys.run_file(RUN_ID, f"captions/{json.loads(line)['crop_id']}.json")

    def delete(self, key: str) -> None:
        self.requests += 1
        self._path(key).unlink(missing_ok=True)

    def open(self, stored: StoredObject, reads: Reads | None = None) -> IO[bytes]:
        self.requests += -(-stored.size_bytes // (8 * 1024 * 1024))
        if reads is not None:
            reads.bytes_read += stored.size_bytes
        return io.BufferedReader(io.FileIO(self._path(stored.key)))

    def _path(self, key: str) -> Path:
        return self._folder / key.replace("/", "%")

    def _detections(self, frame_id: str, fingerprint: str) -> bytes:
        found = tuple(self._detection(place, row) for place, row in enumerate(self._made.rows_of(frame_id)))
        record = FrameDetections(
            frame_id=frame_id,
            fingerprint=fingerprint,
            paid_by=RUN_ID,
            model_version="made up",
            detections=found,
            refused="",
            faces_paid_by="",
        )
        return record.model_dump_json().encode()

    def _detection(self, place: int, row: int) -> Detection:
        left, height = 0.02 + 0.32 * place, 0.4 + 0.05 * (row % 10)
        return Detection(
            left=left,
            top=0.05,
            width=0.28,
            height=height,
            confidence=90.0,
            labels=(LabelVote(label="Person", confidence=90.0),),
        )

    def _crops(self, frame_id: str, fingerprint: str) -> bytes:
        crops = []
        for place, row in enumerate(self._made.rows_of(frame_id)):
            found, crop_id = self._detection(place, row), names.crop_id(frame_id, place)
            crops.append(
                Crop(
                    crop_id=crop_id,
                    key=keys.crop(FOOTAGE, fingerprint, crop_id),
                    left=found.left,
                    top=found.top,
                    width=found.width,
                    height=found.height,
                    left_px=round(found.left * WIDTH_PX),
                    top_px=20,
                    side_px=512,
                    confidence=found.confidence,
                    labels=found.labels,
                    sharpness=40.0 + row % 37,
                    light=0.2 + row % 7 / 10,
                    contrast=0.5,
                    embedding=encode(self._made.embedding(row)),
                    colours=colours_of(row),
                    paid_by=RUN_ID,
                )
            )
        record = FrameCrops(frame_id=frame_id, fingerprint=fingerprint, complete=True, crops=tuple(crops))
        return record.model_dump_json().encode()

    def _caption(self, crop_id: str) -> bytes:
        rng = np.random.default_rng(int.from_bytes(hashlib.sha256(crop_id.encode()).digest()[:4]))
        text = " ".join(rng.choice(_WORDS, 24))
        record = Caption(crop_id=crop_id, fingerprint="f", model_id="made up", caption=text, refused="", flags=())
        return record.model_dump_json().encode()
