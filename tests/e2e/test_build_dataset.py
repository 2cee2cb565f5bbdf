"""The whole workflow on the emulator, with films that only these tests have."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from storycast.ledger import FINAL_OUTCOMES
from tests.e2e.film import write_empty_scenes, write_film, write_sound_only
from tests.e2e.stack import PAID, UNREVIEWED, Stack
from tests.fakes.odd_film import with_index_first
from tests.fakes.workflow import keep_the_rest

pytestmark = pytest.mark.e2e


def test_a_plain_upload_without_project_file_gives_a_dataset(stack: Stack, film: Path) -> None:
    before = stack.executions()
    stack.put(f"uploads/films of ours/{film.name}", film)
    arn = stack.wait_for_new_execution(before)
    run_id = stack.wait_until("the run", lambda: _run_of(stack, "films of ours"))
    keep_the_rest(stack.desk(run_id))
    ended = stack.wait(arn)
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    assert ended.output["run_id"] == run_id
    outcomes = stack.assert_ledger_is_whole(run_id, FINAL_OUTCOMES)
    assert outcomes["crop", "in_dataset"] >= 4, outcomes
    manifest = stack.lines(run_id, "dataset/manifest.jsonl")
    assert len(manifest) == outcomes["crop", "in_dataset"]
    for line in manifest:
        key = line["image-ref"].removeprefix(f"s3://{stack.bucket}/")
        assert stack.read(key).startswith(b"\x89PNG")
        assert line["caption"].startswith("Character ")
    record = stack.record(run_id)
    assert record["status"] == "dataset_ready"
    assert all("stand-in" in model["provider"] for model in record["models"])
    assert stack.read(f"runs/{run_id}/dataset/contact_sheet.jpg").startswith(b"\xff\xd8")
    assert b"stand-in" in stack.read(f"runs/{run_id}/dataset/README.md")
    assert stack.lines(run_id, "review/decisions.jsonl")


def _run_of(stack: Stack, project: str) -> str:
    """Return the id of the project's run; empty where there is none yet."""
    for key in stack.keys("runs/"):
        run_id, _, name = key.removeprefix("runs/").partition("/")
        if name == "run.json" and stack.record(run_id)["project"] == project:
            return run_id
    return ""


def test_a_film_of_several_blocks_is_read_in_ranges(stack: Stack, tmp_path: Path) -> None:
    """The reader asks for 4 MiB at a time; most films have more."""
    film = write_film(tmp_path / "grainy.mp4", shots=4, seed=9, grain=40)
    assert film.stat().st_size > 8 * 1024 * 1024
    ended = stack.run(film, "grainy", "grainy-1")
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    assert stack.record("grainy-1")["counts"]["frames_kept"] >= 6


def test_an_empty_object_starts_nothing(stack: Stack) -> None:
    before = stack.executions()
    stack.put("uploads/nothing/folder/", b"")
    time.sleep(2)
    assert stack.executions() == before


def test_the_same_event_twice_is_one_run(stack: Stack, film: Path) -> None:
    # PutEvents refuses events of aws.*, so the repeated delivery is played by starting with the event itself.
    stack.put("projects/twice/project.yaml", UNREVIEWED.encode())
    before = stack.executions()
    put = stack.put("uploads/twice/film.mp4", film)
    event = {
        "source": "aws.s3",
        "detail-type": "Object Created",
        "detail": {
            "bucket": {"name": stack.bucket},
            "object": {
                "key": "uploads/twice/film.mp4",
                "size": film.stat().st_size,
                "etag": put["ETag"].strip('"'),
                "sequencer": "0062E99A88DC407460",
            },
        },
    }
    # The upload's own execution, to be at its end before anybody counts what is paid.
    uploaded = stack.wait(stack.wait_for_new_execution(before))
    assert uploaded.status == "SUCCEEDED", (uploaded.error, uploaded.cause)
    first, second = stack.start(**event), stack.start(**event)
    ended = [stack.wait(first), stack.wait(second)]
    assert [one.status for one in ended] == ["SUCCEEDED", "SUCCEEDED"]
    claimed = [one for one in ended if one.output["claimed"]]
    refused = [one for one in ended if not one.output["claimed"]]
    assert len(claimed) == len(refused) == 1
    assert refused[0].output["held_by"] == claimed[0].arn


def test_a_second_run_pays_nothing_and_another_threshold_repeats_curation_only(stack: Stack, film: Path) -> None:
    first = stack.run(film, "again", "again-1", "duplicates: {threshold: 0.97}\n")
    assert first.status == "SUCCEEDED", (first.error, first.cause)
    mark = stack.calls_so_far()
    second = stack.run(film, "again", "again-2", "duplicates: {threshold: 0.97}\n")
    assert second.status == "SUCCEEDED", (second.error, second.cause)
    assert stack.paid_calls(mark) == {}
    assert {
        name: n for name, n in stack.record("again-2")["counts"].items() if name.startswith("paid_") and n
    } == {}
    assert (
        stack.lines("again-1", "dataset/manifest.jsonl")[0]["caption"]
        == (stack.lines("again-2", "dataset/manifest.jsonl")[0]["caption"])
    )
    mark = stack.calls_so_far()
    third = stack.run(film, "again", "again-3", "duplicates: {threshold: 0.9}\n")
    assert third.status == "SUCCEEDED", (third.error, third.cause)
    assert set(stack.paid_calls(mark)) <= {"Converse"}
    kept = {line["crop_id"] for line in stack.lines("again-3", "curated.jsonl")}
    before = {line["crop_id"] for line in stack.lines("again-1", "curated.jsonl")}
    assert kept < before
    assert stack.paid_calls(mark)["Converse"] == 0


@pytest.fixture
def one_slow_crop(stack: Stack) -> Iterator[None]:
    """Cropping one frame takes long, so that nobody reads the others' results before a test has deleted one.

    It is not the first frame: one after the other, there would be no result until then.
    """
    slow = {"service": "bedrock-runtime", "operation": "InvokeModel", "delay_ms": 15_000, "skip": 4, "count": 1}
    stack.standins("faults", [slow])
    yield
    stack.standins("faults", method="DELETE")


@pytest.mark.usefixtures("one_slow_crop")
def test_a_deleted_result_ends_as_lost(stack: Stack, tmp_path: Path) -> None:
    film = write_film(tmp_path / "lost.mp4", seed=7, shots=4)
    arn = stack.start_with(film, "lost", "lost-1", "max_lost_share: 0.5\n")
    frame_id = _delete_one_result(stack, "lost-1")
    ended = stack.wait(arn)
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    _assert_lost(stack, "lost-1", frame_id)
    assert stack.assert_ledger_is_whole("lost-1", FINAL_OUTCOMES)["crop", "in_dataset"] >= 2


@pytest.mark.usefixtures("one_slow_crop")
def test_more_losses_than_allowed_end_the_run_with_the_number(stack: Stack, tmp_path: Path) -> None:
    film = write_film(tmp_path / "lost.mp4", seed=8, shots=4)
    arn = stack.start_with(film, "lost", "lost-2", "max_lost_share: 0.01\n")
    frame_id = _delete_one_result(stack, "lost-2")
    ended = stack.wait(arn)
    assert (ended.status, ended.error) == ("FAILED", "TooManyLostError")
    assert "1 of 8 frames were lost (12.5%), more than max_lost_share (1.0%)" in ended.cause
    _assert_lost(stack, "lost-2", frame_id)
    # Starting again pays for just that frame's crop, and goes through.
    mark = stack.calls_so_far()
    again = stack.run(film, "lost", "lost-3")
    assert again.status == "SUCCEEDED", (again.error, again.cause)
    assert stack.paid_calls(mark)["DetectLabels"] == 0
    assert stack.paid_calls(mark)["InvokeModel"] == 1


def _delete_one_result(stack: Stack, run_id: str) -> str:
    """Delete the first result of ``CropCharacters`` that is there, and return its frame's id."""
    key = stack.wait_until("a result", lambda: _complete_result(stack, run_id))
    stack.s3.delete_object(Bucket=stack.bucket, Key=key)
    return key.rsplit("/", 1)[1].removesuffix(".json")


def _complete_result(stack: Stack, run_id: str) -> str | None:
    plan = _plan_of(stack, run_id)
    if not plan:
        return None
    (footage,) = plan["footage"]
    folder = f"footage/{footage['source']['footage_id']}/crops-{footage['crops']}/"
    results = (key for key in stack.keys(folder) if key.endswith(".json"))
    return next((key for key in results if json.loads(stack.read(key))["complete"]), None)


def _assert_lost(stack: Stack, run_id: str, frame_id: str) -> None:
    rows = [row for row in stack.lines(run_id, "ledger.jsonl") if row["id"] == frame_id]
    assert [(row["outcome"], row["reason"]) for row in rows] == [("lost", "cropping left no result")]
    assert stack.record(run_id)["counts"]["frames_lost"] == 1


def _plan_of(stack: Stack, run_id: str) -> dict | None:
    try:
        return json.loads(stack.read(f"runs/{run_id}/settings.json"))
    except stack.s3.exceptions.NoSuchKey:
        return None


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (write_sound_only, "FootageUnreadableError", "has no picture stream, only audio"),
        (
            lambda path: _write(path, b"not a film at all" * 50),
            "FootageUnreadableError",
            "can't be read as a video",
        ),
        (write_empty_scenes, "NoCharactersError", "No characters found"),
    ],
    ids=["sound only", "no video", "nobody in it"],
)
def test_footage_that_gives_no_dataset_ends_by_name(
    stack: Stack, tmp_path: Path, make, error: str, says: str
) -> None:
    film = make(tmp_path / "bad.mp4")
    run_id = f"bad-{abs(hash(says)) % 10**8}"
    ended = stack.run(film, "bad", run_id)
    assert (ended.status, ended.error) == ("FAILED", error)
    assert says in ended.cause
    stack.wait_until("the record of its end", lambda: stack.record(run_id)["status"] != "running")
    record = stack.record(run_id)
    assert (record["status"], record["error"]) == ("failed", error)
    assert says in record["cause"]
    assert "Traceback" not in record["cause"]


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("settings", "error", "says"),
    [
        ("charcters: []\n", "SettingsInvalidError", "unknown key 'charcters'"),
        ("max_lost_share: 2\n", "SettingsInvalidError", "max_lost_share"),
        (
            "characters: [{name: Ada, references: ['cast/ada/*.jpg']}]\n",
            "ReferenceMissingError",
            "'cast/ada/*.jpg' matches nothing",
        ),
        ("training: {target: sagemaker}\n", "TrainingPlanInvalidError", "budget_usd above 0"),
        ("captions: {prompt: mine.txt}\n", "SettingsInvalidError", "captions.prompt: there is no object"),
        ("captions: {model: amazon.nova-canvas-v1:0}\n", "ModelRetiredError", "2026-09-30"),
        ("captions: {model: nobody.knows-v1:0}\n", "ModelNotAvailableError", "nobody.knows-v1:0"),
    ],
)
def test_settings_that_cannot_work_are_refused_before_anything_is_paid(
    stack: Stack, film: Path, settings: str, error: str, says: str
) -> None:
    mark = stack.calls_so_far()
    run_id = f"settings-{abs(hash(settings)) % 10**8}"
    ended = stack.run(film, run_id, run_id, settings)
    assert (ended.status, ended.error) == ("FAILED", error), ended.cause
    assert says in ended.cause
    assert not set(stack.paid_calls(mark)) & set(PAID)


def test_a_captioner_that_raves_loses_no_picture_and_a_prompt_of_ones_own_is_asked(
    stack: Stack, film: Path
) -> None:
    """The film's frames and crops are there already: captions alone are paid for."""
    settings = "captions: {prompt: prompts/mine.txt}\nduplicates: {threshold: 0.999}\n"
    stack.put("projects/raving/prompts/mine.txt", b"In this picture: {in_picture}. Words: {words}.")
    mark = stack.calls_so_far()
    stack.standins("outcomes", {"caption": {"nonsense_share": 0.6}, "count": 1000})
    try:
        ended = stack.run(film, "raving", "raving-1", settings)
    finally:
        stack.standins("outcomes", method="DELETE")
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    outcomes = stack.assert_ledger_is_whole("raving-1", FINAL_OUTCOMES)
    curated = stack.lines("raving-1", "curated.jsonl")
    counts = stack.record("raving-1")["counts"]
    assert outcomes["crop", "in_dataset"] + outcomes["crop", "caption_refused"] == len(curated)
    assert outcomes["crop", "caption_refused"] == counts["captions_refused"]
    assert counts["paid_captions"] == len(curated)
    assert counts["paid_caption_repairs"] > 0
    assert stack.paid_calls(mark)["Converse"] == counts["paid_captions"] + counts["paid_caption_repairs"]
    for image in curated:
        told = json.loads(stack.read(f"runs/raving-1/captions/{image['crop_id']}.json"))
        assert told["answers"][0]["asked"].startswith("In this picture: <in_picture>[")
        assert bool(told["caption"]) != bool(told["refused"])
        assert told["refused"] or any(json.dumps(told["caption"]) in one["text"] for one in told["answers"])
    refused = [row for row in stack.lines("raving-1", "ledger.jsonl") if row["outcome"] == "caption_refused"]
    assert all("no caption that can be used in two answers" in row["reason"] for row in refused)


def test_the_good_half_of_a_broken_film_is_used_and_said(stack: Stack, tmp_path: Path) -> None:
    whole = write_film(tmp_path / "whole.mp4", seconds_per_shot=3.0, seed=3)
    broken = tmp_path / "broken.mp4"
    content = with_index_first(whole.read_bytes())
    broken.write_bytes(content[: len(content) * 6 // 10])
    ended = stack.run(broken, "broken", "broken-1")
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    outcomes = stack.assert_ledger_is_whole("broken-1", FINAL_OUTCOMES)
    assert outcomes["frame", "unreadable"] >= 3
    assert outcomes["crop", "in_dataset"] >= 2
    before, sampled = [one for one in stack.record("broken-1")["warnings"] if "broken.mp4" in one]
    assert before.startswith("broken.mp4: cut off; of 18.0 s the file holds ")
    assert "its header says 18.0 s" in sampled


def test_two_footages_make_one_dataset(stack: Stack, film: Path, tmp_path: Path) -> None:
    other = write_film(tmp_path / "second.mp4", seed=11, shots=2)
    for key, content in {"incoming/both/a.mp4": film, "incoming/both/b.mp4": other}.items():
        stack.put(key, content)
    stack.put("projects/both/project.yaml", f"captions: {{model: us.amazon.nova-pro-v1:0}}\n{UNREVIEWED}".encode())
    ended = stack.wait(
        stack.start(project="both", footage=["incoming/both/a.mp4", "incoming/both/b.mp4"], run_id="both-1")
    )
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    stack.assert_ledger_is_whole("both-1", FINAL_OUTCOMES)
    assert len({line["footage_id"] for line in stack.lines("both-1", "curated.jsonl")}) == 2


def test_a_function_whose_policy_lacks_an_action_is_denied(stack: Stack, film: Path) -> None:
    iam = stack.aws.client("iam")
    functions = stack.aws.client("lambda").list_functions()["Functions"]
    (role,) = {
        function["Role"].rsplit("/", 1)[1]
        for function in functions
        if "ListFramesFunction" in function["FunctionName"]
    }
    (policy,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
    document = json.loads(document) if isinstance(document, str) else document
    lacking = {**document, "Statement": [one for one in document["Statement"] if one["Sid"] != "Write"]}
    assert len(lacking["Statement"]) == len(document["Statement"]) - 1
    iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(lacking))
    try:
        ended = stack.run(film, "denied", "denied-1")
    finally:
        iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(document))
    assert ended.status == "FAILED"
    assert "AccessDenied" in ended.cause
    assert "PutObject" in ended.cause
