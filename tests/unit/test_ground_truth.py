"""The labelled frames of the benchmarks: what is wrong with labels, and how far two passes agree."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.ground_truth import agreement, check

FOLDER = Path(check.__file__).parent


def labels(*frames: tuple[int, list[dict[str, Any]]]) -> dict[str, Any]:
    return {
        "video": "tiny.mp4",
        "sha256": "0",
        "width_px": 100,
        "height_px": 100,
        "frames": [{"time_ms": time_ms, "boxes": boxes} for time_ms, boxes in frames],
    }


def box(name: str, *place: int, **flags: Any) -> dict[str, Any]:
    return {"name": name, "box": list(place), **flags}


def test_nothing_is_wrong_with_the_labels_that_are_kept() -> None:
    for path in FOLDER.glob("*.json"):
        assert list(check.problems(json.loads(path.read_text(encoding="utf-8")))) == []


def test_the_frames_of_the_second_pass_are_those_its_rule_picks() -> None:
    first, second = (
        [frame["time_ms"] for frame in json.loads((FOLDER / name).read_text(encoding="utf-8"))["frames"]]
        for name in ("big_buck_bunny_720p.json", "big_buck_bunny_720p_second.json")
    )
    picked = sorted(first, key=lambda time_ms: hashlib.sha256(str(time_ms).encode()).hexdigest())[:60]
    assert second == sorted(picked)


def test_what_is_wrong_with_a_box_is_said() -> None:
    good = box("Bunny", 10, 10, 50, 70)
    assert list(check.problems(labels((0, [good]), (500, [])))) == []
    assert list(check.problems(labels((500, []), (500, [])))) == ["the times are not ascending and unique"]
    wrong = {
        "unknown name": box("Nobody", 10, 10, 50, 70),
        "outside the frame": box("Bunny", 60, 10, 50, 70),
        "small is for": box("Bunny", 10, 10, 50, 20),
        "truncated is for": box("Bunny", 0, 10, 50, 70),
        "other needs a note": box("other", 10, 10, 50, 70),
    }
    for words, bad in wrong.items():
        problems = list(check.problems(labels((0, [bad]))))
        assert any(words in problem for problem in problems)


def test_agreement_of_two_passes() -> None:
    first = labels(
        (0, [box("Bunny", 0, 0, 40, 80, truncated=True), box("Frank", 50, 10, 40, 60)]),
        (500, [box("Rinky", 10, 10, 20, 60)]),
        (1000, [box("Gamera", 10, 10, 60, 60)]),
        (1500, [box("Gamera", 10, 10, 60, 60)]),
    )
    second = labels(
        # The same two the other way round, one lower and with another name; a third that only this pass has.
        (
            0,
            [
                box("Frank", 50, 10, 40, 60),
                box("Gamera", 0, 0, 40, 60, truncated=True),
                box("other", 95, 95, 4, 4, small=True, note="a fly"),
            ],
        ),
        (500, []),
        (1000, [box("Gamera", 50, 50, 40, 40, small=True)]),
    )
    figures, pairs = agreement.agreement(first, second)
    assert figures["frames"] == 3
    assert (figures["boxes_first"], figures["boxes_second"]) == (4, 4)
    assert (figures["matched"], figures["only_first"], figures["only_second"]) == (2, 2, 2)
    assert (figures["iou_min"], figures["iou_median"], figures["iou_p10"]) == (0.75, 0.875, 0.775)
    # One of two names is the same; by chance one of four would be.
    assert figures["same_name"] == 0.5
    assert figures["kappa"] == pytest.approx((0.5 - 0.25) / (1 - 0.25), abs=1e-4)
    assert (figures["empty_first_only"], figures["empty_second_only"]) == ([], [500])
    alone = [pair for pair in pairs if pair.time_ms == 1000]
    assert [pair.iou for pair in alone] == [pytest.approx(400 / 4800)] * 2


def test_a_pass_agrees_with_itself_and_not_with_another_video() -> None:
    one = labels((0, [box("Bunny", 10, 10, 50, 70), box("Frank", 60, 10, 30, 70)]), (500, []))
    figures, _ = agreement.agreement(one, one)
    assert (figures["same_name"], figures["kappa"], figures["iou_min"]) == (1.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="two videos"):
        agreement.agreement(one, {**one, "sha256": "1"})
    with pytest.raises(ValueError, match="not in the first pass"):
        agreement.agreement(one, labels((250, [])))
    assert agreement.kappa([("Bunny", "Bunny")]) is None
