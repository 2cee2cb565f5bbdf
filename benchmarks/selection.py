"""Selection: which pictures of a film are chosen, beside the best of each shot in turn, as it was before.

    .venv/bin/python -m benchmarks.selection --video FILE [--images 30] [--sheet FILE.png]

The film is sampled as a run does (1 frame a second) and goes through the product's own stages over the local
stand-ins' models, with the demo's reference pictures; what the models said is kept between runs. Both selections
choose from the same pictures, which are left without near-duplicates. All that is promised is checked, and a
promise that does not hold ends the benchmark with 1. The last line is JSON.
"""

import argparse
import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw

from benchmarks.cast import DEMO_CAST, ROOT
from benchmarks.cast_material import EMBEDDER_VERSION, EMBEDDING_MODEL, Answers, Film, read_film
from benchmarks.cast_sightings import Seen, cast_of, see
from local.standins.rekognition import LABEL_MODEL_VERSION
from storycast.burnt_in_text import find_text
from storycast.curation import CuratedImage, Curation, curate, named_by_frame
from storycast.cuts import TRAINING_SIDE_PX
from storycast.embeddings import Calibration, Vectors, calibrate, thresholds_of
from storycast.frames import TextBox
from storycast.images import cut_out, open_picture
from storycast.looks import COLOURS_WEIGHT
from storycast.naming import name_by_cast
from storycast.selection import FRAMING_SHARES, Rules, light_of, shot_cap
from storycast.settings import Settings
from storycast.sightings import Sighting, described, neighbour_and_stranger_cosines
from storycast.stages.name_characters import thresholds_for
from storycast.video.picture import text_luma
from storycast.views import planned_view

SETTINGS = Settings.model_validate({"detection": {"min_confidence": 30}})
GONE = {"below_quality", "burnt_in_text", "duplicate"}
"""Outcomes of what the selection does not choose from."""
TILE_PX = 128
COLUMNS = 12
PAIR_SHARES = (0.10, 0.15)
"""Of pictures with several of the cast, as the default of ``selection.pairs_share`` is meant."""


@dataclass(frozen=True)
class Picture:
    """A chosen picture, whoever chose it."""

    sighting: Sighting
    row: int
    framing: str
    is_pair: bool


def main() -> None:
    """Choose, check what is promised, and print both selections' figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--video", type=Path, required=True)
    parser.add_argument("--images", type=int, default=SETTINGS.selection.images_per_character)
    parser.add_argument("--sheet", type=Path, help="write a contact sheet of the chosen pictures here")
    parser.add_argument("--cache", type=Path, default=ROOT / ".storycast" / "benchmarks" / "cast")
    asked = parser.parse_args()
    print(
        f"models: {LABEL_MODEL_VERSION}; {EMBEDDER_VERSION} (local stand-ins; the figures tell nothing of AWS's)"
    )
    film = read_film(asked.video, [], asked.cache)
    sightings, vectors = _named(film, asked.cache)
    texts = _texts(film)
    neighbours, strangers = neighbour_and_stranger_cosines(sightings, [one.track for one in sightings], vectors)
    calibration = calibrate(neighbours, strangers, EMBEDDING_MODEL)
    rules = Rules(asked.images, SETTINGS.selection.per_shot, SETTINGS.selection.pairs_share)
    began = time.perf_counter()
    done = curate(
        sightings,
        vectors,
        threshold=calibration.threshold,
        rules=rules,
        padding=SETTINGS.crop.padding,
        texts=texts,
    )
    took_s = time.perf_counter() - began
    print(
        f"{asked.video.name}: {len(film.frames)} frames, {sum(bool(one.character) for one in sightings)} named "
        f"sightings of {len(sightings)}; curated in {took_s:.2f} s; {calibration.source}\n"
    )
    broken = list(_broken_promises(done, sightings, vectors, calibration, rules))
    _print_table(done)
    rows = {one.crop_id: row for row, one in enumerate(sightings)}
    ours = [_picture(image, sightings, rows) for image in done.images]
    before = _first_per_shot(done, sightings, rows, rules)
    figures = {
        "chosen": _variety(ours, vectors),
        "first_per_shot": _variety(before, vectors),
    }
    _print_variety(figures)
    if asked.sheet:
        _draw_sheet(film, done.images, asked.sheet)
        print(f"contact sheet: {asked.sheet}")
    for promise in broken:
        print(f"BROKEN: {promise}")
    print("promises: " + ("all hold" if not broken else f"{len(broken)} do not hold"))
    share = done.summary.pairs / max(len(done.images), 1)
    summed = {"pictures": len(done.images), "pairs_share": round(share, 3), "broken": len(broken)}
    print(json.dumps({**summed, **figures}))
    sys.exit(1 if broken else 0)


def _named(film: Film, cache: Path) -> tuple[list[Sighting], Vectors]:
    """Return the film's sightings, named by the demo's references, and their embeddings."""
    answers = Answers(cache)
    seen: Seen = see(film, SETTINGS, answers, cache)
    pictures = {
        folder.name.capitalize(): [path.read_bytes() for path in sorted(folder.glob("*.jpg"))]
        for folder in sorted(DEMO_CAST.iterdir())
        if folder.is_dir()
    }
    named = name_by_cast(
        seen.sightings,
        seen.tracks,
        seen.looks,
        cast_of(pictures, answers, {}),
        thresholds=thresholds_for(SETTINGS.detection, EMBEDDING_MODEL),
        alike=thresholds_of(EMBEDDING_MODEL).alike_look,
    )
    print(f"{answers.asked} questions asked of the models, {answers.known} known")
    return described(named), _embeddings(seen)


def _texts(film: Film) -> dict[str, list[TextBox]]:
    """Return burnt-in text by the frame's id, as sampling finds it."""
    found = {}
    for frame in film.frames:
        picture = cv2.imread(frame.key)
        if picture is not None:
            boxes = find_text(text_luma(picture.astype(np.uint8, copy=False)))
            found[frame.frame_id] = [(box.left, box.top, box.width, box.height) for box in boxes]
    return found


def _embeddings(seen: Seen) -> Vectors:
    """Return the embeddings out of the looks, which have the colours behind them."""
    squares = np.cumsum(seen.looks[0].astype(np.float64) ** 2)
    size = int(np.abs(squares - 1 / (1 + COLOURS_WEIGHT)).argmin()) + 1
    vectors = seen.looks[:, :size]
    unit: Vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return unit


def _broken_promises(
    done: Curation, sightings: Sequence[Sighting], vectors: Vectors, calibration: Calibration, rules: Rules
) -> Iterable[str]:
    rows = {one.crop_id: row for row, one in enumerate(sightings)}
    kept = [rows[image.crop_id] for image in done.images]
    cosines = vectors[kept] @ vectors[kept].T
    np.fill_diagonal(cosines, -1)
    highest = float(cosines.max())
    print(f"highest cosine of two kept pictures: {highest:.4f}, threshold {calibration.threshold:.4f}")
    if highest >= calibration.threshold:
        yield "two kept pictures reach the threshold"
    twins = [one for one in done.verdicts if one.outcome == "duplicate"]
    named = sum(reason.reason.split(" with ")[1].split(",")[0] in rows for reason in twins)
    print(f"dropped as near-duplicates: {len(twins)}, {named} of them name their twin")
    if named != len(twins):
        yield "a dropped picture names no twin"
    if len(done.verdicts) != sum(bool(one.character) for one in sightings):
        yield "a sighting has no verdict"
    shots = Counter((image.character, image.footage_id, image.shot) for image in done.images)
    seen_in: Mapping[str, set[tuple[str, int]]] = defaultdict(set)
    left = {
        one.crop_id for one in done.verdicts if one.outcome not in {"below_quality", "burnt_in_text", "duplicate"}
    }
    for one in sightings:
        if one.crop_id in left:
            seen_in[one.character].add((one.footage_id, one.shot))
    caps = {name: shot_cap(rules, len(there)) for name, there in seen_in.items()}
    print(f"most pictures of one shot: {max(shots.values())}, caps {caps}")
    if any(count > caps[name] for (name, _, _), count in shots.items()):
        yield "a shot gives more than its cap"
    share = done.summary.pairs / max(len(done.images), 1)
    print(f"pictures with several of the cast: {done.summary.pairs} of {len(done.images)} ({share:.1%})")
    if not PAIR_SHARES[0] <= share <= PAIR_SHARES[1] and not done.summary.pairs_words:
        yield "the share of pictures with several is off, and nothing says so"
    # Frames of fewer pixels than training takes give nothing that is not enlarged.
    close = [
        image
        for image in done.images
        if image.framing == "close-up"
        and image.enlarged
        and min(sightings[rows[image.crop_id]].width_px, sightings[rows[image.crop_id]].height_px)
        >= TRAINING_SIDE_PX
    ]
    if close:
        yield f"{len(close)} close-ups are enlarged"


def _print_table(done: Curation) -> None:
    print(
        f"\n{'':12} {'pictures':>9} {'close/half/full':>16} {'shots':>6} {'dark/mid/bright':>16} "
        f"{'pairs':>6}  left out"
    )
    for one in done.summary.characters:
        framing = "/".join(str(one.framing[name]) for name in FRAMING_SHARES)
        light = "/".join(str(count) for count in one.light.values())
        left = ", ".join(f"{count} {name}" for name, count in one.left_out.items())
        print(f"{one.character:12} {one.pictures:9} {framing:>16} {one.shots:6} {light:>16} {one.pairs:6}  {left}")
    for words in done.summary.shortfalls:
        print(f"  {words}")
    print()


def _picture(image: CuratedImage, sightings: Sequence[Sighting], rows: Mapping[str, int]) -> Picture:
    row = rows[image.crop_id]
    return Picture(sightings[row], row, image.framing, len(set(image.in_picture)) > 1)


def _first_per_shot(
    done: Curation, sightings: Sequence[Sighting], rows: Mapping[str, int], rules: Rules
) -> list[Picture]:
    """Return what was chosen before: the best of each shot, then the second best, in the planned squares."""
    left = [sightings[rows[one.crop_id]] for one in done.verdicts if one.outcome not in GONE]
    shown = named_by_frame(sightings)
    turns: dict[str, list[tuple[int, int, Sighting]]] = defaultdict(list)
    seen: Counter[tuple[str, str, int]] = Counter()
    for rank, one in enumerate(left):
        turns[one.character].append((seen[one.character, one.footage_id, one.shot], rank, one))
        seen[one.character, one.footage_id, one.shot] += 1
    pictures = []
    for of_one in turns.values():
        for _, _, one in sorted(of_one, key=lambda turn: turn[:2])[: rules.budget]:
            view = planned_view(one, shown[one.frame_id], SETTINGS.crop.padding)
            pictures.append(Picture(one, rows[one.crop_id], view.framing, view.is_pair))
    return pictures


def _variety(pictures: Sequence[Picture], vectors: Vectors) -> dict[str, float]:
    """Return measures of variety, each the mean over the characters."""
    by_character: dict[str, list[Picture]] = defaultdict(list)
    for one in pictures:
        by_character[one.sighting.character].append(one)
    told: dict[str, list[float]] = defaultdict(list)
    for of_one in by_character.values():
        rows = [one.row for one in of_one]
        cosines = vectors[rows] @ vectors[rows].T
        np.fill_diagonal(cosines, -1)
        told["nearest_cosine"].append(float(cosines.max(axis=1).mean()))
        told["framing_bits"].append(_entropy(one.framing for one in of_one))
        told["shot_bits"].append(_entropy((one.sighting.footage_id, one.sighting.shot) for one in of_one))
        told["light_bits"].append(_entropy(light_of(one.sighting) for one in of_one))
        counts = Counter(one.framing for one in of_one)
        aims = {name: share * len(of_one) for name, share in FRAMING_SHARES.items()}
        told["framing_off_share"].append(
            sum(abs(counts[name] - aim) for name, aim in aims.items()) / 2 / len(of_one)
        )
        told["sharpness"].append(float(np.mean([one.sighting.sharpness for one in of_one])))
        told["name_score"].append(float(np.mean([one.sighting.score for one in of_one])))
    figures = {name: round(float(np.mean(values)), 3) for name, values in told.items()}
    return {**figures, "pairs_share": round(sum(one.is_pair for one in pictures) / max(len(pictures), 1), 3)}


def _entropy(values: Iterable[object]) -> float:
    counts = np.array(list(Counter(values).values()), float)
    shares = counts / counts.sum()
    return float(-(shares * np.log2(shares)).sum())


def _print_variety(figures: Mapping[str, Mapping[str, float]]) -> None:
    print(
        "variety, the mean over the characters (bits: entropy; "
        "off share: of pictures in another framing than 40/30/30)"
    )
    names = list(next(iter(figures.values())))
    print(f"{'':18}" + "".join(f"{name:>19}" for name in names))
    for what, values in figures.items():
        print(f"{what:18}" + "".join(f"{values[name]:19.3f}" for name in names))
    print()


def _draw_sheet(film: Film, images: Sequence[CuratedImage], path: Path) -> None:
    frames = {frame.frame_id: frame for frame in film.frames}
    rows = -(-len(images) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * TILE_PX, rows * (TILE_PX + 14)), "black")
    draw = ImageDraw.Draw(sheet)
    for number, image in enumerate(images):
        left, top = number % COLUMNS * TILE_PX, number // COLUMNS * (TILE_PX + 14)
        picture = cut_out(open_picture(film.picture(frames[image.frame_id])), image.cut)
        sheet.paste(picture.resize((TILE_PX - 2, TILE_PX - 2)), (left, top + 13))
        mark = "+" if len(set(image.in_picture)) > 1 else ""
        draw.text(
            (left, top), f"{image.character[:6]}{mark} {image.framing} {image.time_ms // 1000}s", fill="yellow"
        )
    sheet.save(path)


if __name__ == "__main__":
    main()
