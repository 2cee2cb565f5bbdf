"""Model customization jobs through a real client: their steps, their ends, and what is refused at once."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from botocore.exceptions import ClientError

from tests.contract.trainings import BUCKET, CANVAS

pytestmark = pytest.mark.usefixtures("role", "active")


def test_a_job_reads_its_pictures_trains_and_makes_a_model(call, create, ended, role, log):
    arn = create("whole")
    assert call("bedrock", "GetModelCustomizationJob", jobIdentifier="whole")["status"] == "InProgress"
    job = ended(arn)
    assert job["status"] == "Completed", job
    assert {step["status"] for step in job["statusDetails"].values()} == {"Completed"}
    ((uri, table),) = role.items()
    job_id = arn.rpartition("/")[2]
    assert uri == (
        f"s3://{BUCKET}/output/model-customization-job-{job_id}/training_artifacts/step_wise_training_metrics.csv"
    )
    head, *rows = table.decode().splitlines()
    assert head == "step_number,epoch_number,training_loss"
    losses = [float(row.split(",")[2]) for row in rows]
    assert [int(row.split(",")[0]) for row in rows] == list(range(1, 301))
    assert np.mean(losses[-10:]) < 0.75 * np.mean(losses[:10]), "it learns who is who"
    assert job["trainingMetrics"]["trainingLoss"] == pytest.approx(losses[-1], abs=1e-5)
    model = call("bedrock", "GetCustomModel", modelIdentifier=job["outputModelArn"])
    assert (model["modelName"], model["jobArn"], model["modelStatus"]) == ("whole", arn, "Active")
    made = log()[0]
    assert (made["operation"], made["model"], made["paid"]) == ("CreateModelCustomizationJob", CANVAS, True)


def test_a_job_goes_through_its_steps(call, create, own):
    own("POST", "outcomes", {"job": {"seconds": 1.5}})
    arn, seen = create("walk"), []
    while not seen or seen[-1][0] == "InProgress":
        job = call("bedrock", "GetModelCustomizationJob", jobIdentifier=arn)
        steps = [job["statusDetails"][f"{name}Details"] for name in ("validation", "dataProcessing", "training")]
        told = (job["status"], *(step["status"] for step in steps))
        if not seen or seen[-1] != told:
            seen.append(told)
        time.sleep(0.02)
    assert seen == [
        ("InProgress", "InProgress", "NotStarted", "NotStarted"),
        ("InProgress", "Completed", "InProgress", "NotStarted"),
        ("InProgress", "Completed", "Completed", "InProgress"),
        ("Completed", "Completed", "Completed", "Completed"),
    ]
    assert job["creationTime"] <= steps[1]["creationTime"] <= steps[2]["creationTime"] <= job["endTime"]


@pytest.mark.parametrize("step", ["validation", "dataProcessing", "training"])
def test_a_job_can_be_stopped_in_each_step(call, create, ended, own, client, standins, step):
    own("POST", "outcomes", {"job": {"seconds": 3}})
    arn, told = create(f"stopped-{step}"), {}
    while told.get(f"{step}Details", {}).get("status") != "InProgress":
        told = call("bedrock", "GetModelCustomizationJob", jobIdentifier=arn)["statusDetails"]
    call("bedrock", "StopModelCustomizationJob", jobIdentifier=arn)
    assert call("bedrock", "GetModelCustomizationJob", jobIdentifier=arn)["status"] == "Stopping"
    assert (arn, "Stopping") in [(one["arn"], one["status"]) for one in own("GET", "billing")[1]["billed"]]
    call("bedrock", "StopModelCustomizationJob", jobIdentifier=arn)
    job = ended(arn)
    assert (job["status"], job["statusDetails"][f"{step}Details"]["status"]) == ("Stopped", "Stopped")
    assert "outputModelArn" not in job
    assert "trainingMetrics" not in job
    assert arn not in [one["arn"] for one in own("GET", "billing")[1]["billed"]]
    assert not (standins.state / "models" / arn.rpartition("/")[2]).exists()
    with pytest.raises(client("bedrock").exceptions.ConflictException):
        call("bedrock", "StopModelCustomizationJob", jobIdentifier=arn)


def test_what_is_billed_is_told(create, ended, own):
    own("POST", "outcomes", {"job": {"seconds": 1}})
    arn = create("billed")
    (row,) = [one for one in own("GET", "billing")[1]["billed"] if one["arn"] == arn]
    assert (row["kind"], row["name"], row["status"]) == ("customization_job", "billed", "InProgress")
    assert row["since"].endswith("+00:00")
    ended(arn)
    assert arn not in [one["arn"] for one in own("GET", "billing")[1]["billed"]]


def test_a_job_fails_with_the_message_that_a_test_asks_for(create, ended, own, standins):
    own("POST", "outcomes", {"job": {"fail": "Internal: no capacity"}})
    job = ended(create("doomed"))
    assert (job["status"], job["failureMessage"]) == ("Failed", "Internal: no capacity")
    assert job["statusDetails"]["trainingDetails"]["status"] == "Failed"
    assert not (standins.state / "models" / job["jobArn"].rpartition("/")[2]).exists()


# ---- once -----------------------------------------------------------------------------------------


def test_the_same_token_is_the_same_job_and_makes_and_costs_nothing(call, create, ended, own, log, client):
    first = create("twice")
    own("POST", "outcomes", {"job": {"fail": "for the next job"}})
    own("POST", "catalogue", {"play_as_active": []})
    assert create("twice") == first
    own("POST", "catalogue", {"play_as_active": [CANVAS]})
    assert [line["paid"] for line in log() if line["operation"] == "CreateModelCustomizationJob"] == [True, False]
    named = call("bedrock", "ListModelCustomizationJobs", nameContains="twice")["modelCustomizationJobSummaries"]
    assert [job["jobArn"] for job in named] == [first]
    with pytest.raises(client("bedrock").exceptions.ConflictException, match="job name is in use"):
        create("twice", clientRequestToken="another")
    assert ended(first)["status"] == "Completed"
    assert ended(create("thrice"))["failureMessage"] == "for the next job", "neither repeat nor refusal used it up"


def test_a_model_name_is_taken_as_soon_as_a_job_is_to_make_it(create, ended, client):
    arn = create("names-1", customModelName="the-model")
    for _ in range(2):
        with pytest.raises(client("bedrock").exceptions.ConflictException, match="custom model name is in use"):
            create("names-2", customModelName="the-model")
        ended(arn)


def test_many_at_once_make_one_job(create, call):
    def answers(tokens):
        with ThreadPoolExecutor(8) as pool:
            return list(pool.map(attempt, tokens))

    def attempt(token):
        try:
            return create(f"race-{token[0]}", clientRequestToken=token)
        except ClientError as error:
            return error.response["Error"]["Code"]

    assert len(set(answers(["a-same"] * 8))) == 1
    other = answers([f"b-{number}" for number in range(8)])
    assert other.count("ConflictException") == 7


# ---- lists ----------------------------------------------------------------------------------------


def test_a_list_finds_names_that_contain_and_turns_pages(call, create, client):
    arns = [create(name) for name in ("page-1", *(f"page-1-{number}" for number in range(11)))]
    ask = {"nameContains": "page-1"}
    names, more = [], {}
    while more is not None:
        answer = call("bedrock", "ListModelCustomizationJobs", **ask, **more)
        names.append([job["jobName"] for job in answer["modelCustomizationJobSummaries"]])
        more = {"nextToken": answer["nextToken"]} if "nextToken" in answer else None
    assert [len(page) for page in names] == [10, 2]
    assert names[-1][-1] == "page-1", "newest first, and the exact one on the last page"
    pages = (
        client("bedrock")
        .get_paginator("list_model_customization_jobs")
        .paginate(**ask, sortBy="CreationTime", sortOrder="Ascending", PaginationConfig={"PageSize": 5})
    )
    listed = [job for page in pages for job in page["modelCustomizationJobSummaries"]]
    assert [job["jobArn"] for job in listed] == arns
    moment = listed[5]["creationTime"]
    assert not call("bedrock", "ListModelCustomizationJobs", **ask, creationTimeBefore=listed[0]["creationTime"])[
        "modelCustomizationJobSummaries"
    ]
    later = call("bedrock", "ListModelCustomizationJobs", **ask, creationTimeAfter=moment)
    assert "page-1" not in [job["jobName"] for job in later["modelCustomizationJobSummaries"]]
    with pytest.raises(client("bedrock").exceptions.ValidationException, match="nextToken"):
        call("bedrock", "ListModelCustomizationJobs", nextToken="x")


def test_a_list_by_status(call, create, ended, own):
    own("POST", "outcomes", {"job": {"fail": "no"}})
    arn = create("by-status")
    ended(arn)

    def listed(status):
        jobs = call("bedrock", "ListModelCustomizationJobs", nameContains="by-status", statusEquals=status)
        return [job["jobArn"] for job in jobs["modelCustomizationJobSummaries"]]

    assert (listed("Failed"), listed("Completed")) == ([arn], [])


def test_custom_models_are_listed_and_deleted(call, trained, client, standins):
    arn = trained("listed", customModelName="a-listed-model")
    base = f"arn:aws:bedrock:us-east-1::foundation-model/{CANVAS}"

    def listed(**ask):
        found = call("bedrock", "ListCustomModels", nameContains="listed-mod", **ask)["modelSummaries"]
        return [(model["modelArn"], model["baseModelName"]) for model in found]

    assert (
        listed() == listed(baseModelArnEquals=base, modelStatus="Active", isOwned=True) == [(arn, "Nova Canvas")]
    )
    assert listed(foundationModelArnEquals=base.replace("canvas", "other")) == listed(modelStatus="Failed") == []
    call("bedrock", "DeleteCustomModel", modelIdentifier="a-listed-model")
    assert listed() == []
    assert not (standins.state / "models" / arn.rpartition("/")[2]).exists()
    for operation in ("GetCustomModel", "DeleteCustomModel"):
        with pytest.raises(client("bedrock").exceptions.ResourceNotFoundException):
            call("bedrock", operation, modelIdentifier=arn)
    assert call("bedrock", "GetModelCustomizationJob", jobIdentifier="listed")["status"] == "Completed"


def test_tags(call, create, ended, client):
    given = {"jobTags": [{"key": "run", "value": "one"}], "customModelTags": [{"key": "cast", "value": "x"}]}
    arn = create("tagged", **given)
    model = ended(arn)["outputModelArn"]

    def tags(of):
        found = call("bedrock", "ListTagsForResource", resourceARN=of)["tags"]
        return {tag["key"]: tag["value"] for tag in found}

    assert (tags(arn), tags(model)) == ({"run": "one"}, {"cast": "x"})
    call("bedrock", "TagResource", resourceARN=model, tags=[{"key": "run", "value": "two"}])
    call("bedrock", "UntagResource", resourceARN=model, tagKeys=["cast"])
    assert tags(model) == {"run": "two"}
    with pytest.raises(client("bedrock").exceptions.ResourceNotFoundException):
        call("bedrock", "ListTagsForResource", resourceARN=model[:-4] + "none")
