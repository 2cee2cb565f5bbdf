"""`make smoke-aws`, which nobody runs here on a real account: what it does before, and what it leaves."""

from dataclasses import replace
from typing import Any

import pytest

import checks.smoke_aws
import cli.running
from checks.smoke_aws import smoke
from cli.problems import InputRefusedError
from cli.screen import Screen
from cli.target import Target
from cli.uploading import upload_footage
from tests.cli.records import put, put_record
from tests.cli.stepfunctions import MACHINE_ARN, FakeStepFunctions

pytestmark = pytest.mark.usefixtures("open_target")
FOOTAGE_ID = "0123456789ab"


@pytest.fixture
def record() -> dict[str, Any]:
    """What the run's record says; a test may change it."""
    return {"status": "dataset_ready"}


@pytest.fixture
def place(target: Target, record: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Target:
    """An account whose bucket's event starts a run at once."""

    def upload_and_claim(*arguments: Any) -> Any:
        (uploaded,) = upload_footage(*arguments)
        name = uploaded.key.split("/")[1]
        run_id = f"{name}-20261122-1a2b3c"
        item = {
            "pk": f"claim#{uploaded.key}",
            "owner": f"{MACHINE_ARN.replace('stateMachine', 'execution')}:run",
            "run_id": run_id,
            "key": uploaded.key,
            "version_id": uploaded.version_id or "",
            "claimed_at": "2099-01-01T00:00:00+00:00",
        }
        target.dynamodb.put_item(TableName=target.table, Item={field: {"S": text} for field, text in item.items()})
        source = {
            "footage_id": FOOTAGE_ID,
            "name": "f.png",
            "key": uploaded.key,
            "size_bytes": 1,
            "etag": uploaded.etag,
            "version_id": None,
        }
        put_record(target, run_id, project=name, footage=[source], **record)
        put(target, f"footage/{FOOTAGE_ID}/probe.json", b"{}")
        return [uploaded]

    monkeypatch.setattr(cli.running, "upload_footage", upload_and_claim)
    put(target, "runs/film-20261122-1a2b3c/run.json", b"somebody else's")
    return replace(target, kind="aws")


def left(target: Target) -> set[str]:
    listed: Any = target.s3.list_object_versions(Bucket=target.bucket)
    return {one["Key"] for kind in ("Versions", "DeleteMarkers") for one in listed.get(kind, ())}


def test_a_picture_goes_through_and_nothing_is_left(
    place: Target, stepfunctions: FakeStepFunctions, screen: Screen
) -> None:
    stepfunctions.steps = [stepfunctions.end]
    assert smoke(place, screen, picture=None, yes=True) == 0
    told = screen.console.export_text()
    assert "The smoke test is passed." in told
    assert "storycast-tear-down: ACTIVE" in told
    assert left(place) == {"runs/film-20261122-1a2b3c/run.json"}


def test_a_failed_run_is_cleaned_up_too_and_says_what_was_not_tried(
    place: Target,
    record: dict[str, Any],
    stepfunctions: FakeStepFunctions,
    screen: Screen,
    capsys: pytest.CaptureFixture[str],
) -> None:
    record.update(status="failed", error="NoCharactersError")
    stepfunctions.steps = [lambda: stepfunctions.end("FAILED", "NoCharactersError", "nobody")]
    assert smoke(place, screen, picture=None, yes=True) == 1
    assert "captions and what follows were not tried" in capsys.readouterr().err
    assert left(place) == {"runs/film-20261122-1a2b3c/run.json"}


def test_it_refuses_to_cost_more_than_a_dollar(
    place: Target, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(checks.smoke_aws, "LIMIT_USD", 0.001)
        with pytest.raises(InputRefusedError, match=r"could cost \$0\.0\d+, more than \$0\.0010"):
            smoke(place, screen, picture=None, yes=True)
    with pytest.raises(InputRefusedError, match="say --yes"):
        smoke(place, screen, picture=None, yes=False)
    assert left(place) == {"runs/film-20261122-1a2b3c/run.json"}


def test_an_interrupted_run_is_stopped_before_its_files_go(
    place: Target, record: dict[str, Any], stepfunctions: FakeStepFunctions, screen: Screen
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    record["status"] = "running"
    stepfunctions.steps = [interrupt]
    assert smoke(place, screen, picture=None, yes=True) == 1
    assert stepfunctions.status == "ABORTED"
    assert left(place) == {"runs/film-20261122-1a2b3c/run.json"}
