"""How the naming does on the half of the shots that choices are made on, over references drawn at random.

    .venv/bin/python -m benchmarks.cast_choosing --video FILE [--draws N]

One choice of three reference pictures a character may be a lucky one, and so may the shots left to look at. So
references are drawn at random, each of another shot, many times; the likeness from which somebody is known is
chosen on all draws but one and judged on that one. Then the ceiling: how many sightings are named rightly by all
labelled sightings of all other shots, by the nearest one, by the five nearest and by a linear probe. The half that
figures are published of is never looked at here. The last line is JSON.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.cast import CONFIDENCES, ROOT, Labelled, Point, halves, labelled_in, named_at, settings_at, shot_at
from benchmarks.cast_material import EMBEDDER_VERSION, Answers, Film, read_film
from benchmarks.cast_scores import balanced_accuracy, hold_against, noise, recall
from benchmarks.cast_sightings import LARGE_SHARE, Seen, cast_of, see
from benchmarks.cast_truth import NOBODY, Truth, read_truth
from local.standins.rekognition import LABEL_MODEL_VERSION
from storycast.embeddings import Vectors
from storycast.images import cut_rectangle, open_picture, to_jpeg

REFERENCES = 3
COSINES = tuple(round(0.46 + 0.02 * step, 2) for step in range(6))
MOST_NOISE = 0.08
PROBE_PENALTY = 0.1


def main() -> None:
    """Print the mean over the draws, its standard error, and the ceiling."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--video", type=Path, required=True)
    parser.add_argument("--truth", type=Path, help="default: benchmarks/ground_truth/<video's name>.json")
    parser.add_argument("--draws", type=int, default=8)
    parser.add_argument("--cache", type=Path, default=ROOT / ".storycast" / "benchmarks" / "cast")
    asked = parser.parse_args()
    truth = read_truth(asked.truth or ROOT / "benchmarks" / "ground_truth" / f"{asked.video.stem}.json")
    film = read_film(asked.video, list(truth.frames), asked.cache)
    answers = Answers(asked.cache)
    choosing, _ = halves(film)
    seen = see(film, settings_at(CONFIDENCES[0]), answers, asked.cache)
    print(f"models: {LABEL_MODEL_VERSION}; {EMBEDDER_VERSION}; {asked.draws} draws of {REFERENCES} references")

    rng = np.random.default_rng(0)
    figures = np.array([_of_draw(film, truth, choosing, seen, answers, rng) for _ in range(asked.draws)])
    judged = np.array([figures[draw, _best(np.delete(figures, draw, axis=0))] for draw in range(len(figures))])
    mean, error = judged.mean(axis=0), judged.std(axis=0) / np.sqrt(len(judged))
    for name, value, deviation in zip(("balanced accuracy", "recall", "noise share"), mean, error, strict=True):
        print(f"{name:20} {value:.3f} +- {deviation:.3f}")
    ceiling = _ceiling(seen, labelled_in(film, truth, choosing), truth)
    for name, accuracy in ceiling.items():
        print(f"ceiling, {name:27} {accuracy:.3f} balanced accuracy")
    print(
        json.dumps({"balanced_accuracy": round(float(mean[0]), 4), "recall": round(float(mean[1]), 4), **ceiling})
    )


def _of_draw(
    film: Film, truth: Truth, choosing: list[int], seen: Seen, answers: Answers, rng: np.random.Generator
) -> list[tuple[float, float, float]]:
    """Return balanced accuracy, recall and noise share at each cosine, with references drawn at random."""
    frames = {frame.time_ms: frame for frame in film.frames}
    pictures: dict[str, list[bytes]] = {}
    used = set()
    for name in truth.cast:
        boxes = [
            (time_ms, one)
            for time_ms, there in sorted(truth.frames.items())
            for one in there
            if one.name == name and not one.unsure and one.box.height >= LARGE_SHARE
            if time_ms in frames and frames[time_ms].shot in choosing
        ]
        whole = [(time_ms, one) for time_ms, one in boxes if one.is_whole]
        usable = whole if len({frames[time_ms].shot for time_ms, _ in whole}) >= REFERENCES else boxes
        taken: dict[int, bytes] = {}
        for row in rng.permutation(len(usable)):
            time_ms, one = usable[row]
            shot = shot_at(film, time_ms)
            if shot not in taken and len(taken) < REFERENCES:
                taken[shot] = to_jpeg(cut_rectangle(open_picture(film.picture(frames[time_ms])), one.box))
        pictures[name] = list(taken.values())
        used |= set(taken)
    cast = cast_of(pictures, answers, {})
    left = labelled_in(film, truth, [shot for shot in choosing if shot not in used])
    figures = []
    for cosine in COSINES:
        held = hold_against(named_at(seen, cast, Point(CONFIDENCES[0], cosine)), *left)
        figures.append(
            (balanced_accuracy(held.judged), recall(held.appearances)[0].value, noise(held.judged).value)
        )
    return figures


def _best(figures: NDArray[np.float64]) -> int:
    """Return the row of the cosine that is best on average, at no more than the noise allowed."""
    means = np.nanmean(figures, axis=0)
    return int((means[:, 0] + means[:, 1] - 10 * np.maximum(means[:, 2] - MOST_NOISE, 0)).argmax())


def _ceiling(seen: Seen, labelled: Labelled, truth: Truth) -> dict[str, float]:
    """Return what the looks tell of a sighting's name where all sightings of other shots are labelled."""
    rows = {one.crop_id: row for row, one in enumerate(seen.sightings)}
    every = [one.model_copy(update={"character": one.crop_id}) for one in seen.sightings]
    judged = hold_against(every, *labelled).judged
    classes = (*truth.cast, NOBODY)
    looks = seen.looks[[rows[one.said] for one in judged]].astype(np.float64)
    true = np.array([classes.index(one.true) for one in judged])
    shots = np.array([one.shot for one in judged])
    similar = np.where(shots[:, None] == shots[None], -1.0, looks @ looks.T)
    ranked = np.argsort(-similar, axis=1, kind="stable")
    votes = np.stack([(true[ranked[:, :5]] == one).sum(axis=1) for one in range(len(classes))], axis=1)
    said = {
        "nearest of other shots": true[ranked[:, 0]],
        "five nearest": votes.argmax(axis=1),
        "linear probe": _probe(looks, true, shots, len(classes)),
    }
    return {name: round(_balanced(given, true), 4) for name, given in said.items()}


def _probe(
    looks: Vectors | NDArray[np.float64], true: NDArray[np.intp], shots: NDArray[np.intp], count: int
) -> NDArray[np.intp]:
    """Name the sightings of each shot by ridge regression, balanced over the classes, on all other shots."""
    said = np.zeros_like(true)
    looks = np.concatenate([looks, np.full((len(looks), 1), 0.3)], axis=1)
    for shot in np.unique(shots):
        is_left = shots == shot
        known, classes = looks[~is_left], true[~is_left]
        sizes = np.bincount(classes, minlength=count)[classes]
        weights = np.linalg.solve(known @ known.T + PROBE_PENALTY * np.diag(sizes) / count, np.eye(count)[classes])
        said[is_left] = (looks[is_left] @ known.T @ weights).argmax(axis=1)
    return said


def _balanced(said: NDArray[np.intp], true: NDArray[np.intp]) -> float:
    return float(np.mean([np.mean(said[true == one] == one) for one in np.unique(true)]))


if __name__ == "__main__":
    main()
