"""`storycast review --finish`: say what a review comes to, ask once, and let the run go on."""

import uuid
from collections.abc import Iterator

from cli import lint_told
from cli.consent import agreed
from cli.problems import DONE
from cli.reviewers import name_of
from cli.reviewing import NotInReviewError, tell_end, waiting_run
from cli.screen import Screen
from cli.target import TargetChoice
from storycast.approval import Approval, approve
from storycast.caption_lint.findings import rules_of
from storycast.caption_lint.linting import acknowledge_options
from storycast.decisions import State
from storycast.manifest import problems
from storycast.prices import usd
from storycast.review import Review, TrainingAhead
from storycast.review_desk import ReviewClosedError
from storycast.review_lint import lint_review


def finish(run_id: str | None, choice: TargetChoice, screen: Screen, *, who: str | None, yes: bool) -> int:
    """Close a review and let its run go on with what is approved.

    Args:
        run_id: The run; the only one that waits where None.
        choice: The target.
        screen: Where to tell it.
        who: Who finishes it; who they are to AWS, or on this machine, where None.
        yes: Whether they agreed beforehand.

    Returns:
        The exit code.

    Raises:
        InputRefusedError: Nobody can be asked.
        NotInReviewError: Somebody else was faster.
    """
    with waiting_run(run_id, choice, screen) as (target, waiting):
        me = name_of(target, who)
        desk, review = waiting.opened.desk, waiting.opened.review
        approval = approve(review, desk.state())
        for line in lines_of(review, approval):
            screen.say(line)
        for line in lines_of_lint(review, desk.state()):
            screen.warn(line)
        why = "Finishing closes the review for everybody, and the run goes on with what is approved."
        if not agreed(f"Finish the review of {waiting.run_id} as {me}?", why, screen, yes=yes):
            screen.say("The review is still open.")
            return DONE
        try:
            status = desk.finish(me, str(uuid.uuid4()))
        except ReviewClosedError as error:
            raise NotInReviewError(str(error)) from None
        return tell_end(target, waiting.run_id, status, screen)


def lines_of(review: Review, approval: Approval) -> Iterator[str]:
    """Yield what a review comes to: what is in, what is out, and what follows."""
    count = len(approval.pictures)
    if not count:
        yield f"None of {len(review.pictures)} pictures is approved: the run ends without a dataset."
        return
    each = ", ".join(f"{name} {number}" for name, number in approval.per_character.items())
    yield f"The dataset gets {count} of {len(review.pictures)} pictures: {each}."
    unseen = sum(one.outcome == "not_reviewed" for one in approval.outcomes)
    out = {"dropped": len(review.pictures) - count - unseen, "that nobody decided on": unseen}
    if any(out.values()):
        yield f"Left out: {', '.join(f'{number} {why}' for why, number in out.items() if number)}."
    target = review.training.target if review.training else "none"
    too_few = [*problems(count, target), *approval.shortfalls]
    if review.training is None:
        yield "Nothing is trained on it: the project asks for none."
    elif too_few:
        yield f"Nothing is trained on it: {'; '.join(too_few)}."
    else:
        yield from _training(review.training)


def lines_of_lint(review: Review, state: State) -> Iterator[str]:
    """Yield what of the captions stands against a training of what is kept."""
    blocking = lint_review(review, state, with_open=False).blocking(review.acknowledged)
    yield from lint_told.lines_of(blocking)
    if blocking:
        yield (
            "A training is refused for these captions, before it is billed. Mend them, tick them on the page, "
            f"or train later: storycast train {review.run_id} {acknowledge_options(rules_of(blocking))}"
        )


def _training(ahead: TrainingAhead) -> Iterator[str]:
    low, high = ahead.cost_usd
    free = "" if ahead.charged else " Stand-ins on this machine charge nobody."
    drawn = "with drawing the panels" if ahead.instance_type else "with hosting and panels"
    most = f", {usd(ahead.most_usd)} at the very most" if ahead.most_usd is not None else ""
    yield (
        f"Training follows: {ahead.step_count:,} steps of {ahead.batch_size} on {ahead.base_model}, {usd(low)} to "
        f"{usd(high)} {drawn} at list prices of {ahead.prices_as_of}{most}; the budget is "
        f"{usd(ahead.budget_usd)}.{free}"
    )
    if ahead.instance_type:
        spot = " on spot capacity, which may cost less, and interrupt it for a while" if ahead.spot else ""
        yield f"An adapter (LoRA) is trained by a job on {ahead.instance_type}{spot}."
    if ahead.licence:
        where = f" {ahead.licence.link}" if ahead.licence.link else ""
        yield f"Licence of {ahead.base_model}: {ahead.licence.name}. {ahead.licence.restricts}{where}"
