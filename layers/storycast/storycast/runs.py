"""Runs: one execution over a project's footage, and its record ``run.json``."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Literal

from pydantic import Field

from storycast import keys
from storycast.billing import Billed
from storycast.errors import DependencyUnavailableError
from storycast.footage import FootageSource, Record
from storycast.ports import ObjectChangedError, ObjectStore

RunStatus = Literal["running", "in_review", "dataset_ready", "training", "storyboard_ready", "failed"]

CHANGE_ATTEMPTS = 10
"""How often a change is tried before the state machine shall wait; each of them failed since another succeeded."""


class ModelUsed(Record):
    """A model of the run and who stands behind it, as its catalogue says."""

    model_id: str
    name: str
    provider: str


class Run(Record):
    """The record of a run.

    It has several writers at once: a function of an execution that was stopped is still at work while the end is
    recorded. So each changes what it owns, by :func:`change_run`.
    """

    run_id: str
    project: str
    status: RunStatus
    execution_arn: str
    started_at: str
    ended_at: str | None = None
    footage: tuple[FootageSource, ...] = ()
    models: tuple[ModelUsed, ...] = ()
    counts: Mapping[str, int] = Field(default_factory=dict)
    """How many of what, by name, such as ``frames_kept``; ``paid_...`` counts what this run itself paid for."""
    chosen: Mapping[str, Any] = Field(default_factory=dict)
    """What was measured or chosen on the way, such as the duplicates' threshold."""
    warnings: tuple[str, ...] = ()
    error: str | None = None
    cause: str | None = None
    failed_execution_arn: str | None = None
    """The execution that ended with ``error``."""
    training_execution_arn: str | None = None
    """The newest execution of ``train_model`` for this run."""
    training_ids: tuple[str, ...] = ()
    """Trainings of this run, oldest first."""
    billing: tuple[Billed, ...] = ()
    """A copy of the run's rows in the billing book, as of the last stage that wrote it."""
    estimate: Mapping[str, Any] | None = None
    """What the run was expected to cost; see :mod:`storycast.estimate`."""
    cost: Mapping[str, Any] | None = None
    """What it did cost, from its counts."""

    def model(self, model_id: str) -> ModelUsed:
        """Return a model of the run; with its id alone where nobody looked it up."""
        unknown = ModelUsed(model_id=model_id, name=model_id, provider="")
        return next((model for model in self.models if model.model_id == model_id), unknown)

    def with_counts(self, **counts: int) -> "Run":
        """Return the run with more counts; those of the same name are replaced."""
        return self.model_copy(update={"counts": {**self.counts, **counts}})

    def with_chosen(self, **chosen: Any) -> "Run":
        """Return the run with more of what was chosen."""
        return self.model_copy(update={"chosen": {**self.chosen, **chosen}})

    def with_warnings(self, *warnings: str) -> "Run":
        """Return the run with warnings added, each once."""
        return self.model_copy(update={"warnings": tuple(dict.fromkeys((*self.warnings, *warnings)))})


def read_run(store: ObjectStore, run_id: str) -> Run:
    """Read a run's record.

    Raises:
        KeyError: There is no such run.
    """
    return Run.model_validate_json(store.get(keys.run_file(run_id, "run.json")))


def has_failed(store: ObjectStore, run_id: str) -> bool:
    """Whether a run's execution has ended without success: it begins nothing more, but may end what it began."""
    try:
        return read_run(store, run_id).status == "failed"
    except (KeyError, ValueError):
        return False


def create_run(store: ObjectStore, run: Run) -> Run:
    """Write the record of a new run and return it; where there is a record already, return that one as it is."""
    try:
        store.put_if(keys.run_file(run.run_id, "run.json"), _to_json(run), "application/json", None)
    except ObjectChangedError:
        return read_run(store, run.run_id)
    return run


def change_run(store: ObjectStore, run_id: str, change: Callable[[Run], Run]) -> Run:
    """Change the record of a run as it is at this moment and return it; what others change meanwhile is kept.

    Args:
        store: The bucket.
        run_id: The run.
        change: Returns the run as it shall be, other than it is in what the caller owns alone. It is asked anew
            where somebody else was faster, also of a run that it has changed already.

    Raises:
        KeyError: There is no such run.
        DependencyUnavailableError: Somebody else was faster, again and again.
    """
    key = keys.run_file(run_id, "run.json")
    for _ in range(CHANGE_ATTEMPTS):
        content, etag = store.get_with_etag(key)
        run = Run.model_validate_json(content)
        changed = change(run)
        if changed == run:
            return run
        with suppress(ObjectChangedError):
            store.put_if(key, _to_json(changed), "application/json", etag)
            return changed
    raise DependencyUnavailableError(f"changing {key}: others changed it {CHANGE_ATTEMPTS} times meanwhile")


def _to_json(run: Run) -> bytes:
    return run.model_dump_json(indent=1).encode() + b"\n"
