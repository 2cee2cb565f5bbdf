"""What `storycast rerun` does: a new run over the footage that an earlier run had, as it lies in the bucket.

Results are found by what they depend on, so what is paid is what other settings change, and nothing else.
"""

import secrets
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from botocore.exceptions import ClientError

from cli.ending import see_through
from cli.objects import listed, read
from cli.problems import InputRefusedError
from cli.project import Overrides
from cli.running import check_project_input, start_run
from cli.screen import Screen
from cli.standins import play
from cli.summary import find_run, read_record
from cli.target import Target, TargetChoice, opened
from cli.uploading import upload_project
from storycast import keys, names
from storycast.decisions import Decision
from storycast.footage import FootageSource
from storycast.frames import from_json_lines
from storycast.plan import FootagePlan, make_plan
from storycast.runs import Run
from storycast.settings import Settings

INCOMING_DAYS = 30
"""How long the bucket's lifecycle rule keeps what the command uploaded."""
SOON = timedelta(days=1)
PAID_BESIDE = {
    "caption_repairs": "repairs of captions",
    "reference_embeddings": "embeddings of references",
    "face_references": "references searched for faces",
    "indexed_faces": "faces put into the collection",
    "face_detections": "face detections",
    "face_searches": "face searches",
    "human_reviews": "pictures before A2I's workers",
}
"""What else a run counts as paid, told of where there is any."""
_MISSING = ("404", "NoSuchKey", "NotFound")


@dataclass(frozen=True, slots=True)
class RerunOrder:
    """What the user asked for."""

    run_id: str
    project_file: Path | None = None
    """None: the project file that is in the bucket."""
    overrides: Overrides = field(default_factory=Overrides)
    out: Path | None = None


def rerun(order: RerunOrder, choice: TargetChoice, screen: Screen) -> int:
    """Start a run over an earlier run's footage, follow it, and say what it paid for and what it re-used.

    Args:
        order: What to do.
        choice: Where the earlier run is.
        screen: Where to tell it.

    Returns:
        The exit code.

    Raises:
        InputRefusedError: The project file can't be used, or the footage is no longer as it was.
        RunNotFoundError: There is no such run.
    """
    project = check_project_input(order.project_file, order.overrides, order.out)
    with opened(choice, screen) as target:
        former = find_run(target, order.run_id)
        _refuse_changed_footage(target, former, screen)
        settings = upload_project(target, former.project, project, order.overrides, screen)
        play(target, settings, screen)
        for line in lines_of_what_is_there(target, former, settings):
            screen.say(line)
        _tell_decisions(target, former, settings, screen)
        run_id = names.run_id(former.footage[0].name, datetime.now(UTC), secrets.token_hex(8))
        footage = [source.key for source in former.footage]
        started = start_run(target, former.project, footage, run_id, screen)
        code = see_through(target, started, order.out, screen)
        if record := read_record(target, run_id):
            screen.say(said_of_payment(record, settings))
    return code


def _refuse_changed_footage(target: Target, former: Run, screen: Screen) -> None:
    """Refuse footage that is gone or replaced: a run over other footage would be another run, and paid as one."""
    if not former.footage:
        raise InputRefusedError([f"The run {former.run_id} had no footage: it was made of a manifest."])
    problems = []
    for source in former.footage:
        try:
            head = target.s3.head_object(Bucket=target.bucket, Key=source.key)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _MISSING:
                raise
            problems.append(_gone(target, source))
            continue
        if head["ETag"].strip('"') != source.etag:
            problems.append(
                f"{target.uri(source.key)} was replaced since the run {former.run_id}. Start a run over what you "
                "mean: `storycast run FOOTAGE`. What is the same as before is found again by its content."
            )
        elif source.key.startswith(keys.INCOMING):
            left = head["LastModified"] + timedelta(days=INCOMING_DAYS) - datetime.now(UTC)
            if left < SOON:
                screen.warn(
                    f"{source.name} is removed from the bucket {INCOMING_DAYS} days after its upload, which is "
                    "soon: if the run finds it gone, start one with `storycast run`, which uploads it again."
                )
    if problems:
        raise InputRefusedError(problems)


def _gone(target: Target, source: FootageSource) -> str:
    why = (
        f" What the command uploads is kept for {INCOMING_DAYS} days."
        if source.key.startswith(keys.INCOMING)
        else ""
    )
    return (
        f"{target.uri(source.key)} is not in the bucket any more.{why} Upload it again: `storycast run "
        f"{shlex.quote(source.name)} --project FILE {target.options}`. What was paid for it is found again by its "
        "content."
    )


def lines_of_what_is_there(target: Target, former: Run, settings: Settings) -> Iterator[str]:
    """Yield for each footage how much of what these settings need is in the bucket, and not paid again."""
    plan = make_plan(former.run_id, former.project, settings, former.footage)
    for footage in plan.footage:
        frames, looked_at, cropped = _found(target, footage)
        name = footage.source.name
        if not frames:
            yield f"{name}: no frames of these settings are there. It is sampled and looked at anew: that is paid."
            continue
        said = f"{name}: {frames:,} sampled frames are there, {looked_at:,} that were looked at"
        yield f"{said}, {cropped:,} whose crops are embedded: these are not paid again."
    yield "Captions are found again picture by picture; those of other pictures, words or prompts are paid."
    if settings.training.target != "none":
        yield (
            f"training.target is {settings.training.target}: where pictures, captions or what is held out change, "
            "another training is paid, within budget_usd. --train none leaves it out."
        )


def _found(target: Target, footage: FootagePlan) -> tuple[int, int, int]:
    footage_id = footage.source.footage_id
    frames_folder = f"{keys.FOOTAGE}{footage_id}/frames-{footage.frames}/"
    frames = sum(key.endswith(".jpg") for key in listed(target, frames_folder))
    looked_at = sum(1 for _ in listed(target, keys.detections_folder(footage_id, footage.detections)))
    crops_folder = keys.crops_folder(footage_id, footage.crops)
    cropped = sum(key.endswith(".json") for key in listed(target, crops_folder))
    return frames, looked_at, cropped


def _tell_decisions(target: Target, former: Run, settings: Settings, screen: Screen) -> None:
    """Say what becomes of what people decided on the earlier run's pictures."""
    content = read(target, keys.run_file(former.run_id, keys.DECISIONS)) or b""
    if not any(one.changes and one.via not in ("auto", "rule") for one in from_json_lines(content, Decision)):
        return
    if settings.review.mode == "auto":
        screen.warn(
            f"People reviewed {former.run_id}. review.mode is auto, which asks nobody and takes over nothing: "
            "what they dropped may be in the dataset again. With --review page their decisions hold for the same "
            "pictures."
        )
    else:
        screen.say(f"What people decided in {former.run_id} holds for the same pictures until they change it.")


def said_of_payment(run: Run, settings: Settings) -> str:
    """Return what a run paid for and what it found of earlier runs, in a line."""
    counts = run.counts
    # Each kind of result: how many the run has, and how many of these it paid for itself.
    kinds = {
        "embeddings": (counts.get("crops", 0), counts.get("paid_embeddings", 0)),
        "captions": (counts.get("curated", 0) - counts.get("captions_lost", 0), counts.get("paid_captions", 0)),
    }
    if {"labels", "references"} & set(settings.detection.methods):
        looked_at = counts.get("frames_kept", 0) - counts.get("frames_lost", 0)
        kinds = {"detections": (looked_at, counts.get("paid_detections", 0)), **kinds}
    uncounted = [name for name in kinds if f"paid_{name}" not in counts] if run.status == "failed" else []
    kinds = {name: kinds[name] for name in kinds if name not in uncounted}
    beside = [(counts.get(f"paid_{name}", 0), words) for name, words in PAID_BESIDE.items()]
    paid = [f"{count:,} {name}" for name, (_, count) in kinds.items()]
    paid += [f"{count:,} {words}" for count, words in beside if count]
    reused = ", ".join(f"{max(whole - count, 0):,} {name}" for name, (whole, count) in kinds.items())
    said = [f"Paid for: {', '.join(paid)}."] if paid else []
    said += [f"Re-used: {reused}."] if reused else []
    if uncounted:
        said.append(
            f"The run ended before it was counted how many {' and '.join(uncounted)} it paid for. What is paid "
            "for is found again."
        )
    if settings.training.target != "none":
        said.append(f"What was paid for training: storycast report {run.run_id}")
    return " ".join(said)
