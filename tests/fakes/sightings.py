"""Sightings as a film's stages make them, for tests of what comes after."""

from typing import Any

from storycast.sightings import Sighting


def seen(number: int, **changes: Any) -> Sighting:
    """Return a sighting; ``number`` tells it apart and is its time in seconds."""
    facts: dict[str, Any] = {
        "crop_id": f"f-{number:09d}-00",
        "key": f"footage/f/crops/{number}.jpg",
        "frame_id": f"f-{number:09d}",
        "frame_key": f"footage/f/frames/{number}.jpg",
        "footage_id": "f",
        "time_ms": number * 1000,
        "shot": 0,
        "width_px": 1920,
        "height_px": 1080,
        "left": 0.4,
        "top": 0.3,
        "width": 0.2,
        "height": 0.4,
        "left_px": 700,
        "top_px": 300,
        "side_px": 500,
        "confidence": 90.0,
        "labels": (),
        "sharpness": 100.0,
        "light": 0.5,
        "contrast": 0.5,
    }
    return Sighting.model_validate({**facts, **changes})
