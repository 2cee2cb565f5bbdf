"""Words: what the report says of a status, an outcome, an error, a time or an amount."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from storycast import errors
from storycast.decisions import What
from storycast.runs import Run

MANY_FILES = 5
"""Files of one folder that are no longer named one by one: of a run of another release none may be readable."""

STATUS: Mapping[str, str] = {
    "running": "Still running",
    "in_review": "Waiting for people to review it",
    "dataset_ready": "The dataset is ready",
    "training": "A model is being trained",
    "storyboard_ready": "The storyboard is drawn",
    "failed": "The run failed",
}

STAGES: Mapping[str, str] = {
    "detect_characters": "Finding characters",
    "build_cast": "Learning the cast",
    "crop_characters": "Comparing crops",
    "caption_images": "Captions",
    "start_human_reviews": "Amazon A2I's workers",
    "start_training": "Training",
    "provision_model": "Hosting or drawing",
    "draw_storyboard": "Storyboard",
    "grade_storyboard": "Grading",
    "workflow": "The workflow itself",
}
"""Functions by what they do for people; costs are listed by function."""

OUTCOMES: Mapping[tuple[str, str], str] = {
    ("segment", "lost"): "Stretches of footage that gave nothing",
    ("frame", "blank"): "Blank frames",
    ("frame", "held"): "Frames that are held longer than an interval",
    ("frame", "near_cut"): "Frames too near a cut",
    ("frame", "unreadable"): "Frames that could not be decoded",
    ("frame", "lost"): "Frames without a result",
    ("frame", "refused"): "Frames that a service refused",
    ("frame", "settled"): "Frames in which nothing had moved",
    ("frame", "no_character"): "Frames with nobody in them",
    ("frame", "sampled"): "Frames that were not looked at",
    ("frame", "cropped"): "Frames with somebody in them",
    ("crop", "refused"): "Crops that a service refused",
    ("crop", "unknown"): "Crops of nobody known",
    ("crop", "repeated"): "Second boxes of one character in a frame",
    ("crop", "several"): "Boxes round several characters that have boxes of their own",
    ("crop", "dropped"): "Crops that the project file drops",
    ("crop", "duplicate"): "Near-duplicates",
    ("crop", "below_quality"): "Pictures below the quality floor",
    ("crop", "burnt_in_text"): "Pictures with burnt-in text",
    ("crop", "same_picture"): "Squares that a picture of another character shows, too",
    ("crop", "shot_has_enough"): "Good pictures of shots that give enough",
    ("crop", "less_varied"): "Good pictures like one that was chosen",
    ("crop", "budget_full"): "Good pictures beyond the budget",
    ("crop", "caption_refused"): "Pictures without a usable caption",
    ("crop", "over_limit"): "Pictures beyond what training takes",
    ("crop", "lost"): "Pictures without a result",
    ("crop", "rejected"): "Pictures that the review left out",
    ("crop", "not_reviewed"): "Pictures that nobody decided on",
    ("crop", "in_dataset"): "Pictures in the dataset",
    ("crop", "found"): "Crops that nobody named",
    ("crop", "named"): "Crops that were not curated",
    ("crop", "curated"): "Pictures that were not written",
}
"""What became of items of the ledger; those of an unfinished run end in the middle."""

DECISIONS: Mapping[What, str] = {
    "keep": "kept",
    "drop": "dropped",
    "reopen": "opened again",
    "caption": "captions written",
    "move": "given to another character",
    "use": "a duplicate used instead",
    "rename": "characters renamed",
    "merge": "characters merged",
    "drop_character": "characters dropped from the cast",
    "restore_character": "characters taken back",
    "acknowledge": "findings of the caption lint acknowledged",
    "undo": "undone",
    "finish": "finished",
    "time_out": "closed when its time was over",
}
"""What somebody decided in the review."""

BILLED: Mapping[str, str] = {
    "customization_job": "Training job",
    "provisioned_throughput": "Hosting",
    "training_job": "Training job",
    "drawing_job": "Drawing job",
    "custom_labels_model": "Custom Labels model",
}

_PAID_ONCE = (
    "What was paid for is kept: starting again with the same footage and settings does not pay for it twice."
)
_START_AGAIN = f"Start the run again. {_PAID_ONCE}"

_NEXT: Mapping[type[errors.StorycastError], str] = {
    errors.BudgetExceededError: f"Make the step smaller or raise budget_usd, then start again. {_PAID_ONCE}",
    errors.CaptionLintError: "Mend the captions, or acknowledge the rules that the message names, then start the "
    f"training again. The dataset stays as it is. {_PAID_ONCE}",
    errors.ModelRetiredError: "Set training.target: sagemaker, which trains an adapter of an open model, or none; "
    "or name a model that is active. The dataset stays as it is.",
    errors.ModelNotAvailableError: "Ask for access to the model in Amazon Bedrock's console, name another one, "
    "or use another region.",
    errors.TrainingAccessError: "Mend the role, the region or the quota that the message names, then start the "
    "training again. The dataset stays as it is.",
    errors.TrainingFailedError: "Read the service's message above. The dataset stays as it is; start the training "
    "again when it is mended.",
    errors.TrainingStoppedError: "Nothing is wrong. Start the training again when it shall go on.",
    errors.TrainingOverdueError: "Raise training.max_hours or lower training.step_count, then start the training "
    "again.",
    errors.HostingFailedError: "The trained model is kept. Draw again: nothing is trained or paid twice.",
    errors.HostingOverdueError: "The trained model is kept. Draw again: nothing is trained or paid twice.",
    errors.BillingClosedError: "The teardown was quicker than the run. Start again when it shall go on.",
    errors.StillBillingError: "End it by hand in the console that the message names: it goes on costing money.",
    errors.TooManyLostError: f"Look at the reasons below, under what was left out. {_START_AGAIN}",
    errors.NothingApprovedError: f"Keep some pictures in the review of the next run. {_PAID_ONCE}",
    errors.ReviewTimedOutError: "Start again and finish the review, or raise review.timeout_hours. What was "
    f"decided is taken over. {_PAID_ONCE}",
    errors.HumanReviewFailedError: "Look at the flow definition and its workers in the console, or set "
    f"review.mode: page, then start again. {_PAID_ONCE}",
    errors.BadInputError: f"Mend what the message names, then start again. {_PAID_ONCE}",
}
"""What to do after an error, by its class or the nearest one above it."""

_OTHER: Mapping[str, str] = {
    "ABORTED": f"Somebody stopped it. {_START_AGAIN}",
    "TIMED_OUT": f"It ran out of time. {_START_AGAIN}",
    "Interrupted": f"Somebody stopped it. {_START_AGAIN}",
    "TornDown": f"A teardown stopped it. {_START_AGAIN}",
}


def next_step(error: str) -> str:
    """Return what to do after a run ended with an error of this name."""
    kind = getattr(errors, error, None)
    if isinstance(kind, type) and issubclass(kind, errors.StorycastError):
        for above in kind.__mro__:
            if above in _NEXT:
                return _NEXT[above]
    return _OTHER.get(error, _START_AGAIN)


def headline(run: Run) -> str:
    """Return a run's status in words; a training that failed leaves the dataset as good as it was."""
    if run.error and run.status == "dataset_ready":
        return "The dataset is ready, the training failed"
    if run.error and run.status == "storyboard_ready":
        return "The storyboard is drawn, the last training failed"
    return STATUS.get(run.status, run.status)


def outcome(kind: str, name: str) -> str:
    """Return an outcome of the ledger in words."""
    return OUTCOMES.get((kind, name), f"{kind}: {name}".replace("_", " "))


def moment(text: str | datetime | None) -> str:
    """Return a time in UTC to the minute, or the text as it is where it is none."""
    if not text:
        return ""
    try:
        at = datetime.fromisoformat(text) if isinstance(text, str) else text
    except ValueError:
        return str(text)
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def to_the_second(at: datetime | None) -> str:
    """Return a time in UTC to the second; empty where there is none."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if at else ""


def parsed(text: str | None) -> datetime | None:
    """Return a time of a record, None where there is none or it is not one; without a zone it is UTC."""
    try:
        at = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def duration(span: timedelta) -> str:
    """Return a length of time in its two largest units."""
    seconds = max(round(span.total_seconds()), 0)
    if seconds < 60:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s" if seconds else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} days {hours} h" if hours else f"{days} days"


def place(time_ms: int) -> str:
    """Return a place in a film as minutes, seconds and tenths; with hours from one hour on."""
    minutes, rest = divmod(time_ms, 60_000)
    hours, minutes = divmod(minutes, 60)
    told = f"{minutes:02d}:{rest / 1000:04.1f}"
    return f"{hours}:{told}" if hours else told.removeprefix("0")


def count(number: int, one: str, many: str = "") -> str:
    """Return a number of things with the right word."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def unreadable_told(names: Sequence[str]) -> list[tuple[str, int]]:
    """Return what could not be read: each file by its key; the folder and how many, where it has many."""
    folders = Counter(name.rpartition("/")[0] for name in set(names))
    told: dict[tuple[str, int], None] = {}
    for name in names:
        folder = name.rpartition("/")[0]
        told[(f"{folder}/", folders[folder]) if folders[folder] >= MANY_FILES else (name, 1)] = None
    return list(told)
