"""The film's two figures as pictures: references of a cast, and what a Custom Labels model learns them from."""

import cv2
import numpy as np

from tests.contract.ground_truth_manifests import whole
from tests.e2e.film import draw_figure
from tests.e2e.stack import Stack

NAMES = ("Star", "Barrel")
CAST = (
    "characters: [{name: Star, references: [cast/Star-*.jpg]}, {name: Barrel, references: [cast/Barrel-*.jpg]}]\n"
)


def put_figures(stack: Stack, project: str) -> dict[str, list[tuple[str, bytes]]]:
    """Put two pictures of each figure into a project's cast; return their keys and contents by name."""
    put: dict[str, list[tuple[str, bytes]]] = {}
    for kind, name in enumerate(NAMES):
        for number, grey in enumerate((90, 190)):
            picture = np.full((360, 360, 3), grey, np.uint8)
            draw_figure(picture, kind, (180, 180), 125, number)
            content = cv2.imencode(".jpg", picture)[1].tobytes()
            key = f"projects/{project}/cast/{name}-{number}.jpg"
            stack.put(key, content)
            put.setdefault(name, []).append((key, content))
    return put


def train_detector(stack: Stack, project: str) -> str:
    """Have a Custom Labels model learn the figures; return its ARN."""
    rekognition = stack.aws.client("rekognition")
    lines = [
        whole(f"s3://{stack.bucket}/{key}", content, name)
        for name, pictures in put_figures(stack, project).items()
        for key, content in pictures
    ]
    manifest = f"projects/{project}/manifest.jsonl"
    stack.put(manifest, "\n".join(lines).encode())
    owner = rekognition.create_project(ProjectName=project)["ProjectArn"]
    place = {"Bucket": stack.bucket, "Name": manifest}
    arn = rekognition.create_project_version(
        ProjectArn=owner,
        VersionName="v1",
        OutputConfig={"S3Bucket": stack.bucket, "S3KeyPrefix": f"projects/{project}/output"},
        TrainingData={"Assets": [{"GroundTruthManifest": {"S3Object": place}}]},
        TestingData={"AutoCreate": True},
    )["ProjectVersionArn"]

    def is_trained() -> bool:
        (version,) = rekognition.describe_project_versions(ProjectArn=owner)["ProjectVersionDescriptions"]
        assert version["Status"] != "TRAINING_FAILED", version
        return bool(version["Status"] == "TRAINING_COMPLETED")

    stack.wait_until("the training", is_trained, 60)
    return str(arn)
