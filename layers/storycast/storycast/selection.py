"""Selection: which of a character's different pictures are kept, up to a budget. Needs NumPy.

Pictures are taken one at a time, each time the one that adds most: a framing, a shot, a light or a look of which
there is too little yet, sharp, large and surely named rather than not. What each further one of a kind adds grows
less, so the sum is submodular, and taking the best next one is provably near the best choice of all (Nemhauser,
Wolsey and Fisher, 1978: within 1 - 1/e of it; within a half where shots have a cap).

Looks are covered as facilities serve places: a picture counts by how well it stands for all that the character
has, so a wrongly named one, which is far from everything, is not taken for variety.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from storycast.boxes import overlap_ratio
from storycast.embeddings import Vectors
from storycast.sightings import Sighting
from storycast.views import View

FRAMING_SHARES: Mapping[str, float] = {"close-up": 0.4, "medium": 0.3, "full": 0.3}
"""What of a character's pictures is wanted close, half close and whole."""
LEAST_SHOTS = 5
"""No shot gives more than this part of a budget, so that no scene is learned together with the character."""
LEAST_PER_SHOT = 2
DARK_BELOW, BRIGHT_FROM = 0.35, 0.65
"""Mean luma, 0..1, of a picture."""
FLAT_BELOW = 0.3
"""Contrast, 0..1, of a picture."""
SAME_SQUARE_RATIO = 1 / 3
"""Intersection over union of two squares of one frame that show the same, from which they are one picture."""
MOST_PLACES = 500
"""Pictures that a choice must stand for, at most; of more, these are taken evenly."""

FRAMING_WEIGHT, SHOT_WEIGHT, LOOK_WEIGHT, LIGHT_WEIGHT = 1.0, 1.0, 1.0, 0.5
QUALITY_WEIGHT = 0.5
"""Of the best picture, the others by their share of its quality."""
NAME_WEIGHT = 1.0
"""Of the picture whose name is surest: a wrong name costs more than a look that is missing."""
PLANNED_WEIGHT = 0.2
"""Of the square that the project's padding plans: another one is cut only where it adds something."""

type PerShot = int | Literal["auto"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sighting that may be chosen, and the squares that it may be shown in."""

    row: int
    """Of the vectors."""
    sighting: Sighting
    views: tuple[View, ...]

    @property
    def shot(self) -> tuple[str, int]:
        """The shot it is of; each still is one."""
        return self.sighting.footage_id, self.sighting.shot


@dataclass(frozen=True, slots=True)
class Rules:
    """What a project asks of the selection."""

    budget: int
    """Pictures per character."""
    per_shot: PerShot
    pairs_share: float


@dataclass(slots=True)
class Chosen:
    """What was chosen of one character."""

    character: str
    per_shot: int
    """The cap that held."""
    views: dict[int, View] = field(default_factory=dict)
    """Per row the square, in the order of choice."""
    left_out: dict[int, tuple[str, str]] = field(default_factory=dict)
    """Per row of the others the outcome and the reason."""
    pairs_there: int = 0
    """Candidates that can be shown with another of the cast."""


def light_of(one: Sighting) -> str:
    """Return ``dark``, ``mid`` or ``bright``."""
    if one.light < DARK_BELOW:
        return "dark"
    return "bright" if one.light >= BRIGHT_FROM else "mid"


def shot_cap(rules: Rules, shots: int) -> int:
    """Return how many pictures one shot may give of a character that is seen in so many shots.

    Where it is seen in fewer than :data:`LEAST_SHOTS`, each gives its equal part of the budget, which is told.
    """
    if rules.per_shot != "auto":
        return rules.per_shot
    return max(LEAST_PER_SHOT, math.ceil(rules.budget / min(LEAST_SHOTS, max(shots, 1))))


def select(candidates: Sequence[Candidate], vectors: Vectors, rules: Rules) -> dict[str, Chosen]:
    """Choose each character's pictures.

    Args:
        candidates: Those that are left, best first; each has at least one view.
        vectors: Unit vectors of all sightings.
        rules: Budget, cap per shot, and share of pictures with several of the cast.

    Returns:
        What was chosen, by character.
    """
    by_character: dict[str, list[Candidate]] = defaultdict(list)
    for one in candidates:
        by_character[one.sighting.character].append(one)
    taken: dict[str, list[View]] = defaultdict(list)
    pairs = _pairs_wanted(by_character, rules)
    chosen, short = {}, 0
    # Those with few to choose from come first: what they fall short of is left for those with many.
    for name in sorted(by_character, key=lambda name: (_pairs_there(by_character[name]), name)):
        choice = _Choice(name, by_character[name], vectors, rules, taken)
        wanted = pairs[name] + short
        short = wanted - choice.take_pairs(wanted)
        chosen[name] = choice.fill()
    return dict(sorted(chosen.items()))


def _pairs_there(candidates: Sequence[Candidate]) -> int:
    return sum(any(view.is_pair for view in one.views) for one in candidates)


def _pairs_wanted(by_character: Mapping[str, Sequence[Candidate]], rules: Rules) -> dict[str, int]:
    """Deal the dataset's pictures with several characters out: first to those that have too few alone."""
    there, wanted, expected = {}, {}, 0
    for name, candidates in sorted(by_character.items()):
        cap = shot_cap(rules, len({one.shot for one in candidates}))
        reach = min(_within_cap(candidates, cap), rules.budget)
        alone = _within_cap([one for one in candidates if not all(view.is_pair for view in one.views)], cap)
        there[name] = min(
            _within_cap([one for one in candidates if any(view.is_pair for view in one.views)], cap), reach
        )
        wanted[name] = min(max(reach - alone, 0), there[name])
        expected += reach
    left = round(rules.pairs_share * expected) - sum(wanted.values())
    while left > 0 and (open_to := [name for name in there if wanted[name] < there[name]]):
        wanted[min(open_to, key=lambda name: (wanted[name], name))] += 1
        left -= 1
    return wanted


def _within_cap(candidates: Iterable[Candidate], cap: int) -> int:
    return sum(min(count, cap) for count in Counter(one.shot for one in candidates).values())


class _Choice:
    """One character's choice while it is made. Each square of each candidate is an option."""

    def __init__(
        self,
        character: str,
        candidates: Sequence[Candidate],
        vectors: Vectors,
        rules: Rules,
        taken: dict[str, list[View]],
    ) -> None:
        self._candidates = candidates
        self._budget = rules.budget
        shots = [one.shot for one in candidates]
        self._chosen = Chosen(
            character, per_shot=shot_cap(rules, len(set(shots))), pairs_there=_pairs_there(candidates)
        )
        self._taken = taken
        """Squares that are in the dataset, of any character, by frame."""
        self._options = [(place, view) for place, one in enumerate(candidates) for view in one.views]
        self._place = np.array([place for place, _ in self._options])
        self._is_pair = np.array([view.is_pair for _, view in self._options])
        self._shot = _numbered(shots)[self._place]
        self._light = _numbered([_lighting(one.sighting) for one in candidates])[self._place]
        self._framing = np.array([list(FRAMING_SHARES).index(view.framing) for _, view in self._options])
        self._aims = np.array([math.ceil(share * rules.budget) for share in FRAMING_SHARES.values()])
        self._counts = {kind: np.zeros(len(self._options), np.intp) for kind in ("shot", "light", "framing")}
        self._is_closed = np.array(
            [self._is_there(candidates[place], view) for place, view in self._options], np.bool_
        )
        self._alike: dict[object, list[int]] = defaultdict(list)
        """Places of those chosen, by shot, light and framing."""
        self._per_shot: Counter[tuple[str, int]] = Counter()
        """How many were chosen, by shot."""
        self._rows = vectors[[one.row for one in candidates]]
        places = self._rows[:: max(-(-len(candidates) // MOST_PLACES), 1)]
        self._likeness: NDArray[np.float32] = np.maximum(places @ self._rows.T, 0)
        """Of the places that a choice must stand for, with each candidate."""
        self._covered = np.zeros(len(places), np.float32)
        self._uncovered: NDArray[np.float64] = self._likeness.mean(axis=0, dtype=np.float64)
        """Of each candidate, how much more likeness the places would have with it, in the mean."""
        self._merit = self._merits()

    def take_pairs(self, count: int) -> int:
        """Take so many with others of the cast, as far as there are, and return how many it were."""
        self._take(count, self._is_pair)
        return len(self._chosen.views)

    def fill(self) -> Chosen:
        """Take those alone, then whatever is left within the budget."""
        self._take(self._budget, ~self._is_pair)
        self._take(self._budget, np.ones_like(self._is_pair))
        for place, one in enumerate(self._candidates):
            if one.row not in self._chosen.views:
                self._chosen.left_out[one.row] = self._why_not(place)
        return self._chosen

    def _take(self, count: int, is_wanted: NDArray[np.bool_]) -> None:
        """Take the best until there are ``count`` more, the budget is full, or nothing is left."""
        for _ in range(min(count, self._budget - len(self._chosen.views))):
            is_open = is_wanted & ~self._is_closed
            if not is_open.any():
                return
            gains = np.where(is_open, self._gains().round(9), -np.inf)
            self._add(int(gains.argmax()))

    def _merits(self) -> NDArray[np.float64]:
        """Return what each option adds whatever else is chosen."""
        qualities = np.array([one.sighting.quality for one in self._candidates])
        scores = np.array([one.sighting.score for one in self._candidates])
        sureness = np.searchsorted(np.sort(scores), scores) / len(scores)
        merit = QUALITY_WEIGHT * qualities / (qualities.max() or 1.0) + NAME_WEIGHT * sureness
        is_planned = np.array([view is self._candidates[place].views[0] for place, view in self._options])
        merits: NDArray[np.float64] = merit[self._place] + PLANNED_WEIGHT * is_planned
        return merits

    def _gains(self) -> NDArray[np.float64]:
        """Return what each option would add to what is chosen."""
        gains: NDArray[np.float64] = (
            self._merit
            + FRAMING_WEIGHT * (self._counts["framing"] < self._aims[self._framing])
            + SHOT_WEIGHT * _further(self._counts["shot"])
            + LIGHT_WEIGHT * _further(self._counts["light"])
            + LOOK_WEIGHT * self._budget * self._uncovered[self._place]
        )
        return gains

    def _add(self, option: int) -> None:
        place, view = self._options[option]
        one = self._candidates[place]
        self._chosen.views[one.row] = view
        self._taken[one.sighting.frame_id].append(view)
        self._alike[one.shot, _lighting(one.sighting), view.framing].append(place)
        self._per_shot[one.shot] += 1
        self._cover(self._likeness[:, place])
        for kind, of_option in (("shot", self._shot), ("light", self._light), ("framing", self._framing)):
            self._counts[kind] += of_option == of_option[option]
        self._is_closed |= self._place == place
        self._is_closed |= self._counts["shot"] >= self._chosen.per_shot
        for other in np.flatnonzero((self._shot == self._shot[option]) & ~self._is_closed).tolist():
            place, view = self._options[other]
            self._is_closed[other] = self._is_there(self._candidates[place], view)

    def _cover(self, likeness: NDArray[np.float32]) -> None:
        """Take in what a chosen one covers. Later ones cover few places better: only these are reckoned anew."""
        better = np.flatnonzero(likeness > self._covered)
        before, after = self._covered[better, None], likeness[better, None]
        # What lies between the two is no longer gained.
        lost = np.clip(self._likeness[better], before, after) - before
        self._uncovered -= lost.sum(axis=0, dtype=np.float64) / len(self._covered)
        self._covered[better] = likeness[better]

    def _is_there(self, one: Candidate, view: View) -> bool:
        """Tell whether the dataset has such a square of the same frame, chosen for another one in it."""
        size = one.sighting.width_px, one.sighting.height_px
        return any(
            set(view.in_picture) == set(other.in_picture)
            and overlap_ratio(view.cut.box(*size), other.cut.box(*size)) >= SAME_SQUARE_RATIO
            for other in self._taken[one.sighting.frame_id]
        )

    def _why_not(self, place: int) -> tuple[str, str]:
        one, name = self._candidates[place], self._chosen.character
        if all(self._is_there(one, view) for view in one.views):
            others = sorted({view.in_picture[0] for view in self._taken[one.sighting.frame_id]})
            return "same_picture", f"the picture of {', '.join(others)} from this frame shows it as well"
        if self._per_shot[one.shot] >= self._chosen.per_shot:
            return "shot_has_enough", f"its shot has its {self._chosen.per_shot} pictures of {name}"
        alike = self._alike.get((one.shot, _lighting(one.sighting), one.views[0].framing))
        if alike:
            cosines = self._rows[alike] @ self._rows[place]
            nearest = self._candidates[alike[int(cosines.argmax())]].sighting
            return "less_varied", (
                f"{nearest.crop_id} has its shot, framing and light (cosine {cosines.max():.3f}), "
                f"and the other pictures of {name} add more"
            )
        return "budget_full", f"{name} has its {self._budget} pictures, and each of them adds more"


def _numbered(values: Sequence[object]) -> NDArray[np.intp]:
    """Return a number for each value, the same for equal ones."""
    numbers: dict[object, int] = {}
    return np.array([numbers.setdefault(value, len(numbers)) for value in values], np.intp)


def _lighting(one: Sighting) -> tuple[str, bool]:
    return light_of(one), one.contrast < FLAT_BELOW


def _further(counts: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return what one more adds to so many of a kind, by the square root of their number."""
    more: NDArray[np.float64] = np.sqrt(counts + 1) - np.sqrt(counts)
    return more
