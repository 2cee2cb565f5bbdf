"""Which rights each operation needs: IAM actions, and the resources that they are asked on.

By AWS's service authorization reference (https://docs.aws.amazon.com/service-authorization/latest/reference/:
`list_amazonrekognition`, `list_amazonbedrock`, `list_amazonsagemaker`); a test holds this table to a copy that
programs can read. `iam:PassRole` stands there under "dependent actions", and so do rights to tag what is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from local.policies import Need
from local.standins.bedrock_world import ACCOUNT
from local.standins.service import Call, Params, World

#: IAM's prefix of each service's actions, by botocore's name of the service.
PREFIXES = {
    "bedrock": "bedrock",
    "bedrock-runtime": "bedrock",
    "rekognition": "rekognition",
    "sagemaker": "sagemaker",
    "sagemaker-a2i-runtime": "sagemaker",
}
#: Operations whose action has another name.
RENAMED = {"Converse": "InvokeModel"}
#: What `InvokeModel` may be asked on; which of them, the model's id says.
INVOKED = ("foundation-model", "inference-profile", "provisioned-model")
#: Types of the resources that an operation is asked on, one of each; none means that it has no resource: `*`.
RESOURCE_TYPES: dict[str, dict[str, tuple[str, ...]]] = {
    "rekognition": {
        "CreateCollection": ("collection",),
        "CreateProject": ("project",),
        "CreateProjectVersion": ("project",),
        "DeleteCollection": ("collection",),
        "DeleteFaces": ("collection",),
        "DescribeCollection": ("collection",),
        "DescribeProjectVersions": ("project",),
        "DescribeProjects": (),
        "DetectCustomLabels": ("projectversion",),
        "DetectFaces": (),
        "DetectLabels": (),
        "IndexFaces": ("collection",),
        "ListCollections": (),
        "ListFaces": ("collection",),
        "SearchFacesByImage": ("collection",),
        "StartProjectVersion": ("projectversion",),
        "StopProjectVersion": ("projectversion",),
    },
    "bedrock": {
        "CreateModelCustomizationJob": ("foundation-model", "custom-model"),
        "CreateProvisionedModelThroughput": ("custom-model",),
        "DeleteCustomModel": ("custom-model",),
        "DeleteProvisionedModelThroughput": ("provisioned-model",),
        "GetCustomModel": ("custom-model",),
        "GetFoundationModel": ("foundation-model",),
        "GetModelCustomizationJob": ("model-customization-job",),
        "GetProvisionedModelThroughput": ("provisioned-model",),
        "ListCustomModels": (),
        "ListFoundationModels": (),
        "ListModelCustomizationJobs": (),
        "ListProvisionedModelThroughputs": (),
        "ListTagsForResource": ("tagged",),
        "StopModelCustomizationJob": ("model-customization-job",),
        "TagResource": ("tagged",),
        "UntagResource": ("tagged",),
        "UpdateProvisionedModelThroughput": ("provisioned-model",),
    },
    "bedrock-runtime": {"Converse": INVOKED, "InvokeModel": INVOKED},
    "sagemaker": {
        "AddTags": ("tagged",),
        "CreateFlowDefinition": ("flow-definition",),
        "CreateHumanTaskUi": ("human-task-ui",),
        "CreateTrainingJob": ("training-job",),
        "DeleteFlowDefinition": ("flow-definition",),
        "DescribeFlowDefinition": ("flow-definition",),
        "DescribeHumanTaskUi": ("human-task-ui",),
        "DescribeTrainingJob": ("training-job",),
        "ListTags": ("tagged",),
        "ListTrainingJobs": (),
        "StopTrainingJob": ("training-job",),
    },
    "sagemaker-a2i-runtime": {
        "DeleteHumanLoop": ("human-loop",),
        "DescribeHumanLoop": ("human-loop",),
        "ListHumanLoops": (),
        "StartHumanLoop": ("flow-definition",),
        "StopHumanLoop": ("human-loop",),
    },
}

#: Regions that an inference profile may send a request to. Each needs the right on its own foundation model.
_REGIONS_OF_PROFILES = {"us": ("us-east-1", "us-east-2", "us-west-2")}
_NEW = "new"  # the id of what is yet to be made


@dataclass(frozen=True)
class _Asked:
    """A call as the makers of ARNs see it."""

    params: Params
    call: Call
    world: World

    def first(self, *names: str) -> str:
        """The first of these parameters that is there."""
        return next(str(self.params[name]) for name in names if name in self.params)

    def arn(self, service: str, kind: str, name: str, account: str = ACCOUNT) -> str:
        """An ARN of a resource; a name that is one already stays."""
        if name.startswith("arn:"):
            return name
        return f"arn:aws:{service}:{self.call.region}:{account}:{kind}/{name}"


def needs(world: World, call: Call, params: Params) -> Iterator[Need]:
    """Yield the rights that a call needs, those to hand a role over and to tag what is made included."""
    asked = _Asked(params, call, world)
    action = f"{PREFIXES[call.service]}:{RENAMED.get(call.operation, call.operation)}"
    types = RESOURCE_TYPES[call.service][call.operation]
    if types is INVOKED:
        yield from (Need(action, arn) for arn in _invoked(asked))
    for kind in () if types is INVOKED else types:
        yield Need(action, _MAKERS[kind](asked), _tags_of_job(asked) if kind == "training-job" else {})
    if not types:
        yield Need(action)
    for name, service in (("roleArn", "bedrock"), ("RoleArn", "sagemaker")):
        if name in params:
            passed_to = {"iam:PassedToService": (f"{service}.amazonaws.com",)}
            yield Need("iam:PassRole", params[name], passed_to)
    if picture := params.get("Image", {}).get("S3Object"):
        # Rekognition reads it with the caller's own rights.
        version = "Version" if "Version" in picture else ""
        yield Need(f"s3:GetObject{version}", f"arn:aws:s3:::{picture['Bucket']}/{picture['Name']}")
    if call.operation.startswith("Create"):
        yield from _tagging(asked)


def _tagging(asked: _Asked) -> Iterator[Need]:
    for name, kind in (("jobTags", "model-customization-job"), ("customModelTags", "custom-model")):
        if asked.params.get(name):
            yield Need("bedrock:TagResource", asked.arn("bedrock", kind, _NEW))
    if asked.params.get("tags"):
        yield Need("bedrock:TagResource", asked.arn("bedrock", "provisioned-model", _NEW))
    if asked.params.get("Tags"):
        action = "sagemaker:AddTags" if asked.call.service == "sagemaker" else f"{asked.call.service}:TagResource"
        for kind in RESOURCE_TYPES[asked.call.service][asked.call.operation]:
            yield Need(action, _MAKERS[kind](asked))


def _invoked(asked: _Asked) -> Iterator[str]:
    model = asked.params["modelId"]
    if model.startswith("arn:") and ":inference-profile/" not in model:
        yield model
        return
    name = model.rpartition("/")[2]
    geography, _, behind = name.partition(".")
    if "." not in behind:
        yield asked.arn("bedrock", "foundation-model", name, "")
        return
    yield asked.arn("bedrock", "inference-profile", model)
    for region in _REGIONS_OF_PROFILES.get(geography, (asked.call.region,)):
        yield f"arn:aws:bedrock:{region}::foundation-model/{behind}"


def _collection(asked: _Asked) -> str:
    return asked.arn("rekognition", "collection", asked.params["CollectionId"])


def _project(asked: _Asked) -> str:
    return asked.arn(
        "rekognition", "project", asked.params.get("ProjectArn") or f"{asked.params['ProjectName']}/0"
    )


def _foundation_model(asked: _Asked) -> str:
    return asked.arn("bedrock", "foundation-model", asked.first("baseModelIdentifier", "modelIdentifier"), "")


def _custom_model(asked: _Asked) -> str:
    name = asked.first("customModelName", "modelIdentifier", "modelId")
    with asked.world.bedrock.reading() as kept:
        found = next((model.arn for model in kept.models if name in {model.arn, model.name}), name)
    return asked.arn("bedrock", "custom-model", found)


def _customization_job(asked: _Asked) -> str:
    name = asked.params["jobIdentifier"]
    with asked.world.bedrock.reading() as kept:
        found = next((job.arn for job in kept.jobs if name in {job.arn, job.name}), name)
    return asked.arn("bedrock", "model-customization-job", found)


def _provisioned_model(asked: _Asked) -> str:
    name = asked.params["provisionedModelId"]
    with asked.world.bedrock.reading() as kept:
        found = next((one.arn for one in kept.hostings if name in {one.arn, one.name}), name)
    return asked.arn("bedrock", "provisioned-model", found)


def _tags_of_job(asked: _Asked) -> dict[str, tuple[str, ...]]:
    with asked.world.sagemaker.reading() as kept:
        job = kept.job(asked.params["TrainingJobName"])
        return {f"aws:ResourceTag/{key}": (value,) for key, value in (job.tags if job else {}).items()}


def _named(kind: str, parameter: str) -> Callable[[_Asked], Any]:
    return lambda asked: asked.arn("sagemaker", kind, asked.params[parameter])


_MAKERS: dict[str, Callable[[_Asked], str]] = {
    "collection": _collection,
    "project": _project,
    "projectversion": lambda asked: asked.first("ProjectVersionArn"),
    "foundation-model": _foundation_model,
    "custom-model": _custom_model,
    "model-customization-job": _customization_job,
    "provisioned-model": _provisioned_model,
    "tagged": lambda asked: asked.first("resourceARN", "ResourceArn"),
    "training-job": _named("training-job", "TrainingJobName"),
    "human-loop": _named("human-loop", "HumanLoopName"),
    "human-task-ui": _named("human-task-ui", "HumanTaskUiName"),
    "flow-definition": lambda asked: asked.arn(
        "sagemaker", "flow-definition", asked.first("FlowDefinitionArn", "FlowDefinitionName")
    ),
}
