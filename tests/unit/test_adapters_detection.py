"""Adapters of faces and Custom Labels: each modelled error has its meaning, and calls are what they should be."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from storycast.adapters.clients import client_without_retries, paid_client
from storycast.adapters.custom_labels import RekognitionCustomLabels, RekognitionVersions
from storycast.adapters.rekognition_faces import RekognitionCollections, RekognitionFaces
from storycast.boxes import Box
from storycast.custom_labels import VersionFacts
from storycast.errors import (
    DependencyUnavailableError,
    DetectorFailedError,
    FaceCollectionMissingError,
    FrameRefusedError,
    StorycastError,
    ThrottledError,
)
from storycast.faces import IndexedFace, Indexing
from tests.fakes.custom_labels import ARN

PROJECT = "arn:aws:rekognition:us-east-1:123456789012:project/cast/1690000000000"
BOX = {"Left": 0.1, "Top": 0.2, "Width": 0.3, "Height": 0.4}
FACE_ID = "00000000-0000-0000-0000-000000000001"


def _client() -> Any:
    return boto3.client(
        "rekognition",
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(retries={"total_max_attempts": 1}),
    )


def _versions(client: Any) -> RekognitionVersions:
    versions = RekognitionVersions(client)
    versions._projects["cast"] = PROJECT
    return versions


CALLS: dict[str, tuple[str, Callable[[Any], object]]] = {
    "faces": ("detect_faces", lambda client: RekognitionFaces("media", client).faces("a.jpg")),
    "ensure": ("describe_collection", lambda client: RekognitionCollections(client).ensure("c")),
    "list": ("list_faces", lambda client: list(RekognitionCollections(client).all("c"))),
    "index": ("index_faces", lambda client: RekognitionCollections(client).index("c", b"x", "e")),
    "delete": ("delete_faces", lambda client: RekognitionCollections(client).delete("c", [FACE_ID])),
    "search": ("search_faces_by_image", lambda client: RekognitionCollections(client).search("c", b"x", most=9)),
    "projects": ("describe_projects", lambda client: RekognitionVersions(client).get(ARN)),
    "versions": ("describe_project_versions", lambda client: _versions(client).get(ARN)),
    "start": ("start_project_version", lambda client: RekognitionVersions(client).start(ARN, 1)),
    "stop": ("stop_project_version", lambda client: RekognitionVersions(client).stop(ARN)),
    "custom": (
        "detect_custom_labels",
        lambda client: RekognitionCustomLabels("media", ARN, client).detect("a.jpg", min_confidence=None),
    ),
}
PICTURE_ERRORS = ("ImageTooLargeException", "InvalidImageFormatException", "InvalidS3ObjectException")
NAMED: dict[tuple[str, str], type[StorycastError]] = {
    **{
        (call, code): FrameRefusedError
        for call in ("faces", "index", "search", "custom")
        for code in PICTURE_ERRORS
    },
    **{(call, "ThrottlingException"): ThrottledError for call in CALLS},
    **{(call, "ProvisionedThroughputExceededException"): ThrottledError for call in CALLS},
    **{(call, "InternalServerError"): DependencyUnavailableError for call in CALLS},
    **{(call, "ResourceNotFoundException"): DependencyUnavailableError for call in ("list", "index", "delete")},
    ("index", "ServiceQuotaExceededException"): ThrottledError,
    ("search", "ResourceNotFoundException"): FaceCollectionMissingError,
    ("start", "AccessDeniedException"): DetectorFailedError,
    ("start", "InvalidParameterException"): DetectorFailedError,
    ("start", "LimitExceededException"): DetectorFailedError,
    ("start", "ResourceNotFoundException"): DetectorFailedError,
    ("custom", "ResourceNotReadyException"): DependencyUnavailableError,
    ("custom", "ResourceNotFoundException"): DependencyUnavailableError,
    ("custom", "LimitExceededException"): ThrottledError,
}
ANSWERS = {
    # Collections that are not there are made; the others are answers, too.
    ("ensure", "ResourceNotFoundException"),
    ("search", "InvalidParameterException"),
    ("versions", "ResourceNotFoundException"),
    ("start", "ResourceInUseException"),
    ("stop", "ResourceInUseException"),
    ("stop", "ResourceNotFoundException"),
}
STAY_THEMSELVES = {"AccessDeniedException", "InvalidParameterException", "InvalidPaginationTokenException"}


def _failing(call: str, code: str, status: int = 400) -> Callable[[], object]:
    operation, work = CALLS[call]
    client = _client()
    stubber = Stubber(client)
    stubber.add_client_error(operation, code, "the service's words", http_status_code=status)
    stubber.activate()
    return lambda: work(client)


@pytest.mark.parametrize(("call", "code"), NAMED)
def test_a_known_error_has_our_name(call: str, code: str) -> None:
    with pytest.raises(StorycastError, match=f"{code}: the service's words") as caught:
        _failing(call, code)()
    assert type(caught.value) is NAMED[call, code]


@pytest.mark.parametrize("call", CALLS)
def test_an_unknown_error_stays_itself_and_any_5xx_is_a_dependency(call: str) -> None:
    with pytest.raises(ClientError, match="SomethingNew"):
        _failing(call, "SomethingNew")()
    with pytest.raises(DependencyUnavailableError):
        _failing(call, "SomethingNew", 503)()


@pytest.mark.parametrize("call", CALLS)
def test_modelled_errors_of_the_operations_are_all_considered(call: str) -> None:
    """Fails when botocore learns of an error that nobody has thought about."""
    operation, _ = CALLS[call]
    client: Any = _client()
    model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[operation])
    known = {code for named, code in [*NAMED, *ANSWERS] if named == call} | STAY_THEMSELVES
    assert {shape.name for shape in model.error_shapes} <= known


def test_what_is_paid_by_the_call_is_called_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    client_without_retries.cache_clear()
    client = client_without_retries("rekognition")
    assert client.meta.config.retries["total_max_attempts"] == 1
    assert client.meta.config.read_timeout == 15
    client_without_retries.cache_clear()


# ---- answers --------------------------------------------------------------------------------------


def test_a_collection_is_made_where_there_is_none() -> None:
    client = _client()
    with Stubber(client) as stubber:
        stubber.add_client_error(
            "describe_collection", "ResourceNotFoundException", expected_params={"CollectionId": "c"}
        )
        stubber.add_response("create_collection", {"FaceModelVersion": "7.0"}, {"CollectionId": "c"})
        assert RekognitionCollections(client).ensure("c") == "7.0"
        stubber.add_response("describe_collection", {"FaceModelVersion": "6.0"}, {"CollectionId": "c"})
        assert RekognitionCollections(client).ensure("c") == "6.0"
        stubber.add_client_error("describe_collection", "ResourceNotFoundException")
        stubber.add_client_error("create_collection", "ResourceAlreadyExistsException")
        with pytest.raises(DependencyUnavailableError):
            RekognitionCollections(client).ensure("c")


def test_faces_without_a_box_are_none() -> None:
    client = _client()
    answer = {"FaceDetails": [{"BoundingBox": {**BOX, "Left": -0.05}, "Confidence": 99.5}, {"Confidence": 50.0}]}
    with Stubber(client) as stubber:
        expected = {"Image": {"S3Object": {"Bucket": "media", "Name": "a.jpg"}}, "Attributes": ["DEFAULT"]}
        stubber.add_response("detect_faces", answer, expected)
        (face,) = RekognitionFaces("media", client).faces("a.jpg")
    assert (face.left, face.top, face.width, face.confidence) == (0.0, 0.2, 0.25, 99.5)


def test_all_pages_of_a_collection_are_read() -> None:
    client = _client()
    with Stubber(client) as stubber:
        pages: list[dict[str, Any]] = [
            {"Faces": [{"FaceId": FACE_ID, "ExternalImageId": "a"}], "NextToken": "t"},
            {"Faces": [{"FaceId": FACE_ID}]},
        ]
        stubber.add_response("list_faces", pages[0], {"CollectionId": "c"})
        stubber.add_response("list_faces", pages[1], {"CollectionId": "c", "NextToken": "t"})
        assert list(RekognitionCollections(client).all("c")) == [
            IndexedFace(FACE_ID, "a"),
            IndexedFace(FACE_ID, ""),
        ]


def test_an_indexing_tells_its_face_or_why_there_is_none() -> None:
    client = _client()
    with Stubber(client) as stubber:
        expected = {
            "CollectionId": "c",
            "Image": {"Bytes": b"x"},
            "ExternalImageId": "e",
            "MaxFaces": 1,
            "QualityFilter": "AUTO",
            "DetectionAttributes": ["DEFAULT"],
        }
        stubber.add_response("index_faces", {"FaceRecords": [{"Face": {"FaceId": FACE_ID}}]}, expected)
        assert RekognitionCollections(client).index("c", b"x", "e") == Indexing(IndexedFace(FACE_ID, "e"))
        left_out = [{"Reasons": ["LOW_SHARPNESS", "EXTREME_POSE"]}, {"Reasons": ["LOW_SHARPNESS"]}]
        stubber.add_response("index_faces", {"FaceRecords": [], "UnindexedFaces": left_out}, expected)
        answer = RekognitionCollections(client).index("c", b"x", "e")
    assert answer == Indexing(None, ("EXTREME_POSE", "LOW_SHARPNESS"))


def test_faces_are_deleted_in_parts_that_the_service_takes() -> None:
    client = _client()
    with Stubber(client) as stubber:
        for count in (4096, 4):
            ids = [FACE_ID] * count
            stubber.add_response("delete_faces", {}, {"CollectionId": "c", "FaceIds": ids})
        RekognitionCollections(client).delete("c", [FACE_ID] * 4100)
        RekognitionCollections(client).delete("c", [])
        stubber.assert_no_pending_responses()


def test_a_search_keeps_the_likest_of_each_and_no_face_is_an_answer() -> None:
    client = _client()
    matches = [
        {"Similarity": 91.5, "Face": {"FaceId": FACE_ID, "ExternalImageId": "a"}},
        {"Similarity": 72.0, "Face": {"FaceId": FACE_ID, "ExternalImageId": "a"}},
        {"Similarity": 12.0, "Face": {"FaceId": FACE_ID, "ExternalImageId": "b"}},
    ]
    with Stubber(client) as stubber:
        expected = {
            "CollectionId": "c",
            "Image": {"Bytes": b"x"},
            "MaxFaces": 9,
            "FaceMatchThreshold": 0.0,
            "QualityFilter": "NONE",
        }
        answer = {"SearchedFaceBoundingBox": BOX, "FaceMatches": matches}
        stubber.add_response("search_faces_by_image", answer, expected)
        found = RekognitionCollections(client).search("c", b"x", most=9)
        assert found.searched == Box(0.1, 0.2, 0.3, 0.4)
        assert found.similarities == {"a": 91.5, "b": 12.0}
        stubber.add_client_error("search_faces_by_image", "InvalidParameterException", "no faces in the image")
        nobody = RekognitionCollections(client).search("c", b"x", most=9)
    assert (nobody.searched, nobody.similarities) == (None, {})


def test_a_version_is_found_in_its_project_over_all_pages() -> None:
    client = _client()
    other = PROJECT.replace("us-east-1", "eu-west-1")
    with Stubber(client) as stubber:
        found = [{"ProjectArn": other}, {"ProjectArn": PROJECT}]
        stubber.add_response("describe_projects", {"ProjectDescriptions": found}, {"ProjectNames": ["cast"]})
        asked = {"ProjectArn": PROJECT, "VersionNames": ["v1"]}
        older = {"ProjectVersionArn": ARN.replace("1793664000000", "1"), "Status": "RUNNING"}
        wanted = {"ProjectVersionArn": ARN, "Status": "FAILED", "StatusMessage": "why"}
        stubber.add_response(
            "describe_project_versions", {"ProjectVersionDescriptions": [older], "NextToken": "t"}, asked
        )
        stubber.add_response(
            "describe_project_versions", {"ProjectVersionDescriptions": [wanted]}, {**asked, "NextToken": "t"}
        )
        versions = RekognitionVersions(client)
        assert versions.get(ARN) == VersionFacts(ARN, "FAILED", "why")
        stubber.add_response("describe_project_versions", {"ProjectVersionDescriptions": []}, asked)
        assert versions.get(ARN) is None
        stubber.add_client_error("describe_project_versions", "ResourceNotFoundException")
        assert versions.get(ARN) is None
        stubber.add_response("describe_projects", {"ProjectDescriptions": []})
        assert RekognitionVersions(client).get(ARN) is None


@pytest.mark.parametrize("code", ["ResourceInUseException"])
def test_a_model_that_runs_or_stops_already_is_no_fault(code: str) -> None:
    for call in ("start", "stop"):
        assert _failing(call, code)() is None
    assert _failing("stop", "ResourceNotFoundException")() is None


def test_custom_labels_with_boxes_are_kept_under_their_method() -> None:
    client = _client()
    answer = {
        "CustomLabels": [
            {"Name": "Zoë 🐰", "Confidence": 88.5, "Geometry": {"BoundingBox": BOX}},
            {"Name": "a meadow", "Confidence": 99.0},
        ]
    }
    image = {"S3Object": {"Bucket": "media", "Name": "a.jpg"}}
    with Stubber(client) as stubber:
        stubber.add_response("detect_custom_labels", answer, {"ProjectVersionArn": ARN, "Image": image})
        detector = RekognitionCustomLabels("media", ARN, client)
        found = detector.detect("a.jpg", min_confidence=None)
        stubber.add_response(
            "detect_custom_labels",
            {"CustomLabels": []},
            {"ProjectVersionArn": ARN, "Image": image, "MinConfidence": 40.0},
        )
        assert detector.detect("a.jpg", min_confidence=40.0).boxes == ()
    assert [(one.label, one.confidence, one.method) for one in found.boxes] == [("Zoë 🐰", 88.5, "custom_labels")]
    assert found.model_version == ARN


@pytest.mark.parametrize(
    "label",
    [
        {"Confidence": 88.5, "Geometry": {"BoundingBox": BOX}},
        {"Name": "Mara", "Confidence": "much", "Geometry": {"BoundingBox": BOX}},
        {"Name": "Mara", "Confidence": 88.5, "Geometry": {"BoundingBox": {"Left": 0.1}}},
        "Mara",
    ],
)
def test_custom_labels_of_another_form_are_asked_for_again(label: Any) -> None:
    odd = SimpleNamespace(detect_custom_labels=lambda **_: {"CustomLabels": [label]})
    with pytest.raises(DependencyUnavailableError):
        RekognitionCustomLabels("media", ARN, odd).detect("a.jpg", min_confidence=None)


def test_custom_labels_are_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its function has 20 s, and a hanging call takes 15 of them."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    paid_client.cache_clear()
    config = RekognitionCustomLabels("media", ARN)._rekognition.meta.config
    paid_client.cache_clear()
    assert config.retries["total_max_attempts"] == 1
