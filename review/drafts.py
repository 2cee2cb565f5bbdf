"""Drafts: decisions as the page and its offline bundle make them, before the desk takes them in."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from storycast.decisions import MAX_CHANGES, Change, Making, Via
from storycast.footage import Record
from storycast.review_desk import Proposal

MOST_BYTES = 300_000
"""Of a decision's changes: an item in DynamoDB has at most 400 KB."""

DecisionId = Annotated[str, Field(pattern=r"^[0-9a-zA-Z-]{8,64}$")]


class DraftInvalidError(ValueError):
    """What was sent is no decision; the message says what is wrong with it."""


class Draft(Record):
    """What somebody wants to decide. Finishing is none of these: it is asked for on its own."""

    id: DecisionId
    what: Making
    changes: Annotated[tuple[Change, ...], Field(max_length=MAX_CHANGES)]
    undoes: DecisionId | None = None

    def proposal(self, who: str, via: Via) -> Proposal:
        """Return it as the desk takes it.

        Raises:
            DraftInvalidError: It is too large to be kept.
        """
        size = sum(len(change.model_dump_json()) for change in self.changes)
        if size > MOST_BYTES:
            raise DraftInvalidError(
                f"A decision has at most {MOST_BYTES:,} bytes, this one has {size:,}: divide it into several."
            )
        return Proposal(self.id, who, self.what, via, self.changes, self.undoes)


def parsed[R](kind: type[R], content: bytes) -> R:
    """Read JSON as a model.

    Raises:
        DraftInvalidError: It is no JSON, or no such model; the message names the first fault.
    """
    try:
        return TypeAdapter(kind).validate_json(content)
    except ValidationError as error:
        raise DraftInvalidError(_fault(error)) from None


def _fault(error: ValidationError) -> str:
    first: Mapping[str, Any] = error.errors(include_input=False, include_url=False, include_context=False)[0]
    where = ".".join(map(str, first["loc"]))
    more = f" ({error.error_count() - 1} more faults)" if error.error_count() > 1 else ""
    return f"{where + ': ' if where else ''}{first['msg']}.{more}"
