"""Amazon Rekognition's faces: where they are, and collections of them."""

from collections.abc import Iterator, Sequence
from typing import Any

from botocore.exceptions import ClientError

from storycast.adapters.clients import client, client_without_retries, paid_client
from storycast.adapters.faults import translated, understood
from storycast.adapters.rekognition_images import REFUSED, box_of, in_bucket
from storycast.boxes import percent
from storycast.errors import DependencyUnavailableError, FaceCollectionMissingError, StorycastError
from storycast.faces import FaceBox, IndexedFace, Indexing, SearchAnswer, face_box

MAX_DELETIONS = 4096
"""Faces that one call of DeleteFaces takes."""
MAX_MATCHES = 4096

_GONE: dict[str, type[StorycastError]] = {"ResourceNotFoundException": DependencyUnavailableError}


class RekognitionFaces:
    """A :class:`~storycast.faces.FaceDetector` over DetectFaces; one paid call per picture."""

    def __init__(self, bucket: str, rekognition: Any = None) -> None:
        self._bucket = bucket
        self._rekognition = rekognition or paid_client("rekognition")

    def faces(self, key: str) -> list[FaceBox]:
        """Return the faces in a picture of the bucket; see :meth:`FaceDetector.faces`."""
        return self._detect(in_bucket(self._bucket, key), key)

    def faces_in(self, picture: bytes) -> list[FaceBox]:
        """Return the faces in a PNG or JPEG."""
        return self._detect({"Bytes": picture}, "a picture")

    def _detect(self, image: dict[str, Any], what: str) -> list[FaceBox]:
        with translated(f"DetectFaces on {what}", REFUSED):
            answer = self._rekognition.detect_faces(Image=image, Attributes=["DEFAULT"])
        with understood(f"DetectFaces on {what}"):
            return [
                face_box(box_of(face["BoundingBox"]), float(face.get("Confidence", 0.0)))
                for face in answer.get("FaceDetails", ())
                if face.get("BoundingBox")
            ]


class RekognitionCollections:
    """:class:`~storycast.faces.FaceCollections` over Rekognition's; indexing and searching are paid."""

    def __init__(self, rekognition: Any = None, once: Any = None) -> None:
        self._rekognition = rekognition or client("rekognition")
        self._paid = rekognition or paid_client("rekognition")
        # An indexing whose answer is lost was paid for: whoever tries again looks first whether the face is there.
        self._once = once or rekognition or client_without_retries("rekognition")

    def ensure(self, name: str) -> str:
        """Make a collection where there is none, and return the version of its face model."""
        with translated(f"DescribeCollection {name}"):
            try:
                return str(self._rekognition.describe_collection(CollectionId=name)["FaceModelVersion"])
            except ClientError as error:
                if error.response["Error"]["Code"] != "ResourceNotFoundException":
                    raise
        # Another run may make it at the same time; then its collection is the one to be described, next time.
        taken: dict[str, type[StorycastError]] = {"ResourceAlreadyExistsException": DependencyUnavailableError}
        with translated(f"CreateCollection {name}", taken):
            return str(self._rekognition.create_collection(CollectionId=name)["FaceModelVersion"])

    def all(self, name: str) -> Iterator[IndexedFace]:
        """Yield every face of a collection, over all pages."""
        with translated(f"ListFaces of {name}", _GONE):
            for page in self._rekognition.get_paginator("list_faces").paginate(CollectionId=name):
                for face in page.get("Faces", ()):
                    yield IndexedFace(face["FaceId"], face.get("ExternalImageId", ""))

    def index(self, name: str, picture: bytes, external_id: str) -> Indexing:
        """Add the largest face of a picture; see :meth:`FaceCollections.index`."""
        with translated(f"IndexFaces into {name}", {**REFUSED, **_GONE}):
            answer = self._once.index_faces(
                CollectionId=name,
                Image={"Bytes": picture},
                ExternalImageId=external_id,
                MaxFaces=1,
                QualityFilter="AUTO",
                DetectionAttributes=["DEFAULT"],
            )
        for record in answer.get("FaceRecords", ()):
            return Indexing(IndexedFace(record["Face"]["FaceId"], external_id))
        reasons = {reason for face in answer.get("UnindexedFaces", ()) for reason in face.get("Reasons", ())}
        return Indexing(None, tuple(sorted(reasons)))

    def delete(self, name: str, face_ids: Sequence[str]) -> None:
        """Delete faces; one that is gone is no fault."""
        for start in range(0, len(face_ids), MAX_DELETIONS):
            with translated(f"DeleteFaces of {name}", _GONE):
                part = list(face_ids[start : start + MAX_DELETIONS])
                self._rekognition.delete_faces(CollectionId=name, FaceIds=part)

    def search(self, name: str, picture: bytes, *, most: int) -> SearchAnswer:
        """Return how alike a picture's largest face is to the collection's; see :meth:`FaceCollections.search`."""
        gone: dict[str, type[StorycastError]] = {"ResourceNotFoundException": FaceCollectionMissingError}
        with translated(f"SearchFacesByImage in {name}", {**REFUSED, **gone}):
            try:
                answer = self._paid.search_faces_by_image(
                    CollectionId=name,
                    Image={"Bytes": picture},
                    MaxFaces=min(max(most, 1), MAX_MATCHES),
                    # Everything is kept as it is said: another threshold then costs no second search.
                    FaceMatchThreshold=0.0,
                    QualityFilter="NONE",
                )
            except ClientError as error:
                # The service's way to say that it sees no face; nothing else of this call can be invalid.
                if error.response["Error"]["Code"] == "InvalidParameterException":
                    return SearchAnswer(None, {})
                raise
        similarities: dict[str, float] = {}
        with understood(f"SearchFacesByImage in {name}"):
            for match in answer.get("FaceMatches", ()):
                external_id = str(match.get("Face", {}).get("ExternalImageId", ""))
                similarity = percent(float(match["Similarity"]))
                similarities[external_id] = max(similarity, similarities.get(external_id, 0.0))
            return SearchAnswer(box_of(answer["SearchedFaceBoundingBox"]), similarities)
