"""`python -m local custom-labels`: a model of the stand-in out of a project's reference pictures."""

import json
from pathlib import Path

import boto3
import pytest

from local.custom_labels import TrainingRefusedError, train

DEMO = Path(__file__).parents[2] / "examples" / "demo" / "project.yaml"


class Clients:
    """The stand-ins, and the small S3."""

    def __init__(self, url, objects):
        self._url, self._objects = url, objects

    def client(self, service):
        if service == "s3":
            return self
        return boto3.client(service, endpoint_url=self._url)

    def put_object(self, **asked):
        self._objects[f"{asked['Bucket']}/{asked['Key']}"] = asked["Body"]


@pytest.fixture
def clients(standins, objects):
    return Clients(standins.url, objects)


def test_the_demos_references_become_a_model(clients, objects, call):
    arn = train(clients, "media", DEMO)
    lines = [json.loads(line) for line in objects["media/custom-labels/demo/manifest.jsonl"].splitlines()]
    assert len(lines) == 12
    assert {line["boxes-metadata"]["class-map"]["0"] for line in lines} == {"Bunny", "Frank", "Rinky", "Gamera"}
    again = train(clients, "media", DEMO)
    assert again != arn
    assert again.split("/version/")[0] == arn.split("/version/")[0], "another version of the same project"
    versions = call("rekognition", "DescribeProjects", ProjectNames=["demo"])["ProjectDescriptions"]
    assert len(versions) == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("characters: []", "no character has reference pictures"),
        ("characters: [{name: A, references: [none/*.jpg]}]", "no character has reference pictures"),
        ("characters: 1", "no project file with characters"),
        ("[", "no project file with characters"),
    ],
)
def test_what_no_model_can_be_made_of_is_told(clients, tmp_path, text, told):
    path = tmp_path / "project.yaml"
    path.write_text(text)
    with pytest.raises(TrainingRefusedError, match=told):
        train(clients, "media", path)
    with pytest.raises(TrainingRefusedError):
        train(clients, "media", tmp_path / "missing.yaml")


def test_a_picture_that_the_stand_in_refuses_is_told(clients, tmp_path):
    (tmp_path / "a.jpg").write_bytes((DEMO.parent / "cast/bunny/bunny_1.jpg").read_bytes()[:3000])
    (tmp_path / "project.yaml").write_text("characters: [{name: A, references: ['*.jpg']}]")
    with pytest.raises(TrainingRefusedError, match="could not train on it: s3://media/"):
        train(clients, "media", tmp_path / "project.yaml")
