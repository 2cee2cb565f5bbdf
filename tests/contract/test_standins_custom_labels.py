"""Custom Labels through a real client: training, statuses, labels in boxes, refusals."""

import time
import uuid
from pathlib import Path

import pytest

from local.standins import custom_labels, rekognition_world
from local.standins.rekognition_world import RekognitionWorld
from tests.contract.faces import COLLINS, HOPPER, as_jpeg, photograph, side_by_side
from tests.contract.ground_truth_manifests import manifest_line, whole
from tests.contract.standin_pictures import jpeg

NAMES = {COLLINS: "Eileen Collins", HOPPER: "Grace 🚢"}
PICTURE = {"Bytes": as_jpeg(side_by_side(photograph(COLLINS, 7), photograph(HOPPER, 8)))}


@pytest.fixture
def project(call):
    return call("rekognition", "CreateProject", ProjectName=f"cast-{uuid.uuid4().hex[:8]}")["ProjectArn"]


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(rekognition_world, "START_SECONDS", 0.2)
    monkeypatch.setattr(rekognition_world, "STOP_SECONDS", 0.2)


@pytest.fixture
def described(call):
    def of(arn):
        project_arn, _, rest = arn.rpartition("/version/")
        (project,) = [
            one["ProjectArn"]
            for one in pages(call, "DescribeProjects", "ProjectDescriptions")
            if one["ProjectArn"].startswith(f"{project_arn}/")
        ]
        (version,) = call(
            "rekognition", "DescribeProjectVersions", ProjectArn=project, VersionNames=[rest.split("/")[0]]
        )["ProjectVersionDescriptions"]
        return version

    return of


def pages(call, operation, member, **params):
    token = {}
    while True:
        answer = call("rekognition", operation, **params, **token)
        yield from answer[member]
        if "NextToken" not in answer:
            return
        token = {"NextToken": answer["NextToken"]}


@pytest.fixture
def reaches(described):
    def wait(arn, *statuses):
        deadline = time.monotonic() + 30
        while (told := described(arn))["Status"] not in statuses:
            assert time.monotonic() < deadline, told
            time.sleep(0.02)
        return told

    return wait


@pytest.fixture
def train(call, objects, project, reaches):
    def make(manifest, name="v1"):
        objects["media/manifest.jsonl"] = manifest.encode()
        arn = call(
            "rekognition",
            "CreateProjectVersion",
            ProjectArn=project,
            VersionName=name,
            OutputConfig={"S3Bucket": "media"},
            TrainingData={
                "Assets": [{"GroundTruthManifest": {"S3Object": {"Bucket": "media", "Name": "manifest.jsonl"}}}]
            },
            TestingData={"AutoCreate": True},
        )["ProjectVersionArn"]
        return reaches(arn, "TRAINING_COMPLETED", "TRAINING_FAILED")

    return make


@pytest.fixture
def manifest(objects):
    lines = []
    for name, label in NAMES.items():
        for number in range(1, 4):
            objects[f"media/{name}-{number}.jpg"] = content = as_jpeg(photograph(name, number))
            lines.append(whole(f"s3://media/{name}-{number}.jpg", content, label))
    return "\n".join(lines) + "\n"


def refused(client, code, operation, **params):
    rekognition = client("rekognition")
    with pytest.raises(getattr(rekognition.exceptions, code)) as caught:
        getattr(rekognition, operation)(**params)
    return caught.value.response["Error"]["Message"]


def test_a_version_is_trained_started_used_and_stopped(train, manifest, call, client, reaches, own, quick, log):
    version = train(manifest)
    assert version["Status"] == "TRAINING_COMPLETED"
    assert 0 < version["EvaluationResult"]["F1Score"] <= 1
    arn = version["ProjectVersionArn"]
    asked = {"ProjectVersionArn": arn, "Image": PICTURE}
    refused(client, "ResourceNotReadyException", "detect_custom_labels", **asked)
    refused(client, "ResourceInUseException", "stop_project_version", ProjectVersionArn=arn)
    start = {"ProjectVersionArn": arn, "MinInferenceUnits": 2}
    assert call("rekognition", "StartProjectVersion", **start)["Status"] == "STARTING"
    refused(client, "ResourceInUseException", "start_project_version", **start)
    refused(client, "ResourceNotReadyException", "detect_custom_labels", **asked)
    assert reaches(arn, "RUNNING")["MinInferenceUnits"] == 2
    found = call("rekognition", "DetectCustomLabels", **asked)["CustomLabels"]
    left_to_right = sorted(found, key=lambda one: one["Geometry"]["BoundingBox"]["Left"])
    assert [one["Name"] for one in left_to_right] == list(NAMES.values())
    assert call("rekognition", "DetectCustomLabels", **asked, MaxResults=1)["CustomLabels"] == found[:1]
    assert call("rekognition", "DetectCustomLabels", **asked, MinConfidence=100.0)["CustomLabels"] == []
    nobody = {"ProjectVersionArn": arn, "Image": {"Bytes": jpeg()}}
    assert call("rekognition", "DetectCustomLabels", **nobody)["CustomLabels"] == []
    billed = [one for one in own("GET", "billing")[1]["billed"] if one["arn"] == arn]
    assert [(one["kind"], one["status"]) for one in billed] == [("custom_labels_model", "RUNNING")]
    assert call("rekognition", "StopProjectVersion", ProjectVersionArn=arn)["Status"] == "STOPPING"
    refused(client, "ResourceInUseException", "start_project_version", **start)
    reaches(arn, "STOPPED")
    assert arn not in {one["arn"] for one in own("GET", "billing")[1]["billed"]}
    call("rekognition", "StartProjectVersion", **start)
    reaches(arn, "RUNNING")
    call("rekognition", "StopProjectVersion", ProjectVersionArn=arn)
    assert not any(line["paid"] for line in log()), "it is billed by the hour"


def test_a_model_that_fails_to_start_can_be_started_again(train, manifest, call, own, reaches, quick):
    arn = train(manifest)["ProjectVersionArn"]
    assert own("POST", "outcomes", {"model": {"fail": "no capacity", "seconds": 0.1}})[0] == 200
    call("rekognition", "StartProjectVersion", ProjectVersionArn=arn, MinInferenceUnits=1)
    assert reaches(arn, "FAILED")["StatusMessage"] == "no capacity"
    assert arn not in {one["arn"] for one in own("GET", "billing")[1]["billed"]}
    call("rekognition", "StartProjectVersion", ProjectVersionArn=arn, MinInferenceUnits=1)
    reaches(arn, "RUNNING")
    call("rekognition", "StopProjectVersion", ProjectVersionArn=arn)
    reaches(arn, "STOPPED")


def test_boxes_are_cut_out_and_what_nobody_drew_is_background(train, objects, reaches, call, quick):
    pair = side_by_side(photograph(COLLINS), photograph(HOPPER))
    objects["media/pair.jpg"] = content = as_jpeg(pair)
    # Only Grace Hopper is drawn, so that Eileen Collins is background.
    arn = train(manifest_line("s3://media/pair.jpg", content, [("Grace", 512, 0, 512, 600)]))["ProjectVersionArn"]
    call("rekognition", "StartProjectVersion", ProjectVersionArn=arn, MinInferenceUnits=1)
    reaches(arn, "RUNNING")
    answer = call("rekognition", "DetectCustomLabels", ProjectVersionArn=arn, Image=PICTURE)
    assert [one["Name"] for one in answer["CustomLabels"]] == ["Grace"]
    assert answer["CustomLabels"][0]["Geometry"]["BoundingBox"]["Left"] > 0.3
    call("rekognition", "StopProjectVersion", ProjectVersionArn=arn)


@pytest.mark.parametrize(
    ("manifest", "told"),
    [
        ("", "0 pictures"),
        ("{}\n", "line 1 of the manifest"),
        ('{"source-ref": "s3://media/x.jpg"}', "line 1 of the manifest"),
        (manifest_line("s3://media/gone.jpg", jpeg(), [("A", 0, 0, 9, 9)]), "gone.jpg"),
        (manifest_line("s3://media/text.jpg", jpeg(), [("A", 0, 0, 9, 9)]), "text.jpg"),
        (manifest_line("s3://media/text.jpg", jpeg(), []), "no box"),
    ],
)
def test_what_cannot_be_trained_on_fails_and_says_why(train, objects, manifest, told, client):
    objects["media/text.jpg"] = b"no picture"
    version = train(manifest)
    assert version["Status"] == "TRAINING_FAILED"
    assert told in version["StatusMessage"]
    start = {"ProjectVersionArn": version["ProjectVersionArn"], "MinInferenceUnits": 1}
    refused(client, "ResourceInUseException", "start_project_version", **start)


def test_names_are_taken_once_and_lists_are_turned(call, client, project, train, manifest):
    name = project.split("/")[1]
    refused(client, "ResourceInUseException", "create_project", ProjectName=name)
    for number in range(11):
        train("", f"v{number}")
    refused(
        client,
        "ResourceInUseException",
        "create_project_version",
        ProjectArn=project,
        VersionName="v3",
        OutputConfig={"S3Bucket": "media"},
        TrainingData={"Assets": [{"GroundTruthManifest": {"S3Object": {"Bucket": "media", "Name": "m"}}}]},
    )
    versions = list(pages(call, "DescribeProjectVersions", "ProjectVersionDescriptions", ProjectArn=project))
    assert len({one["ProjectVersionArn"] for one in versions}) == 11
    assert call("rekognition", "DescribeProjects", ProjectNames=[name])["ProjectDescriptions"][0]["ProjectArn"]


def test_what_is_not_there_and_what_is_not_played(client, project):
    version = f"{project.rpartition('/')[0]}/version/none/1793664000000"
    refused(
        client,
        "ResourceNotFoundException",
        "start_project_version",
        ProjectVersionArn=version,
        MinInferenceUnits=1,
    )
    refused(client, "ResourceNotFoundException", "detect_custom_labels", ProjectVersionArn=version, Image=PICTURE)
    refused(client, "InvalidParameterException", "detect_custom_labels", ProjectVersionArn="cast", Image=PICTURE)
    refused(client, "InvalidParameterException", "create_project", ProjectName="m", Feature="CONTENT_MODERATION")
    message = refused(
        client,
        "InvalidParameterException",
        "create_project_version",
        ProjectArn=project,
        VersionName="v",
        OutputConfig={"S3Bucket": "media"},
    )
    assert "TrainingData" in message


def test_statuses_are_those_of_the_service(client):
    shape = client("rekognition").meta.service_model.shape_for("ProjectVersionStatus")
    played = {"TRAINING_IN_PROGRESS", "TRAINING_COMPLETED", "TRAINING_FAILED", "STARTING", "RUNNING", "FAILED"}
    assert played | {"STOPPING", "STOPPED"} | custom_labels.STARTABLE <= set(shape.enum)


def test_a_training_that_the_end_of_the_standins_cut_short_has_failed(tmp_path):
    text = (
        '{"projects": [{"name": "p", "arn": "a", "created_at": "2026-11-01T00:00:00Z", "versions": [{"name": "v", '
        '"arn": "b", "output": {}, "manifest": {}, "created_at": "2026-11-01T00:00:00Z"}]}]}'
    )
    (Path(tmp_path) / "rekognition.json").write_text(text)
    with RekognitionWorld(tmp_path).reading() as kept:
        assert kept.projects[0].versions[0].status == "TRAINING_FAILED"
