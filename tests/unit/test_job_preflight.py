"""The preflight of a training on SageMaker, and the licences that it tells."""

from collections.abc import Collection, Mapping
from typing import Any

import pytest

from storycast.errors import BudgetExceededError, StorycastError, TrainingAccessError, TrainingPlanInvalidError
from storycast.findings import Finding
from storycast.job_preflight import SERVICE, JobSite, missing_files
from storycast.licences import LICENCES, licence_of
from storycast.preflight import refuse_problems, training_findings
from storycast.settings import DEFAULT_OPEN_MODEL, Settings
from tests.fakes.services import GivenRoles, ListedModels
from tests.fakes.workflow import NOW

IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/storycast-training:1"
ROLE_ARN = "arn:aws:iam::123456789012:role/training"
BUCKET = "storycast-media"
OWN_WEIGHTS = f"s3://{BUCKET}/models/sdxl/"
COMPLETE = (
    "model_index.json",
    "scheduler/scheduler_config.json",
    "tokenizer/vocab.json",
    "tokenizer_2/vocab.json",
    *(
        f"{folder}/{name}"
        for folder in ("unet", "vae", "text_encoder", "text_encoder_2")
        for name in ("config.json", "model.fp16.safetensors")
    ),
)
ASKED: dict[str, Any] = {
    "training": {"target": "sagemaker"},
    "budget_usd": 20,
    "storyboard": {"prompts": ["Mara in the rain"]},
}


class Images:
    """An image registry that says one thing of every image."""

    def __init__(self, *, there: bool | None = True) -> None:
        self._there = there

    def has_image(self, image_uri: str) -> bool | None:
        assert image_uri == IMAGE
        return self._there


class Folders:
    """Folders of weights, by their URI."""

    def __init__(self, folders: Mapping[str, Collection[str] | None]) -> None:
        self._folders = folders

    def names(self, uri: str) -> Collection[str] | None:
        return self._folders.get(uri, ())


def site(**changes: Any) -> JobSite:
    facts: dict[str, Any] = {
        "image_uri": IMAGE,
        "role_arn": ROLE_ARN,
        "bucket": BUCKET,
        "images": Images(),
        "weights": Folders({OWN_WEIGHTS: COMPLETE}),
        "instance_quota": 1.0,
    }
    return JobSite(**{**facts, **changes})


def findings(changes: Mapping[str, Any] | None = None, **given: Any) -> list[Finding]:
    arguments: dict[str, Any] = {
        "catalogue": ListedModels(),
        "roles": GivenRoles(),
        "role_arn": "",
        "region": "us-east-1",
        "record_count": 60,
        "now": NOW,
        "site": site(),
    }
    return training_findings(Settings.model_validate({**ASKED, **(changes or {})}), **{**arguments, **given})


def trained(**training: Any) -> dict[str, Any]:
    return {"training": {"target": "sagemaker", **training}}


def on(instance_type: str) -> dict[str, Any]:
    return {**trained(lora={"instance_type": instance_type}), "budget_usd": 1000}


def of(found: list[Finding], level: str) -> list[Finding]:
    return [one for one in found if one.level == level]


def test_where_all_is_well_only_the_hub_is_unknown() -> None:
    found = findings()
    assert of(found, "problem") == of(found, "warning") == []
    assert [one.subject for one in of(found, "unknown")] == ["base model"]
    assert {one.subject for one in found} == {
        "image",
        "role",
        "base model",
        "licence",
        "instance",
        "length",
        "budget",
        "dataset",
        "quota",
        "prompts",
    }
    assert of(findings(trained(base_model=OWN_WEIGHTS)), "unknown") == []


def test_no_model_of_bedrock_is_asked_about() -> None:
    catalogue, roles = ListedModels(), GivenRoles()
    findings(catalogue=catalogue, roles=roles)
    assert catalogue.asked == []
    assert roles.asked == [(ROLE_ARN, SERVICE)]


@pytest.mark.parametrize(
    ("changes", "given", "error", "said"),
    [
        ({}, {"site": site(image_uri="")}, TrainingAccessError, "SageMakerTraining=on"),
        ({}, {"site": site(images=Images(there=False))}, TrainingAccessError, "make training-image"),
        ({}, {"roles": GivenRoles("The role does not exist.")}, TrainingAccessError, "Deploy the stack again"),
        (trained(base_model="s3://other/w/"), {}, TrainingAccessError, "WeightsBucket"),
        (trained(base_model=f"s3://{BUCKET}/runs/w/"), {}, TrainingAccessError, f"s3://{BUCKET}/models/"),
        (trained(base_model=f"s3://{BUCKET}/models/w/"), {}, TrainingPlanInvalidError, "model_index.json"),
        (trained(lora={"volume_gb": 300}), {}, TrainingPlanInvalidError, "250 GB disk of ml.g5.xlarge"),
        (on("ml.m5.xlarge"), {}, TrainingPlanInvalidError, "ml.m5.xlarge has no GPU"),
        (on("ml.p3.2xlarge"), {}, TrainingPlanInvalidError, "Turing or later"),
        (on("ml.trn1.2xlarge"), {}, TrainingPlanInvalidError, "of ml.g4dn, "),
        (trained(step_count=20_000, max_hours=2), {"record_count": 600}, TrainingPlanInvalidError, "max_hours: 2"),
        ({"budget_usd": 0}, {}, TrainingPlanInvalidError, "above 0"),
        ({"budget_usd": 2}, {}, BudgetExceededError, "before AWS ends it after hosting.hours: 2"),
        ({}, {"record_count": 0}, TrainingPlanInvalidError, "at least 1"),
        ({}, {"record_count": 10_001}, TrainingPlanInvalidError, "at most 10,000"),
        ({}, {"site": site(instance_quota=0.0)}, TrainingAccessError, "ml.g5.xlarge for spot training job usage"),
    ],
)
def test_what_stands_against_a_training(
    changes: Mapping[str, Any], given: dict[str, Any], error: type[StorycastError], said: str
) -> None:
    (problem,) = of(findings({"budget_usd": 100, **changes}, **given), "problem")
    assert problem.error is error
    assert said in problem.message


@pytest.mark.parametrize(
    ("changes", "given", "subject", "said"),
    [
        (trained(base_model="someone/model"), {}, "licence", "not known to this release"),
        (trained(lora={"instance_type": "ml.g99.xlarge"}), {}, "instance", "dearest"),
        (trained(lora={"instance_type": "ml.g4dn.xlarge"}, batch_size=2), {}, "instance", "16 GB may not hold"),
        (trained(lora={"instance_type": "ml.g5.12xlarge"}), {}, "instance", "one of the 4 GPUs"),
        (trained(max_hours=1), {}, "length", "AWS ends the job"),
        ({"budget_usd": 3}, {}, "budget", "refused unless the model is there"),
        ({}, {"region": "eu-central-1"}, "prices", "us-east-1"),
        ({}, {"record_count": 4}, "dataset", "few"),
        ({"storyboard": {"prompts": ["a"], "width": 512, "height": 512}}, {}, "size", "512 x 512"),
        ({"storyboard": {"prompts": ["A street without cars"]}}, {}, "prompts", "Image models tend"),
        ({"storyboard": {}}, {}, "prompts", "nothing is drawn"),
    ],
)
def test_what_is_told_and_stops_nothing(
    changes: Mapping[str, Any], given: dict[str, Any], subject: str, said: str
) -> None:
    found = findings({"budget_usd": 500, **changes}, **given)
    assert of(found, "problem") == []
    assert [one for one in of(found, "warning") if one.subject == subject and said in one.message]


def test_what_nobody_can_look_at_is_unknown_and_stops_nothing() -> None:
    found = findings(trained(base_model=OWN_WEIGHTS), site=None, record_count=None)
    assert [one.subject for one in of(found, "unknown")] == ["image", "role", "base model", "dataset", "quota"]
    (told,) = refuse_problems(found)
    assert "licence" in told
    hidden = site(images=Images(there=None), weights=Folders({OWN_WEIGHTS: None}), instance_quota=None)
    found = findings(trained(base_model=OWN_WEIGHTS), site=hidden, roles=GivenRoles(may_look=False))
    assert [one.subject for one in of(found, "unknown")] == ["image", "role", "base model", "quota"]


def test_another_bucket_may_hold_weights_where_the_stack_says_so() -> None:
    uri = "s3://weights-of-mine/sdxl/"
    found = findings(
        trained(base_model=uri), site=site(weights_bucket="weights-of-mine", weights=Folders({uri: COMPLETE}))
    )
    assert of(found, "problem") == []


@pytest.mark.parametrize("gone", COMPLETE)
def test_each_file_of_a_model_is_missed(gone: str) -> None:
    assert missing_files(COMPLETE) == []
    assert len(missing_files([name for name in COMPLETE if name != gone])) == 1


def test_on_demand_capacity_has_a_quota_of_its_own() -> None:
    found = findings(trained(lora={"spot": False}), site=site(instance_quota=0.0))
    (problem,) = of(found, "problem")
    assert "'ml.g5.xlarge for training job usage'" in problem.message


# ---- licences -------------------------------------------------------------------------------------


def test_the_default_models_licence_is_known_and_each_has_a_text() -> None:
    assert licence_of(DEFAULT_OPEN_MODEL).name == "CreativeML Open RAIL++-M"
    for licence in LICENCES:
        assert licence.is_known
        assert licence.link.startswith("https://")
        assert licence.link in licence.words


def test_what_nobody_looked_up_is_said_to_be_so() -> None:
    from_hub = licence_of("someone/model")
    assert not from_hub.is_known
    assert from_hub.link.endswith("/someone/model")
    own = licence_of(OWN_WEIGHTS)
    assert not own.is_known
    assert "LICENSE" in own.words
