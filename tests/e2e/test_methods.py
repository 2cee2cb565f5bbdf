"""Each way of telling who is in a picture, alone, on the embedded AWS: how many crops it named.

Photographs of two people are what faces work on; the demo's clip is what custom labels and references work on.
"""

import json
import time
from collections import Counter
from pathlib import Path

import pytest

from storycast.adapters.lease_book import DynamoLeaseBook
from tests.contract.ground_truth_manifests import whole
from tests.e2e.invoking import invoke
from tests.e2e.photographs import COLLINS, HOPPER, SHOTS, reference, write_people
from tests.e2e.stack import Ended, Stack

pytestmark = pytest.mark.e2e

DEMO = Path(__file__).parents[2] / "examples" / "demo"
EILEEN, GRACE = "Eileen Collins", "Grace Hoppér 🚢"
NAMES = {COLLINS: EILEEN, HOPPER: GRACE}
SAMPLING = "sampling: {frames_per_second: 2, pick: fixed}\n"
PEOPLE = (
    "characters:\n"
    f"  - {{name: {EILEEN}, references: [cast/eileen/*.jpg]}}\n"
    f"  - {{name: {GRACE}, references: [cast/grace/*.jpg]}}\n" + SAMPLING
)


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_people(tmp_path_factory.mktemp("people") / "people.mp4")


def put_people(stack: Stack, project: str) -> None:
    for name, folder in ((COLLINS, "eileen"), (HOPPER, "grace")):
        for number in range(3):
            stack.put(f"projects/{project}/cast/{folder}/{number}.jpg", reference(name, number))


def put_demo(stack: Stack, project: str) -> dict[str, list[tuple[str, bytes]]]:
    """Put the demo's reference pictures; return them by character's folder."""
    pictures: dict[str, list[tuple[str, bytes]]] = {}
    for path in sorted((DEMO / "cast").glob("*/*.jpg")):
        key = f"projects/{project}/cast/{path.parent.name}/{path.name}"
        stack.put(key, path)
        pictures.setdefault(path.parent.name, []).append((key, path.read_bytes()))
    return pictures


def demo_cast(*, references: bool) -> str:
    lines = []
    for folder in ("bunny", "frank", "rinky", "gamera"):
        shown = f", references: [cast/{folder}/*.jpg]" if references else ""
        lines.append(f"  - {{name: {folder.title()}{shown}}}\n")
    return "characters:\n" + "".join(lines)


def named(stack: Stack, run_id: str, what: str) -> Counter[str]:
    """Return how often each character was named, and say so."""
    sightings = stack.lines(run_id, "sightings.jsonl")
    counts = Counter(one["character"] for one in sightings if one["character"])
    told = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
    print(f"\n{what}: {sum(counts.values())} of {len(sightings)} crops named ({told or 'nobody'})")
    return counts


def who_is_there(sighting: dict) -> set[str]:
    """Return whom a crop of the people's film may show: each has a half of the frame where there are two."""
    names = SHOTS[sighting["time_ms"] // 2000]
    if len(names) == 1:
        return {NAMES[names[0]]}
    middle = sighting["left"] + sighting["width"] / 2
    return {NAMES[names[middle > 0.5]]}


def assert_good(ended: Ended) -> None:
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)


def test_faces_alone(stack: Stack, people: Path) -> None:
    put_people(stack, "faces")
    begun = stack.calls_so_far()
    settings = PEOPLE + "detection: {methods: [faces], economy: false}\n"
    assert_good(stack.run(people, "faces", "methods-faces", settings))
    counts = named(stack, "methods-faces", "faces alone, photographs")
    assert set(counts) == {EILEEN, GRACE}
    sightings = [one for one in stack.lines("methods-faces", "sightings.jsonl") if one["character"]]
    assert all(one["character"] in who_is_there(one) for one in sightings)
    assert sum(counts.values()) >= 28, "32 appearances in 24 frames"
    # By picture: where a function is slow, Step Functions runs it again beside itself, and both ask.
    pictures = {(one["operation"], one["item"]) for one in stack.calls(begun) if one["paid"]}
    paid = Counter(operation for operation, _ in pictures)
    assert stack.paid_calls(begun)["IndexFaces"] == paid["IndexFaces"] == 6
    assert paid["DetectFaces"] == 6 + 24
    assert paid["SearchFacesByImage"] == len(stack.lines("methods-faces", "sightings.jsonl"))
    assert paid["DetectLabels"] == 0
    record = stack.record("methods-faces")
    assert record["counts"]["paid_face_searches"] == paid["SearchFacesByImage"]
    assert record["counts"]["paid_indexed_faces"] == 6
    print("paid:", dict(stack.paid_calls(begun)))
    cast = json.loads(stack.read("runs/methods-faces/cast.json"))
    assert cast["faces"]["collection_id"].startswith("storycast.faces-")
    # Nothing of it is paid again, whatever the threshold is.
    begun = stack.calls_so_far()
    settings = PEOPLE + "detection: {methods: [faces], economy: false, thresholds: {faces: 99.9}}\n"
    stack.run(people, "faces", "methods-faces-again", settings)
    paid = stack.paid_calls(begun)
    assert (paid["IndexFaces"], paid["DetectFaces"], paid["SearchFacesByImage"]) == (0, 0, 0)
    # A face whose picture is taken out of the project leaves the collection.
    stack.s3.delete_object(Bucket=stack.bucket, Key="projects/faces/cast/eileen/2.jpg")
    invoke(stack, "BuildCast", {"run_id": "methods-faces-again"})
    assert operations(stack, begun, "DeleteFaces") == ["DeleteFaces"]


def test_labels_alone(stack: Stack, tmp_path: Path) -> None:
    film = write_people(tmp_path / "one.mp4", shots=((COLLINS,), (COLLINS,)))
    settings = f"characters: [{{name: {EILEEN}, labels: [Person]}}]\n" + SAMPLING
    settings += "detection: {methods: [labels], min_confidence: 50}\n"
    assert_good(stack.run(film, "labels", "methods-labels", settings))
    assert set(named(stack, "methods-labels", "labels alone, photographs")) == {EILEEN}


def test_references_alone(stack: Stack) -> None:
    put_demo(stack, "references")
    settings = demo_cast(references=True) + "sampling: {frames_per_second: 0.5, pick: fixed}\n"
    settings += "detection: {methods: [references], min_confidence: 40}\n"
    assert_good(stack.run(DEMO / "clip.mp4", "references", "methods-references", settings))
    counts = named(stack, "methods-references", "references alone, the demo's clip")
    assert len(counts) >= 2


def test_faces_on_drawn_animals(stack: Stack) -> None:
    """YuNet sees some of their faces, and EfficientNet-Lite0 tells some of them apart: see docs/stand-ins.md."""
    put_demo(stack, "drawn")
    settings = demo_cast(references=True) + "sampling: {frames_per_second: 0.5, pick: fixed}\n"
    settings += "detection: {methods: [faces], thresholds: {faces: 65}}\n"
    stack.run(DEMO / "clip.mp4", "drawn", "methods-drawn", settings)
    assert sum(named(stack, "methods-drawn", "faces alone, the demo's clip, threshold 65").values()) > 0


# ---- custom labels --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(stack: Stack) -> str:
    """A version trained on the demo's reference pictures; its ARN."""
    rekognition = stack.aws.client("rekognition")
    pictures = put_demo(stack, "training")
    lines = [
        whole(f"s3://{stack.bucket}/{key}", content, folder.title())
        for folder, shown in pictures.items()
        for key, content in shown
    ]
    stack.put("projects/training/manifest.jsonl", "\n".join(lines).encode())
    project = rekognition.create_project(ProjectName="demo-cast")["ProjectArn"]
    place = {"Bucket": stack.bucket, "Name": "projects/training/manifest.jsonl"}
    arn = rekognition.create_project_version(
        ProjectArn=project,
        VersionName="v1",
        OutputConfig={"S3Bucket": stack.bucket, "S3KeyPrefix": "projects/training/output"},
        TrainingData={"Assets": [{"GroundTruthManifest": {"S3Object": place}}]},
        TestingData={"AutoCreate": True},
    )["ProjectVersionArn"]

    def trained() -> bool:
        (version,) = rekognition.describe_project_versions(ProjectArn=project)["ProjectVersionDescriptions"]
        assert version["Status"] != "TRAINING_FAILED", version
        return bool(version["Status"] == "TRAINING_COMPLETED")

    stack.wait_until("the training", trained, 60)
    return str(arn)


def with_model(model: str, *, frames_per_second: float = 0.5, budget_usd: float = 50.0) -> str:
    return demo_cast(references=False) + (
        f"sampling: {{frames_per_second: {frames_per_second}, pick: fixed}}\nbudget_usd: {budget_usd}\n"
        f"detection: {{methods: [custom_labels], custom_labels_model: '{model}', economy: false}}\n"
    )


def operations(stack: Stack, since: int, *wanted: str) -> list[str]:
    return [one["operation"] for one in stack.calls(since) if one["operation"] in wanted and not one["error"]]


def test_custom_labels_alone(stack: Stack, model: str) -> None:
    begun = stack.calls_so_far()
    arn = stack.start_with(DEMO / "clip.mp4", "custom", "methods-custom", with_model(model))
    assert_good(stack.wait(arn))
    counts = named(stack, "methods-custom", "custom labels alone, the demo's clip")
    assert len(counts) >= 2
    entered = stack.entered(arn)
    assert entered.index("StartDetector") < entered.index("ExtractCharacters") < entered.index("ReleaseDetector")
    assert operations(stack, begun, "StartProjectVersion", "StopProjectVersion") == [
        "StartProjectVersion",
        "StopProjectVersion",
    ]
    assert stack.billed() == []
    (row,) = stack.record("methods-custom")["billing"]
    assert (row["kind"], row["state"], row["arn"]) == ("custom_labels_model", "ended", model)
    assert row["created_at"] < row["ended_at"]
    begun = stack.calls_so_far()
    assert_good(stack.run(DEMO / "clip.mp4", "custom", "methods-custom-again", with_model(model)))
    assert "DetectCustomLabels" not in operations(stack, begun, "DetectCustomLabels")


def test_a_model_that_a_crash_left_running_is_stopped_before_it_is_started_anew(stack: Stack, model: str) -> None:
    """The lease's row says that it is being stopped, and whoever wrote that died before the call."""
    rekognition = stack.aws.client("rekognition")
    rekognition.start_project_version(ProjectVersionArn=model, MinInferenceUnits=1)
    stack.wait_until("it runs", lambda: {one["status"] for one in stack.billed()} == {"RUNNING"}, 60)
    leases = DynamoLeaseBook(stack.aws.outputs["TableName"], stack.aws.client("dynamodb"))
    leases.put(leases.get(model).model_copy(update={"state": "stopping"}))
    begun = stack.calls_so_far()
    arn = stack.machine.replace(":stateMachine:", ":execution:") + ":a-second-one"
    asked = {"run_id": "methods-custom", "execution_arn": arn}
    assert invoke(stack, "StartDetector", asked)["status"] == "waiting"
    assert operations(stack, begun, "StartProjectVersion", "StopProjectVersion") == ["StopProjectVersion"]
    stack.wait_until("it is given up", lambda: invoke(stack, "ReleaseDetector", asked) and not stack.billed(), 60)


def test_two_overlapping_runs_share_the_model_and_the_last_one_stops_it(stack: Stack, model: str) -> None:
    begun = stack.calls_so_far()
    runs = {}
    for number, rate in ((1, 0.6), (2, 1.0)):
        settings = with_model(model, frames_per_second=rate)
        runs[number] = stack.start_with(
            DEMO / "clip.mp4", f"shared-{number}", f"methods-shared-{number}", settings
        )
    for arn in runs.values():
        assert_good(stack.wait(arn))
    both = [set(stack.entered(arn)) for arn in runs.values()]
    assert all({"StartDetector", "ReleaseDetector"} <= entered for entered in both)
    calls = operations(stack, begun, "StartProjectVersion", "StopProjectVersion")
    assert calls == ["StartProjectVersion", "StopProjectVersion"], "one start and one stop for both"
    last = max(i for i, one in enumerate(stack.calls(begun)) if one["operation"] == "DetectCustomLabels")
    stop = next(i for i, one in enumerate(stack.calls(begun)) if one["operation"] == "StopProjectVersion")
    assert stop > last, "nobody lost it while frames were looked at"
    assert stack.billed() == []
    rows = [row for n in runs for row in stack.record(f"methods-shared-{n}")["billing"]]
    assert [row["state"] for row in rows] == ["ended"]


def test_a_model_that_fails_to_start_ends_the_run_by_name_and_nothing_is_paid_after_it(
    stack: Stack, model: str
) -> None:
    stack.standins("outcomes", {"model": {"fail": "Insufficient capacity", "seconds": 1.5}})
    begun = stack.calls_so_far()
    ended = stack.run(DEMO / "clip.mp4", "fails", "methods-fails", with_model(model))
    assert (ended.status, ended.error) == ("FAILED", "DetectorFailedError")
    assert "Insufficient capacity" in ended.cause
    assert stack.paid_calls(begun) == {}
    assert "DetectCustomLabels" not in operations(stack, begun, "DetectCustomLabels")
    stack.wait_until("the teardown", lambda: stack.record("methods-fails")["status"] == "failed", 60)
    assert stack.billed() == []
    rows = stack.record("methods-fails")["billing"]
    assert [row["state"] for row in rows] == ["ended"]


def test_a_run_that_is_stopped_gives_its_model_up(stack: Stack, model: str) -> None:
    begun = stack.calls_so_far()
    settings = with_model(model, frames_per_second=2)
    arn = stack.start_with(DEMO / "clip.mp4", "stopped", "methods-stopped", settings)
    stack.wait_until("frames are looked at", lambda: operations(stack, begun, "DetectCustomLabels"), 120)
    stack.states.stop_execution(executionArn=arn, error="Stopped", cause="by a test")
    stack.wait_until("the model has stopped", lambda: stack.billed() == [], 120)
    assert operations(stack, begun, "StopProjectVersion") == ["StopProjectVersion"]
    stack.wait_until(
        "the book is closed",
        lambda: [row["state"] for row in stack.record("methods-stopped")["billing"]] == ["ended"],
        60,
    )


def test_without_a_budget_no_model_is_started(stack: Stack, model: str) -> None:
    begun = stack.calls_so_far()
    ended = stack.run(DEMO / "clip.mp4", "broke", "methods-broke", with_model(model, budget_usd=0))
    assert (ended.status, ended.error) == ("FAILED", "BudgetExceededError")
    assert operations(stack, begun, "StartProjectVersion") == []
    time.sleep(0.1)
    assert stack.billed() == []
