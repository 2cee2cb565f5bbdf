"""What a run leaves in the bucket and in the billing book, as the command reads it."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from boto3.dynamodb.types import TypeSerializer
from pydantic import BaseModel

from cli.target import Target
from storycast import keys
from storycast.adapters.review_log import DynamoReviewLog
from storycast.billing import Billed
from storycast.footage import FootageSource
from storycast.plan import make_plan
from storycast.ports import Gate
from storycast.review import Review
from storycast.settings import Settings
from storycast.storyboard import PanelRequest, Panels
from storycast.training import TrainedModel, TrainingPlan
from tests.fakes.reviews import made_review

RUN_ID = "film-20261122-1a2b3c"
TRAINING_ID = "t0123abcd"
FINGERPRINT = "0123abcd4567"
MODEL = "amazon.nova-canvas-v1:0"
BEGAN = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def put(target: Target, key: str, content: BaseModel | dict[str, Any] | bytes) -> None:
    if isinstance(content, BaseModel):
        content = content.model_dump_json().encode()
    if isinstance(content, dict):
        content = json.dumps(content).encode()
    target.s3.put_object(Bucket=target.bucket, Key=key, Body=content)


def put_record(target: Target, run_id: str = RUN_ID, **fields: Any) -> None:
    record = {
        "run_id": run_id,
        "project": "bunny",
        "status": "dataset_ready",
        "execution_arn": "arn:aws:states:us-east-1:123456789012:execution:storycast-build-dataset:run",
        "started_at": "2026-11-22T12:00:00+00:00",
        **fields,
    }
    put(target, keys.run_file(run_id, "run.json"), record)


def put_review(target: Target, run_id: str = RUN_ID, count: int = 6, **fields: Any) -> Review:
    """Have a run wait for its review."""
    review = made_review(count, run_id=run_id, names=("Bunny", "Frank")).model_copy(update=fields)
    put(target, keys.review(run_id), review)
    gate = Gate(run_id, review.project, f"token-of-{run_id}", BEGAN, BEGAN + timedelta(hours=72), BEGAN)
    DynamoReviewLog(target.review_table, target.dynamodb).open(gate)
    return review


def put_settings(target: Target, run_id: str = RUN_ID, **parts: Any) -> Settings:
    """Write the settings of a run, parts of a project file; it has a budget where they say nothing else."""
    settings = Settings.model_validate({"budget_usd": 500, **parts})
    source = FootageSource(footage_id="f" * 12, name="f.mp4", key="k", size_bytes=1, etag="e", version_id=None)
    put(target, keys.run_file(run_id, "settings.json"), make_plan(run_id, "bunny", settings, [source]))
    return settings


def put_row(target: Target, name: str, **fields: Any) -> Billed:
    """Write a row of the billing book, as the functions do."""
    row = Billed.model_validate(
        {
            "name": name,
            "kind": "provisioned_throughput",
            "run_id": RUN_ID,
            "training_id": TRAINING_ID,
            "session_id": "0a1b2c",
            "execution_arn": "arn:aws:states:us-east-1:123456789012:execution:storycast-train-model:x",
            "state": "live",
            "intended_at": BEGAN,
            "created_at": BEGAN,
            "expires_at": BEGAN + timedelta(hours=2),
            "model_units": 1,
            **fields,
        }
    )
    write = TypeSerializer().serialize
    data = {"pk": f"billing#{name}", "book": "billing", **row.model_dump(mode="json")}
    target.dynamodb.put_item(
        TableName=target.table, Item={field: write(value) for field, value in data.items() if value is not None}
    )
    return row


def put_model(target: Target, /, **fields: Any) -> TrainedModel:
    model = TrainedModel.model_validate(
        {
            "fingerprint": FINGERPRINT,
            "model_arn": "arn:aws:bedrock:us-east-1:123456789012:custom-model/x/1",
            "model_name": f"{RUN_ID}-{TRAINING_ID}-0a1b2c",
            "base_model": MODEL,
            "job_name": f"{RUN_ID}-{TRAINING_ID}-0a1b2c",
            "job_arn": "arn:job",
            "trained_by": RUN_ID,
            "training_id": TRAINING_ID,
            "session_id": "0a1b2c",
            "step_count": 500,
            "batch_size": 8,
            "learning_rate": 1e-5,
            "record_count": 24,
            "began_at": BEGAN,
            "ended_at": BEGAN,
            "final_loss": 0.125,
            **fields,
        }
    )
    put(target, keys.trained_model("bunny", model.fingerprint), model)
    return model


def put_progress(target: Target, session_id: str, task: str = "train", **told: Any) -> None:
    """Write what a job on SageMaker says of itself in its work folder."""
    training, drawing = keys.training_work(RUN_ID, TRAINING_ID), keys.drawing_work(RUN_ID, TRAINING_ID, session_id)
    key = (training if task == "train" else drawing) + "progress.json"
    said = {"format": "storycast-progress-1", "task": task, "phase": "training", "step": 300, "step_count": 1500}
    at = {"at": datetime.now(UTC).isoformat()}
    put(target, key, {**said, "loss": 0.123, "eta_s": 754, **at, **told})


def put_session(target: Target, session_id: str, settings: Settings) -> None:
    """Write the plan of a training session."""
    plan = TrainingPlan(
        run_id=RUN_ID,
        training_id=TRAINING_ID,
        session_id=session_id,
        project="bunny",
        execution_arn="arn",
        settings=settings,
        fingerprint=FINGERPRINT,
        manifest_key="m",
        record_count=24,
        held_out=(),
        begun_at=BEGAN,
        job_name="job",
    )
    put(target, keys.training_file(RUN_ID, TRAINING_ID, session_id, "plan.json"), plan)


def put_panels(
    target: Target, number: int, prompt: str, drawn_by: str = "trained", given: int = 3, refused: str = ""
) -> list[str]:
    """Write what was drawn for a prompt, and return the pictures' keys."""
    stem = keys.run_file(RUN_ID, f"storyboard/{TRAINING_ID}-{number:02d}-{drawn_by}")
    request = PanelRequest(
        prompt=prompt,
        negative_prompt="",
        image_count=3,
        width_px=1024,
        height_px=1024,
        quality="premium",
        cfg_scale=8.0,
        seed=1,
    )
    pictures = [f"{stem}-{picture}.png" for picture in range(1, given + 1)]
    panels = Panels.model_validate(
        {
            "fingerprint": "f",
            "drawn_by": drawn_by,
            "model_id": MODEL,
            "request": request,
            "picture_keys": pictures,
            "composite": True,
            "refused": refused,
            "paid_by": "",
        }
    )
    put(target, f"{stem}.json", panels)
    for key in pictures:
        put(target, key, b"png")
    return pictures
