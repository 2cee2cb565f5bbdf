"""A training on this machine, planned: its job, its panels and its folder."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cli.base_licence import Licence, licence_of
from cli.local_dataset import LocalDataset
from cli.lora_folder import LoraFolder
from cli.problems import InputRefusedError
from cli.training import merged
from storycast import names
from storycast.caption_lint.findings import Rule
from storycast.fingerprint import fingerprint
from storycast.lora_job import BaseModel, JobPicture, LoraJob, job_panel, job_values
from storycast.settings import Settings
from storycast.storyboard import PanelOrder, panel_requests
from storycast.training import SeenPicture, TrainingPlan, TrainingRequest, lora_fingerprint

SAMPLES, SAMPLE_BYTES = 16, 65_536
"""What is read of a file of weights to tell it from others of the same size."""


@dataclass(frozen=True, slots=True)
class LocalSession:
    """What the user asked for.

    Attributes:
        run: A run's id, or a folder that ``--out`` left.
        training: Such as ``step_count``; holds instead of the run's own settings.
        storyboard: Such as ``prompts``.
        weights: The base model in diffusers' folder layout; from the model hub where None.
        python: The interpreter that trains; that of ``make setup-training`` where None.
        acknowledge: Rules of the caption lint whose findings may stay.
    """

    run: str
    training: Mapping[str, Any] = field(default_factory=dict)
    storyboard: Mapping[str, Any] = field(default_factory=dict)
    weights: Path | None = None
    python: Path | None = None
    acknowledge: Sequence[Rule] = ()


@dataclass(frozen=True, slots=True)
class LocalPlan:
    """A session, worked out: what it trains on, what it draws, and where."""

    dataset: LocalDataset
    settings: Settings
    held_out: frozenset[Path]
    base_model: BaseModel
    licence: Licence
    weights: Path | None
    python: Path
    training_id: str
    orders: tuple[tuple[PanelOrder, ...], ...]
    """What is drawn, by prompt."""
    folder: LoraFolder

    @property
    def name(self) -> str:
        """Name of the job that trains."""
        return names.job_name(self.dataset.run_id, self.training_id, "local")

    @property
    def is_offline(self) -> bool:
        """Whether nothing is to be fetched."""
        return self.weights is not None

    def training_job(self) -> LoraJob:
        """Return what the trainer is asked for."""
        pictures = [
            JobPicture(
                file=one.path.name,
                caption=one.caption,
                characters=one.known.image.in_picture if one.known else (),
                shot=f"{one.known.image.footage_id}:{one.known.image.shot}" if one.known else None,
                held_out=one.path in self.held_out,
            )
            for one in self.dataset.pictures
        ]
        return LoraJob(
            name=self.name,
            task="train",
            project=self.dataset.project,
            base_model=self.base_model,
            characters=self.dataset.characters,
            pictures=tuple(pictures),
            values=job_values(self.settings.training),
        )

    def drawing_job(self) -> LoraJob:
        """Return what the trainer is asked for when that is done."""
        return LoraJob(
            name=f"{self.name}-h",
            task="draw",
            project=self.dataset.project,
            base_model=self.base_model,
            characters=self.dataset.characters,
            panels=tuple(job_panel(order) for orders in self.orders for order in orders),
        )


def plan_session(session: LocalSession, dataset: LocalDataset, home: Path, python: Path) -> LocalPlan:
    """Work out a session; the same pictures, values and weights are the same training, in the same folder.

    Args:
        session: What the user asked for.
        dataset: The dataset.
        home: The folder that has or gets ``lora/``.
        python: The interpreter that trains.

    Raises:
        InputRefusedError: A value can't be used, or the weights are not on this machine.
    """
    settings = merged(
        dataset.settings,
        TrainingRequest(
            run_id="local",
            training={"target": "sagemaker", **session.training},
            storyboard=dict(session.storyboard),
            acknowledge=tuple(session.acknowledge),
        ),
    )
    training = settings.training
    if session.weights is None and training.model_id.startswith("s3://"):
        raise InputRefusedError(
            [
                f"The base model is {training.model_id}, which this machine does not read. Copy it here "
                f"(`aws s3 cp --recursive {training.model_id} DIR`) and name it: --weights DIR."
            ]
        )
    weights = session.weights.resolve() if session.weights else None
    held_out = dataset.held_out(training.hold_out_share)
    seen = [
        SeenPicture(one.md5, one.caption, one.known.image.in_picture if one.known else ())
        for one in dataset.pictures
        if one.path not in held_out
    ]
    mark = lora_fingerprint(training, seen)
    if weights:
        mark = fingerprint(training=mark, weights=_weights_mark(weights))
    training_id = names.training_id(mark)
    return LocalPlan(
        dataset=dataset,
        settings=settings,
        held_out=held_out,
        base_model=BaseModel(
            # A path of this machine would be told in the adapter's card to whoever gets it.
            source="folder" if weights else "hub",
            id=(training.base_model or weights.name) if weights else training.model_id,
        ),
        licence=licence_of(weights, training.base_model if weights else training.model_id),
        weights=weights,
        python=python,
        training_id=training_id,
        orders=_orders(dataset, settings, mark, training_id),
        folder=LoraFolder(home / "lora" / training_id),
    )


def _orders(
    dataset: LocalDataset, settings: Settings, mark: str, training_id: str
) -> tuple[tuple[PanelOrder, ...], ...]:
    plan = TrainingPlan(
        run_id=dataset.run_id,
        training_id=training_id,
        session_id="local",
        project=dataset.project,
        execution_arn="",
        settings=settings,
        fingerprint=mark,
        manifest_key="",
        record_count=len(dataset.pictures),
        held_out=(),
        begun_at=datetime.now(UTC),
        job_name="local",
    )
    return tuple(panel_requests(plan, number) for number in range(len(settings.storyboard.prompts)))


def _weights_mark(weights: Path) -> str:
    """Return a fingerprint of weights by samples of their files, wherever they lie: they have gigabytes."""
    digest = hashlib.sha256()
    for file in sorted(weights.rglob("*.safetensors")):
        size = file.stat().st_size
        digest.update(f"{file.relative_to(weights)} {size}\n".encode())
        with file.open("rb") as content:
            for part in range(SAMPLES):
                content.seek(size * part // SAMPLES)
                digest.update(content.read(SAMPLE_BYTES))
    return digest.hexdigest()
