"""A run with all that a report can tell, over fakes: its dataset made by the stages, its training by hand."""

import io
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from PIL import Image

from storycast import keys
from storycast.billing import Billed
from storycast.grading import Grades
from storycast.runs import ModelUsed, Run, change_run, read_run
from storycast.settings import DEFAULT_OPEN_MODEL, Settings
from storycast.storyboard import DrawnBy, PanelRequest, Panels
from storycast.training import TrainedModel, TrainingPlan, read_training_plan, write_training_plan
from tests.fakes.film import film
from tests.fakes.services import HeardNotifier
from tests.fakes.store import MemoryStore
from tests.fakes.workflow import BLUE, RED, World, scene

PROJECT = """
characters:
  - name: Rosso
    description: a large red square
    references: [cast/rosso/*]
  - name: Blu
    description: a small blue square
    references: [cast/blu/*]
sampling: {frames_per_second: 3, pick: fixed}
duplicates: {threshold: 0.999}
"""
BEGAN = datetime(2026, 1, 2, 4, 0, tzinfo=UTC)
FINGERPRINT, TRAINING, SESSION = "0123abcd4567", "t0123abcd", "0a1b2c"
CANVAS = "amazon.nova-canvas-v1:0"
STAND_IN = ModelUsed(
    model_id=CANVAS, name="Nova Canvas, played by composites", provider="Storycast local stand-in"
)
PROMPTS = ("Rosso stands on a meadow", "Blu meets Rosso at dusk")


@dataclass
class RowsGiven:
    """The part of a :class:`~storycast.ports.BillingBook` that a report asks for."""

    given: list[Billed] = field(default_factory=list)

    def rows(self, run_id: str | None = None) -> list[Billed]:
        return [row for row in self.given if run_id in (None, row.run_id)]


@dataclass
class Told:
    """A run and the world that it was made in."""

    run_id: str
    store: MemoryStore
    notifier: HeardNotifier
    book: RowsGiven

    @property
    def run(self) -> Run:
        return read_run(self.store, self.run_id)

    def change(self, **update: Any) -> None:
        """Change the run's record."""
        change_run(self.store, self.run_id, lambda run: run.model_copy(update=update))

    def put(self, name: str, content: bytes) -> None:
        self.store.put(keys.run_file(self.run_id, name), content, "application/octet-stream")

    @property
    def page(self) -> str:
        return self.store.get(keys.run_file(self.run_id, "report.html")).decode()


def made_dataset() -> Told:
    """Return a run that ended with its dataset."""
    world = World()
    pictures = []
    for number in range(96):
        shot, step = divmod(number, 24)
        shapes = [{RED: 20}, {RED: 20, BLUE: 180}, {BLUE: 120}, {RED: 100}][shot]
        pictures.append(scene(step, ground=[60, 130, 200, 90][shot], shapes=shapes))
    world.store.put("incoming/a/film.mp4", film(pictures), "video/mp4")
    world.store.put("projects/p/project.yaml", PROJECT.encode(), "application/yaml")
    for name, colour in (("rosso", RED), ("blu", BLUE)):
        reference = scene(0, ground=100, shapes={colour: 100})[60:180, 75:195]
        world.store.put(f"projects/p/cast/{name}/1.png", png(reference), "image/png")
    end = world.run({"project": "p", "footage": ["incoming/a/film.mp4"]})
    assert end.name == "DatasetReady", end
    return Told(end.run_id, world.store, world.notifier, RowsGiven())


def trained(
    told: Told, *, prompts: tuple[str, ...] = PROMPTS, verdict: str = "right", composite: bool = False
) -> Told:
    """Give a run a training with its model, hosting, panels and grades; its status is that of a session."""
    settings = Settings.model_validate(
        {
            "training": {"target": "bedrock", "step_count": 500, "batch_size": 8},
            "storyboard": {"prompts": prompts, "width": 512, "height": 512},
            "budget_usd": 500,
        }
    )
    curated = [
        json.loads(line) for line in told.store.get(keys.run_file(told.run_id, "curated.jsonl")).splitlines()
    ]
    plan = TrainingPlan(
        run_id=told.run_id,
        training_id=TRAINING,
        session_id=SESSION,
        project="p",
        execution_arn="arn:train",
        settings=settings,
        fingerprint=FINGERPRINT,
        manifest_key="m",
        record_count=max(len(curated) - 1, 5),
        held_out=(curated[0]["crop_id"],) if curated else (),
        begun_at=BEGAN,
        job_name=f"{told.run_id}-{TRAINING}-{SESSION}",
    )
    write_training_plan(told.store, plan)
    metrics_key = keys.training_output(told.run_id, TRAINING, SESSION) + "step_wise_training_metrics.csv"
    losses = "".join(f"{step},{step / 10:.3f},{0.1 + 0.5 / step:.6f}\n" for step in range(1, 501))
    told.store.put(metrics_key, f"step_number,epoch_number,training_loss\n{losses}".encode(), "text/csv")
    _put(
        told,
        keys.trained_model("p", FINGERPRINT),
        TrainedModel(
            fingerprint=FINGERPRINT,
            model_arn="arn:aws:bedrock:us-east-1:123456789012:custom-model/x/1",
            model_name=plan.job_name,
            base_model=CANVAS,
            job_name=plan.job_name,
            job_arn="arn:job",
            trained_by=told.run_id,
            training_id=TRAINING,
            session_id=SESSION,
            step_count=500,
            batch_size=8,
            learning_rate=1e-6,
            record_count=plan.record_count,
            began_at=BEGAN,
            ended_at=BEGAN + timedelta(hours=2),
            final_loss=0.101,
            metrics_key=metrics_key,
        ),
    )
    grades = []
    for number, prompt in enumerate(prompts, start=1):
        shares: tuple[tuple[DrawnBy, int], ...] = (("trained", 3), ("base", 1))
        for drawn_by, many in shares:
            panels = drawn(told, number, prompt, drawn_by, many, composite=composite)
            grades += [_grade(key, drawn_by, number - 1, verdict) for key in panels.picture_keys]
    _put(
        told,
        keys.training_file(told.run_id, TRAINING, SESSION, "grades.json"),
        Grades.model_validate(
            {
                "run_id": told.run_id,
                "training_id": TRAINING,
                "session_id": SESSION,
                "embedding_model": "amazon.titan-embed-image-v1",
                "known_cosine": 0.53,
                "known_cosine_measured": False,
                "copy_correlation": 0.9,
                "references": {"Rosso": 3},
                "training_pictures": 9,
                "grades": grades,
                "paid_detections": 6,
                "paid_embeddings": 12,
            }
        ),
    )
    told.book.given = [
        billed(told.run_id, plan.job_name, kind="customization_job", image_count=4000),
        billed(told.run_id, f"{plan.job_name}-h", created_at=BEGAN + timedelta(hours=2)),
    ]
    told.change(status="training", training_ids=(TRAINING,), models=(*told.run.models, STAND_IN))
    return told


def trained_adapter(told: Told, *, stand_in: str = "") -> Told:
    """Give a run an adapter that was trained on SageMaker, with all that its jobs left.

    Args:
        told: The run.
        stand_in: What the trainer says of itself where it is one.
    """
    trained(told, verdict="not graded" if stand_in else "right", composite=bool(stand_in))
    settings = Settings.model_validate(
        {
            "training": {"target": "sagemaker", "step_count": 1500},
            "storyboard": {"prompts": PROMPTS, "width": 1024, "height": 1024},
            "budget_usd": 20,
        }
    )
    plan = read_training_plan(told.store, told.run_id, TRAINING, SESSION)
    write_training_plan(told.store, plan.model_copy(update={"settings": settings}))
    work = keys.training_work(told.run_id, TRAINING)
    rows = "step_number,epoch_number,training_loss,held_out_loss,learning_rate,pictures_per_second\n"
    for step in range(10, 1501, 10):
        held = f"{0.13 + 2 / (step + 40):.6f}" if step % 150 == 0 else ""
        rows += f"{step},{step // 50},{0.1 + 3 / (step + 30) + (step % 70) / 2500:.6f},{held},0.0001,0.7\n"
    told.store.put(f"{work}metrics.csv", rows.encode(), "text/csv")
    footage_id = told.run.footage[0].footage_id
    shots = [
        {"shot": f"{footage_id}:2", "pictures": 2, "loss_before": 0.181, "loss_after": 0.133},
        {"shot": "unknown", "pictures": 1, "loss_before": 0.2, "loss_after": 0.205},
    ]
    told.store.put(f"{work}held_out.json", json.dumps({"shots": shots}).encode(), "application/json")
    progress = {
        "format": "storycast-progress-1",
        "phase": "done",
        "device": "NVIDIA A10G, 22 GB",
        "options": "bf16, gradient checkpointing",
        "stand_in": stand_in,
        "warnings": ["2 of 9 pictures lose more than a tenth of themselves"],
    }
    told.store.put(f"{work}progress.json", json.dumps(progress).encode(), "application/json")
    licence = {"name": "CreativeML Open RAIL++-M", "link": "https://example.com/LICENSE.md", "file": "LICENSE.md"}
    card = {"format": "storycast-adapter-1", "licence": licence, "stand_in": stand_in}
    told.store.put(f"{work}adapter/adapter.json", json.dumps(card).encode(), "application/json")
    key = keys.trained_model("p", FINGERPRINT)
    update = {
        "target": "sagemaker",
        "model_arn": f"s3://media/{work}adapter/",
        "base_model": DEFAULT_OPEN_MODEL,
        "step_count": 1500,
        "batch_size": 1,
        "learning_rate": 1e-4,
        "final_loss": 0.1023,
        "held_out_loss": 0.157,
        "metrics_key": f"{work}metrics.csv",
        "rank": 16,
        "resolution": 1024,
        "stand_in": stand_in,
    }
    _put(told, key, TrainedModel.model_validate_json(told.store.get(key)).model_copy(update=update))
    facts = {"model_units": 0, "instance_type": "ml.g5.xlarge", "max_run_s": 9000, "reason": "Completed"}
    drew = BEGAN + timedelta(hours=2, minutes=40)
    told.book.given = [
        billed(told.run_id, plan.job_name, kind="training_job", billable_s=1260, **facts),
        billed(
            told.run_id,
            f"{plan.job_name}-h",
            kind="drawing_job",
            intended_at=drew,
            created_at=drew,
            ended_at=drew + timedelta(minutes=9),
            **facts,
        ),
    ]
    told.change(models=tuple(one for one in told.run.models if one.model_id != CANVAS))
    return told


def drawn(
    told: Told,
    number: int,
    prompt: str,
    drawn_by: DrawnBy,
    many: int,
    *,
    composite: bool = False,
    refused: str = "",
) -> Panels:
    """Write what came of a prompt to the run's storyboard and to the project's panels."""
    stem = f"{TRAINING}-{number:02d}-{drawn_by}"
    mark = f"{number:06x}{'a' if drawn_by == 'trained' else 'b'}"
    own = [keys.run_file(told.run_id, f"storyboard/{stem}-{picture}.png") for picture in range(1, many + 1)]
    for place, key in enumerate(own):
        told.store.put(key, png(noise(number * 10 + place, 96)), "image/png")
    panels = Panels(
        fingerprint=mark,
        drawn_by=drawn_by,
        model_id="arn:hosting" if drawn_by == "trained" else CANVAS,
        request=PanelRequest(
            prompt=prompt,
            negative_prompt="blurry, deformed",
            image_count=max(many, 1),
            width_px=512,
            height_px=512,
            quality="premium",
            cfg_scale=8.0,
            seed=41 + number,
        ),
        picture_keys=tuple(own),
        composite=composite,
        refused=refused,
        paid_by=SESSION if many else "",
    )
    _put(told, keys.run_file(told.run_id, f"storyboard/{stem}.json"), panels)
    _put(told, keys.panel("p", FINGERPRINT, mark), panels)
    return panels


def billed(run_id: str, name: str, **fields: Any) -> Billed:
    """Return an ended row of the billing book."""
    return Billed.model_validate(
        {
            "name": name,
            "kind": "provisioned_throughput",
            "run_id": run_id,
            "training_id": TRAINING,
            "session_id": SESSION,
            "execution_arn": "arn:train",
            "state": "ended",
            "intended_at": BEGAN,
            "expires_at": BEGAN + timedelta(hours=4),
            "model_units": 1,
            "arn": "arn:resource",
            "created_at": BEGAN,
            "ended_at": BEGAN + timedelta(hours=2, minutes=30),
            "reason": "the storyboard is drawn",
            **fields,
        }
    )


def noise(seed: int, side_px: int) -> Any:
    """Return a picture that compresses badly."""
    return np.random.default_rng(seed).integers(0, 256, (side_px, side_px, 3), dtype=np.uint8)


def png(pixels: Any) -> bytes:
    """Return a picture as PNG."""
    out = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8)).save(out, "PNG")
    return out.getvalue()


def _grade(key: str, drawn_by: str, prompt: int, verdict: str) -> dict[str, Any]:
    return {
        "picture_key": key,
        "drawn_by": drawn_by,
        "prompt": prompt,
        "expected": ["Rosso"],
        "found": [],
        "missing": [],
        "others": [],
        "nearest": None,
        "copy_of": None,
        "against": {},
        "verdict": verdict,
        "reason": "composite" if verdict == "not graded" else "it shows Rosso (0.71)",
    }


def _put(told: Told, key: str, record: Any) -> None:
    told.store.put(key, record.model_dump_json().encode(), "application/json")
