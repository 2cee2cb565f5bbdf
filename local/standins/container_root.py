"""What a training job's container finds below ``/opt/ml``: its channels, and here a small model."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from local.standins.container_process import ContainerProcess
from local.standins.sagemaker_world import TrainingJob
from local.standins.training_request import JobRole, nothing_there

#: The most that a job is made to do here: the small model on a few cores, and nobody wants to wait for noise.
MOST_STEPS = 60
MOST_SIDE_PX = 128
MOST_INFERENCE_STEPS = 4

#: The trainer tells its first line wherever results are shown.
_MARK = "STAND-IN.txt"
_PAUSE_S = 0.02
_model_guard = threading.Lock()


class InputUnavailableError(Exception):
    """The input can't be laid out; the message is a failure reason."""


def lay_out(root: Path, job: TrainingJob, role: JobRole) -> None:
    """Fetch the channels of a job as its role, and say on which machine it is.

    With ``S3Prefix`` what follows the prefix is kept as the path; with ``ManifestFile`` what is written in the
    manifest after its prefix.

    Raises:
        InputUnavailableError: A manifest is none, or nothing is there.
        RoleRefusedError: The role may not read an object, or it is not there.
    """
    _tell_machine(root / "input/config", job.request["ResourceConfig"]["InstanceType"])
    for channel in job.request.get("InputDataConfig", ()):
        folder = root / "input/data" / channel["ChannelName"]
        source = channel["DataSource"]["S3DataSource"]
        is_prefix = source["S3DataType"] == "S3Prefix"
        files = _below(role, source["S3Uri"]) if is_prefix else _listed(role, source["S3Uri"])
        count = 0
        for count, (path, uri) in enumerate(files, 1):  # noqa: B007 - used behind the loop
            place = folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(role.read(uri))
        if not count:
            raise InputUnavailableError(nothing_there(source["S3Uri"], job.request["RoleArn"]))


def _tell_machine(folder: Path, instance_type: str) -> None:
    """Write what a container is told of its machine; there is one of it."""
    group = {"instance_group_name": "homogeneousCluster", "instance_type": instance_type, "hosts": ["algo-1"]}
    told = {
        "current_host": "algo-1",
        "current_instance_type": instance_type,
        "current_group_name": "homogeneousCluster",
        "hosts": ["algo-1"],
        "instance_groups": [group],
        "network_interface_name": "eth0",
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "resourceconfig.json").write_text(json.dumps(told), "utf-8")


def _below(role: JobRole, uri: str) -> Iterator[tuple[PurePosixPath, str]]:
    """Paths and URIs of the objects below a prefix; without a slash at its end it names a folder or a file."""
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    for key in role.keys(uri):
        if key.endswith("/"):  # a folder of the console
            continue
        is_within = key.startswith(f"{prefix.rstrip('/')}/")
        path = key[len(prefix.rstrip("/")) + 1 :] if is_within else key.rpartition("/")[2]
        yield safe_path(path), f"s3://{bucket}/{key}"


def _listed(role: JobRole, uri: str) -> Iterator[tuple[PurePosixPath, str]]:
    """Paths and URIs of the objects that a manifest names: ``[{"prefix": "s3://..."}, "path", ...]``."""
    try:
        head, *paths = json.loads(role.read(uri))
        prefix = head["prefix"]
        is_one = prefix.startswith("s3://") and all(isinstance(path, str) and path for path in paths)
    except (ValueError, TypeError, KeyError, AttributeError):
        is_one = False
    if not is_one:
        raise InputUnavailableError(
            f'{uri} is no manifest: [{{"prefix": "s3://<bucket>/<prefix>/"}}, "<path>", ...]'
        )
    for path in paths:
        yield safe_path(path), prefix + path


def safe_path(path: str) -> PurePosixPath:
    """Return a path that does not lead out of its folder.

    Raises:
        InputUnavailableError: It does.
    """
    safe = PurePosixPath(path)
    if safe.is_absolute() or ".." in safe.parts:
        raise InputUnavailableError(f"{path} leads out of its channel.")
    return safe


def stand_in_model(folder: Path, goes_on: Callable[[], bool]) -> Path:
    """Return the folder of an SDXL of the same architecture, tiny, with random weights; it is made once.

    Args:
        folder: Where it is kept.
        goes_on: Asked while it is made; where it says no, that is ended.

    Raises:
        ContainerUnavailableError: There is no training environment.
        InputUnavailableError: It could not be made.
    """
    made, log = folder / "model", folder / "model.log"
    with _model_guard:
        if made.exists():
            return made
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / "model.part"
        shutil.rmtree(draft, ignore_errors=True)
        process = ContainerProcess(["-m", "trainer.tiny", str(draft)], log, folder / "home", {})
        try:
            while process.exit_code() is None and goes_on():
                time.sleep(_PAUSE_S)
        finally:
            process.close()
        if process.exit_code() != 0 or not draft.exists():
            told = log.read_text("utf-8", "replace").strip().splitlines()[-1:]
            raise InputUnavailableError(f"The local stand-in's small model could not be made: {' '.join(told)}")
        draft.rename(made)
    return made


def put_stand_in_model(root: Path, model: Path) -> None:
    """Put the small model in the base model's place, and make the job one that it does in seconds.

    What is changed stands in the model's own mark, so that the trainer tells it with all its results. Weights that
    came in the channel ``weights`` are replaced where they are some: what is none, as a job that is none, is left
    for the entry point to refuse.
    """
    file = root / "input/data/job/job.json"
    try:
        job: Any = json.loads(file.read_bytes())
        is_from_hub = job["base_model"]["source"] == "hub"
    except (OSError, ValueError, TypeError, KeyError):
        return
    weights = root / "input/data/weights"
    if not is_from_hub and not (weights / "model_index.json").exists():
        return
    shutil.rmtree(weights, ignore_errors=True)
    shutil.copytree(model, weights)
    job["base_model"]["source"] = "folder"
    changed = [
        *_capped(job.get("values") or {}, {"step_count": MOST_STEPS, "resolution": MOST_SIDE_PX}),
        *_capped_panels(job.get("panels") or []),
    ]
    file.write_text(json.dumps(job), "utf-8")
    mark = weights / _MARK
    if changed and mark.exists():
        told = mark.read_text("utf-8").strip().rstrip(".")
        mark.write_text(f"{told}; on the local stand-in of SageMaker, with {', '.join(changed)}.\n", "utf-8")


def _capped_panels(panels: list[dict[str, Any]]) -> list[str]:
    most = {"width_px": MOST_SIDE_PX, "height_px": MOST_SIDE_PX, "inference_steps": MOST_INFERENCE_STEPS}
    return sorted({change for panel in panels for change in _capped(panel, most)})


def _capped(values: dict[str, Any], most: dict[str, int]) -> list[str]:
    changes = []
    for name, limit in most.items():
        if values.get(name, 0) > limit:
            changes.append(f"{name} {limit} for {values[name]}")
            values[name] = limit
    return changes
