"""A followed run that comes to its review: the page is served beside it, or the command for it is told."""

from contextlib import ExitStack
from typing import Self

from botocore.exceptions import ClientError

from cli.following import Shown, Snapshot
from cli.problems import explain
from cli.reviewers import name_of, page_of
from cli.reviews import ReviewProgress, open_review, until
from cli.screen import Screen
from cli.standins import workers_place
from cli.target import Target
from review.serving import PortTakenError
from storycast.errors import StorycastError

LEFT = "the run ends with the embedded AWS; what was decided is kept, and the next run takes it over"


class ReviewBeside:
    """Shows an execution, and looks after people once it waits for them.

    Args:
        shown: Shows it.
        target: Where it is.
        run_id: Its run.
        screen: Where to tell of the review.
        serve: Whether to serve the page: to the person who watches, since the run ends with this command.
    """

    def __init__(self, shown: Shown, target: Target, run_id: str, screen: Screen, *, serve: bool) -> None:
        self._shown = shown
        self._target = target
        self._run_id = run_id
        self._screen = screen
        self._serve = serve
        self._page = ExitStack()
        self._is_told = False

    def __enter__(self) -> Self:
        self._shown.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._page.close()
        self._shown.__exit__(*exception)

    def update(self, snapshot: Snapshot) -> None:
        """Show a newer snapshot, and tell once that the review waits; the page is there until the run ends."""
        self._shown.update(snapshot)
        kinds = {one.stage.kind for one in snapshot.running if one.stage.waits_for_people}
        if self._is_told or not kinds:
            return
        if "Map" in kinds:
            # A map waits for Amazon A2I's workers, who have pages of their own.
            self._is_told = True
            self._screen.say(f"Review waits for Amazon A2I's workers {workers_place(self._target)}", style="bold")
        elif self._is_open():
            self._is_told = True
            self._tell()

    def _is_open(self) -> bool:
        """Tell whether the review is there for people: its gate is opened a moment after the state is entered."""
        progress = ReviewProgress(self._target, self._run_id).look()
        return progress is not None and progress.deadline is not None

    def _tell(self) -> None:
        command = f"`storycast review {self._run_id} {self._target.options}`"
        if not self._serve:
            self._screen.say(f"Review waits: {command}", style="bold")
            return
        try:
            opened = open_review(self._target, self._run_id)
            me = name_of(self._target, None)
            url = self._page.enter_context(page_of(opened, me, None))
        except (PortTakenError, StorycastError, ClientError) as error:
            known = explain(error)
            self._screen.warn(f"The review's page can't be served here: {known[0] if known else error}")
            self._screen.say(f"Review waits: {command}", style="bold")
            return
        left = f"the run waits {until(opened.desk.status().deadline)}" if self._target.stays_up else LEFT
        self._screen.say(f"Review waits: {url}", style="bold")
        self._screen.say(f"You decide there as {me}. (Ctrl-C leaves it; {left}.)")
