"""Amazon Rekognition's stand-in: DetectFaces and face collections, by YuNet and EfficientNet-Lite0."""

from __future__ import annotations

import hashlib
import uuid

import cv2
import numpy as np
from numpy.typing import NDArray

from local.standins.bedrock_world import ACCOUNT, now
from local.standins.boxes import bounding_box, percent
from local.standins.errors import ModelledError
from local.standins.faces import POINTS, Face, face_vector, find_faces
from local.standins.image_input import read_image
from local.standins.paging import token_page
from local.standins.rekognition_world import Collection, KeptFace, KeptRekognition, pack, unpack
from local.standins.service import Call, Params, Service, paid, without_none

#: Of collections made from now on; each keeps the one that it was made with, as on AWS.
FACE_MODEL_VERSION = "local-stand-in yunet-2023mar + efficientnet-lite0"
#: The same as the digits that ``IndexFacesModelVersion`` takes.
INDEX_MODEL_VERSION = "2023.3"
DEFAULT_MATCHES, DEFAULT_MATCH_THRESHOLD = 5, 80.0
#: DetectFaces and IndexFaces look at the 100 largest faces.
MOST_FACES = 100
#: What the quality filters of indexing and searching leave out.
MIN_FACE_PX, MIN_FACE_SCORE = 24, 0.7
NO_FACE = "There are no faces in the image. Should be at least 1."


class FaceCollections(Service):
    """Collections of face vectors; a similarity is a cosine, in per cent."""

    service_name = "rekognition"

    @paid
    def detect_faces(self, params: Params, call: Call) -> Params:
        """Find faces, the largest first: boxes, five points and quality, and no other attribute."""
        others = set(params.get("Attributes") or ()) - {"DEFAULT"}
        if others:
            message = f"The local stand-in knows DEFAULT attributes only, not {', '.join(sorted(others))}."
            raise ModelledError("InvalidParameterException", message)
        content, pixels = read_image(params["Image"])
        call.about(content)
        return {"FaceDetails": [_detail(face, pixels) for face in _largest_first(pixels)]}

    def create_collection(self, params: Params, call: Call) -> Params:
        """Make an empty collection."""
        name = params["CollectionId"]
        with self.world.rekognition.changing() as kept:
            if kept.collection(name):
                raise ModelledError("ResourceAlreadyExistsException", f"The collection id: {name} already exists")
            made = Collection(id=name, region=call.region, model_version=FACE_MODEL_VERSION, created_at=now())
            kept.collections.append(made)
        return {"StatusCode": 200, "CollectionArn": _arn(made), "FaceModelVersion": made.model_version}

    def describe_collection(self, params: Params, _call: Call) -> Params:
        """Tell how many faces a collection has, and by which model."""
        with self.world.rekognition.reading() as kept:
            found = _found(kept, params["CollectionId"])
            return {
                "FaceCount": len(found.faces),
                "UserCount": 0,
                "FaceModelVersion": found.model_version,
                "CollectionARN": _arn(found),
                "CreationTimestamp": found.created_at,
            }

    def list_collections(self, params: Params, _call: Call) -> Params:
        """List collections by id, in pages."""
        with self.world.rekognition.reading() as kept:
            ordered = sorted(kept.collections, key=lambda one: one.id)
        shown, more = token_page(ordered, params)
        return {
            "CollectionIds": [one.id for one in shown],
            "FaceModelVersions": [one.model_version for one in shown],
            **more,
        }

    def delete_collection(self, params: Params, _call: Call) -> Params:
        """Delete a collection with its faces."""
        with self.world.rekognition.changing() as kept:
            kept.collections.remove(_found(kept, params["CollectionId"]))
        return {"StatusCode": 200}

    @paid
    def index_faces(self, params: Params, call: Call) -> Params:
        """Add a picture's faces; the same picture under the same external id adds none a second time."""
        content, pixels = read_image(params["Image"])
        call.about(content)
        filtered = params.get("QualityFilter", "AUTO") != "NONE"
        records, left_out = [], []
        with self.world.rekognition.reading() as kept:
            _found(kept, params["CollectionId"])
        faces = [(face, _detail(face, pixels)) for face in _largest_first(pixels)]
        vectors: list[tuple[Face, Params, str]] = []
        for face, detail in faces:
            reasons = _reasons(face, pixels) if filtered else []
            if len(vectors) >= params.get("MaxFaces", MOST_FACES):
                reasons.append("EXCEEDS_MAX_FACES")
            if reasons:
                left_out.append({"Reasons": reasons, "FaceDetail": detail})
            else:
                vectors.append((face, detail, pack(face_vector(pixels, face.box))))
        image_id = str(uuid.UUID(bytes=hashlib.sha256(content).digest()[:16]))
        with self.world.rekognition.changing() as kept:
            collection = _found(kept, params["CollectionId"])
            for face, detail, vector in vectors:
                indexed = _indexed(collection, face, vector, image_id, params.get("ExternalImageId"))
                records.append({"Face": _face(indexed), "FaceDetail": detail})
            version = collection.model_version
        return {"FaceRecords": records, "UnindexedFaces": left_out, "FaceModelVersion": version}

    def list_faces(self, params: Params, _call: Call) -> Params:
        """List a collection's faces, in pages."""
        with self.world.rekognition.reading() as kept:
            collection = _found(kept, params["CollectionId"])
            wanted = set(params.get("FaceIds") or ())
            faces = [face for face in collection.faces if not wanted or face.id in wanted]
            version = collection.model_version
        shown, more = token_page(faces, params)
        return {"Faces": [_face(face) for face in shown], "FaceModelVersion": version, **more}

    def delete_faces(self, params: Params, _call: Call) -> Params:
        """Delete faces by id; those that are not there are told."""
        wanted = list(dict.fromkeys(params["FaceIds"]))
        with self.world.rekognition.changing() as kept:
            collection = _found(kept, params["CollectionId"])
            there = {face.id for face in collection.faces}
            collection.faces = [face for face in collection.faces if face.id not in wanted]
        missing = [{"FaceId": one, "Reasons": ["FACE_NOT_FOUND"]} for one in wanted if one not in there]
        return {"DeletedFaces": [one for one in wanted if one in there], "UnsuccessfulFaceDeletions": missing}

    @paid
    def search_faces_by_image(self, params: Params, call: Call) -> Params:
        """Find the collection's faces that are most like the largest face of a picture."""
        content, pixels = read_image(params["Image"])
        call.about(content)
        with self.world.rekognition.reading() as kept:
            _found(kept, params["CollectionId"])
        faces = _largest_first(pixels)
        if params.get("QualityFilter", "NONE") != "NONE":
            faces = [face for face in faces if not _reasons(face, pixels)]
        if not faces:
            raise ModelledError("InvalidParameterException", NO_FACE)
        searched = faces[0]
        vector = np.asarray(face_vector(pixels, searched.box), dtype=np.float32)
        with self.world.rekognition.reading() as kept:
            collection = _found(kept, params["CollectionId"])
            known, version = list(collection.faces), collection.model_version
        likeness = [(percent(float(vector @ unpack(face.vector))), face) for face in known]
        least = params.get("FaceMatchThreshold", DEFAULT_MATCH_THRESHOLD)
        matches = sorted((one for one in likeness if one[0] >= least), key=lambda one: (-one[0], one[1].id))
        return {
            "SearchedFaceBoundingBox": bounding_box(searched.box),
            "SearchedFaceConfidence": percent(searched.box.score),
            "FaceMatches": [
                {"Similarity": similarity, "Face": _face(face)}
                for similarity, face in matches[: params.get("MaxFaces", DEFAULT_MATCHES)]
            ],
            "FaceModelVersion": version,
        }


def _found(kept: KeptRekognition, name: str) -> Collection:
    found = kept.collection(name)
    if found is None:
        raise ModelledError("ResourceNotFoundException", f"The collection id: {name} does not exist")
    return found


def _arn(collection: Collection) -> str:
    return f"arn:aws:rekognition:{collection.region}:{ACCOUNT}:collection/{collection.id}"


def _largest_first(pixels: NDArray[np.uint8]) -> list[Face]:
    return sorted(find_faces(pixels), key=lambda face: (-face.box.area, face.box.left, face.box.top))[:MOST_FACES]


def _reasons(face: Face, pixels: NDArray[np.uint8]) -> list[str]:
    """Why the quality filter leaves a face out; empty where it does not."""
    height, width = pixels.shape[:2]
    side = min((face.box.right - face.box.left) * width, (face.box.bottom - face.box.top) * height)
    reasons = ["SMALL_BOUNDING_BOX"] if side < MIN_FACE_PX else []
    return reasons + (["LOW_CONFIDENCE"] if face.box.score < MIN_FACE_SCORE else [])


def _indexed(collection: Collection, face: Face, vector: str, image_id: str, external_id: str | None) -> KeptFace:
    """Add a face, unless it is there already."""
    box = (face.box.left, face.box.top, face.box.right - face.box.left, face.box.bottom - face.box.top)
    for known in collection.faces:
        if (known.image_id, known.external_id, known.box) == (image_id, external_id, box):
            return known
    made = KeptFace(
        id=str(uuid.uuid4()),
        image_id=image_id,
        external_id=external_id,
        box=box,
        confidence=percent(face.box.score),
        vector=vector,
    )
    collection.faces.append(made)
    return made


def _face(face: KeptFace) -> Params:
    left, top, width, height = face.box
    return without_none(
        {
            "FaceId": face.id,
            "BoundingBox": {"Left": left, "Top": top, "Width": width, "Height": height},
            "ImageId": face.image_id,
            "ExternalImageId": face.external_id,
            "Confidence": face.confidence,
            "IndexFacesModelVersion": INDEX_MODEL_VERSION,
        }
    )


def _detail(face: Face, pixels: NDArray[np.uint8]) -> Params:
    height, width = pixels.shape[:2]
    top, left = int(face.box.top * height), int(face.box.left * width)
    part = pixels[
        top : max(round(face.box.bottom * height), top + 1), left : max(round(face.box.right * width), 1)
    ]
    grey = (
        cv2.cvtColor(np.ascontiguousarray(part), cv2.COLOR_RGB2GRAY) if part.size else np.zeros((1, 1), np.uint8)
    )
    # On a plane of one size, so that the sharpness of large and small faces compares; 500 is a sharp one's.
    plane = cv2.resize(grey, (128, 128), interpolation=cv2.INTER_AREA)
    return {
        "BoundingBox": bounding_box(face.box),
        "Confidence": percent(face.box.score),
        "Landmarks": [{"Type": name, "X": x, "Y": y} for name, (x, y) in zip(POINTS, face.points, strict=True)],
        "Quality": {
            "Brightness": float(grey.mean()) / 2.55,
            "Sharpness": min(float(cv2.Laplacian(plane, cv2.CV_64F).var()) / 5.0, 100.0),
        },
    }
