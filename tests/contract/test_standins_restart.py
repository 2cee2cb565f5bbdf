"""What Bedrock's stand-in has made outlives it; and which ended models it plays."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from functools import partial

import boto3
import pytest

from local.standins.__main__ import main
from local.standins.bedrock_world import BedrockWorld
from local.standins.outcomes import JobOutcome, Outcome
from local.standins.server import running
from tests.contract.trainings import CANVAS, image_body, job_request

pytestmark = pytest.mark.usefixtures("environment", "role")


def bedrock(server, service="bedrock"):
    return boto3.client(service, endpoint_url=server.url)


def until_not(status, told):
    deadline = time.monotonic() + 20
    while (found := told()["status"]) == status and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


@pytest.mark.usefixtures("active")
def test_models_and_hosting_survive_and_draw_the_same(tmp_path, manifest):
    def draw(server, arn):
        body = bedrock(server, "bedrock-runtime").invoke_model(modelId=arn, body=image_body("Mara"))["body"]
        return json.loads(body.read())["images"]

    with running(tmp_path) as server:
        client = bedrock(server)
        client.create_model_customization_job(**job_request("kept", manifest))
        told = partial(client.get_model_customization_job, jobIdentifier="kept")
        assert until_not("InProgress", told) == "Completed"
        arn = client.create_provisioned_model_throughput(
            modelUnits=1, provisionedModelName="kept", modelId="kept", tags=[{"key": "run", "value": "one"}]
        )["provisionedModelArn"]
        told = partial(client.get_provisioned_model_throughput, provisionedModelId=arn)
        assert until_not("Creating", told) == "InService"
        first = draw(server, arn)
    with running(tmp_path) as server:
        client = bedrock(server)
        (model,) = client.list_custom_models()["modelSummaries"]
        assert (model["modelName"], model["modelStatus"]) == ("kept", "Active")
        assert client.list_tags_for_resource(resourceARN=arn)["tags"] == [{"key": "run", "value": "one"}]
        assert draw(server, arn) == first
        token = job_request("kept", manifest) | {"jobName": "other"}
        assert client.create_model_customization_job(**token)["jobArn"].endswith(model["modelArn"][-12:])


@pytest.mark.usefixtures("active")
def test_a_job_that_ran_has_failed_and_says_why(tmp_path, manifest):
    with running(tmp_path) as server:
        client = bedrock(server)
        for name in ("cut-off", "stopping"):
            server.world.outcomes.add(Outcome(job=JobOutcome(seconds=1000)))
            client.create_model_customization_job(**job_request(name, manifest))
        client.stop_model_customization_job(jobIdentifier="stopping")
    before = (tmp_path / "bedrock.json").read_bytes()
    time.sleep(0.7)
    assert (tmp_path / "bedrock.json").read_bytes() == before, "their threads write nothing any more"
    with running(tmp_path) as server:
        cut_off, stopping = (
            bedrock(server).get_model_customization_job(jobIdentifier=name) for name in ("cut-off", "stopping")
        )
        assert (cut_off["status"], stopping["status"]) == ("Failed", "Stopped")
        assert "ended while the job ran" in cut_off["failureMessage"]
        assert server.world.bedrock.billed() == []


def test_a_file_that_cannot_be_read_is_put_aside(tmp_path, caplog):
    (tmp_path / "bedrock.json").write_text('{"jobs": [{"of": "another version"}]}')
    assert BedrockWorld(tmp_path).billed() == []
    assert (tmp_path / "bedrock.unreadable").exists()
    assert "bedrock.unreadable" in caplog.text


def test_playing_ended_models_is_set_told_and_logged(own, call, client, caplog):
    def details():
        return call("bedrock", "GetFoundationModel", modelIdentifier=CANVAS)["modelDetails"]

    assert own("GET", "catalogue") == (200, {"play_as_active": []})
    assert details()["modelLifecycle"]["status"] == "LEGACY"
    assert own("POST", "catalogue", {"play_as_active": [CANVAS, CANVAS]}) == (200, {"play_as_active": [CANVAS]})
    assert CANVAS in caplog.text
    assert own("GET", "catalogue") == (200, {"play_as_active": [CANVAS]})
    assert details()["modelLifecycle"] == {"status": "ACTIVE"}
    assert details()["modelName"] == (
        "Nova Canvas, ended 2026-09-30, played as active by composites of training pictures"
    )
    listed = call("bedrock", "ListFoundationModels", byOutputModality="IMAGE")["modelSummaries"]
    assert [model["modelId"] for model in listed] == [CANVAS]
    own("POST", "catalogue", {"play_as_active": []})
    assert call("bedrock", "ListFoundationModels", byOutputModality="IMAGE")["modelSummaries"] == []
    with pytest.raises(client("bedrock-runtime").exceptions.ResourceNotFoundException, match="end of its life"):
        call("bedrock-runtime", "InvokeModel", modelId=CANVAS, body=image_body("Mara"))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"play_as_active": ["no.such-model"]}, "can't play no.such-model as active"),
        ({"play_as_active": ["amazon.nova-pro-v1:0"]}, f"the image models that they know are {CANVAS}"),
        ({"play_as_active": CANVAS}, "list"),
        ({"play": []}, "play"),
        ({}, "play_as_active"),
    ],
)
def test_what_cannot_be_played(own, wrong, says):
    status, answer = own("POST", "catalogue", wrong)
    assert status == 400
    assert says in answer["message"]
    assert own("GET", "catalogue")[1] == {"play_as_active": []}


def test_the_environment_sets_it_too(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("STORYCAST_STANDIN_PLAY_ACTIVE", "no.such-model")
    assert main(["--port", "0", "--state", str(tmp_path)]) == 2
    assert "STORYCAST_STANDIN_PLAY_ACTIVE: The stand-ins can't play no.such-model" in capsys.readouterr().err
    command = [sys.executable, "-m", "local.standins", "--port", "0", "--state", str(tmp_path)]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "STORYCAST_STANDIN_PLAY_ACTIVE": f" {CANVAS} ,",
    }
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        ready, deadline = tmp_path / "standins.json", time.monotonic() + 20
        while not ready.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        port = json.loads(ready.read_text("utf-8"))["port"]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/_storycast/catalogue", timeout=5) as answer:
            assert json.load(answer) == {"play_as_active": [CANVAS]}
        process.terminate()
        assert f"Played as active though they have ended: {CANVAS}" in process.communicate(timeout=10)[1]
