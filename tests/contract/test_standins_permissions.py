"""Callers are held to their policies, as the services hold them."""

import contextlib
import json
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

from local.callers import ROOT, Caller
from local.policies import read_statements
from local.standins.permissions import RIGHTS_FILE, Permissions
from local.standins.rights import PREFIXES, RESOURCE_TYPES
from local.standins.server import running
from tests.contract.trainings import ROLE, job_request

REGION = "us-east-1"
FUNCTION = Caller("arn:aws:sts::000000000000:assumed-role/a-role/a-function", role="a-role")
KEYS = {"AKIAROOT": ROOT, "ASIAROLE": FUNCTION}


class Iam:
    """As much of IAM as permissions ask: whose key it is, and what their policy says."""

    def __init__(self):
        self.said = []

    def of(self, access_key_id):
        return KEYS.get(access_key_id)

    def statements(self, caller):
        assert caller == FUNCTION
        return read_statements({"Statement": self.said})

    def allow(self, action, resource="*", **condition):
        self.said.append({"Effect": "Allow", "Action": action, "Resource": resource, "Condition": condition})


@pytest.fixture(scope="module")
def server(environment, tmp_path_factory):
    with running(tmp_path_factory.mktemp("permissions")) as server:
        yield server


@pytest.fixture
def iam(server):
    iam = Iam()
    server.world.denial = Permissions(server.world, iam, server.state).denial
    return iam


@pytest.fixture
def client(server):
    def make(service, key="ASIAROLE"):
        return boto3.client(
            service, endpoint_url=server.url, aws_access_key_id=key, aws_secret_access_key="s", region_name=REGION
        )

    return make


def _refusal(call, **params):
    with pytest.raises(ClientError) as raised:
        call(**params)
    error = raised.value.response["Error"]
    return error["Code"], error["Message"]


def _is_denied(call, **params):
    with contextlib.suppress(ClientError):
        call(**params)
        return False
    return _refusal(call, **params)[0] == "AccessDeniedException"


def test_a_refusal_reads_as_the_services_do(iam, client):
    rekognition = client("rekognition")
    with pytest.raises(rekognition.exceptions.AccessDeniedException):
        rekognition.describe_projects()
    code, message = _refusal(rekognition.describe_collection, CollectionId="cast")
    assert code == "AccessDeniedException"
    assert message == (
        "User: arn:aws:sts::000000000000:assumed-role/a-role/a-function is not authorized to perform: "
        "rekognition:DescribeCollection on resource: arn:aws:rekognition:us-east-1:000000000000:collection/cast "
        "because no identity-based policy allows the rekognition:DescribeCollection action"
    )
    # SageMaker models no AccessDeniedException; it answers with it all the same, as any service may.
    assert _refusal(client("sagemaker").list_training_jobs)[0] == "AccessDeniedException"
    assert (
        _refusal(client("sagemaker-a2i-runtime").stop_human_loop, HumanLoopName="x")[0] == "AccessDeniedException"
    )


def test_root_may_do_everything_and_a_stranger_nothing(iam, client):
    assert client("rekognition", "AKIAROOT").list_collections()["CollectionIds"] == []
    code, _ = _refusal(client("rekognition", "AKIASTRANGER").list_collections)
    assert code == "UnrecognizedClientException"


def test_a_right_on_one_resource_is_none_on_another(iam, client):
    rekognition = client("rekognition")
    arn = f"arn:aws:rekognition:{REGION}:000000000000:collection/mine.*"
    iam.allow(["rekognition:CreateCollection", "rekognition:DescribeCollection"], arn)
    rekognition.create_collection(CollectionId="mine.cast")
    assert rekognition.describe_collection(CollectionId="mine.cast")["FaceCount"] == 0
    assert _is_denied(rekognition.create_collection, CollectionId="yours.cast")
    assert _is_denied(rekognition.delete_collection, CollectionId="mine.cast")


def test_a_denial_costs_nothing(iam, client, server):
    assert _is_denied(client("rekognition").detect_labels, Image={"Bytes": b"no picture is looked at"})
    last = server.desk.calls.since(0)[-1]
    assert (last["operation"], last["error"], last["paid"]) == ("DetectLabels", "AccessDeniedException", False)


def test_a_picture_in_s3_is_read_with_the_callers_rights(iam, client):
    rekognition = client("rekognition")
    iam.allow("rekognition:DetectLabels")
    picture = {"S3Object": {"Bucket": "media", "Name": "footage/1/frame.jpg"}}
    assert (
        "s3:GetObject on resource: arn:aws:s3:::media/footage/1"
        in _refusal(rekognition.detect_labels, Image=picture)[1]
    )
    iam.allow("s3:GetObject", "arn:aws:s3:::media/footage/*")
    assert not _is_denied(rekognition.detect_labels, Image=picture)


def test_converse_needs_the_right_to_invoke_the_model(iam, client):
    runtime = client("bedrock-runtime")
    asked = {"modelId": "amazon.nova-pro-v1:0", "messages": [{"role": "user", "content": [{"text": "Hello"}]}]}
    assert _is_denied(runtime.converse, **asked)
    iam.allow("bedrock:InvokeModel", f"arn:aws:bedrock:{REGION}::foundation-model/amazon.nova-pro-v1:0")
    assert _refusal(runtime.converse, **asked)[0] == "ValidationException", "no picture"
    assert _is_denied(runtime.converse, **{**asked, "modelId": "amazon.nova-2-lite-v1:0"})


def test_an_inference_profile_needs_the_right_on_itself_and_on_the_model_in_each_of_its_regions(iam, client):
    runtime = client("bedrock-runtime")
    asked = {"modelId": "us.amazon.nova-pro-v1:0", "messages": [{"role": "user", "content": [{"text": "Hello"}]}]}
    iam.allow("bedrock:InvokeModel", f"arn:aws:bedrock:{REGION}:000000000000:inference-profile/{asked['modelId']}")
    assert _is_denied(runtime.converse, **asked)
    iam.allow("bedrock:InvokeModel", f"arn:aws:bedrock:{REGION}::foundation-model/amazon.nova-pro-v1:0")
    assert "us-east-2::foundation-model" in _refusal(runtime.converse, **asked)[1]
    iam.allow("bedrock:InvokeModel", "arn:aws:bedrock:*::foundation-model/amazon.nova-pro-v1:0")
    assert _refusal(runtime.converse, **asked)[0] == "ValidationException", "no picture"


def test_a_job_needs_the_right_to_hand_its_role_to_bedrock_and_to_tag(iam, client):
    bedrock = client("bedrock")
    job = job_request("denied", "s3://nobody/looks/at.jsonl")
    account = f"arn:aws:bedrock:{REGION}:000000000000"
    kinds = [f"arn:aws:bedrock:{REGION}::foundation-model/*", f"{account}:custom-model/*"]
    iam.allow("bedrock:CreateModelCustomizationJob", kinds)
    assert "iam:PassRole" in _refusal(bedrock.create_model_customization_job, **job)[1]
    iam.allow("iam:PassRole", ROLE, StringEquals={"iam:PassedToService": "sagemaker.amazonaws.com"})
    assert "iam:PassRole" in _refusal(bedrock.create_model_customization_job, **job)[1]
    iam.allow("iam:PassRole", ROLE, StringEquals={"iam:PassedToService": "bedrock.amazonaws.com"})
    tagged = {**job, "jobTags": [{"key": "run", "value": "1"}]}
    assert "bedrock:TagResource" in _refusal(bedrock.create_model_customization_job, **tagged)[1]
    iam.allow("bedrock:TagResource", f"{account}:model-customization-job/*")
    assert not _is_denied(bedrock.create_model_customization_job, **tagged)


TAGS = [{"Key": "film", "Value": "1"}]
TAGGED = [
    ("sagemaker", "create_human_task_ui", {"HumanTaskUiName": "ui", "UiTemplate": {"Content": "x"}, "Tags": TAGS}),
    ("rekognition", "create_collection", {"CollectionId": "tagged.cast", "Tags": {"film": "1"}}),
]


@pytest.mark.parametrize(("service", "method", "params"), TAGGED)
def test_what_is_made_with_tags_needs_the_right_to_tag(iam, client, service, method, params):
    made = client(service)
    iam.allow(f"{service}:{made.meta.method_to_api_mapping[method]}")
    code, message = _refusal(getattr(made, method), **params)
    assert code == "AccessDeniedException"
    assert ("sagemaker:AddTags" if service == "sagemaker" else "rekognition:TagResource") in message


def test_only_a_tagged_job_may_be_stopped(iam, client):
    sagemaker = client("sagemaker")
    of_ours = {"aws:ResourceTag/storycast:run": "false"}
    iam.allow("sagemaker:StopTrainingJob", f"arn:aws:sagemaker:{REGION}:000000000000:training-job/*", Null=of_ours)
    assert _is_denied(sagemaker.stop_training_job, TrainingJobName="nobody-tagged-it")


def test_what_was_asked_is_noted_once(iam, client, server):
    iam.allow("rekognition:ListFaces", "*")
    for _ in range(3):
        _refusal(client("rekognition").list_faces, CollectionId="noted.once")
    notes = [json.loads(line) for line in Path(server.state / RIGHTS_FILE).read_text().splitlines()]
    (note,) = [note for note in notes if note["resource"].endswith("collection/noted.once")]
    assert (note["role"], note["action"], note["decision"]) == ("a-role", "rekognition:ListFaces", "allowed")


def test_every_operation_that_is_played_has_its_rights(server):
    assert set(RESOURCE_TYPES) == set(PREFIXES) == set(server.desk.services)
    for name, service in server.desk.services.items():
        assert set(RESOURCE_TYPES[name]) == set(service.operations), name
