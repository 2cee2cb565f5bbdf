"""A run that failed, in whichever state, is started again: it goes on where it was, and pays for nothing twice.

Each state's function is broken in turn. The execution that meets it fails and says so; the next one passes it and
fails at the next state. So a walk over a machine needs one execution more than it has states.
"""

import time
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.main import app
from storycast.ledger import FINAL_OUTCOMES
from storycast.review import Review
from tests.e2e.breaking import denied
from tests.e2e.commands import have_commands_work_on
from tests.e2e.figures import train_detector
from tests.e2e.film import write_film
from tests.e2e.sessions import assert_rows_are_closed, torn_down
from tests.e2e.stack import Ended, Stack
from tests.workflow.files import State, states

pytestmark = pytest.mark.e2e

CANVAS = "amazon.nova-canvas-v1:0"
TRAINING: dict[str, Any] = {
    "training": {"target": "bedrock", "base_model": CANVAS, "step_count": 700, "batch_size": 8},
    "storyboard": {"prompts": ["Star on a meadow"], "images_per_prompt": 1, "width": 512, "height": 512},
    "budget_usd": 100_000,
}
SETTINGS = """
characters: [{{name: Star}}, {{name: Barrel}}]
sampling: {{frames_per_second: 4, pick: fixed}}
detection: {{methods: [labels, custom_labels], custom_labels_model: '{model}', economy: false}}
duplicates: {{threshold: 0.9999}}
selection: {{images_per_character: 4}}
review: {{mode: a2i, minimum_per_character: 1}}
training: {{target: {target}, base_model: '{canvas}', step_count: 700, batch_size: 8}}
storyboard: {{prompts: [Star on a meadow], images_per_prompt: 1, width: 512, height: 512}}
budget_usd: 100000
"""
SEEN_LATER = {
    # The map lets each item fail; what counts the results says that too many are lost.
    "SampleOneSegment": ("ListFrames", "TooManyLostError"),
    "DetectCharacters": ("NameCharacters", "TooManyLostError"),
    "CropCharacters": ("NameCharacters", "TooManyLostError"),
    "CaptionOneImage": ("WriteDataset", "TooManyLostError"),
}
"""Where, and as what, the failure of an item's state ends the execution; all others end it themselves."""
HOSTING = {"CreateProvisionedModelThroughput"}
"""Billed by the hour: it is ended with the session that fails, and made anew until everything is drawn."""
POLICIES_S = 1.2
"""How long the stand-ins go by a policy that was changed meanwhile."""
UNHEARD = {"OpenReview", "StartOneReview"}
"""They wait for people. The emulator does not hear that their function failed (docs/local-vs-aws.md): they wait
until their time is over, and begin anew. test_a2i.py and test_review.py have that."""


def task_states(machine: str) -> list[State]:
    """Return the machine's states that do something, in the order in which they stand."""
    return [one for one in states() if one.machine == machine and one.body["Type"] == "Task"]


def function_of(state: State) -> str:
    """Return which function a state invokes; of a nested machine its first one."""
    parameters = state.body["Parameters"]
    if "Payload" not in parameters:
        nested = parameters["StateMachineArn"]
        return {"${TrainModelStateMachine}": "CheckTrainingPlan", "${TearDownStateMachine}": "EndBilled"}[nested]
    return str(parameters["FunctionName"]).removeprefix("${").removesuffix("FunctionArn}")


@pytest.fixture
def told(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have `storycast status` look at the stack."""
    have_commands_work_on(stack, monkeypatch, "asking")


@pytest.fixture(scope="module")
def detector(stack: Stack) -> str:
    """A Custom Labels model that knows the film's two figures; its ARN."""
    return train_detector(stack, "again-figures")


class Project:
    """One project, whose run is started again and again."""

    def __init__(self, stack: Stack, film: Path, detector: str) -> None:
        self.stack, self.film, self.detector = stack, film, detector
        self.numbers = count(1)
        self.run_id = ""

    def run(self, *, trains: bool = False, reports: bool = True) -> Ended:
        """Start the project's run again as `storycast run` does, by a new id, and see it through to its end."""
        self.run_id = f"again-{next(self.numbers)}"
        target = "bedrock" if trains else "none"
        settings = SETTINGS.format(model=self.detector, target=target, canvas=CANVAS)
        arn = self.stack.start_with(self.film, "again", self.run_id, settings)
        self.stack.wait_until("its end, or its workers", lambda: self._has_ended(arn) or self._answered())
        self.stack.wait(arn)
        return torn_down(self.stack, arn) if reports else self.failed(arn)

    def failed(self, arn: str) -> Ended:
        """Wait for the end of an execution whose teardown fails, too: its failure is recorded before."""
        ended, stack = self.stack.wait(arn), self.stack
        stack.wait_until("its record", lambda: stack.record(self.run_id)["failed_execution_arn"] == arn)
        stack.wait_until("its teardown", lambda: not stack.is_at_work(stack.tear_down_machine))
        return ended

    def trained(self) -> None:
        """Have a run that is trained, where there is none yet."""
        if not self.run_id:
            assert self.run().status == "SUCCEEDED"
        ended = torn_down(self.stack, self.stack.train(self.run_id, **TRAINING))
        assert ended.status == "SUCCEEDED", (ended.error, ended.cause)

    def _has_ended(self, arn: str) -> bool:
        return bool(self.stack.states.describe_execution(executionArn=arn)["status"] != "RUNNING")

    def _answered(self) -> bool:
        """Have a worker answer the run's loops, where there are any yet."""
        waiting = [
            one["name"]
            for one in self.stack.standins("a2i/loops")["loops"]
            if one["name"].startswith(f"{self.run_id}-review-") and one["status"] == "InProgress"
        ]
        for name in waiting:
            review = Review.model_validate_json(self.stack.read(f"runs/{self.run_id}/review/review.json"))
            said = {f"verdict-{one.image.crop_id}": {"keep": True, "drop": False} for one in review.pictures}
            self.stack.ask_workers(f"loops/{name}/answers", {"worker": "anna", "answer": said})
        return bool(waiting)

    def assert_told(
        self, ended: Ended, *, status: str = "failed", error: bool = True, report: bool = True
    ) -> None:
        """Check that record, report and command say what happened; a run that never began has none of them."""
        record = self.stack.record_if_there(self.run_id)
        if not record:
            assert self.stack.entered(ended.arn) == ["PrepareRun"]
            return
        assert (record["status"], record["error"]) == (status, ended.error if error else None)
        if not error:
            return
        assert record["cause"]
        assert "Traceback" not in record["cause"]
        words = said(self.run_id)
        assert ended.error in words, words
        key = f"runs/{self.run_id}/report.html"
        if report and self.stack.keys(key):
            assert ended.error in self.stack.read(key).decode()


def said(run_id: str) -> str:
    """Return what `storycast status RUN` prints."""
    result = CliRunner().invoke(app, ["status", run_id])
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def assert_paid_once(stack: Stack, since: int) -> None:
    """Check that nothing was answered twice for money: each operation once for each picture."""
    calls = [one for one in stack.calls(since) if one["paid"] and one["operation"] not in HOSTING]
    paid = Counter((one["operation"], one["model"], one["item"]) for one in calls)
    assert paid
    assert {what: times for what, times in paid.items() if times > 1} == {}


@pytest.fixture(scope="module")
def project(stack: Stack, detector: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The project that is started again and again, with Nova Canvas played as active."""
    film = write_film(tmp_path_factory.mktemp("again") / "film.mp4", seed=81, shots=4, seconds_per_shot=0.5)
    stack.standins("catalogue", {"play_as_active": [CANVAS]})
    yield Project(stack, film, detector)
    stack.standins("catalogue", {"play_as_active": []})


@pytest.mark.usefixtures("told")
def test_a_run_goes_on_after_a_failure_in_each_state(stack: Stack, project: Project) -> None:
    """``TrainModel`` fails with the first state of the machine that it starts."""
    mark = stack.calls_so_far()
    for state in task_states("build_dataset"):
        if state.name in UNHEARD:
            continue
        with denied(stack, function_of(state)):
            ended = project.run(trains=state.name == "TrainModel", reports=state.name != "ReportRun")
        where, error = SEEN_LATER.get(state.name, (state.path[0], None))
        assert ended.status == "FAILED", (state, ended)
        assert ended.error == error or (error is None and "AccessDenied" in ended.cause), (state, ended)
        assert stack.entered(ended.arn)[-1] == where
        project.assert_told(ended, report=state.name != "ReportRun")
    ended = project.run()
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    stack.assert_ledger_is_whole(project.run_id, FINAL_OUTCOMES)
    assert_paid_once(stack, mark)


@pytest.mark.usefixtures("told")
def test_a_training_goes_on_after_a_failure_in_each_state(stack: Stack, project: Project) -> None:
    """Nothing is left billing, but where the very end of it is denied: that the next teardown does."""
    if not project.run_id:
        assert project.run().status == "SUCCEEDED"
    mark = stack.calls_so_far()
    for state in task_states("train_model"):
        # The end of what is billed, or the report of it, is denied to the teardown, too.
        spoils_teardown = state.name in {"TearDown", "ReportRun"}
        with denied(stack, function_of(state)):
            arn = stack.train(project.run_id, **TRAINING)
            ended = project.failed(arn) if spoils_teardown else torn_down(stack, arn)
            assert bool(stack.billed()) == (state.name == "TearDown")
        assert ended.status == "FAILED", (state, ended)
        assert "AccessDenied" in ended.cause, (state, ended)
        assert stack.entered(ended.arn)[-1] == state.path[0]
        # The first state makes the session the run's: before it the run knows nothing of one.
        is_known = state.name != "CheckTrainingPlan"
        project.assert_told(ended, status="dataset_ready", error=is_known, report=not spoils_teardown)
        if spoils_teardown:
            swept = stack.tear_down(scope="run", run_id=project.run_id)
            assert swept.status == "SUCCEEDED", (swept.error, swept.cause)
            assert not stack.billed()
        if is_known:
            assert_rows_are_closed(stack)
    ended = torn_down(stack, stack.train(project.run_id, **TRAINING))
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    assert stack.record(project.run_id)["status"] == "storyboard_ready"
    assert_rows_are_closed(stack)
    made = Counter(one["operation"] for one in stack.calls(mark) if not one["error"])
    assert made["CreateModelCustomizationJob"] == 1
    # Of the sessions that failed after it was made and before its panels were there, and of the first that drew.
    assert made["CreateProvisionedModelThroughput"] == 3
    assert_paid_once(stack, mark)


def test_a_teardown_goes_on_after_a_failure_in_each_state(stack: Stack, project: Project) -> None:
    """One whose ``RecordFailure`` fails ends what is billed all the same."""
    project.trained()
    trained = project.run_id
    with denied(stack, "CheckPlan"):
        failed = project.run()
    failure = {"executionArn": failed.arn, "stateMachineArn": stack.machine, "status": "FAILED"}
    requests: dict[str, dict[str, Any]] = {
        "RecordFailure": {"detail": failure},
        "EndBilled": {"scope": "run", "run_id": trained},
        "DeleteModel": {"scope": "run", "run_id": trained, "delete_model": True},
        "FindUnowned": {"scope": "expired"},
        "ReportRun": {"detail": failure},
    }
    for state in task_states("tear_down"):
        with denied(stack, function_of(state)):
            ended = stack.tear_down(**requests[state.name])
        entered = stack.entered(ended.arn)
        if state.name == "RecordFailure":
            assert ended.status == "SUCCEEDED", ended
            assert entered.index("RecordFailure") < entered.index("EndBilled")
            continue
        assert (ended.status, entered[-1]) == ("FAILED", state.name), ended
        assert "AccessDenied" in ended.cause, ended
        time.sleep(POLICIES_S)
        ended = stack.tear_down(**requests[state.name])
        assert ended.status == "SUCCEEDED", (state, ended.error, ended.cause)
        assert state.name in stack.entered(ended.arn)
    assert not stack.billed()
