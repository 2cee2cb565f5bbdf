"""The copy of the billing book's rows in a run's record, for readers."""

from storycast.ports import BillingBook, ObjectStore
from storycast.runs import read_run, write_run


def copy_rows(store: ObjectStore, book: BillingBook, run_id: str) -> None:
    """Copy a run's rows into its record; one that is missing, damaged or has these rows stays as it is."""
    try:
        run = read_run(store, run_id)
    except (KeyError, ValueError):
        return
    rows = tuple(book.rows(run_id))
    if rows != run.billing:
        write_run(store, run.model_copy(update={"billing": rows}))
