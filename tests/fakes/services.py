"""Fakes of the services: they do little, count their calls, and fail on request."""

import io
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from storycast.boxes import Box
from storycast.errors import ModelNotAvailableError
from storycast.ports import Answer, LabelledBox, Labels, ModelFacts, ObjectStore

COLOURS = {"Red": 0, "Green": 1, "Blue": 2}
"""Things that :class:`ColourDetector` sees: what is mostly of one channel."""


class MemoryClaims:
    """:class:`~storycast.ports.Claims` in a dictionary."""

    def __init__(self) -> None:
        self.holders: dict[str, str] = {}
        self.details: dict[str, Mapping[str, str]] = {}
        self.runs: dict[str, str] = {}

    def claim(self, item: str, owner: str, details: Mapping[str, str]) -> str:
        holder = self.holders.setdefault(item, owner)
        if holder == owner:
            self.details[item] = dict(details)
        return holder

    def holder(self, item: str) -> str | None:
        return self.holders.get(item)

    def release(self, item: str, owner: str) -> None:
        if self.holders.get(item) == owner:
            del self.holders[item]

    def register(self, execution_arn: str, run_id: str) -> None:
        self.runs[execution_arn] = run_id

    def run_of(self, execution_arn: str) -> str | None:
        return self.runs.get(execution_arn)


class Faults:
    """Errors to raise instead of answering, by the number of the call from 1."""

    def __init__(self, faults: Mapping[int, Exception] | None = None) -> None:
        self.calls = 0
        self.answered = 0
        self._faults = dict(faults or {})

    def count(self) -> None:
        self.calls += 1
        if self.calls in self._faults:
            raise self._faults[self.calls]
        self.answered += 1


class ColourDetector(Faults):
    """A :class:`~storycast.ports.LabelDetector` that sees one thing of each of :data:`COLOURS`."""

    def __init__(self, store: ObjectStore, faults: Mapping[int, Exception] | None = None) -> None:
        super().__init__(faults)
        self._store = store

    def detect(self, key: str, *, min_confidence: float, only: Sequence[str]) -> Labels:
        self.count()
        pixels = _pixels(self._store.get(key))
        boxes = []
        for label, channel in COLOURS.items():
            others = [other for other in range(3) if other != channel]
            seen = (pixels[..., channel] > 140) & (pixels[..., others].max(axis=2) < 100)
            if (not only or label in only) and seen.sum() > 200:
                boxes.append(LabelledBox(_box(seen), label, max(min_confidence, 90.0)))
        return Labels(tuple(boxes), "1.0")


class ColourEmbedder(Faults):
    """An :class:`~storycast.ports.Embedder`: a picture's small thumbnail less mid-grey."""

    model_id = "amazon.titan-embed-image-v1"

    def embed(self, picture: bytes) -> list[float]:
        self.count()
        small = Image.open(io.BytesIO(picture)).convert("RGB").resize((4, 4), Image.Resampling.BOX)
        centred = np.asarray(small, dtype=np.float64).reshape(-1) / 255 - 0.5
        return [float(value) + 1e-6 for value in centred]


class NamingCaptioner(Faults):
    """A :class:`~storycast.ports.Captioner` that names who the prompt says is in the picture."""

    def __init__(
        self, faults: Mapping[int, Exception] | None = None, answers: Mapping[int, Answer] | None = None
    ) -> None:
        super().__init__(faults)
        self.conversations: list[tuple[str, ...]] = []
        self._answers = dict(answers or {})

    def answer(self, system: str, turns: Sequence[str], picture: bytes, *, max_tokens: int) -> Answer:
        self.count()
        self.conversations.append(tuple(turns))
        if self.calls in self._answers:
            return self._answers[self.calls]
        block = re.search(r"<in_picture>(.*?)</in_picture>", turns[0], re.DOTALL)
        names = json.loads(block.group(1)) if block else []
        said = "on a plain ground, seen from the front, moving slowly to the right in even light"
        caption = f"{' and '.join(names)} {said}"
        return Answer(json.dumps({"caption": caption}), "end_turn", 100, 20)


class ListedModels:
    """A :class:`~storycast.ports.ModelCatalogue` over a list; what it has can do everything."""

    def __init__(
        self,
        ends_at: Mapping[str, datetime] | None = None,
        missing: Sequence[str] = (),
        legacy: Sequence[str] = (),
    ) -> None:
        self._ends_at = dict(ends_at or {})
        self._missing = missing
        self._legacy = legacy
        self.asked: list[str] = []
        self.provider = "tests"

    def facts(self, model_id: str) -> ModelFacts:
        self.asked.append(model_id)
        if model_id in self._missing:
            raise ModelNotAvailableError(f"GetFoundationModel {model_id}: not here")
        return ModelFacts(
            model_id=model_id,
            name=f"Fake {model_id}",
            provider=self.provider,
            status="LEGACY" if model_id in self._legacy else "ACTIVE",
            ends_at=self._ends_at.get(model_id),
            customizations=("FINE_TUNING",),
            inference=("ON_DEMAND", "PROVISIONED"),
        )


class GivenRoles:
    """A :class:`~storycast.ports.RoleInspector` that finds what it is given; None: it may not look."""

    def __init__(self, *found: str, may_look: bool = True) -> None:
        self._found = list(found)
        self._may_look = may_look
        self.asked: list[tuple[str, str]] = []

    def problems(self, role_arn: str, service: str) -> list[str] | None:
        self.asked.append((role_arn, service))
        return self._found if self._may_look else None


class HeardNotifier:
    """A :class:`~storycast.ports.Notifier` that remembers."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def tell(self, subject: str, message: str) -> None:
        self.told.append((subject, message))


def _pixels(content: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def _box(seen: NDArray[np.bool_]) -> Box:
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    height, width = seen.shape
    return Box(
        float(columns[0]) / width,
        float(rows[0]) / height,
        float(columns[-1] - columns[0] + 1) / width,
        float(rows[-1] - rows[0] + 1) / height,
    )
