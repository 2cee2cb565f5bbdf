"""DetectFaces and face collections through a real client: what is seen, indexed, found and refused."""

import uuid

import pytest
from PIL import Image

from local.standins import face_collections
from tests.contract.faces import COLLINS, HOPPER, as_jpeg, photograph, side_by_side
from tests.contract.standin_pictures import jpeg

NOBODY = {"Bytes": as_jpeg(Image.new("RGB", (200, 200), "olive"))}
LARGE, SMALL = photograph(HOPPER), photograph(COLLINS).resize((256, 256))


@pytest.fixture
def collection(call):
    name = f"cast-{uuid.uuid4().hex[:8]}"
    call("rekognition", "CreateCollection", CollectionId=name)
    return name


@pytest.fixture
def index(call, collection):
    def put(picture, external_id="x", **more):
        image = {"Bytes": as_jpeg(picture)}
        return call(
            "rekognition", "IndexFaces", CollectionId=collection, Image=image, ExternalImageId=external_id, **more
        )

    return put


@pytest.fixture
def search(call, collection):
    def ask(picture, **more):
        image = {"Bytes": as_jpeg(picture)}
        return call("rekognition", "SearchFacesByImage", CollectionId=collection, Image=image, **more)

    return ask


def refused(client, code, operation, **params):
    rekognition = client("rekognition")
    with pytest.raises(getattr(rekognition.exceptions, code)) as caught:
        getattr(rekognition, operation)(**params)
    return caught.value.response["Error"]["Message"]


def test_faces_are_where_they_are_the_largest_first(call):
    picture = side_by_side(SMALL, LARGE)
    large, small = call("rekognition", "DetectFaces", Image={"Bytes": as_jpeg(picture)})["FaceDetails"]
    box = small["BoundingBox"]
    # Eileen Collins's face lies at 178..267 of 512 px across and 62..175 down; here it is half as large.
    middle = (box["Left"] + box["Width"] / 2) * picture.width, (box["Top"] + box["Height"] / 2) * picture.height
    assert middle == pytest.approx((111, 59), abs=6)
    assert large["BoundingBox"]["Left"] * picture.width > SMALL.width
    for one in (large, small):
        points = {mark["Type"]: mark for mark in one["Landmarks"]}
        assert points["eyeLeft"]["X"] < points["nose"]["X"] < points["eyeRight"]["X"]
        assert points["eyeLeft"]["Y"] < points["nose"]["Y"] < points["mouthLeft"]["Y"]
        assert one["Confidence"] > 85


def test_where_nobody_is_there_is_no_face(call, client):
    assert call("rekognition", "DetectFaces", Image=NOBODY)["FaceDetails"] == []
    message = refused(client, "InvalidParameterException", "detect_faces", Image=NOBODY, Attributes=["ALL"])
    assert "DEFAULT" in message


def test_who_was_indexed_is_found_and_others_are_not(index, search):
    for name in (COLLINS, HOPPER):
        index(photograph(name), name)
    for name, other in ((COLLINS, HOPPER), (HOPPER, COLLINS)):
        for number in range(1, 5):
            found = search(photograph(name, number), FaceMatchThreshold=0)["FaceMatches"]
            assert [one["Face"]["ExternalImageId"] for one in found] == [name, other]
            assert found[0]["Similarity"] > 80 > found[1]["Similarity"]
            told = search(photograph(name, number))["FaceMatches"]
            assert [one["Face"]["ExternalImageId"] for one in told] == [name]


def test_only_the_largest_face_is_searched(index, search):
    index(photograph(COLLINS), COLLINS)
    assert search(side_by_side(SMALL, LARGE))["FaceMatches"] == []
    beside = search(side_by_side(photograph(COLLINS), LARGE.resize((205, 240))))
    assert [one["Face"]["ExternalImageId"] for one in beside["FaceMatches"]] == [COLLINS]


def test_a_search_without_a_face_is_an_invalid_parameter(client, collection, log):
    message = refused(
        client, "InvalidParameterException", "search_faces_by_image", CollectionId=collection, Image=NOBODY
    )
    assert "no faces in the image" in message
    assert log()[-1]["paid"] is False


def test_a_picture_is_indexed_once_under_one_id_and_the_most_faces_are_kept_to(index, call, collection):
    first = index(photograph(COLLINS), "a")["FaceRecords"]
    again = index(photograph(COLLINS), "a")["FaceRecords"]
    other = index(photograph(COLLINS), "b")["FaceRecords"]
    assert first[0]["Face"]["FaceId"] == again[0]["Face"]["FaceId"] != other[0]["Face"]["FaceId"]
    pair = index(side_by_side(SMALL, LARGE), "c", MaxFaces=1)
    assert [one["Reasons"] for one in pair["UnindexedFaces"]] == [["EXCEEDS_MAX_FACES"]]
    assert len(pair["FaceRecords"]) == 1
    assert call("rekognition", "DescribeCollection", CollectionId=collection)["FaceCount"] == 3


def test_the_quality_filter_says_why(index):
    tiny = Image.new("RGB", (640, 640), "grey")
    tiny.paste(photograph(HOPPER).resize((60, 70)), (100, 100))
    kept = index(tiny, "a", QualityFilter="NONE")
    assert len(kept["FaceRecords"]) == 1
    left_out = index(tiny, "b")
    assert left_out["FaceRecords"] == []
    assert "SMALL_BOUNDING_BOX" in left_out["UnindexedFaces"][0]["Reasons"]


def test_lists_are_turned_and_faces_deleted(index, call, client, collection):
    ids = [
        index(photograph(COLLINS), f"x{number:02d}")["FaceRecords"][0]["Face"]["FaceId"] for number in range(12)
    ]
    first = call("rekognition", "ListFaces", CollectionId=collection)
    assert len(first["Faces"]) == 10
    rest = call("rekognition", "ListFaces", CollectionId=collection, NextToken=first["NextToken"])
    assert [face["FaceId"] for face in first["Faces"] + rest["Faces"]] == ids
    assert "NextToken" not in rest
    missing = str(uuid.uuid4())
    gone = call("rekognition", "DeleteFaces", CollectionId=collection, FaceIds=[*ids[:2], missing])
    assert gone["DeletedFaces"] == ids[:2]
    assert gone["UnsuccessfulFaceDeletions"] == [{"FaceId": missing, "Reasons": ["FACE_NOT_FOUND"]}]
    assert call("rekognition", "DescribeCollection", CollectionId=collection)["FaceCount"] == 10
    refused(client, "InvalidPaginationTokenException", "list_faces", CollectionId=collection, NextToken="x")


def test_a_collection_keeps_its_model_and_is_gone_when_it_is_deleted(call, client, collection, monkeypatch):
    before = call("rekognition", "DescribeCollection", CollectionId=collection)["FaceModelVersion"]
    assert before == face_collections.FACE_MODEL_VERSION
    monkeypatch.setattr(face_collections, "FACE_MODEL_VERSION", "another one")
    refused(client, "ResourceAlreadyExistsException", "create_collection", CollectionId=collection)
    assert call("rekognition", "DescribeCollection", CollectionId=collection)["FaceModelVersion"] == before
    call("rekognition", "DeleteCollection", CollectionId=collection)
    for operation, more in (
        ("describe_collection", {}),
        ("list_faces", {}),
        ("index_faces", {"Image": {"Bytes": jpeg()}}),
        ("search_faces_by_image", {"Image": {"Bytes": jpeg()}}),
    ):
        refused(client, "ResourceNotFoundException", operation, CollectionId=collection, **more)
    made = call("rekognition", "CreateCollection", CollectionId=collection)
    assert made["FaceModelVersion"] == "another one"
    listed = client("rekognition").get_paginator("list_collections").paginate()
    versions = {
        name: version
        for page in listed
        for name, version in zip(page["CollectionIds"], page["FaceModelVersions"], strict=True)
    }
    assert versions[collection] == "another one"


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("create_collection", {"CollectionId": "a b"}),
        ("index_faces", {"CollectionId": "c", "Image": NOBODY, "ExternalImageId": "Zoë 🐰"}),
        ("delete_faces", {"CollectionId": "c", "FaceIds": ["no uuid"]}),
        ("search_faces_by_image", {"CollectionId": "c", "Image": NOBODY, "FaceMatchThreshold": 101.0}),
    ],
)
def test_what_the_model_refuses(client, operation, params):
    refused(client, "InvalidParameterException", operation, **params)
