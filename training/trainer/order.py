"""Which pictures a step sees, and with which noise: by seed and step alone, so that resuming changes nothing."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from trainer.pictures import Size

Purpose = Literal["order", "noise", "held-out"]
PURPOSES: tuple[Purpose, ...] = ("order", "noise", "held-out")


class Order:
    """Epochs of batches: each batch of one bucket, each picture as often as it is to be seen."""

    def __init__(self, sizes: Sequence[Size], repeats: Sequence[int], batch_size: int, seed: int) -> None:
        self._by_bucket: dict[Size, list[int]] = defaultdict(list)
        for index, (size, times) in enumerate(zip(sizes, repeats, strict=True)):
            self._by_bucket[size] += [index] * times
        self._batch_size, self._seed = batch_size, seed
        # What does not fill a batch is a smaller one: nothing is dropped.
        self.epoch_length = sum(-(-len(own) // batch_size) for own in self._by_bucket.values())
        self._epoch, self._batches = -1, list[list[int]]()

    def epoch(self, step: int) -> int:
        """Number of the epoch that a step is in; both from 0."""
        return step // self.epoch_length

    def batch(self, step: int) -> list[int]:
        """Indices of the pictures that a step sees."""
        epoch = self.epoch(step)
        if epoch != self._epoch:
            self._epoch, self._batches = epoch, self._shuffled(epoch)
        return self._batches[step % self.epoch_length]

    def _shuffled(self, epoch: int) -> list[list[int]]:
        chance = np.random.default_rng(_entropy(self._seed, "order", epoch))
        batches: list[list[int]] = []
        for size in sorted(self._by_bucket, key=lambda size: (size.width, size.height)):
            own = [int(index) for index in chance.permutation(self._by_bucket[size])]
            batches += [own[start : start + self._batch_size] for start in range(0, len(own), self._batch_size)]
        return [batches[int(at)] for at in chance.permutation(len(batches))]


def draws_and_noise(
    seed: int, purpose: Purpose, number: int, count: int, shape: Sequence[int]
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Draw what a step is random in; on the CPU, so that it is the same on every device.

    Args:
        seed: Of the job.
        purpose: What for.
        number: Of the step, or of the held-out picture.
        count: Pictures in the batch.
        shape: Of the latents of one, [channels, height, width].

    Returns:
        Uniform numbers, [count], and two normal noises, [count, channels, height, width].
    """
    state = int(np.random.SeedSequence(_entropy(seed, purpose, number)).generate_state(1, np.uint64)[0])
    chance = torch.Generator("cpu").manual_seed(state)
    draws = torch.rand(count, generator=chance, dtype=torch.float64)
    noises = torch.randn(2, count, *shape, generator=chance)
    return draws, (noises[0], noises[1])


def _entropy(seed: int, purpose: Purpose, number: int) -> tuple[int, int, int]:
    return seed, PURPOSES.index(purpose), number
