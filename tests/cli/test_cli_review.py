"""`storycast review`: which run, who, and what becomes of what they decide."""

import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.problems import InputRefusedError, TargetLostError
from cli.reviewers import explained, name_of
from cli.reviewing import serve
from cli.reviews import open_review
from cli.screen import Screen
from cli.target import Target, TargetChoice
from storycast import keys
from storycast.adapters.s3 import S3Store
from storycast.decisions import Change
from storycast.errors import DependencyUnavailableError
from storycast.review import Review
from tests.cli.records import RUN_ID, put_record, put_review
from tests.cli.reviews import decide, decisions, finish_in_page, invoke, keep, refused, wait_for_people
from tests.cli.stepfunctions import FakeStepFunctions
from tests.fakes.reviews import LORA_TRAINING, put_pictures

OTHER = "film-20261123-ffffff"


def sent(stepfunctions: FakeStepFunctions) -> list[str]:
    return [request["taskToken"] for name, request in stepfunctions.calls if name == "SendTaskSuccess"]


def browse(monkeypatch: pytest.MonkeyPatch, act: Callable[[httpx.Client], Any]) -> list[str]:
    """Let somebody act in the page as soon as it is opened; return the addresses that were opened."""
    opened: list[str] = []

    def open_page(url: str) -> bool:
        opened.append(url)
        with httpx.Client(base_url=url.partition("/?")[0], trust_env=False) as client:
            assert client.get(url).status_code == 303
            act(client)
        return True

    monkeypatch.setattr("webbrowser.open", open_page)
    return opened


# ---- the page


def test_the_only_run_that_waits_is_served_until_it_is_finished(
    target: Target, stepfunctions: FakeStepFunctions, waiting: Review, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_record(target, OTHER, status="dataset_ready")

    def act(client: httpx.Client) -> None:
        given = client.get("/api/review").json()
        assert (given["review"]["run_id"], given["me"]) == (RUN_ID, "anna")
        first = given["review"]["pictures"][0]["image"]["crop_id"]
        draft = {"id": "decision-0001", "what": "keep", "changes": [keep(first).model_dump()], "after": 0}
        assert client.post("/api/decisions", json=draft).json()["conflicts"] == []
        finish_in_page(client)

    opened = browse(monkeypatch, act)
    result = invoke("review", "--as", "anna")
    assert result.exit_code == 0, result.output
    assert decisions(target) == [("anna", "keep", "page"), ("anna", "finish", "page")]
    assert sent(stepfunctions) == [f"token-of-{RUN_ID}"]
    for told in (
        f"Run {RUN_ID} of project bunny waits for review until 2026-11-25",
        "0 of 6 pictures decided",
        "You decide as anna.",
        opened[0],
        "anna finished this review",
        f"`storycast status {RUN_ID} --follow --target local`",
    ):
        assert told in result.stdout
    with pytest.raises(httpx.ConnectError):
        httpx.get(opened[0], trust_env=False)


def test_ctrl_c_closes_the_page_and_keeps_what_was_decided(
    target: Target, waiting: Review, monkeypatch: pytest.MonkeyPatch
) -> None:
    def act(_client: httpx.Client) -> None:
        decide(target, "bob", keep("000000"))
        raise KeyboardInterrupt

    browse(monkeypatch, act)
    result = invoke("review", RUN_ID, "--as", "anna")
    assert result.exit_code == 130
    assert "1 of 6 pictures decided" in result.stdout
    assert f"`storycast review {RUN_ID} --target local` opens it again" in result.stdout
    assert decisions(target) == [("bob", "keep", "page")]


def test_a_review_that_somebody_else_finishes_ends_the_page(
    target: Target, waiting: Review, monkeypatch: pytest.MonkeyPatch
) -> None:
    browse(monkeypatch, lambda _: open_review(target, RUN_ID).desk.finish("bob", "finish-0001"))
    result = invoke("review", RUN_ID)
    assert result.exit_code == 0
    assert "bob finished this review" in result.stdout


def test_a_run_that_ends_under_the_page_is_told(
    target: Target, waiting: Review, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = {"error": "Interrupted", "cause": "The user interrupted the command."}
    browse(monkeypatch, lambda _: put_record(target, status="failed", **ended))
    result = invoke("review", RUN_ID)
    assert result.exit_code == 1
    assert "The run failed: Interrupted" in result.stderr


def test_an_embedded_aws_that_ends_under_the_page_is_told(
    target: Target, waiting: Review, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    def act(_client: httpx.Client) -> None:
        def gone(*_: Any, **__: Any) -> Any:
            raise DependencyUnavailableError("reading the log: no connection")

        monkeypatch.setattr("storycast.adapters.review_log.DynamoReviewLog.read", gone)

    browse(monkeypatch, act)
    monkeypatch.setattr("cli.reviewing.PATIENCE_SECONDS", 0.05)
    with pytest.raises(TargetLostError, match="taken over"):
        serve(RUN_ID, TargetChoice(), screen, who=None, port=None, open_it=True)


def test_the_browser_is_left_alone_where_asked(
    target: Target, waiting: Review, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = browse(monkeypatch, finish_in_page)
    monkeypatch.setattr(
        "cli.reviewing._end_of", lambda *_: open_review(target, RUN_ID).desk.finish("x", "finish-1x")
    )
    assert invoke("review", RUN_ID, "--no-open").exit_code == 0
    assert not opened


def test_a_taken_port_is_bad_input(waiting: Review) -> None:
    from review.serving import Serving

    async def nothing(*_: Any) -> None: ...

    taken = Serving(nothing, 0)
    try:
        result = invoke("review", RUN_ID, "--port", str(taken.port))
    finally:
        taken.stop()
    assert result.exit_code == 2
    assert f"Port {taken.port} is taken" in result.stderr


# ---- which run


def test_several_runs_that_wait_are_listed(
    target: Target, stepfunctions: FakeStepFunctions, waiting: Review
) -> None:
    wait_for_people(target, stepfunctions, OTHER, count=4)
    result = invoke("review")
    assert result.exit_code == 2
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines] == [OTHER, RUN_ID]
    assert "project bunny, since 2026-11-22" in lines[0]
    assert "waits for review until 2026-11-25" in lines[0]
    assert "0 of 4 pictures decided" in lines[0]
    assert "2 runs wait for people. Name one" in result.stderr


def test_where_no_run_waits_it_is_said(
    target: Target, stepfunctions: FakeStepFunctions, open_target: None
) -> None:
    put_record(target)
    wait_for_people(target, stepfunctions, OTHER, mode="a2i")
    result = invoke("review")
    assert result.exit_code == 2
    assert "No run waits for people" in result.stderr


def test_people_may_decide_beside_amazon_a2is_workers_where_they_name_the_run(
    target: Target, stepfunctions: FakeStepFunctions, open_target: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_for_people(target, stepfunctions, mode="a2i")
    browse(monkeypatch, finish_in_page)
    result = invoke("review", RUN_ID, "--as", "anna")
    assert result.exit_code == 0, result.output
    assert "Amazon A2I's workers look at these pictures, too" in result.stdout
    assert decisions(target) == [("anna", "finish", "page")]


@pytest.mark.parametrize(
    ("record", "fields", "told"),
    [
        ({"status": "running"}, {}, "has not come to its review yet"),
        (
            {"status": "failed", "error": "NoFramesError", "cause": "nothing kept"},
            {},
            "NoFramesError: nothing kept",
        ),
        ({"status": "dataset_ready"}, {"mode": "auto"}, "approved by itself (review.mode: auto)"),
    ],
)
def test_a_run_that_waits_for_nobody_is_told_with_what_it_does(
    target: Target,
    stepfunctions: FakeStepFunctions,
    open_target: None,
    record: dict[str, Any],
    fields: dict[str, Any],
    told: str,
) -> None:
    put_record(target, execution_arn=stepfunctions.execution_arn, **record)
    put_review(target, **fields)
    result = invoke("review", RUN_ID)
    assert result.exit_code == 2
    assert told in result.stderr


def test_a_run_that_ended_with_its_emulator_is_no_run_that_waits(
    target: Target, stepfunctions: FakeStepFunctions, waiting: Review
) -> None:
    stepfunctions.end("FAILED", "States.ServiceRestart", "")
    assert "No run waits for people" in invoke("review").stderr
    result = invoke("review", RUN_ID)
    assert result.exit_code == 2
    assert "taken over" in result.stderr


def test_a_closed_review_is_told_with_who_closed_it(
    target: Target, stepfunctions: FakeStepFunctions, waiting: Review
) -> None:
    open_review(target, RUN_ID).desk.finish("bob", "finish-0001")
    # The run has not gone on yet; then it has.
    for status in ("in_review", "dataset_ready"):
        put_record(target, status=status, execution_arn=stepfunctions.execution_arn)
        result = invoke("review", RUN_ID)
        assert result.exit_code == 2
        assert "bob finished this review" in result.stderr


@pytest.mark.parametrize("run_id", ["film-20261122-ffffff", "../evil", "Film"])
def test_an_unknown_run_is_bad_input(target: Target, open_target: None, run_id: str) -> None:
    result = invoke("review", run_id)
    assert result.exit_code == 2
    assert "There is no run" in result.stderr


def test_a_review_of_another_release_is_told(target: Target, waiting: Review) -> None:
    target.s3.put_object(Bucket=target.bucket, Key=keys.review(RUN_ID), Body=b'{"later": 1}')
    result = invoke("review", RUN_ID)
    assert result.exit_code == 2
    assert "can't be read by this release of the command" in result.stderr
    assert f"waits for review: `storycast review {RUN_ID}" in invoke("status", RUN_ID).stdout


def test_the_embedded_aws_is_never_started_for_a_review(tmp_path: Path) -> None:
    for arguments in ([], [RUN_ID], ["--bundle"], ["--finish", "--yes"]):
        result = invoke("review", *arguments, "--state", tmp_path / "aws")
        assert result.exit_code == 2
        assert "is not up" in result.stderr
        assert "nothing is paid twice, and what was decided is taken over" in result.stderr
    assert not list((tmp_path / "aws").rglob("emulator.log"))


# ---- who


@pytest.mark.parametrize(
    ("arn", "name"),
    [
        ("arn:aws:iam::123456789012:user/anna", "anna"),
        ("arn:aws:iam::123456789012:user/reviewers/anna", "anna"),
        ("arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_Review/anna@example.com", "anna@example.com"),
        ("arn:aws:iam::123456789012:root", "root"),
    ],
)
def test_on_aws_people_are_who_their_credentials_say(target: Target, arn: str, name: str) -> None:
    class Sts:
        def get_caller_identity(self) -> dict[str, str]:
            return {"Arn": arn}

    at_aws = replace(target, kind="aws", client=lambda _: Sts())
    assert name_of(at_aws, None) == name
    assert name_of(at_aws, " Anna Müller ") == "Anna Müller"


def test_on_this_machine_people_are_who_they_are_here(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "ada")
    assert name_of(target, None) == "ada"

    def nobody() -> str:
        raise OSError("no such user")

    monkeypatch.setattr("getpass.getuser", nobody)
    assert name_of(target, None) == "reviewer"


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "\x1b[31m", "x" * 201])
def test_what_is_no_name_is_refused(target: Target, name: str) -> None:
    with pytest.raises(InputRefusedError, match="--as"):
        name_of(target, name)


def test_who_may_not_review_hears_of_the_policy(
    target: Target, waiting: Review, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deny(*_: Any, **__: Any) -> Any:
        raise refused("Query")

    monkeypatch.setattr(target.dynamodb, "query", deny)
    result = invoke("review", RUN_ID)
    assert result.exit_code == 1
    assert "AWS refuses dynamodb:Query" in result.stderr
    assert "ReviewerPolicy" in result.stderr


def test_who_may_not_look_at_executions_may_review_all_the_same(
    target: Target, waiting: Review, stepfunctions: FakeStepFunctions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deny(**_: Any) -> Any:
        raise refused("DescribeExecution")

    monkeypatch.setattr(stepfunctions, "describe_execution", deny)
    browse(monkeypatch, finish_in_page)
    assert invoke("review").exit_code == 0


def test_the_page_tells_errors_of_aws_with_what_to_do() -> None:
    denied = explained(refused("PutItem"))
    expired = explained(refused("Query", "ExpiredTokenException"))
    assert denied
    assert expired
    assert denied[0] == 403
    assert "dynamodb:PutItem" in denied[1]
    assert "ReviewerPolicy" in denied[1]
    assert expired[0] == 502
    assert "Log in" in expired[1]
    assert "no such run" in (explained(refused("GetObject", "AccessDenied")) or (0, ""))[1]
    assert explained(RuntimeError("x")) is None


# ---- bundle and import


def test_a_bundle_goes_to_the_current_folder_or_where_it_is_told(
    target: Target, waiting: Review, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store: Any = S3Store(target.bucket, target.s3)
    put_pictures(store, waiting)
    monkeypatch.chdir(tmp_path)
    result = invoke("review", "--bundle")
    assert result.exit_code == 0, result.output
    name = f"review-{RUN_ID}.zip"
    assert [path.name for path in tmp_path.iterdir()] == [name]
    with zipfile.ZipFile(name) as opened:
        assert f"review-{RUN_ID}/index.html" in opened.namelist()
        assert f"review-{RUN_ID}/pictures/000000-full.jpg" in opened.namelist()
    assert f"Wrote {name}: 9 pictures" in result.stdout
    assert f"`storycast review {RUN_ID} --import FILE --target local`" in result.stdout

    (tmp_path / "for anna").mkdir()
    for out, expected in (("for anna", f"for anna/{name}"), ("for anna/mine.zip", "for anna/mine.zip")):
        assert invoke("review", RUN_ID, "--bundle", "--out", out).exit_code == 0
        assert zipfile.is_zipfile(expected)
    assert invoke("review", RUN_ID, "--bundle", "--out", "for anna/mine.zip").exit_code == 0


def test_pictures_that_are_missing_are_told(target: Target, waiting: Review, tmp_path: Path) -> None:
    result = invoke("review", "--bundle", "--out", tmp_path)
    assert result.exit_code == 0
    assert result.stdout.count("can't be read and is left out") == 9


def test_no_other_file_is_replaced_by_a_bundle(waiting: Review, tmp_path: Path) -> None:
    film = tmp_path / "film.zip"
    film.write_bytes(b"not a zip at all")
    for out, told in (
        (tmp_path / "film.mp4", "ends with .zip"),
        (film, "is no zip"),
        (tmp_path / "nowhere" / "review.zip", "is not there"),
    ):
        result = invoke("review", RUN_ID, "--bundle", "--out", out)
        assert result.exit_code == 2
        assert told in result.stderr
    assert film.read_bytes() == b"not a zip at all"


def decisions_file(path: Path, *changes: Change, run_id: str = RUN_ID) -> Path:
    drafts = [
        {
            "id": f"bundle-{number:04d}",
            "what": "keep",
            "changes": [one.model_dump()],
            "undoes": None,
            "when": "now",
        }
        for number, one in enumerate(changes)
    ]
    content = {"format": "storycast-decisions-1", "run_id": run_id, "who": "carla", "decisions": drafts}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_decisions_are_taken_in_and_told(target: Target, waiting: Review, tmp_path: Path) -> None:
    decide(target, "bob", keep("000100", "dropped"))
    file = decisions_file(tmp_path / "decisions.json", keep("000000"), keep("000100"), keep("000200"))
    result = invoke("review", "--import", file)
    assert result.exit_code == 0, result.output
    assert "decisions by carla: 2 taken in." in result.stdout
    assert "picture 000100 (Frank, 0:02 of big film.mp4), verdict" in result.stdout
    assert "carla said 'kept', but bob said 'dropped'" in result.stdout
    assert decisions(target)[1:] == [("carla", "keep", "bundle")] * 2
    again = invoke("review", RUN_ID, "--import", file)
    assert again.exit_code == 0
    assert "0 taken in, 3 were there already or changed nothing." in again.stdout
    assert len(decisions(target)) == 3


def test_what_can_not_be_taken_in_is_told_and_nothing_is_finished(
    target: Target, waiting: Review, tmp_path: Path
) -> None:
    file = decisions_file(tmp_path / "decisions.json", keep("000000", "loved"), keep("000100"))
    result = invoke("review", "--import", file, "--finish", "--yes")
    assert result.exit_code == 1
    assert "'loved' is no verdict" in result.stdout
    assert decisions(target) == [("carla", "keep", "bundle")]


def test_another_runs_file_is_refused_by_name(target: Target, waiting: Review, tmp_path: Path) -> None:
    file = decisions_file(tmp_path / "decisions.json", keep("000000"), run_id="film-20261122-other1")
    result = invoke("review", RUN_ID, "--import", file)
    assert result.exit_code == 2
    assert str(file) in result.stderr
    assert "film-20261122-other1" in result.stderr
    assert "There is no run" in invoke("review", "--import", file).stderr
    assert not decisions(target)


@pytest.mark.parametrize("content", [None, b"", b"{", b'{"format": "other"}'])
def test_what_is_no_file_of_decisions_is_refused_by_name(
    target: Target, waiting: Review, tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "decisions.json"
    if content is not None:
        file.write_bytes(content)
    result = invoke("review", "--import", file)
    assert result.exit_code == 2
    assert str(file) in result.stderr


def test_a_closed_review_takes_nothing_in(target: Target, waiting: Review, tmp_path: Path) -> None:
    file = decisions_file(tmp_path / "decisions.json", keep("000000"))
    open_review(target, RUN_ID).desk.finish("bob", "finish-0001")
    result = invoke("review", "--import", file)
    assert result.exit_code == 2
    assert "bob finished this review" in result.stderr


# ---- finish


def test_finishing_says_what_it_means_and_asks_once(
    target: Target, stepfunctions: FakeStepFunctions, waiting: Review, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    answers = iter((False, True))

    def agreed(question: str, *_: Any, **__: Any) -> bool:
        asked.append(question)
        return next(answers)

    monkeypatch.setattr("cli.finishing.agreed", agreed)
    decide(target, "anna", *(keep(one.image.crop_id) for one in waiting.pictures[:5]))
    left = invoke("review", RUN_ID, "--finish", "--as", "anna")
    assert left.exit_code == 0
    assert "The review is still open." in left.stdout
    assert not sent(stepfunctions)
    done = invoke("review", RUN_ID, "--finish", "--as", "anna")
    assert done.exit_code == 0
    for told in (
        "The dataset gets 5 of 6 pictures: Bunny 3, Frank 2.",
        "1 that nobody decided on",
        "500 steps of 8 on amazon.nova-canvas-v1:0, $118.40 to $186.90",
        "the budget is $250.00",
        "anna finished this review",
    ):
        assert told in done.stdout
    assert asked == [f"Finish the review of {RUN_ID} as anna?"] * 2
    assert sent(stepfunctions) == [f"token-of-{RUN_ID}"]


def test_finishing_says_where_an_adapter_is_trained_and_under_which_licence(
    target: Target, stepfunctions: FakeStepFunctions, open_target: None
) -> None:
    review = wait_for_people(target, stepfunctions, training=LORA_TRAINING, minimum_per_character=1)
    decide(target, "anna", *(keep(one.image.crop_id) for one in review.pictures[:2]))
    told = invoke("review", RUN_ID, "--finish", "--yes").stdout
    for words in (
        "$0.7300 to $2.18 with drawing the panels at list prices of 2026-11, $20.00 at the very most",
        "An adapter (LoRA) is trained by a job on ml.g5.xlarge on spot capacity",
        "CreativeML Open RAIL++-M. It forbids a list of uses. https://example.com/LICENSE.md",
    ):
        assert words in told


def test_where_nobody_can_be_asked_nothing_is_finished(
    target: Target, stepfunctions: FakeStepFunctions, waiting: Review
) -> None:
    result = invoke("review", RUN_ID, "--finish")
    assert result.exit_code == 2
    assert "say --yes to agree" in result.stderr
    assert not decisions(target)
    assert not sent(stepfunctions)


@pytest.mark.parametrize(
    ("kept", "fields", "told"),
    [
        (0, {}, "None of 6 pictures is approved: the run ends without a dataset."),
        (1, {}, "training needs at least 5 pictures, the dataset has 1; Bunny: 1 of at least 2 pictures."),
        (5, {"minimum_per_character": 3}, "Nothing is trained on it: Frank: 2 of at least 3 pictures."),
        (6, {"training": None}, "Nothing is trained on it: the project asks for none."),
    ],
)
def test_it_says_where_nothing_is_trained(
    target: Target,
    stepfunctions: FakeStepFunctions,
    open_target: None,
    kept: int,
    fields: dict[str, Any],
    told: str,
) -> None:
    review = wait_for_people(target, stepfunctions, **fields)
    decide(target, "anna", *(keep(one.image.crop_id) for one in review.pictures[:kept]))
    result = invoke("review", RUN_ID, "--finish", "--yes")
    assert result.exit_code == 0, result.output
    assert told in result.stdout


def test_after_the_finish_the_run_is_told(
    target: Target, stepfunctions: FakeStepFunctions, waiting: Review, monkeypatch: pytest.MonkeyPatch
) -> None:
    def send(**request: Any) -> Any:
        put_record(
            target,
            status="failed",
            error="NothingApprovedError",
            cause="none of 6 pictures was approved",
            execution_arn=stepfunctions.execution_arn,
        )

    monkeypatch.setattr(stepfunctions, "send_task_success", send)
    result = invoke("review", RUN_ID, "--finish", "--yes")
    assert result.exit_code == 0
    assert "The run ended: NothingApprovedError: none of 6 pictures was approved" in result.stdout


@pytest.mark.parametrize(
    "arguments", [("--bundle", "--finish"), ("--bundle", "--import", "x.json"), ("--out", "x.zip")]
)
def test_what_does_not_go_together_is_refused(arguments: tuple[str, ...]) -> None:
    assert invoke("review", RUN_ID, *arguments).exit_code == 2
