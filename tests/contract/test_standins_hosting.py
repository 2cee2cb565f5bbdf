"""Provisioned throughput through a real client: into service, out of it, and what it holds."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from local.standins import bedrock_world
from tests.contract.trainings import CANVAS, image_body

pytestmark = pytest.mark.usefixtures("role", "active")


def rows(own, arn):
    billed = own("GET", "billing")[1]["billed"]
    return [(one["kind"], one["name"], one["status"]) for one in billed if one["arn"] == arn]


def gone(call, client, arn):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            call("bedrock", "GetProvisionedModelThroughput", provisionedModelId=arn)
        except client("bedrock").exceptions.ResourceNotFoundException:
            return
        time.sleep(0.02)
    raise AssertionError(f"{arn} is still there")


def test_hosting_comes_into_service_and_holds_its_model_until_it_is_gone(
    call, trained, host, reaches, client, own, log
):
    model = trained("held")
    arn = host("held", model)
    assert rows(own, arn) == [("provisioned_throughput", "held", "Creating")]
    assert call("bedrock", "GetProvisionedModelThroughput", provisionedModelId="held")["status"] == "Creating"
    told = reaches(arn, "InService")
    assert (told["modelArn"], told["modelUnits"]) == (model, 1)
    assert told["foundationModelArn"].endswith(CANVAS)
    assert "commitmentDuration" not in told
    made = next(line for line in log() if line["operation"] == "CreateProvisionedModelThroughput")
    assert (made["model"], made["paid"]) == (model, True)
    with pytest.raises(client("bedrock").exceptions.ConflictException, match=r"throughput: held$"):
        call("bedrock", "DeleteCustomModel", modelIdentifier=model)
    call("bedrock", "DeleteProvisionedModelThroughput", provisionedModelId=arn)
    assert rows(own, arn) == [("provisioned_throughput", "held", "Deleting")]
    assert call("bedrock", "GetProvisionedModelThroughput", provisionedModelId=arn)["status"] == "InService"
    with pytest.raises(client("bedrock").exceptions.ConflictException, match="being deleted"):
        call("bedrock", "DeleteCustomModel", modelIdentifier=model)
    with pytest.raises(client("bedrock-runtime").exceptions.ResourceNotFoundException):
        call("bedrock-runtime", "InvokeModel", modelId=arn, body=image_body("Mara"))
    gone(call, client, arn)
    assert rows(own, arn) == []
    call("bedrock", "DeleteCustomModel", modelIdentifier=model)
    with pytest.raises(client("bedrock").exceptions.ResourceNotFoundException):
        host("held", model)


def test_hosting_that_fails_hangs_or_is_never_gone(call, trained, host, client, own):
    model = trained("unready")
    own("POST", "outcomes", {"throughput": {"fail": "No capacity."}})
    own("POST", "outcomes", {"throughput": {"seconds": 1000, "deletion_seconds": 1000}})
    for name, status, failure in (("failing", "Failed", "No capacity."), ("slow", "Creating", None)):
        arn = host(name, model)
        found = call("bedrock", "GetProvisionedModelThroughput", provisionedModelId=arn)
        assert (found["status"], found.get("failureMessage")) == (status, failure)
        with pytest.raises(client("bedrock-runtime").exceptions.ModelNotReadyException, match=status):
            call("bedrock-runtime", "InvokeModel", modelId=arn, body=image_body("Mara"))
        assert bool(rows(own, arn)) == (status == "Creating")
        call("bedrock", "DeleteProvisionedModelThroughput", provisionedModelId=arn)
    time.sleep(0.7)
    assert rows(own, arn) == [("provisioned_throughput", "slow", "Deleting")]
    with pytest.raises(client("bedrock").exceptions.ConflictException, match="throughput: slow"):
        call("bedrock", "DeleteCustomModel", modelIdentifier=model)


def test_hosting_may_fail_after_a_while(trained, host, reaches, own):
    own("POST", "outcomes", {"throughput": {"fail": "No capacity.", "seconds": 0.5}})
    arn = host("late", trained("late"))
    assert "failureMessage" not in reaches(arn, "Creating")
    assert reaches(arn, "Failed")["failureMessage"] == "No capacity."


def test_the_same_token_is_the_same_hosting_and_a_taken_name_is_refused(trained, host, client, log):
    model = trained("again")
    first = host("again", model)
    assert host("again", model) == first
    made = [line["paid"] for line in log() if line["operation"] == "CreateProvisionedModelThroughput"]
    assert made == [True, False]
    with pytest.raises(client("bedrock").exceptions.ValidationException, match="name is in use: again"):
        host("again", model, clientRequestToken="another")


def test_many_at_once_make_one_hosting(trained, host):
    model = trained("crowd")

    def attempt(number):
        try:
            return host("crowd", model, clientRequestToken=f"crowd-{number}")
        except ClientError as error:
            return error.response["Error"]["Code"]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(attempt, range(8))).count("ValidationException") == 7


def test_a_list_finds_names_that_contain_and_turns_pages(call, trained, host, client):
    model = trained("many")
    for name in ("many", *(f"many-{number}" for number in range(10))):
        host(name, model)
    other = host("not-of-them", trained("other"))
    first = call("bedrock", "ListProvisionedModelThroughputs", nameContains="many")
    assert len(first["provisionedModelSummaries"]) == 10
    (last,) = call(
        "bedrock", "ListProvisionedModelThroughputs", nameContains="many", nextToken=first["nextToken"]
    )["provisionedModelSummaries"]
    assert last["provisionedModelName"] == "many"
    pages = (
        client("bedrock")
        .get_paginator("list_provisioned_model_throughputs")
        .paginate(
            modelArnEquals=model, sortBy="CreationTime", sortOrder="Ascending", PaginationConfig={"PageSize": 4}
        )
    )
    listed = [one for page in pages for one in page["provisionedModelSummaries"]]
    assert [one["provisionedModelName"] for one in listed] == ["many", *(f"many-{number}" for number in range(10))]
    assert other not in [one["provisionedModelArn"] for one in listed]
    failed = call("bedrock", "ListProvisionedModelThroughputs", nameContains="many", statusEquals="Failed")
    assert failed["provisionedModelSummaries"] == []


def test_hosting_is_renamed_and_given_another_model(
    call, hosted, trained, host, reaches, client, own, monkeypatch
):
    arn, model = hosted("first-model"), trained("second-model")
    # A busy machine takes its time between these calls.
    monkeypatch.setattr(bedrock_world, "DELETION_SECONDS", 600.0)
    before = call("bedrock", "GetProvisionedModelThroughput", provisionedModelId=arn)["modelArn"]
    update = {"provisionedModelId": arn, "desiredProvisionedModelName": "renamed", "desiredModelId": model}
    call("bedrock", "UpdateProvisionedModelThroughput", **update)
    told = call("bedrock", "GetProvisionedModelThroughput", provisionedModelId="renamed")
    assert (told["status"], told["modelArn"], told["desiredModelArn"]) == ("Updating", before, model)
    assert rows(own, arn) == [("provisioned_throughput", "renamed", "Updating")]
    assert call("bedrock-runtime", "InvokeModel", modelId=arn, body=image_body("Mara"))["body"]
    with pytest.raises(client("bedrock").exceptions.ValidationException, match="Updating"):
        call("bedrock", "UpdateProvisionedModelThroughput", **update)
    monkeypatch.setattr(bedrock_world, "DELETION_SECONDS", 0.0)
    assert reaches(arn, "InService")["modelArn"] == model
    host("taken", before)
    with pytest.raises(client("bedrock").exceptions.ValidationException, match="in use"):
        call("bedrock", "UpdateProvisionedModelThroughput", **(update | {"desiredProvisionedModelName": "taken"}))


def test_what_can_t_be_hosted(call, trained, host, client, monkeypatch, own):
    bedrock, model = client("bedrock"), trained("unhosted")
    with pytest.raises(bedrock.exceptions.ValidationException, match="without commitment only"):
        host("unhosted", model, commitmentDuration="OneMonth")
    with pytest.raises(bedrock.exceptions.ResourceNotFoundException):
        host("unhosted", CANVAS)
    own("POST", "catalogue", {"play_as_active": []})
    for day in ("2026-05-01", "2026-11-01"):
        monkeypatch.setenv("STORYCAST_STANDIN_TODAY", day)
        with pytest.raises(bedrock.exceptions.ValidationException, match="is Legacy"):
            host("unhosted", model)
    with pytest.raises(bedrock.exceptions.ResourceNotFoundException):
        call("bedrock", "GetProvisionedModelThroughput", provisionedModelId="unhosted")


def test_hosted_models_end_with_their_base_model(call, hosted, client, own):
    arn = hosted("outlived")
    own("POST", "catalogue", {"play_as_active": []})
    with pytest.raises(client("bedrock-runtime").exceptions.ResourceNotFoundException, match="end of its life"):
        call("bedrock-runtime", "InvokeModel", modelId=arn, body=image_body("Mara"))
