"""Votes: what each method says about whom a picture shows, before the methods are fused."""

from typing import Annotated, Literal

from pydantic import Field

from storycast.footage import Record

Method = Literal["labels", "faces", "custom_labels", "references"]
METHODS: tuple[Method, ...] = ("labels", "faces", "custom_labels", "references")


class Vote(Record):
    """One method's word for one character.

    What a paid call says is stored as it was said, whatever the thresholds are, so that other thresholds cost
    nothing again; :mod:`storycast.naming` tells whether a vote reaches its method's threshold.
    """

    method: Method
    character: str
    """Name of the member of the cast."""
    score: Annotated[float, Field(ge=-1.0, le=1.0)]
    """A confidence or similarity of Rekognition as a share, 0..1; of embeddings the cosine."""
    reached: bool = False
    """Whether the score reaches the threshold of its method."""
