"""The loss on pictures that are not trained on, with the same noise each time: what falls here was learned."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from trainer.families import Denoiser, Example
from trainer.order import draws_and_noise
from trainer.progress import write_json

LOOKS = 4
"""Each picture is looked at this often, evenly over the diffusion."""
MOST_SHARE = 0.1
"""About as much of the training's time goes into measuring at most; the first and the last time always."""
FORWARD_SHARE = 1 / 3
"""What a look costs of a step for one picture: the way forward without the way back."""
UNKNOWN_SHOT = "unknown"


class HeldOut:
    """Measures the loss on the held-out pictures."""

    def __init__(
        self, denoiser: Denoiser, examples: Sequence[Example], shots: Sequence[str | None], seed: int
    ) -> None:
        self._denoiser, self._examples, self._seed = denoiser, examples, seed
        self._shots = [shot or UNKNOWN_SHOT for shot in shots]

    def steps(self, step_count: int, batch_size: int) -> frozenset[int]:
        """After which steps to measure: before the first, after the last, and between them where it is cheap."""
        if not self._examples:
            return frozenset()
        cost = len(self._examples) * LOOKS * FORWARD_SHARE / batch_size
        between = min(9, int(MOST_SHARE * step_count / cost))
        return frozenset(round(step_count * part / (between + 1)) for part in range(between + 2))

    @torch.no_grad()
    def measure(self, network: nn.Module, is_stopped: Callable[[], bool]) -> dict[str, float] | None:
        """Measure the loss by shot: the mean over its pictures; None where it was stopped."""
        by_shot: dict[str, list[float]] = defaultdict(list)
        draws = (torch.arange(LOOKS, dtype=torch.float64) + 0.5) / LOOKS
        for number, (example, shot) in enumerate(zip(self._examples, self._shots, strict=True)):
            if is_stopped():
                return None
            _, noise = draws_and_noise(self._seed, "held-out", number, LOOKS, example.moments.shape[1:])
            # One after the other: a batch of looks might not fit where a batch of the job does.
            looks = [
                float(
                    self._denoiser.losses(network, [example], draws[[at]], (noise[0][[at]], noise[1][[at]])).item()
                )
                for at in range(LOOKS)
            ]
            by_shot[shot].append(sum(looks) / LOOKS)
        return {shot: sum(losses) / len(losses) for shot, losses in sorted(by_shot.items())}

    def overall(self, by_shot: Mapping[str, float]) -> float:
        """The mean over all pictures."""
        return sum(by_shot[shot] for shot in self._shots) / len(self._shots)

    def write(self, file: Path, before: Mapping[str, float], after: Mapping[str, float]) -> None:
        """Write the first and the latest loss of each shot; nothing measured is an empty list."""
        shots: list[dict[str, Any]] = [
            {
                "shot": shot,
                "pictures": self._shots.count(shot),
                "loss_before": round(loss, 6),
                "loss_after": round(after[shot], 6),
            }
            for shot, loss in before.items()
        ]
        write_json(file, {"shots": shots})
