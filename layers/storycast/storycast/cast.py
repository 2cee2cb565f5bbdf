"""The cast: who may be in the pictures, and what is known of their looks."""

from storycast.footage import Record


class Reference(Record):
    """A reference picture's embedding; ``content`` is the SHA-256 of the picture."""

    key: str
    content: str
    embedding: str
    colours: str = ""
    """Encoded as the embedding is; see :mod:`storycast.looks`."""


class CastMember(Record):
    """A character with the embeddings of its reference pictures and the labels that mean it."""

    name: str
    description: str
    labels: tuple[str, ...]
    references: tuple[Reference, ...]
    custom_labels: tuple[str, ...] = ()
    """What a Custom Labels model may call the character: its name, and its labels; none without such a model."""
    clusters: tuple[str, ...] = ()
    """Ids of discovered clusters that a person has said are this character."""
    faces: tuple[str, ...] = ()
    """SHA-256 of the reference pictures whose face lies in the project's face collection."""


class CastFaces(Record):
    """The face collection of a project, as it was when a run began to search it."""

    collection_id: str
    model_version: str
    fingerprint: str
    """Of the collection, its model and the pictures in it: what a search depends on, but for the face."""


class Cast(Record):
    """The cast of a run; ``cast.json``."""

    embedding_model: str
    members: tuple[CastMember, ...]
    faces: CastFaces | None = None
    """None where nobody is to be found by the face."""
    discovered: bool = False
    """Whether nobody said who is in the film, so that :mod:`storycast.discovery` finds out."""

    @property
    def can_name(self) -> bool:
        """Whether any member can be told from a picture."""
        return any(
            member.references or member.labels or member.custom_labels or member.faces for member in self.members
        )

    def face_owners(self) -> dict[str, list[str]]:
        """Return whose face each picture in the collection shows, by its SHA-256."""
        owners: dict[str, list[str]] = {}
        for member in self.members:
            for content in member.faces:
                owners.setdefault(content, []).append(member.name)
        return owners
