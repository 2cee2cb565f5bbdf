"""Naming in a crowd: one character among many strangers."""

from typing import Any

import numpy as np

from storycast.cast import Cast, CastMember, Reference
from storycast.embeddings import Vectors, encode, unit
from storycast.naming import name_by_cast
from storycast.sightings import Sighting

THRESHOLDS: dict[Any, float] = {"references": 0.7, "faces": 0.8, "custom_labels": 0.0, "labels": 0.0}


def sighting(frame: int, place: int) -> Sighting:
    """A sighting of a frame, the ``place``-th from the left; each frame is a shot of its own."""
    return Sighting(
        crop_id=f"f-{frame:09d}-{place:02d}",
        key="",
        frame_id=f"f-{frame:09d}",
        frame_key="",
        footage_id="f",
        time_ms=frame * 1000,
        shot=frame,
        width_px=1920,
        height_px=1080,
        left=place / 20,
        top=0.2,
        width=0.04,
        height=0.5,
        left_px=0,
        top_px=0,
        side_px=500,
        confidence=90.0,
        labels=(),
        sharpness=100.0,
        light=0.5,
        contrast=0.5,
    )


def direction(degrees: float) -> Any:
    return unit([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])


def test_a_character_in_a_crowd_is_known_and_no_stranger_is() -> None:
    # Mara is one of thirteen in each of three frames; the strangers are alike among themselves, as crowds are.
    members = tuple(
        CastMember(
            name=name,
            description="",
            labels=(),
            references=(Reference(key=name, content=name, embedding=encode(direction(degrees))),),
        )
        for name, degrees in (("Mara", 0), ("Tom", 250))
    )
    cast = Cast(embedding_model="amazon.titan-embed-image-v1", members=members)
    sightings = [sighting(frame, place) for frame in range(3) for place in range(13)]
    looks: Vectors = np.stack(
        [
            direction(8 + 6 * frame if place == 6 else 100 + 3 * place + frame)
            for frame in range(3)
            for place in range(13)
        ]
    )
    named = name_by_cast(sightings, list(range(len(sightings))), looks, cast, thresholds=THRESHOLDS, alike=0.9)
    assert [one.crop_id for one in named if one.character == "Mara"] == [f"f-{frame:09d}-06" for frame in range(3)]
    assert all(one.reason for one in named)
    assert {one.outcome for one in named if not one.character} == {"unknown"}
