"""What a family of image models has to offer: a second one implements these three classes."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import DiffusionPipeline
from torch import Tensor, nn

from trainer.memory import Options
from trainer.weights import Part, Weights


@dataclass(frozen=True)
class Example:
    """A picture with its caption as the loop sees it: encoded once, kept in main memory."""

    moments: Tensor
    """Mean and standard deviation of its latents, [2, channels, height, width]."""
    conditions: dict[str, Tensor]
    """What the caption became, without a batch dimension."""
    sizes: Tensor
    """Original height and width, top and left of the crop, height and width of the crop: six numbers."""


class Encoders(ABC):
    """What turns pictures and captions into tensors; needed at the beginning alone."""

    @abstractmethod
    def encode_picture(self, pixels: Tensor) -> Tensor:
        """Encode one picture.

        Args:
            pixels: [3, height, width], -1..1.

        Returns:
            Mean and standard deviation of its latents, [2, channels, height, width], float32, in main memory.
        """

    @abstractmethod
    def encode_caption(self, caption: str) -> dict[str, Tensor]:
        """Encode one caption, however long it is; no batch dimension, in main memory."""


class Denoiser(ABC):
    """The network that is trained, with LoRA in it."""

    network: nn.Module

    @abstractmethod
    def parameters(self) -> list[nn.Parameter]:
        """What is trained: LoRA's weights, float32."""

    @abstractmethod
    def losses(
        self, network: nn.Module, examples: Sequence[Example], draws: Tensor, noise: tuple[Tensor, Tensor]
    ) -> Tensor:
        """The loss of each example of a batch, weighted as the training weights it.

        Args:
            network: :attr:`network`, as accelerate prepared it.
            examples: The batch; all of one size.
            draws: Where in the diffusion each is looked at, [batch], 0..1; the family says what that means.
            noise: Standard normal, [batch, channels, height, width] each: what latents are drawn with, and what is
                added to them.
        """

    @abstractmethod
    def adapter_state(self) -> dict[str, Tensor]:
        """LoRA's weights by peft's names."""

    @abstractmethod
    def load_adapter_state(self, state: dict[str, Tensor]) -> None:
        """Put weights from :meth:`adapter_state` back."""

    @abstractmethod
    def save_adapter(self, folder: Path) -> None:
        """Write the adapter as diffusers' pipelines load it, and once more as other programs do."""


class Family(ABC):
    """One architecture, whatever its weights."""

    name: str
    parts: tuple[Part, ...]
    """What a folder of its weights holds."""

    @abstractmethod
    def load_encoders(self, weights: Weights, options: Options, device: torch.device) -> Encoders:
        """Load what is needed to encode the dataset."""

    @abstractmethod
    def load_denoiser(
        self, weights: Weights, options: Options, device: torch.device, *, rank: int, seed: int
    ) -> Denoiser:
        """Load what is trained, with fresh LoRA of this rank; the same seed gives the same weights."""

    @abstractmethod
    def load_pipeline(
        self, weights: Weights, options: Options, device: torch.device, adapter: Path | None = None
    ) -> DiffusionPipeline:
        """Load the pipeline that draws, with an adapter from :meth:`Denoiser.save_adapter` if one is named."""

    @abstractmethod
    def call_values(self, *, cfg_scale: float) -> dict[str, Any]:
        """What a call of the pipeline takes that only this family knows."""

    @abstractmethod
    def prompt_values(self, pipeline: DiffusionPipeline, prompt: str, negative_prompt: str) -> dict[str, Tensor]:
        """What a call of the pipeline takes for a prompt, however long it is, and for what shall not be drawn."""
