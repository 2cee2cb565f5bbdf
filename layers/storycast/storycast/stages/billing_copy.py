"""The copy of the billing book's rows in a run's record, for readers."""

from contextlib import suppress

from storycast.ports import BillingBook, ObjectStore
from storycast.runs import Run, change_run


def copy_rows(store: ObjectStore, book: BillingBook, run_id: str) -> None:
    """Copy a run's rows into its record; one that is missing, damaged or has these rows stays as it is."""

    def copied(run: Run) -> Run:
        # Read after the record: whoever writes the record later has no older rows.
        return run.model_copy(update={"billing": tuple(book.rows(run_id))})

    with suppress(KeyError, ValueError):
        change_run(store, run_id, copied)
