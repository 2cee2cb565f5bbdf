"""One small picture through a deployed stack on a real account: `make smoke-aws`. Costs cents, trains nothing.

It uploads a picture, whose event starts a run, follows it to its dataset, and removes all that it left in the
bucket.
"""

import argparse
import secrets
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

from cli.billed import lines, open_rows
from cli.consent import agreed
from cli.problems import BAD_INPUT, DONE, FAILED, InputRefusedError, explain
from cli.running import check_input, upload_on
from cli.screen import Screen
from cli.summary import read_record
from cli.target import Target, TargetChoice, opened
from storycast import keys
from storycast.estimate import estimate
from storycast.prices import usd
from storycast.settings import Settings

LIMIT_USD = 1.0
"""More than this is refused, whatever anybody says."""
CAST = Path(__file__).parent.parent / "examples" / "demo" / "cast"
SIDE_PX = 768


def smoke(target: Target, screen: Screen, *, picture: Path | None, yes: bool) -> int:
    """Run a picture through a stack and clean up.

    Args:
        target: The stack.
        screen: Where to tell it.
        picture: A picture of the example's first character, or of anything that Rekognition finds; the example's
            own where None.
        yes: Whether the user agreed to the cost beforehand.

    Returns:
        0 where a dataset came of it.

    Raises:
        InputRefusedError: It could cost more than :data:`LIMIT_USD`.
    """
    settings = Settings.model_validate(_project())
    expected = estimate(settings, [0], reference_count=1).total
    if expected.high > LIMIT_USD:
        raise InputRefusedError(
            [f"The smoke test could cost {usd(expected.high)}, more than {usd(LIMIT_USD)}. Nothing was started."]
        )
    screen.say(
        f"{target.place}, bucket {target.bucket}: expected to cost {usd(expected.low)} to {usd(expected.high)}."
    )
    for arn in (target.machine_arn, target.train_arn, target.tear_down_arn):
        status = target.stepfunctions.describe_state_machine(stateMachineArn=arn)["status"]
        screen.say(f"{arn.rsplit(':', 1)[-1]}: {status}")
    if not agreed("Run it?", f"It costs up to {usd(expected.high)}.", screen, yes=yes):
        return DONE
    name = f"storycast-smoke-{secrets.token_hex(3)}"
    with tempfile.TemporaryDirectory() as folder:
        made = _files(Path(folder), name, picture)
        try:
            intake = check_input([made], Path(folder) / "project.yaml", name=name)
            code = upload_on(target, intake, follow=True, out=None, screen=screen)
            return _judged(target, name, code, screen)
        finally:
            clean_up(target, name, screen)


def _project() -> dict[str, Any]:
    return {
        "characters": [{"name": "Hero", "references": ["cast/*.jpg"]}],
        "detection": {"methods": ["labels", "references"], "min_confidence": 40},
        "review": {"mode": "auto"},
        "training": {"target": "none"},
        "budget_usd": LIMIT_USD,
    }


def _files(folder: Path, name: str, picture: Path | None) -> Path:
    """Write a project and its footage, which no other run can share: what it leaves may be removed after it."""
    character = min(path for path in CAST.iterdir() if path.is_dir())
    chosen, reference, *_ = sorted(character.glob("*.jpg"))
    (folder / "cast").mkdir()
    (folder / "cast" / reference.name).write_bytes(reference.read_bytes())
    (folder / "project.yaml").write_text(yaml.safe_dump(_project()), encoding="utf-8")
    with Image.open(picture or chosen) as opened_picture:
        small = opened_picture.convert("RGB")
    small.thumbnail((SIDE_PX, SIDE_PX))
    small.putpixel((0, 0), (*secrets.token_bytes(3),))
    made = folder / f"{name}.png"
    small.save(made)
    return made


def _judged(target: Target, name: str, code: int, screen: Screen) -> int:
    still_billed = [line for run_id in _runs(target, name) for line in lines(open_rows(target, run_id))]
    for line in still_billed:
        screen.problem(f"Still billed: {line}")
    records = [read_record(target, run_id) for run_id in _runs(target, name)]
    if any(record and record.error == "NoCharactersError" for record in records):
        screen.problem(
            "Nobody was found in the picture, or it was left out of the dataset, so captions and what follows "
            "were not tried. Everything before works. Try another picture with --picture."
        )
    if code == DONE and not still_billed:
        screen.say("The smoke test is passed.", style="bold green")
        return DONE
    return FAILED


def _runs(target: Target, name: str) -> list[str]:
    pages = target.s3.get_paginator("list_objects_v2").paginate(
        Bucket=target.bucket, Prefix=f"{keys.RUNS}{name}", Delimiter="/"
    )
    return [
        prefix["Prefix"].removeprefix(keys.RUNS).rstrip("/")
        for page in pages
        for prefix in page.get("CommonPrefixes", ())
    ]


def clean_up(target: Target, name: str, screen: Screen) -> None:
    """Remove every version of all that a smoke test of this name left in the bucket."""
    prefixes = [keys.upload(name, ""), keys.project_folder(name)]
    for run_id in _runs(target, name):
        prefixes.append(keys.run_folder(run_id))
        record = read_record(target, run_id)
        if record and record.status == "running":
            # Somebody interrupted the test: the run must not go on with what is removed under it.
            target.stepfunctions.stop_execution(executionArn=record.execution_arn, error="Interrupted")
        prefixes += [f"{keys.FOOTAGE}{source.footage_id}/" for source in (record.footage if record else ())]
    removed = sum(_remove(target, prefix) for prefix in prefixes)
    screen.say(f"Removed {removed} object versions. The claim in the table expires by itself.")


def _remove(target: Target, prefix: str) -> int:
    removed = 0
    for page in target.s3.get_paginator("list_object_versions").paginate(Bucket=target.bucket, Prefix=prefix):
        found: list[Any] = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
        if found:
            objects: list[Any] = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found]
            target.s3.delete_objects(Bucket=target.bucket, Delete={"Objects": objects, "Quiet": True})
            removed += len(found)
    return removed


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stack", default="storycast", help="the stack's name")
    parser.add_argument("--picture", type=Path, help="a picture to use instead of the example's")
    parser.add_argument("--yes", action="store_true", help="do not ask before it costs something")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupt)  # so that what was begun is cleaned up
    screen = Screen()
    try:
        with opened(TargetChoice("aws", asked.stack), screen) as target:
            return smoke(target, screen, picture=asked.picture, yes=asked.yes)
    except InputRefusedError as error:
        for problem in error.problems:
            screen.problem(problem)
        return BAD_INPUT
    except Exception as error:
        known = explain(error)
        if known is None:
            raise
        screen.problem(known[0])
        return known[1]


if __name__ == "__main__":
    sys.exit(main())
