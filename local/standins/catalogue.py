"""The Bedrock models that the stand-ins know, with their lifecycle, as of the date in ``catalogue.json``."""

from __future__ import annotations

import datetime as dt
import logging
import os
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

_log = logging.getLogger("storycast.standins")

#: A day (YYYY-MM-DD) that the stand-ins take for today, for tests.
TODAY_VARIABLE = "STORYCAST_STANDIN_TODAY"

#: Ids of ended models that are played as active, separated by commas.
ACTIVE_VARIABLE = "STORYCAST_STANDIN_PLAY_ACTIVE"
_active: list[str] = []

_PROFILE = re.compile(r"(?:us|us-gov|eu|apac|jp|au|ca|global)\.(?P<model>.+)")
_ARN = re.compile(r"arn:aws[^:]*:bedrock:[^:]*:[^:]*:(?P<kind>foundation-model|inference-profile)/(?P<id>.+)")


class Model(BaseModel):
    """One model of the catalogue."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    #: The service's own name for it.
    name: str
    #: What really answers here; None if nothing does.
    played_by: str | None
    #: ``caption``, ``titan_embedding``, ``nova_embedding`` or ``image``.
    role: str
    input: tuple[str, ...]
    output: tuple[str, ...]
    customizations: tuple[str, ...] = ()
    inference: tuple[str, ...]
    #: Whether it may be called through a cross-region inference profile, such as ``us.<id>``.
    inference_profiles: bool = False
    #: The day on which it became Legacy; None if it has not, or nobody wrote it down.
    legacy: dt.date | None = None
    #: The day from which it answers no more.
    end_of_life: dt.date | None = None

    def is_legacy(self, today: dt.date) -> bool:
        """Whether it is Legacy on a day; an ended model is Legacy too."""
        return self.has_ended(today) or (self.legacy is not None and today >= self.legacy)

    def has_ended(self, today: dt.date) -> bool:
        """Whether it has reached its end of life on a day."""
        return self.end_of_life is not None and today >= self.end_of_life


class _Catalogue(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    as_of: dt.date
    source: str
    models: tuple[Model, ...]


@cache
def models() -> tuple[Model, ...]:
    """All models, in the catalogue's order."""
    text = Path(__file__).with_name("catalogue.json").read_text("utf-8")
    return _Catalogue.model_validate_json(text).models


def foundation_model(identifier: str) -> Model | None:
    """The model with that id or foundation model ARN; None if there is none."""
    found = _ARN.fullmatch(identifier)
    if found:
        identifier = found["id"] if found["kind"] == "foundation-model" else ""
    return next((model for model in models() if model.id == identifier), None)


def invocable_model(identifier: str) -> Model | None:
    """The model behind an id, an ARN, or an inference profile's id or ARN; None if there is none."""
    arn = _ARN.fullmatch(identifier)
    name = arn["id"] if arn else identifier
    profile = _PROFILE.fullmatch(name)
    if profile and (arn is None or arn["kind"] == "inference-profile"):
        model = foundation_model(profile["model"])
        return model if model and model.inference_profiles else None
    return foundation_model(identifier)


def has_ended(model: Model, day: dt.date | None = None) -> bool:
    """Whether a model answers no more, on a day or today; one that is played as active does."""
    return model.has_ended(day or today()) and not is_played_as_active(model)


def is_played_as_active(model: Model) -> bool:
    """Whether a model that has ended is played as if it had not."""
    return model.id in _active and model.has_ended(today())


def is_fresh(model: Model) -> bool:
    """Whether a model is neither Legacy nor ended today, or is played as if it were so."""
    return is_played_as_active(model) or not model.is_legacy(today())


def play_as_active(identifiers: Sequence[str]) -> None:
    """Set the models that are played as active though they have ended; the log says so.

    Raises:
        ValueError: One of them is no image model of the catalogue.
    """
    known = {model.id for model in models() if model.role == "image"}
    unknown = [identifier for identifier in identifiers if identifier not in known]
    if unknown:
        raise ValueError(
            f"The stand-ins can't play {', '.join(unknown)} as active: the image models that they know are "
            f"{', '.join(sorted(known))}."
        )
    _active[:] = dict.fromkeys(identifiers)
    _log.warning("Played as active though they have ended: %s", ", ".join(_active) or "none")


def play_as_the_environment_says() -> None:
    """Set what ``STORYCAST_STANDIN_PLAY_ACTIVE`` names; see ``play_as_active``."""
    named = [part.strip() for part in os.environ.get(ACTIVE_VARIABLE, "").split(",")]
    if identifiers := [identifier for identifier in named if identifier]:
        play_as_active(identifiers)


def played_as_active() -> list[str]:
    """The models that are played as active though they have ended."""
    return list(_active)


def today() -> dt.date:
    """Today in UTC, or the day that ``STORYCAST_STANDIN_TODAY`` names."""
    day = os.environ.get(TODAY_VARIABLE)
    return dt.date.fromisoformat(day) if day else dt.datetime.now(dt.UTC).date()
