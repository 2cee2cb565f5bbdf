"""Instance types of SageMaker training jobs: their GPU, their disk, and how long they take for a picture.

No time was measured on any of these GPUs here. Each follows from the makers' peak rates and from what users of
diffusers' own example scripts report, rounded up: a job is expected to take a third of it at the least.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU; SDXL's adapter is trained on one of them, however many the instance has."""

    name: str
    memory_gb: int
    step_s: float
    """Seconds at most that a training step takes for a picture of 1,024 x 1,024 px."""


SLOWEST = Gpu("an unknown GPU", 16, 6.0)
"""Stands for what nobody looked up."""

FAMILIES: dict[str, Gpu] = {
    "ml.g4dn": Gpu("NVIDIA T4", 16, 6.0),
    "ml.g5": Gpu("NVIDIA A10G", 24, 2.4),
    "ml.g6": Gpu("NVIDIA L4", 24, 3.6),
    "ml.g6e": Gpu("NVIDIA L40S", 48, 1.2),
    "ml.p4d": Gpu("NVIDIA A100", 40, 1.2),
    "ml.p5": Gpu("NVIDIA H100", 80, 0.9),
}

_NVIDIA = re.compile(r"ml\.[gp]\d.*")
_TOO_OLD = {"ml.p2", "ml.p3", "ml.p3dn"}
"""Their GPUs, Kepler's and Volta's, CUDA 13 does not know any more, which the trainer's PyTorch brings."""

LOCAL_DISK_GB: dict[str, int] = {
    "ml.g4dn.xlarge": 125,
    "ml.g4dn.2xlarge": 225,
    "ml.g4dn.4xlarge": 225,
    "ml.g5.xlarge": 250,
    "ml.g5.2xlarge": 450,
    "ml.g5.4xlarge": 600,
    "ml.g6.xlarge": 250,
    "ml.g6.2xlarge": 450,
    "ml.g6.4xlarge": 600,
    "ml.g6e.xlarge": 250,
    "ml.g6e.2xlarge": 450,
    "ml.g6e.4xlarge": 600,
}
"""Types whose own disk a job gets instead of a volume, and how large a ``volume_gb`` may be asked for: EC2's
"Accelerated computing instances" names the disks, SageMaker's ``ResourceConfig`` the rule. Other types may be so,
too, with disks too large to matter here."""

_GPU_COUNTS = {
    "ml.g4dn.12xlarge": 4,
    "ml.g5.12xlarge": 4,
    "ml.g5.24xlarge": 4,
    "ml.g5.48xlarge": 8,
    "ml.g6.12xlarge": 4,
    "ml.g6.24xlarge": 4,
    "ml.g6.48xlarge": 8,
    "ml.g6e.12xlarge": 4,
    "ml.g6e.24xlarge": 4,
    "ml.g6e.48xlarge": 8,
    "ml.p4d.24xlarge": 8,
    "ml.p5.48xlarge": 8,
}


def has_gpu(instance_type: str) -> bool:
    """Whether an instance type has a GPU that the trainer can use, as far as its name tells."""
    return bool(_NVIDIA.fullmatch(instance_type)) and instance_type.rpartition(".")[0] not in _TOO_OLD


def is_known(instance_type: str) -> bool:
    """Whether somebody looked up an instance type's GPU and how fast it is."""
    return instance_type.rpartition(".")[0] in FAMILIES


def gpu_count(instance_type: str) -> int:
    """Return how many GPUs an instance type has, 1 where nobody looked it up."""
    return _GPU_COUNTS.get(instance_type, 1)


def gpu(instance_type: str) -> Gpu:
    """Return the GPU of an instance type, such as ``ml.g5.xlarge``; :data:`SLOWEST` where nobody looked it up."""
    return FAMILIES.get(instance_type.rpartition(".")[0], SLOWEST)


def quota_name(instance_type: str, *, spot: bool) -> str:
    """Return the name of the quota that a training job needs one of, as Service Quotas has it."""
    return f"{instance_type} for {'spot ' if spot else ''}training job usage"
