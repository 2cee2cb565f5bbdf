"""How often each picture is seen, so that each character gets an equal share and traits do not bleed.

The rule, reasoned and not measured:

- A picture of several characters counts for each of them by its part: one half for each of a pair.
- Pictures of a character alone are repeated until all characters have as large a share as the one with the most,
  at most ``MOST_REPEATS`` times: what is seen more often than that is learned by heart, and not as a character.
- Pictures of several characters are what teaches that two names are two figures: with none in sight, a prompt of
  two names draws one figure with traits of both. So they are repeated too where they are less than
  ``LEAST_SHARED`` of what is seen.
- Yet in such a picture only the caption tells whose trait is whose. So a character is seen alone at least as often
  as in company, where it has pictures alone: those are repeated for this as well, within the same bound.
- Nothing is left out: each picture is seen at least once an epoch.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MOST_REPEATS = 5
LEAST_SHARED = 0.1
"""Storycast's own curation aims at an eighth (``selection.pairs_share``)."""
FAR_FROM_EQUAL = 0.6
"""A character that gets less than this part of an equal share is told of."""


@dataclass(frozen=True)
class Balance:
    """What came of it."""

    repeats: tuple[int, ...]
    """How often each picture is seen in an epoch, in the pictures' order."""
    shares: Mapping[str, float]
    """By character: its part of what is seen of anybody."""
    pictures: Mapping[str, int]
    """By character: in how many pictures it is."""
    shared_pictures: int
    """Pictures of several characters."""
    shared_share: float
    """Their part of all that is seen."""

    def warnings(self) -> list[str]:
        """Tell who gets much less than the others; empty where nobody does."""
        if not self.shares:
            return []
        equal = 1 / len(self.shares)
        return [
            f"{name} is in {self.pictures[name]} pictures only: it gets {share:.0%} of what is seen instead of "
            f"{equal:.0%}, since none is shown more than {MOST_REPEATS} times. Approve more pictures of it."
            for name, share in sorted(self.shares.items())
            if share < FAR_FROM_EQUAL * equal
        ]

    def words(self) -> str:
        """One line, for the log."""
        shares = ", ".join(f"{name} {share:.0%}" for name, share in sorted(self.shares.items()))
        return (
            f"An epoch shows {sum(self.repeats)} pictures ({len(self.repeats)} different): "
            f"{shares or 'nobody named'}; {self.shared_share:.0%} with several characters."
        )


def balance(casts: Sequence[Sequence[str]]) -> Balance:
    """Work out how often each picture is seen.

    Args:
        casts: For each picture, who is in it; empty where nobody is known.
    """
    sets = [frozenset(cast) for cast in casts]
    names = sorted(frozenset().union(*sets))
    alone = Counter(next(iter(cast)) for cast in sets if len(cast) == 1)
    company = {name: [len(cast) for cast in sets if name in cast and len(cast) > 1] for name in names}
    repeats: list[int] = []
    for shared_repeats in range(1, MOST_REPEATS + 1):
        repeats = _repeats(sets, alone, company, shared_repeats)
        if not any(company.values()) or _shared(sets, repeats) >= LEAST_SHARED:
            break
    seen = {
        name: sum(times / len(cast) for cast, times in zip(sets, repeats, strict=True) if name in cast)
        for name in names
    }
    total = sum(seen.values())
    return Balance(
        repeats=tuple(repeats),
        shares={name: part / total for name, part in seen.items()},
        pictures={name: sum(name in cast for cast in sets) for name in names},
        shared_pictures=sum(len(cast) > 1 for cast in sets),
        shared_share=_shared(sets, repeats),
    )


def _repeats(
    sets: Sequence[frozenset[str]], alone: Mapping[str, int], company: Mapping[str, list[int]], shared_repeats: int
) -> list[int]:
    """How often each picture is seen where those of several characters are seen this often."""
    in_company = {name: shared_repeats * sum(1 / size for size in sizes) for name, sizes in company.items()}
    wanted = {
        name: min(max(alone[name], shared_repeats * len(sizes)), MOST_REPEATS * alone[name])
        for name, sizes in company.items()
    }
    most = max((wanted[name] + in_company[name] for name in company), default=0.0)
    left = {
        name: min(max(round(most - in_company[name]), alone[name]), MOST_REPEATS * alone[name])
        for name in company
        if alone[name]
    }
    # A total is shared out as evenly as whole numbers go: the first pictures get what is left over.
    upcoming = {
        name: [total // alone[name] + (at < total % alone[name]) for at in range(alone[name])]
        for name, total in left.items()
    }
    repeats = []
    for cast in sets:
        match len(cast):
            case 0:
                repeats.append(1)
            case 1:
                repeats.append(upcoming[next(iter(cast))].pop(0))
            case _:
                repeats.append(shared_repeats)
    return repeats


def _shared(sets: Sequence[frozenset[str]], repeats: Sequence[int]) -> float:
    """The part of what is seen that shows several characters."""
    shown = sum(times for cast, times in zip(sets, repeats, strict=True) if len(cast) > 1)
    return shown / sum(repeats) if repeats else 0.0
