"""The work of one training job, in a thread of its own: the real entry point, on a machine that is this one."""

from __future__ import annotations

import io
import json
import logging
import re
import shutil
import tarfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from local.standins import bedrock_world
from local.standins.assumed_role import RoleRefusedError
from local.standins.bedrock_world import age_s, now
from local.standins.container_process import ContainerProcess, ContainerUnavailableError
from local.standins.container_root import InputUnavailableError, lay_out, put_stand_in_model, stand_in_model
from local.standins.kept import WorldClosedError
from local.standins.objects import ObjectUnreadableError
from local.standins.outcomes import TrainingJobOutcome
from local.standins.sagemaker_world import DEFAULT_RUN_S, Metric, SageMakerWorld, SecondaryStatus, TrainingJob
from local.standins.training_request import JobRole
from local.standins.work_sync import WorkSync

_log = logging.getLogger("storycast.standins")

#: How long a container has between SIGTERM and SIGKILL, s, as on AWS.
GRACE_SECONDS = 120.0
#: How long a job whose spot capacity was taken away waits for the next, s.
INTERRUPTION_SECONDS = 0.3
SYNC_SECONDS = 1.0
_PAUSE_S = 0.03
#: So much of ``/opt/ml/output/failure`` is told.
FAILURE_LIMIT = 1024
#: How the trainer tells its steps, on lines of their own.
_STEP = re.compile(r"^step=(\d+)/", re.MULTILINE)

type Cause = Literal["ended", "stopped", "interrupted", "MaxRuntimeExceeded", "MaxWaitTimeExceeded"]
_OVER: dict[Cause, tuple[SecondaryStatus, str]] = {
    "MaxRuntimeExceeded": ("MaxRuntimeExceeded", "Training job runtime exceeded MaxRuntimeInSeconds provided"),
    "MaxWaitTimeExceeded": (
        "MaxWaitTimeExceeded",
        "Training job wait time exceeded MaxWaitTimeInSeconds provided",
    ),
}


class JobFailedError(Exception):
    """The job fails with this reason."""


@dataclass(frozen=True)
class _Machine:
    """What a job has while it has a machine."""

    root: Path
    role: JobRole
    work: WorkSync | None

    def push(self) -> None:
        """Take the checkpoints to S3."""
        if self.work is not None:
            self.work.push()


class ContainerWork:
    """What is done for one training job until it ends, or until somebody stops it."""

    def __init__(self, world: SageMakerWorld, job: TrainingJob, asked: TrainingJobOutcome) -> None:
        """Prepare the work; ``begin`` starts it.

        Args:
            world: Where the job is kept.
            job: The job.
            asked: What a test asked to go otherwise.
        """
        self._world, self._job, self._asked = world, job, asked
        self._folder = world.folder / job.name
        self._begun = time.monotonic()
        self._may_interrupt = asked.interrupt_after_step is not None

    @property
    def _log_file(self) -> Path:
        return self._folder / "log.txt"

    def begin(self) -> None:
        """Start it; it is not waited for at the end of the process, and ends its container then."""
        threading.Thread(target=self._run, name=f"training-{self._job.name}", daemon=True).start()

    def _run(self) -> None:
        try:
            self._work()
        except WorldClosedError:
            return
        except (RoleRefusedError, ObjectUnreadableError) as error:
            self._fail(f"ClientError: {error}")
        except (InputUnavailableError, ContainerUnavailableError) as error:
            self._fail(f"ClientError: Data download failed:{error}")
        except JobFailedError as error:
            self._fail(str(error))
        except Exception as error:
            _log.exception("The training job %s failed", self._job.name)
            self._fail(f"InternalServerError: The local stand-in failed, which is a bug of it: {error!r}")

    def _work(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        self._wait(lambda: time.monotonic() - self._begun >= self._asked.seconds)
        if self._asked.fail and self._goes_on():
            raise JobFailedError(self._asked.fail)
        attempt, cause = 0, self._limit()
        if self._asked.exceed_wait and cause is None:
            cause = "MaxWaitTimeExceeded"
        while cause is None:
            attempt += 1
            cause = self._run_once(self._folder / f"root-{attempt}")
            if cause == "interrupted":
                self._enter("Interrupted", "Training job interrupted: its spot capacity was taken away")
                until = time.monotonic() + INTERRUPTION_SECONDS
                self._wait(lambda: time.monotonic() >= until)  # noqa: B023 - called within this round
                self._enter("Starting", "Preparing the instances for training")
                cause = self._limit()
        self._end(cause)

    def _run_once(self, root: Path) -> Cause:
        """Get a machine, do the work on it, and give it back."""
        self._enter("Downloading", "Downloading input data")
        job = self._job
        role = JobRole(job.request["RoleArn"], job.name)
        sync = None if job.work_uri is None else WorkSync(role, job.work_uri, root / "checkpoints")
        machine = _Machine(root, role, sync)
        try:
            lay_out(root, job, role)
            put_stand_in_model(root, stand_in_model(self._world.folder, self._goes_on))
            if sync is not None:
                sync.fetch()
            for folder in ("model", "output", "checkpoints"):
                (root / folder).mkdir(parents=True, exist_ok=True)
            cause = self._limit() or self._train(machine)
            if cause == "ended":
                self._enter("Uploading", "Uploading generated training model")
            machine.push()
            if cause != "interrupted":
                self._upload(machine)
        finally:
            shutil.rmtree(root, ignore_errors=True)
        return cause

    def _train(self, machine: _Machine) -> Cause:
        """Run the entry point until it ends, or until it has to."""
        job = self._job
        self._enter("Training", "Training image download completed. Training in progress.")
        arguments = job.request["AlgorithmSpecification"].get("ContainerArguments", ["train"])
        variables = {
            **job.request.get("Environment", {}),
            "TRAINING_JOB_NAME": job.name,
            "TRAINING_JOB_ARN": job.arn,
        }
        command = ["-m", "trainer", "--root", str(machine.root), *arguments]
        process = ContainerProcess(command, self._log_file, self._world.folder / "home", variables)
        try:
            cause = self._watch(process, machine)
        finally:
            process.close()
            self._read_metrics()
        code = process.exit_code()
        if cause == "ended" and code != 0:
            machine.push()
            raise JobFailedError(f"AlgorithmError: {_failure(machine.root)}, exit code: {code}")
        return cause

    def _watch(self, process: ContainerProcess, machine: _Machine) -> Cause:
        """Sync checkpoints while the container runs; return why it ended, or was made to end."""
        synced = time.monotonic()
        cause: Cause | None = None
        deadline: float | None = None
        while process.exit_code() is None:
            if self._world.is_closed:
                raise WorldClosedError
            if deadline is None and (cause := self._limit() or self._trouble(machine.root)):
                self._stopping(cause)
                process.terminate()
                deadline = time.monotonic() + GRACE_SECONDS
            if deadline is not None and time.monotonic() > deadline:
                process.close()
            if time.monotonic() - synced >= SYNC_SECONDS:
                machine.push()
                self._read_metrics()
                synced = time.monotonic()
            time.sleep(_PAUSE_S)
        return cause or "ended"

    def _limit(self) -> Cause | None:
        """Why the job must not go on, if so."""
        if self._job.status == "Stopping":
            return "stopped"
        most = self._job.request.get("StoppingCondition", {})
        if self._job.machine_s > most.get("MaxRuntimeInSeconds", DEFAULT_RUN_S):
            return "MaxRuntimeExceeded"
        wait_s = most.get("MaxWaitTimeInSeconds")
        if wait_s is not None and age_s(self._job.created_at) > wait_s:
            return "MaxWaitTimeExceeded"
        return None

    def _trouble(self, root: Path) -> Cause | None:
        """What a test asked for, as soon as the container is that far."""
        if not (self._asked.exceed or self._may_interrupt):
            return None
        phase, step = _progress(root)
        if phase not in {"training", "drawing"}:
            return None
        # The file is written every two seconds, in which the small model makes all its steps; a line comes sooner.
        printed = _STEP.findall(self._log_file.read_text("utf-8", "replace"))
        done = max(step, *map(int, printed), 0)
        if self._asked.exceed:
            # Of a training after some steps, so that there is something to go on from.
            return "MaxRuntimeExceeded" if done or phase == "drawing" else None
        if done >= (self._asked.interrupt_after_step or 0):
            self._may_interrupt = False
            return "interrupted"
        return None

    def _upload(self, machine: _Machine) -> None:
        """Give back what lies in ``/opt/ml/model``, as SageMaker does whatever ended the job."""
        folder = machine.root / "model"
        if not self._job.is_packed:
            for file in filter(Path.is_file, folder.rglob("*")):
                machine.role.write(
                    f"{self._job.model_uri}{file.relative_to(folder).as_posix()}", file.read_bytes()
                )
            return
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w:gz") as packed:
            for file in folder.iterdir():
                packed.add(file, file.name)
        machine.role.write(self._job.model_uri, archive.getvalue())

    def _read_metrics(self) -> None:
        """Read the metrics out of what the container printed: the last value of each."""
        definitions = self._job.request["AlgorithmSpecification"].get("MetricDefinitions", ())
        if not definitions:
            return
        printed, found = self._log_file.read_text("utf-8", "replace"), {}
        for metric in definitions:
            for match in re.finditer(metric["Regex"], printed):
                try:
                    found[metric["Name"]] = Metric(value=float(match[1]), at=now())
                except (TypeError, ValueError):
                    continue
        with self._world.changing():
            known = self._job.metrics
            changed = {
                name: one for name, one in found.items() if name not in known or known[name].value != one.value
            }
            self._job.metrics = known | changed

    def _goes_on(self) -> bool:
        return self._job.status == "InProgress" and not self._world.is_closed

    def _wait(self, is_over: Callable[[], bool]) -> None:
        """Wait until something is over, or the job has to end."""
        while self._goes_on() and self._limit() is None and not is_over():
            time.sleep(_PAUSE_S)
        if self._world.is_closed:
            raise WorldClosedError

    def _enter(self, status: SecondaryStatus, message: str) -> None:
        """Go on to a secondary status; a job that is told to stop meanwhile stays ``Stopping``."""
        with self._world.changing():
            if self._job.status == "InProgress":
                self._job.enter(status, message)

    def _stopping(self, cause: Cause) -> None:
        if cause in _OVER:
            with self._world.changing():
                if self._job.status == "InProgress":
                    self._job.enter("Stopping", "Stopping the training job")
                    self._job.status = "Stopping"

    def _end(self, cause: Cause) -> None:
        if cause == "ended" and self._job.status == "InProgress":
            self._finish(lambda: self._job.end("Completed", "Completed", "Training job completed"))
            return
        self._stopping(cause)
        self._linger()
        secondary, told = _OVER.get(cause, ("Stopped", "Training job stopped"))
        self._finish(lambda: self._job.end("Stopped", secondary, told))

    def _fail(self, reason: str) -> None:
        """Note that it failed; one that was told to stop is stopped, whatever came of it."""
        if self._job.status == "Stopping":
            self._end("stopped")
        else:
            self._finish(lambda: self._job.end("Failed", "Failed", "Training job failed", reason))

    def _linger(self) -> None:
        """Stay ``Stopping`` for a moment, as on AWS."""
        while self._job.status == "Stopping" and not self._world.is_closed:
            if age_s(self._job.changed_at) >= bedrock_world.DELETION_SECONDS:
                break
            time.sleep(_PAUSE_S)

    def _finish(self, note: Callable[[], None]) -> None:
        try:
            with self._world.changing():
                self._job.asked_billable_s = self._asked.billable_seconds
                note()
        except WorldClosedError:
            return


def _failure(root: Path) -> str:
    try:
        return (root / "output/failure").read_text("utf-8", "replace")[:FAILURE_LIMIT]
    except OSError:
        return "See job logs for more information"


def _progress(root: Path) -> tuple[str, int]:
    """The phase that a container says it is in, and its step."""
    try:
        told = json.loads((root / "checkpoints/progress.json").read_bytes())
        return str(told["phase"]), int(told["step"] or 0)
    except (OSError, ValueError, KeyError, TypeError):
        return "", 0
