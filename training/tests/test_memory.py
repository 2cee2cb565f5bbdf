"""What is picked for which GPU."""

import json
from pathlib import Path

import pytest
import torch

from trainer.errors import GpuUnusableError
from trainer.job import Values
from trainer.memory import Device, Options, as_memory_error, needed_gb, pick, refuse_unused_gpu, usable_gb

VALUES = Values(step_count=1, batch_size=2, learning_rate=1.0, rank=16, resolution=1024, seed=1)


@pytest.mark.parametrize(
    ("memory_gb", "bf16", "bitsandbytes", "resolution", "batch_size", "picked"),
    [
        # No GPU.
        (0, False, False, 1024, 1, Options("fp32", False, False, False, False)),
        (0, True, True, 1024, 1, Options("fp32", False, False, False, False)),
        # T4 (g4dn): 15 GB, no bf16.
        (15, False, True, 1024, 1, Options("fp16", True, True, False, True)),
        (15, False, False, 1024, 1, Options("fp16", True, False, False, True)),
        (15, False, True, 512, 1, Options("fp16", False, True, False, True)),
        # A10G (g5) and L4 (g6): 22 GB.
        (22, True, True, 1024, 1, Options("bf16", False, False, False, False)),
        (22, True, True, 768, 1, Options("bf16", False, False, False, False)),
        (22, True, True, 1024, 4, Options("bf16", True, False, False, False)),
        # L40S (g6e): 45 GB.
        (45, True, True, 1024, 1, Options("bf16", False, False, False, False)),
        (45, True, True, 1024, 4, Options("bf16", False, False, False, False)),
        (45, True, True, 1024, 5, Options("bf16", True, False, False, False)),
        # H100: 79 GB.
        (79, True, True, 1024, 3, Options("bf16", False, False, False, False)),
        (79, True, True, 1536, 1, Options("bf16", False, False, False, True)),
        # A small card of one's own.
        (8, True, True, 1024, 1, Options("bf16", True, True, True, True)),
    ],
)
def test_options_by_gpu(
    memory_gb: float, bf16: bool, bitsandbytes: bool, resolution: int, batch_size: int, picked: Options
) -> None:
    found = pick(
        memory_gb, supports_bf16=bf16, has_bitsandbytes=bitsandbytes, resolution=resolution, batch_size=batch_size
    )
    assert found == picked


def test_what_is_picked_is_told() -> None:
    assert Options("bf16", True, True, True, True).training_words == "bf16, gradient checkpointing, 8-bit AdamW"
    assert Options("fp16", False, False, True, True).drawing_words == "fp16, attention slicing, VAE tiling"
    assert Device("cuda", "NVIDIA A10G", 22.3, True, True).words == "NVIDIA A10G, 22 GB"


def test_checkpointing_needs_less() -> None:
    checkpointed = Options("bf16", True, False, False, False)
    assert needed_gb(checkpointed, 1024, 1) < needed_gb(Options("bf16", False, False, False, False), 1024, 1)
    assert needed_gb(checkpointed, 1024, 1) < usable_gb(Device("cuda", "small", 15, False, True))


def test_out_of_memory_says_what_to_lower() -> None:
    device = Device("cuda", "Tesla T4", 15, False, True)
    said = str(
        as_memory_error(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), device, VALUES)
    )
    for words in (
        "Tesla T4, 15 GB",
        "batch_size (now 2)",
        "resolution (now 1024)",
        "rank (now 16)",
        "instance_type",
    ):
        assert words in said


CPU = Device("cpu", "CPU", 0.0, False, False)


@pytest.mark.parametrize("kind", ["ml.g4dn.xlarge", "ml.g5.12xlarge", "ml.p4d.24xlarge", "ml.p6-b200.48xlarge"])
def test_a_gpu_that_is_paid_for_and_can_not_be_used_ends_the_job(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "resourceconfig.json"
    file.write_text(json.dumps({"current_host": "algo-1", "current_instance_type": kind, "hosts": ["algo-1"]}))
    with pytest.raises(GpuUnusableError, match=rf"^{kind} has an NVIDIA GPU that .* can't use: \S.*new tag"):
        refuse_unused_gpu(CPU, file)
    refuse_unused_gpu(Device("cuda", "NVIDIA A10G", 22.0, True, True), file)


@pytest.mark.parametrize(
    "told",
    [None, "", "{", "[]", "{}", '{"current_instance_type": "ml.m5.xlarge"}', '{"current_instance_type": 5}'],
)
def test_elsewhere_a_cpu_is_a_machine_like_others(tmp_path: Path, told: str | None) -> None:
    file = tmp_path / "resourceconfig.json"
    if told is not None:
        file.write_text(told)
    refuse_unused_gpu(CPU, file)
