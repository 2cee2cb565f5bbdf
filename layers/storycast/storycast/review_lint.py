"""The caption lint of a review that goes on: over what is kept by now, or what may still be."""

from dataclasses import replace

from storycast.approval import approve
from storycast.caption_lint.findings import Lint
from storycast.caption_lint.linting import lint
from storycast.caption_lint.of_dataset import captions_of, descriptions_of
from storycast.decisions import KEPT, OPEN, State, Value
from storycast.review import Review


def lint_review(review: Review, state: State, *, with_open: bool) -> Lint:
    """Lint the captions of a review as they are now.

    Args:
        review: What is reviewed.
        state: What its decisions come to.
        with_open: Whether pictures count that nobody has decided on, as they do for who still reviews; what is
            trained on are those that are kept.
    """
    if with_open:
        values = {
            key: Value(KEPT) if key[1] == "verdict" and value.text == OPEN else value
            for key, value in state.values.items()
        }
        state = replace(state, values=values)
    approval = approve(review, state)
    makers = {one.caption_model for one in review.pictures}
    found = lint(
        captions_of(approval.pictures, makers),
        descriptions_of(review.characters, approval.names.names),
        review.words,
    )
    return found.model_copy(update={"acknowledged": approval.acknowledged})
