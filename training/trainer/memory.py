"""What is picked to make a job fit the GPU that is there.

The sizes of activations were measured on an NVIDIA H200 in bf16, at 1024 px, one picture a step and rank 16
(``benchmarks/lora_step.py``), and rounded up; other GPUs choose other kernels, and may need a little more. Larger
batches and pictures are reckoned from them.
"""

import json
import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import torch

from trainer.errors import GpuMemoryError, GpuUnusableError
from trainer.job import Values

Precision = Literal["bf16", "fp16", "fp32"]

UNET_GB = {"bf16": 5.2, "fp16": 5.2, "fp32": 10.3}
"""The frozen UNet of SDXL: 2.57 billion weights."""
ACTIVATIONS_GB = 8.5
"""Kept for the backward pass of one picture of 1024 px, everything kept; 7.7 were measured."""
CHECKPOINTED_GB = 2.0
"""The same where blocks are computed again instead; 1.3 were measured."""
EIGHT_BIT_BELOW_GB = 20.0
"""LoRA's optimiser state is small (0.2 GB at rank 16): that matters on small cards alone."""
USABLE = 0.9
"""The rest of the memory is for CUDA itself, and for what fragments."""
DRAWING_AT_EASE_GB = 20.0
"""From here on a picture of 1024 px is drawn and decoded in one piece."""
_NVIDIA_INSTANCE = re.compile(r"ml\.[gp]\d[a-z0-9-]*\.[a-z0-9-]+")
"""Instance types of SageMaker that have NVIDIA's GPUs, such as ``ml.g5.xlarge``."""


@dataclass(frozen=True)
class Device:
    """What there is to train on."""

    kind: Literal["cuda", "cpu"]
    name: str
    memory_gb: float
    """Of the GPU; 0 where there is none."""
    supports_bf16: bool
    has_bitsandbytes: bool

    @property
    def words(self) -> str:
        """For people, such as "NVIDIA A10G, 22 GB"."""
        return f"{self.name}, {self.memory_gb:.0f} GB" if self.kind == "cuda" else self.name


@dataclass(frozen=True)
class Options:
    """What was picked."""

    precision: Precision
    gradient_checkpointing: bool
    eight_bit_optimizer: bool
    attention_slicing: bool
    """In drawing: attention in slices, one after the other."""
    vae_tiling: bool
    """In drawing: pictures decoded tile by tile."""

    @property
    def dtype(self) -> torch.dtype:
        """Type of the frozen weights; what is trained is always float32."""
        return {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}[self.precision]

    @property
    def training_words(self) -> str:
        """What a training uses, for people."""
        picked: list[str] = [self.precision]
        picked += ["gradient checkpointing"] if self.gradient_checkpointing else []
        picked += ["8-bit AdamW"] if self.eight_bit_optimizer else ["AdamW"]
        return ", ".join(picked)

    @property
    def drawing_words(self) -> str:
        """What a drawing uses, for people."""
        picked: list[str] = [self.precision]
        picked += ["attention slicing"] if self.attention_slicing else []
        picked += ["VAE tiling"] if self.vae_tiling else []
        return ", ".join(picked)


def pick(
    memory_gb: float, *, supports_bf16: bool, has_bitsandbytes: bool, resolution: int, batch_size: int
) -> Options:
    """Pick what a job uses.

    Args:
        memory_gb: All memory of the GPU; 0 where there is none.
        supports_bf16: Whether the GPU computes in bfloat16.
        has_bitsandbytes: Whether the 8-bit optimiser is installed.
        resolution: Side of a square picture, px.
        batch_size: Pictures of a step.
    """
    if memory_gb <= 0:
        return Options("fp32", False, False, False, False)
    precision: Precision = "bf16" if supports_bf16 else "fp16"
    activations_gb = ACTIVATIONS_GB * batch_size * (resolution / 1024) ** 2
    return Options(
        precision=precision,
        gradient_checkpointing=UNET_GB[precision] + activations_gb > USABLE * memory_gb,
        eight_bit_optimizer=has_bitsandbytes and memory_gb < EIGHT_BIT_BELOW_GB,
        attention_slicing=memory_gb < DRAWING_AT_EASE_GB / 2,
        vae_tiling=memory_gb < DRAWING_AT_EASE_GB or resolution > 1024,
    )


def needed_gb(options: Options, resolution: int, batch_size: int) -> float:
    """How much memory a training with these options should need, reckoned."""
    each = CHECKPOINTED_GB if options.gradient_checkpointing else ACTIVATIONS_GB
    return UNET_GB[options.precision] + each * batch_size * (resolution / 1024) ** 2


def find_device() -> Device:
    """Look for a GPU."""
    if not torch.cuda.is_available():
        return Device("cpu", "CPU", 0.0, supports_bf16=False, has_bitsandbytes=False)
    found = torch.cuda.get_device_properties(0)
    return Device(
        "cuda",
        found.name,
        found.total_memory / 2**30,
        supports_bf16=torch.cuda.is_bf16_supported(including_emulation=False),
        has_bitsandbytes=find_spec("bitsandbytes") is not None,
    )


def refuse_unused_gpu(device: Device, resources_file: Path) -> None:
    """Refuse to work on the CPU of a machine that is paid for its GPU.

    Args:
        device: What was found.
        resources_file: SageMaker's own word on the machine; elsewhere there is none, and nothing is refused.

    Raises:
        GpuUnusableError: There is a GPU, and PyTorch can't use it.
    """
    instance_type = _instance_type(resources_file)
    if device.kind == "cuda" or not _NVIDIA_INSTANCE.fullmatch(instance_type):
        return
    raise GpuUnusableError(
        f"{instance_type} has an NVIDIA GPU that PyTorch {torch.__version__} can't use: {_cuda_fault()}. The job "
        "ends here: on the CPU it would be paid for days. If the driver there is older than PyTorch's CUDA needs, "
        "build the trainer's image with a PyTorch of an older CUDA, push it under a new tag and deploy the stack "
        "with that TrainingImageTag; or name another training.lora.instance_type."
    )


def _instance_type(resources_file: Path) -> str:
    try:
        return str(json.loads(resources_file.read_text(encoding="utf-8"))["current_instance_type"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _cuda_fault() -> str:
    try:
        torch.zeros(1, device="cuda")
    except (RuntimeError, AssertionError) as error:
        return str(error).strip().split(". ")[0].rstrip(".")
    return "it finds no device"


def pick_for(device: Device, *, resolution: int, batch_size: int) -> Options:
    """:func:`pick` for a device."""
    return pick(
        device.memory_gb,
        supports_bf16=device.supports_bf16,
        has_bitsandbytes=device.has_bitsandbytes,
        resolution=resolution,
        batch_size=batch_size,
    )


def usable_gb(device: Device) -> float:
    """How much of a GPU's memory a job may count on."""
    return USABLE * device.memory_gb


def as_memory_error(error: torch.OutOfMemoryError, device: Device, values: Values) -> GpuMemoryError:
    """Say what to lower where the GPU's memory was not enough."""
    lower = []
    if values.batch_size > 1:
        lower.append(f"training.batch_size (now {values.batch_size})")
    if values.resolution > 512:
        lower.append(f"training.lora.resolution (now {values.resolution})")
    lower.append(f"training.lora.rank (now {values.rank})")
    said = str(error).strip().split(". ")[0]
    return GpuMemoryError(
        f"The memory of {device.words} does not hold this training ({said}). Lower {', or '.join(lower)}; "
        "or choose a training.lora.instance_type with more GPU memory."
    )
