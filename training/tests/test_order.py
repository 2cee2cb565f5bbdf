"""What a step sees."""

from collections import Counter

import torch
from hypothesis import given
from hypothesis import strategies as st

from trainer.order import Order, draws_and_noise
from trainer.pictures import Size

PICTURES = st.lists(
    st.tuples(st.sampled_from([Size(64, 64), Size(32, 96), Size(96, 32)]), st.integers(1, 3)),
    min_size=1,
    max_size=12,
)


@given(pictures=PICTURES, batch_size=st.integers(1, 5), seed=st.integers(0, 99), epoch=st.integers(0, 3))
def test_an_epoch_shows_each_picture_as_often_as_asked(
    pictures: list[tuple[Size, int]], batch_size: int, seed: int, epoch: int
) -> None:
    sizes, repeats = zip(*pictures, strict=True)
    order = Order(sizes, repeats, batch_size, seed)
    steps = range(epoch * order.epoch_length, (epoch + 1) * order.epoch_length)
    batches = [order.batch(step) for step in steps]
    assert Counter(index for batch in batches for index in batch) == dict(enumerate(repeats))
    assert all(len({sizes[index] for index in batch}) == 1 and len(batch) <= batch_size for batch in batches)
    assert {order.epoch(step) for step in steps} == {epoch}


def test_a_step_depends_on_nothing_that_was_before() -> None:
    sizes, repeats = [Size(64, 64)] * 7, [1] * 7
    straight = Order(sizes, repeats, 2, seed=5)
    batches = [straight.batch(step) for step in range(12)]
    for step in (9, 2, 11, 0):
        assert Order(sizes, repeats, 2, seed=5).batch(step) == batches[step]
    assert [Order(sizes, repeats, 2, seed=6).batch(step) for step in range(12)] != batches
    assert batches[:4] != batches[4:8]


def test_noise_depends_on_seed_purpose_and_number() -> None:
    def drawn(*of: object) -> torch.Tensor:
        draws, (one, other) = draws_and_noise(*of, 2, (4, 8, 8))  # type: ignore[arg-type]
        return torch.cat([draws.float(), one.flatten(), other.flatten()])

    assert torch.equal(drawn(1, "noise", 3), drawn(1, "noise", 3))
    for other in ((2, "noise", 3), (1, "held-out", 3), (1, "noise", 4)):
        assert not torch.equal(drawn(1, "noise", 3), drawn(*other))
