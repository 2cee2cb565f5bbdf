"""The cast: who may be in the pictures, and what is known of their looks."""

from storycast.footage import Record


class Reference(Record):
    """A reference picture's embedding; ``content`` is the SHA-256 of the picture."""

    key: str
    content: str
    embedding: str


class CastMember(Record):
    """A character with the embeddings of its reference pictures and the labels that mean it."""

    name: str
    description: str
    labels: tuple[str, ...]
    references: tuple[Reference, ...]
    custom_label: str = ""
    """What a Custom Labels model calls the character; empty where it knows none such."""


class Cast(Record):
    """The cast of a run; ``cast.json``."""

    embedding_model: str
    members: tuple[CastMember, ...]
    discovered: bool = False
    """Whether nobody said who is in the film, so that :mod:`storycast.discovery` finds out."""

    @property
    def can_name(self) -> bool:
        """Whether any member can be told from a picture."""
        return any(member.references or member.labels or member.custom_label for member in self.members)
