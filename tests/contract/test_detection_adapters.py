"""The adapters of faces and Custom Labels against the stand-ins: real clients, real answers, lost answers."""

import hashlib
import time
import uuid
from datetime import UTC, datetime

import boto3
import pytest
from botocore.config import Config

from local.standins import face_collections, rekognition_world
from storycast.adapters.custom_labels import RekognitionCustomLabels, RekognitionVersions
from storycast.adapters.rekognition_faces import RekognitionCollections, RekognitionFaces
from storycast.errors import (
    DependencyUnavailableError,
    FaceCollectionMissingError,
    ReferenceMissingError,
    ThrottledError,
)
from storycast.faces import FaceService, collection_name, is_ours
from storycast.stages.face_references import FaceIndex, refuse_ambiguous
from tests.contract.faces import COLLINS, HOPPER, as_jpeg, photograph, side_by_side
from tests.contract.ground_truth_manifests import whole
from tests.contract.standin_pictures import jpeg
from tests.fakes.store import MemoryStore


@pytest.fixture
def retrying(standins):
    """A client as functions have it: it tries again by itself."""
    config = Config(retries={"mode": "standard", "total_max_attempts": 3})
    return boto3.client("rekognition", endpoint_url=standins.url, config=config)


@pytest.fixture
def once(standins):
    return boto3.client("rekognition", endpoint_url=standins.url, config=Config(retries={"total_max_attempts": 1}))


@pytest.fixture
def collections(retrying, once):
    return RekognitionCollections(retrying, once)


@pytest.fixture
def project():
    return f"the long way home {uuid.uuid4().hex[:6]} 🐰"


@pytest.fixture
def index(project, retrying, collections):
    store = MemoryStore()

    def opened(run_id="run"):
        service = FaceService("storycast", RekognitionFaces("media", retrying), collections, datetime.now(UTC))
        return FaceIndex(project, run_id, store, service)

    return opened


def put(index, content):
    return index.add("cast/x.jpg", content, hashlib.sha256(content).hexdigest())


def paid(lines):
    return [line["operation"] for line in lines if line["paid"]]


def test_references_go_into_the_collection_and_faces_are_found_in_it(index, collections, project, log):
    name = collection_name("storycast", project)
    mine = {}
    first = index()
    for who in (COLLINS, HOPPER):
        for number in range(6):
            content = as_jpeg(photograph(who, number))
            assert put(first, content).outcome == "indexed"
            mine[hashlib.sha256(content).hexdigest()] = who
    first.finish()
    assert {face.external_id for face in collections.all(name)} == set(mine), "over both pages"
    for who in (COLLINS, HOPPER):
        answer = collections.search(name, as_jpeg(photograph(who, 9)), most=50)
        best = max(answer.similarities, key=lambda one: answer.similarities[one])
        assert mine[best] == who
        assert answer.searched is not None
        assert is_ours(answer.searched, answer.searched)
    assert collections.search(name, jpeg(), most=5).searched is None
    before = len(paid(log()))
    again = index("another run")
    for number in range(6):
        put(again, as_jpeg(photograph(COLLINS, number)))
    again.finish()
    assert len(paid(log())) == before, "nothing is paid twice"
    assert {face.external_id for face in collections.all(name)} == {
        one for one, who in mine.items() if who == COLLINS
    }
    collections.delete(name, [face.face_id for face in collections.all(name)])
    assert list(collections.all(name)) == []


def test_two_faces_alike_are_refused_and_a_bystander_is_not(index):
    one = index()
    pair = side_by_side(photograph(COLLINS), photograph(HOPPER).resize((280, 328)))
    alike = put(one, as_jpeg(pair))
    assert (alike.outcome, alike.faces) == ("several", 2)
    with pytest.raises(ReferenceMissingError, match="shows 2 faces"):
        refuse_ambiguous("Eileen", [("cast/pair.jpg", alike)])
    bystander = side_by_side(photograph(COLLINS).resize((160, 160)), photograph(HOPPER))
    assert put(one, as_jpeg(bystander)).outcome == "indexed"
    nobody = put(one, jpeg())
    assert (nobody.outcome, nobody.faces) == ("none", 0)


def test_an_answer_of_an_indexing_that_is_lost_is_not_asked_for_again(index, own, log):
    content = as_jpeg(photograph(COLLINS))
    rule = [{"service": "rekognition", "operation": "IndexFaces", "error": "answer_lost", "count": 1}]
    assert own("POST", "faults", rule)[0] == 200
    with pytest.raises(DependencyUnavailableError):
        put(index(), content)
    assert put(index(), content).outcome == "indexed"
    assert [line["operation"] for line in log()].count("IndexFaces") == 1


def test_throttling_has_our_name(index, own, collections):
    for operation in ("IndexFaces", "SearchFacesByImage"):
        rule = [{"service": "rekognition", "operation": operation, "error": "ThrottlingException", "count": 3}]
        assert own("POST", "faults", rule)[0] == 200
    name = "throttled"
    collections.ensure(name)
    with pytest.raises(ThrottledError):
        put(index(), as_jpeg(photograph(COLLINS)))
    with pytest.raises(ThrottledError):
        collections.search(name, as_jpeg(photograph(COLLINS)), most=5)


def test_a_collection_that_somebody_deleted(index, collections, project, call, monkeypatch):
    name = collection_name("storycast", project)
    content = as_jpeg(photograph(COLLINS))
    first = index()
    put(first, content)
    before = first.cast_faces()
    call("rekognition", "DeleteCollection", CollectionId=name)
    with pytest.raises(FaceCollectionMissingError):
        collections.search(name, content, most=5)
    with pytest.raises(DependencyUnavailableError):
        list(collections.all(name))
    monkeypatch.setattr(face_collections, "FACE_MODEL_VERSION", "another one")
    second = index()
    put(second, content)
    after = second.cast_faces()
    assert (before.model_version, after.model_version) == (
        "local-stand-in yunet-2023mar + efficientnet-lite0",
        "another one",
    )
    assert before.fingerprint != after.fingerprint


def test_a_model_is_started_used_and_stopped(objects, call, retrying, once, monkeypatch):
    monkeypatch.setattr(rekognition_world, "START_SECONDS", 0.2)
    monkeypatch.setattr(rekognition_world, "STOP_SECONDS", 0.2)
    lines = []
    for who, label in ((COLLINS, "Eileen"), (HOPPER, "Grace")):
        for number in range(1, 4):
            objects[f"media/{who}-{number}.jpg"] = content = as_jpeg(photograph(who, number))
            lines.append(whole(f"s3://media/{who}-{number}.jpg", content, label))
    objects["media/manifest.jsonl"] = "\n".join(lines).encode()
    project = call("rekognition", "CreateProject", ProjectName=f"cast-{uuid.uuid4().hex[:8]}")["ProjectArn"]
    place = {"Bucket": "media", "Name": "manifest.jsonl"}
    arn = call(
        "rekognition",
        "CreateProjectVersion",
        ProjectArn=project,
        VersionName="v1",
        OutputConfig={"S3Bucket": "media"},
        TrainingData={"Assets": [{"GroundTruthManifest": {"S3Object": place}}]},
    )["ProjectVersionArn"]
    versions = RekognitionVersions(retrying, once)

    def reaches(status):
        deadline = time.monotonic() + 20
        while (told := versions.get(arn)).status != status:
            assert time.monotonic() < deadline, told
            time.sleep(0.05)

    reaches("TRAINING_COMPLETED")
    objects["media/frame.jpg"] = as_jpeg(side_by_side(photograph(COLLINS, 7), photograph(HOPPER, 8)))
    detector = RekognitionCustomLabels("media", arn, retrying)
    with pytest.raises(DependencyUnavailableError):
        detector.detect("frame.jpg", min_confidence=None)
    versions.stop(arn)
    versions.start(arn, 1)
    versions.start(arn, 1)
    reaches("RUNNING")
    found = detector.detect("frame.jpg", min_confidence=None)
    assert [one.label for one in sorted(found.boxes, key=lambda one: one.box.left)] == ["Eileen", "Grace"]
    assert detector.detect("frame.jpg", min_confidence=100.0).boxes == ()
    versions.stop(arn)
    versions.stop(arn)
    reaches("STOPPED")
    assert versions.get(arn.replace("/v1/", "/v2/")) is None
    assert versions.get(arn.replace("project/cast", "project/none")) is None
