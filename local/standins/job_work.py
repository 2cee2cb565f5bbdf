"""The work of one fine-tuning job, in a thread of its own, through its steps to its end."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from local.standins import bedrock_world
from local.standins.assumed_role import RoleRefusedError
from local.standins.bedrock_world import ACCOUNT, BedrockWorld, CustomModel, Job, JobStatus, Step, age_s, now
from local.standins.job_role import JobRole
from local.standins.kept import WorldClosedError
from local.standins.objects import ObjectUnreadableError
from local.standins.training_job import (
    Curve,
    DatasetRefusedError,
    metrics_table,
    read_dataset,
    read_pictures,
    train,
)

_log = logging.getLogger("storycast.standins")

#: Parts of a job's least time at whose end validation and data processing end at the earliest.
VALIDATION_PART, PROCESSING_PART = 0.2, 0.4
_PAUSE_S = 0.02
MESSAGE_LIMIT = 2048

#: Opens a role; tests without an STS put another one in.
type OpenRole = Callable[[str, str], JobRole]


class JobWork:
    """What is done for one job until it ends, or until somebody stops it."""

    def __init__(self, world: BedrockWorld, job: Job, open_role: OpenRole) -> None:
        """Prepare the work; ``begin`` starts it."""
        self._world, self._job, self._open_role = world, job, open_role
        self._folder = f"models/{job.id}"
        self._begun = time.monotonic()

    def begin(self) -> None:
        """Start it; it is not waited for at the end of the process."""
        threading.Thread(target=self._run, name=f"job-{self._job.id}", daemon=True).start()

    def _run(self) -> None:
        try:
            self._end(*self._work())
        except WorldClosedError:
            return
        except (DatasetRefusedError, RoleRefusedError, ObjectUnreadableError) as error:
            self._end("Failed", str(error))
        except Exception as error:
            _log.exception("The job %s failed", self._job.name)
            self._end("Failed", f"The local stand-in failed, which is a bug of it: {error!r}")

    def _work(self) -> tuple[JobStatus, str]:
        job = self._job
        role = self._open_role(job.role_arn, job.name)
        records = read_dataset(role.read(job.manifest_uri))
        self._wait(VALIDATION_PART)
        self._step("dataProcessing")
        folder = self._world.folder / self._folder
        pictures = read_pictures(records, role, folder, self._goes_on)
        self._wait(PROCESSING_PART)
        self._step("training")
        values = job.values
        curve: Curve = []
        if self._goes_on():
            curve = train(pictures, folder, int(values["stepCount"]), int(values["batchSize"]), self._goes_on)
        self._wait(1.0)
        if not self._goes_on():
            return "Stopped", ""
        if job.doomed:
            return "Failed", job.doomed
        place = f"{job.output_uri.rstrip('/')}/model-customization-job-{job.id}/training_artifacts"
        role.write(f"{place}/step_wise_training_metrics.csv", metrics_table(curve))
        return self._made(pictures, curve[-1][2])

    def _made(self, pictures: list[tuple[str, str]], loss: float) -> tuple[JobStatus, str]:
        job = self._job
        with self._world.changing() as kept:
            if not self._goes_on():  # stopped while the metrics were written
                return "Stopped", ""
            model = CustomModel(
                arn=f"arn:aws:bedrock:{job.region}:{ACCOUNT}:custom-model/{job.base_model}/{job.id}",
                name=job.model_name,
                job_arn=job.arn,
                base_model=job.base_model,
                tags=job.model_tags,
                created_at=now(),
                folder=self._folder,
                pictures=pictures,
            )
            kept.models.append(model)
            job.model_arn, job.loss = model.arn, loss
            job.end("Completed")
        return "Completed", ""

    def _goes_on(self) -> bool:
        return self._job.status == "InProgress" and not self._world.is_closed

    def _wait(self, part: float) -> None:
        """Wait until a part of the job's least time is over, or until it is stopped."""
        while self._goes_on() and time.monotonic() - self._begun < part * self._job.seconds:
            time.sleep(_PAUSE_S)

    def _step(self, step: Step) -> None:
        with self._world.changing():
            if self._goes_on():
                self._job.began[step] = self._job.changed_at = now()

    def _end(self, status: JobStatus, failure: str = "") -> None:
        """Note the end; a job that was told to stop takes a moment for it, and is Stopped whatever came of it."""
        job = self._job
        if status == "Completed":
            return
        while job.status == "Stopping" and not self._world.is_closed:
            if age_s(job.changed_at) >= bedrock_world.DELETION_SECONDS:
                break
            time.sleep(_PAUSE_S)
        # Before anybody can see that it has ended: who does may look for what it left.
        self._world.forget_pictures(self._folder)
        try:
            with self._world.changing():
                stopped = job.status == "Stopping"
                job.end("Stopped" if stopped else status, "" if stopped else failure[:MESSAGE_LIMIT])
        except WorldClosedError:
            return
