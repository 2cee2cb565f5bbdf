"""A training session for tests: its plan, and an image model that draws what a test tells it."""

import io
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from storycast import keys
from storycast.ports import Drawn
from storycast.settings import Settings
from storycast.storyboard import PanelRequest
from storycast.training import TrainingPlan
from tests.fakes.store import MemoryStore

RUN = "film-20260102-abcdef"
TRAINED_ARN = "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abc"
BASE = "amazon.nova-canvas-v1:0"


def session_plan(settings: Mapping[str, Any], **changes: Any) -> TrainingPlan:
    """Return a plan with a project file's parts as settings."""
    facts: dict[str, Any] = {
        "run_id": RUN,
        "training_id": "t0123abcd",
        "session_id": "0a1b2c",
        "project": "film",
        "execution_arn": "arn:aws:states:us-east-1:123456789012:execution:train-model:1",
        "settings": Settings.model_validate(settings),
        "fingerprint": "0123abcd4567",
        "manifest_key": keys.training_file(RUN, "t0123abcd", "0a1b2c", "manifest.jsonl"),
        "record_count": 8,
        "held_out": (),
        "begun_at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "job_name": f"{RUN}-t0123abcd-0a1b2c",
    }
    return TrainingPlan.model_validate({**facts, **changes})


def hosted(plan: TrainingPlan, store: MemoryStore) -> None:
    """Write what ``ProvisionModel`` leaves for a session."""
    key = keys.training_file(plan.run_id, plan.training_id, plan.session_id, "hosting.json")
    store.put(key, f'{{"arn": "{TRAINED_ARN}", "name": "{plan.job_name}"}}'.encode(), "application/json")


def png(pixels: Any, software: str = "") -> bytes:
    """Return a picture as PNG, with the text ``Software`` where it is not empty."""
    text = PngImagePlugin.PngInfo()
    if software:
        text.add_text("Software", software)
    out = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8)).save(out, "PNG", pnginfo=text)
    return out.getvalue()


class ToldImages:
    """An :class:`~storycast.ports.ImageModel` that answers by model as it was told, and remembers."""

    def __init__(self, answers: Mapping[str, Drawn | Exception | Callable[[PanelRequest], Drawn]]) -> None:
        self._answers = answers
        self.asked: list[tuple[str, PanelRequest]] = []

    def draw(self, model_id: str, request: PanelRequest) -> Drawn:
        self.asked.append((model_id, request))
        answer = self._answers[model_id]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Drawn) else answer(request)

    @property
    def models(self) -> Sequence[str]:
        return [model_id for model_id, _ in self.asked]
