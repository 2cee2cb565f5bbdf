"""Pictures: who is in the dataset and with which pictures, what was left out and why."""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from storycast import keys
from storycast.curation import CuratedImage
from storycast.dataset import file_name
from storycast.decisions import KEPT
from storycast.ledger import Entry
from storycast.report.material import Material
from storycast.report.thumbnails import Thumbnail, Thumbnails
from storycast.report.words import DECISIONS, outcome, place
from storycast.sightings import Sighting

KEPT_PX, DROPPED_PX = 208, 128
MOST_KEPT = 200
"""Pictures shown of the dataset; a larger one is shown evenly, so many of each character."""
MOST_TWINS = 16
"""Kept pictures shown beside their near-duplicates."""
TWINS_EACH = 4
SAMPLES = 6
"""Pictures shown of those that were left out for one kind of reason."""
MOST_REASONS = 12
"""Reasons listed of one kind; the rest is counted together."""

KEPT_OUTCOMES = {("crop", "in_dataset"), ("frame", "cropped")}
_IDS = re.compile(r"\b[0-9a-f]{12}-\d{9}(?:-\d{2})?\b")
_NUMBERS = re.compile(r"-?\d+(?:[.,]\d+)*")


@dataclass(frozen=True, slots=True)
class Kept:
    """A picture of the dataset."""

    thumbnail: Thumbnail
    alt: str
    caption: str
    marks: tuple[str, ...]
    """Facts such as its framing."""
    flags: tuple[str, ...]
    """What a person should look at."""
    decision: str


@dataclass(frozen=True, slots=True)
class CharacterKept:
    """A character with its pictures, of which ``shown`` may be fewer than there are."""

    name: str
    count: int
    percent: float
    """Of the dataset, 0..100."""
    shown: tuple[Kept, ...]
    flagged: int


@dataclass(frozen=True, slots=True)
class Twin:
    """A near-duplicate that was dropped, with its cosine to the kept one; empty where nobody knows it."""

    thumbnail: Thumbnail
    alt: str
    cosine: str


@dataclass(frozen=True, slots=True)
class Twins:
    """A kept picture and what was dropped for it."""

    kept: Thumbnail
    alt: str
    title: str
    dropped: tuple[Twin, ...]
    more: int


@dataclass(frozen=True, slots=True)
class Reason:
    """Why items were left out, with its numbers taken off."""

    text: str
    count: int


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture that was left out."""

    thumbnail: Thumbnail
    alt: str
    reason: str


@dataclass(frozen=True, slots=True)
class Dropped:
    """All items that were left out for one kind of reason."""

    title: str
    count: int
    reasons: tuple[Reason, ...]
    others: int
    """Items with still other reasons."""
    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a whole."""

    name: str
    count: int
    percent: float


def kept_images(material: Material) -> list[CuratedImage]:
    """Return the pictures of the dataset; those that were chosen, where the run did not come to write it."""
    if material.approved:
        return [one.image for one in material.approved]
    if not any(entry.outcome == "in_dataset" for entry in material.ledger):
        return list(material.images)
    written = {entry.id for entry in material.ledger if entry.kind == "crop" and entry.outcome == "in_dataset"}
    return [image for image in material.images if image.crop_id in written]


def characters_kept(material: Material, thumbnails: Thumbnails) -> list[CharacterKept]:
    """Return the dataset by character, the largest first."""
    images = kept_images(material)
    by_character: dict[str, list[CuratedImage]] = defaultdict(list)
    for image in images:
        by_character[image.character].append(image)
    each = max(MOST_KEPT // max(len(by_character), 1), 1)
    maker = _Maker(material, thumbnails)
    return [
        CharacterKept(
            name=name,
            count=len(of_one),
            percent=_percent(len(of_one), len(images)),
            shown=tuple(maker.kept(image) for image in _spread(of_one, each)),
            flagged=sum(bool(maker.flags(image)) for image in of_one),
        )
        for name, of_one in sorted(by_character.items(), key=lambda item: (-len(item[1]), item[0]))
    ]


def twins(material: Material, thumbnails: Thumbnails) -> list[Twins]:
    """Return kept pictures beside what was dropped for them, those with most first."""
    maker = _Maker(material, thumbnails)
    of_interest = sorted(
        (image for image in material.images if image.duplicates),
        key=lambda image: (-image.duplicate_count, image.crop_id),
    )
    return [
        Twins(
            kept=maker.kept_thumbnail(image),
            alt=f"{image.character} at {place(image.time_ms)}, kept",
            title=f"{image.character}, {place(image.time_ms)}",
            dropped=tuple(
                Twin(
                    thumbnails.ask(maker.crop_key(crop_id), DROPPED_PX),
                    f"a near-duplicate of it{maker.at(crop_id)}, dropped",
                    maker.cosine(image.crop_id, crop_id),
                )
                for crop_id in image.duplicates[:TWINS_EACH]
            ),
            more=max(image.duplicate_count - TWINS_EACH, 0),
        )
        for image in of_interest[:MOST_TWINS]
    ]


def dropped(material: Material, thumbnails: Thumbnails) -> list[Dropped]:
    """Return what was left out by kind of reason, the most frequent first; every item is counted."""
    groups: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    for entry in material.ledger:
        if (entry.kind, entry.outcome) not in KEPT_OUTCOMES:
            groups[entry.kind, entry.outcome].append(entry)
    maker = _Maker(material, thumbnails)
    return [
        _dropped(kind, name, entries, maker)
        for (kind, name), entries in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    ]


def ledger_totals(material: Material) -> list[tuple[str, list[Share]]]:
    """Return what became of all segments, frames and crops, each with its share of its kind."""
    totals = []
    for kind, title in (("frame", "Frames"), ("crop", "Crops"), ("segment", "Segments")):
        counts = Counter(entry.outcome for entry in material.ledger if entry.kind == kind)
        whole = sum(counts.values())
        shares = [
            Share(outcome(kind, name), number, _percent(number, whole)) for name, number in counts.most_common()
        ]
        if shares:
            totals.append((title, shares))
    return totals


def framings(material: Material) -> list[Share]:
    """Return how the dataset is framed."""
    images = kept_images(material)
    counts = Counter(image.framing for image in images)
    return [Share(name, number, _percent(number, len(images))) for name, number in counts.most_common()]


def decided(material: Material) -> list[tuple[str, str, int, str, str]]:
    """Return who decided what, how often, and from when to when."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for one in material.decisions:
        groups[one.who, DECISIONS[one.what]] += [one.when] * max(len(one.changes), 1)
    return [
        (who, what, len(times), min(times), max(times))
        for (who, what), times in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    ]


class _Maker:
    """Finds what belongs to a crop: its sighting, its caption, its decision, its picture."""

    def __init__(self, material: Material, thumbnails: Thumbnails) -> None:
        self._material = material
        self._thumbnails = thumbnails
        self._sightings: Mapping[str, Sighting] = {one.crop_id: one for one in material.sightings}
        self._rows = {one.crop_id: row for row, one in enumerate(material.sightings)}
        self._approved = {one.image.crop_id: one for one in material.approved}
        self._kept_by = {
            change.subject.removeprefix("picture:"): one.who
            for one in material.decisions
            for change in one.changes
            if (change.field, change.after) == ("verdict", KEPT)
        }
        self._held_out = {crop_id for session in material.sessions for crop_id in session.plan.held_out}

    def kept(self, image: CuratedImage) -> Kept:
        marks = [image.framing, f"shot {image.shot + 1}, {place(image.time_ms)}"]
        marks += [f"with {', '.join(image.in_picture[1:])}"] if len(image.in_picture) > 1 else []
        marks += ["enlarged"] if image.enlarged else []
        marks += ["held out of the training"] if image.crop_id in self._held_out else []
        caption = self._material.captions.get(image.crop_id)
        names = " and ".join(image.in_picture) or image.character
        approved = self._approved.get(image.crop_id)
        by = self._kept_by.get(image.crop_id)
        decision = f"kept by {by}" if by else "approved"
        said = caption.caption or caption.refused if caption else ""
        return Kept(
            thumbnail=self.kept_thumbnail(image),
            alt=f"{names}, {image.framing}, at {place(image.time_ms)}",
            caption=approved.caption if approved else said,
            marks=tuple(marks),
            flags=self.flags(image),
            decision=decision if approved else "",
        )

    def flags(self, image: CuratedImage) -> tuple[str, ...]:
        if approved := self._approved.get(image.crop_id):
            return approved.flags
        caption = self._material.captions.get(image.crop_id)
        return caption.flags if caption else ()

    def kept_thumbnail(self, image: CuratedImage) -> Thumbnail:
        name = f"dataset/images/{file_name(image)}"
        if name in self._material.names:
            return self._thumbnails.ask(keys.run_file(self._material.run.run_id, name), KEPT_PX)
        return self._thumbnails.ask(self.crop_key(image.crop_id), KEPT_PX)

    def crop_key(self, crop_id: str) -> str:
        sighting = self._sightings.get(crop_id)
        return sighting.key if sighting else ""

    def at(self, crop_id: str) -> str:
        sighting = self._sightings.get(crop_id)
        return f" at {place(sighting.time_ms)}" if sighting else ""

    def cosine(self, one: str, other: str) -> str:
        vectors, rows = self._material.vectors, self._rows
        if vectors is None or one not in rows or other not in rows:
            return ""
        return f"{float(vectors[rows[one]] @ vectors[rows[other]]):.3f}"

    def sample(self, entry: Entry) -> Sample:
        thumbnail = self._thumbnails.ask(self.crop_key(entry.id), DROPPED_PX)
        return Sample(thumbnail, f"a crop{self.at(entry.id)}", entry.reason)

    def has_picture(self, entry: Entry) -> bool:
        return entry.kind == "crop" and entry.id in self._sightings


def _dropped(kind: str, name: str, entries: Sequence[Entry], maker: _Maker) -> Dropped:
    counts = Counter(_plain(entry.reason) for entry in entries)
    listed = counts.most_common(MOST_REASONS)
    shown = [entry for entry in entries if maker.has_picture(entry)]
    # Near-duplicates are shown beside what they are like.
    samples = [] if name == "duplicate" else _spread(shown, SAMPLES)
    return Dropped(
        title=outcome(kind, name),
        count=len(entries),
        reasons=tuple(Reason(text, number) for text, number in listed),
        others=len(entries) - sum(number for _, number in listed),
        samples=tuple(maker.sample(entry) for entry in samples),
    )


def _plain(reason: str) -> str:
    """Return a reason without its numbers and ids, so that equal reasons count together."""
    return _NUMBERS.sub("…", _IDS.sub("another picture", reason))


def _spread[T](items: Sequence[T], most: int) -> list[T]:
    """Return at most so many items, evenly from all of them."""
    if len(items) <= most:
        return list(items)
    return [items[number * len(items) // most] for number in range(most)]


def _percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 1) if whole else 0.0
