"""The catalogue, and models that are unknown, ended or asked through the wrong operation."""

import datetime as dt

import pytest

from local.standins.bedrock import PROVIDER
from local.standins.catalogue import models

CANVAS = "amazon.nova-canvas-v1:0"
EMBEDDING = "amazon.titan-embed-image-v1"
HELLO = [{"role": "user", "content": [{"text": "Hello"}]}]


@pytest.mark.parametrize("model", models(), ids=lambda model: model.id)
def test_each_model_is_described(call, model):
    details = call("bedrock", "GetFoundationModel", modelIdentifier=model.id)["modelDetails"]
    assert details["providerName"] == PROVIDER
    assert details["modelId"] == model.id
    assert (model.played_by or "not played") in details["modelName"]
    by_arn = call("bedrock", "GetFoundationModel", modelIdentifier=details["modelArn"])["modelDetails"]
    assert by_arn == details


def test_lifecycle_follows_the_day(call, monkeypatch):
    def lifecycle(day):
        monkeypatch.setenv("STORYCAST_STANDIN_TODAY", day)
        return call("bedrock", "GetFoundationModel", modelIdentifier=CANVAS)["modelDetails"]["modelLifecycle"]

    assert lifecycle("2026-03-29")["status"] == "ACTIVE"
    assert lifecycle("2026-03-30")["status"] == "LEGACY"
    ended = lifecycle("2026-10-01")
    assert ended["status"] == "LEGACY"
    assert ended["endOfLifeTime"] == dt.datetime(2026, 9, 30, tzinfo=dt.UTC)


def test_the_list_and_its_filters(call, monkeypatch):
    monkeypatch.setenv("STORYCAST_STANDIN_TODAY", "2026-09-01")

    def listed(**filters):
        return {row["modelId"] for row in call("bedrock", "ListFoundationModels", **filters)["modelSummaries"]}

    assert CANVAS in listed()
    assert "amazon.titan-image-generator-v2:0" not in listed()
    assert listed(byOutputModality="IMAGE") == {CANVAS}
    assert listed(byCustomizationType="FINE_TUNING", byInferenceType="PROVISIONED") == {CANVAS}
    assert listed(byProvider="Amazon") == listed(byProvider=PROVIDER) == listed()
    assert listed(byProvider="Nobody") == set()
    monkeypatch.setenv("STORYCAST_STANDIN_TODAY", "2026-10-01")
    assert CANVAS not in listed()


def test_who_answers_is_said(call, monkeypatch):
    monkeypatch.setenv("STORYCAST_VLM_URL", "http://user:secret@localhost:8080/v1")
    details = call("bedrock", "GetFoundationModel", modelIdentifier="amazon.nova-pro-v1:0")["modelDetails"]
    assert details["modelName"] == "Nova Pro, passed on to localhost:8080"


def test_unknown_models(client):
    bedrock, runtime = client("bedrock"), client("bedrock-runtime")
    for identifier in ("amazon.nova-none-v1:0", "us.amazon.nova-pro-v1:0"):
        with pytest.raises(bedrock.exceptions.ValidationException, match="model identifier is invalid"):
            bedrock.get_foundation_model(modelIdentifier=identifier)
    for identifier in ("amazon.nova-none-v1:0", f"us.{EMBEDDING}", "no.amazon.nova-pro-v1:0"):
        with pytest.raises(runtime.exceptions.ValidationException, match="model identifier is invalid"):
            runtime.converse(modelId=identifier, messages=HELLO)
        with pytest.raises(runtime.exceptions.ValidationException, match="model identifier is invalid"):
            runtime.invoke_model(modelId=identifier, body=b"{}")
    with pytest.raises(bedrock.exceptions.ValidationException, match="regular expression"):
        bedrock.get_foundation_model(modelIdentifier="Not an id")


def test_a_model_that_has_ended(client, monkeypatch):
    runtime = client("bedrock-runtime")
    monkeypatch.setenv("STORYCAST_STANDIN_TODAY", "2026-09-30")
    with pytest.raises(runtime.exceptions.ResourceNotFoundException, match="end of its life"):
        runtime.invoke_model(modelId=CANVAS, body=b"{}")
    monkeypatch.setenv("STORYCAST_STANDIN_TODAY", "2026-09-29")
    with pytest.raises(runtime.exceptions.ValidationException, match="does not play"):
        runtime.invoke_model(modelId=CANVAS, body=b"{}")


def test_models_through_the_wrong_operation(client):
    runtime = client("bedrock-runtime")
    with pytest.raises(runtime.exceptions.ValidationException, match="doesn't support the model"):
        runtime.converse(modelId=EMBEDDING, messages=HELLO)
    with pytest.raises(runtime.exceptions.ValidationException, match="Converse only"):
        runtime.invoke_model(
            modelId="arn:aws:bedrock:us-east-1:000000000000:inference-profile/us.amazon.nova-pro-v1:0", body=b"{}"
        )
