"""The embedded AWS runs an application as AWS does, and keeps what it stored."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from local.deployment import DeploymentError
from local.embedded_aws import EmbeddedAws
from local.instance import InstanceError
from tests.local.conftest import eventually, invoke, small_aws, upload

pytestmark = pytest.mark.e2e


def test_an_upload_starts_the_workflow_which_maps_over_its_lines(aws: EmbeddedAws) -> None:
    execution = upload(aws, "uploads/street map ü.jsonl", {"name": "ann"}, {"name": "bob"})
    assert execution["status"] == "SUCCEEDED", execution
    assert json.loads(execution["output"]) == {"text": "HELLO ALL"}
    listed = aws.client("s3").list_objects_v2(Bucket=aws.outputs["BucketName"], Prefix="results/")
    assert {"results/ann.txt", "results/bob.txt"} <= {item["Key"] for item in listed["Contents"]}


def test_an_empty_upload_starts_nothing(aws: EmbeddedAws) -> None:
    aws.client("s3").put_object(Bucket=aws.outputs["BucketName"], Key="uploads/folder/", Body=b"")
    upload(aws, "uploads/later.jsonl", {"name": "ann"})  # its execution has ended, so the other's had begun
    stepfunctions = aws.client("stepfunctions")
    listed = stepfunctions.list_executions(stateMachineArn=aws.outputs["GreetAllMachineArn"])["executions"]
    inputs = [stepfunctions.describe_execution(executionArn=item["executionArn"])["input"] for item in listed]
    assert not [text for text in inputs if "uploads/folder/" in text]


def test_the_class_of_an_exception_is_the_error_of_the_execution(aws: EmbeddedAws) -> None:
    assert invoke(aws, "GreetItemFunctionArn", nobody=1)["errorType"] == "NameMissingError"
    machine = aws.client("stepfunctions")
    role = machine.describe_state_machine(stateMachineArn=aws.outputs["GreetAllMachineArn"])["roleArn"]
    definition = {
        "StartAt": "Greet",
        "States": {"Greet": {"Type": "Task", "Resource": aws.outputs["GreetItemFunctionArn"], "End": True}},
    }
    arn = machine.create_state_machine(name="one", roleArn=role, definition=json.dumps(definition))[
        "stateMachineArn"
    ]
    started = machine.start_execution(stateMachineArn=arn, input="{}")["executionArn"]

    def failed() -> dict[str, str] | None:
        found: dict[str, str] = machine.describe_execution(executionArn=started)
        return found if found["status"] != "RUNNING" else None

    execution = eventually(failed)
    assert (execution["status"], execution["error"]) == ("FAILED", "NameMissingError")


def test_a_function_sees_the_layers_it_lists_and_no_other(aws: EmbeddedAws) -> None:
    assert invoke(aws, "PaintItemFunctionArn") == {"pixels": 6}
    assert invoke(aws, "GreetItemFunctionArn", name="ann")["imaging"] is False


def test_a_function_may_do_what_its_role_allows_and_no_more(aws: EmbeddedAws) -> None:
    error = invoke(aws, "GreetItemFunctionArn", name="ann", key="elsewhere/ann.txt")
    assert "AccessDenied" in error["errorMessage"]
    assert "s3:PutObject" in error["errorMessage"]


def test_unknown_keys_are_refused(aws: EmbeddedAws) -> None:
    import boto3

    stranger = boto3.client(
        "s3",
        endpoint_url=aws.endpoints.emulator,
        aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
        aws_secret_access_key="no",
        region_name="us-east-1",
    )
    with pytest.raises(ClientError, match="InvalidAccessKeyId"):
        stranger.list_buckets()


def test_requests_without_keys_are_refused(aws: EmbeddedAws) -> None:
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{aws.endpoints.emulator}/{aws.outputs['BucketName']}?list-type=2")


def test_a_child_process_finds_the_instance_by_its_environment(aws: EmbeddedAws) -> None:
    code = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
    result = subprocess.run(
        [sys.executable, "-c", code], env=aws.environment(), capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "arn:aws:iam::000000000000:root"


def test_the_standins_know_the_emulator(aws: EmbeddedAws) -> None:
    with urllib.request.urlopen(f"{aws.endpoints.standins}/_storycast/health") as response:
        assert json.load(response) == {"emulator": aws.endpoints.emulator}


def test_it_listens_on_loopback_only(aws: EmbeddedAws) -> None:
    listening = Path("/proc/net/tcp")
    if not listening.exists():
        pytest.skip("reads Linux's table of sockets")
    ours = {f"{port:04X}" for port in (aws.endpoints.emulator_port, aws.endpoints.standins_port, 8883)}
    addresses = {
        address
        for line in listening.read_text().splitlines()[1:]
        for address, port, state in [(*line.split()[1].split(":"), line.split()[3])]
        if port in ours and state == "0A"
    }
    assert addresses == {"0100007F"}


def test_what_was_stored_survives_down_and_up(state_dir: Path) -> None:
    with small_aws(state_dir) as aws:
        bucket, before = aws.outputs["BucketName"], aws.outputs
        first = aws.client("s3").put_object(Bucket=bucket, Key="kept", Body=b"1")["VersionId"]
        aws.client("s3").put_object(Bucket=bucket, Key="kept", Body=b"2")
        invoke(aws, "GreetItemFunctionArn", name="ann")
    deployed_at = (state_dir / "deployment/sam-deploy.log").stat().st_mtime_ns
    with small_aws(state_dir) as aws:
        assert aws.outputs == before
        assert (state_dir / "deployment/sam-deploy.log").stat().st_mtime_ns == deployed_at
        get = aws.client("s3").get_object
        assert get(Bucket=bucket, Key="kept", VersionId=first)["Body"].read() == b"1"
        assert get(Bucket=bucket, Key="kept")["Body"].read() == b"2"
        assert aws.client("dynamodb").scan(TableName=before["TableName"])["Count"] == 1
        assert upload(aws, "uploads/again.jsonl", {"name": "eve"})["status"] == "SUCCEEDED"
        assert "AccessDenied" in invoke(aws, "GreetItemFunctionArn", name="x", key="no")["errorMessage"]


def test_objects_survive_a_crash(state_dir: Path) -> None:
    aws = small_aws(state_dir, tied=True).up()
    bucket = aws.outputs["BucketName"]
    aws.client("s3").put_object(Bucket=bucket, Key="paid for", Body=b"1")
    aws.client("s3").put_object(Bucket=bucket, Key="paid for", Body=b"2")
    os.killpg(aws.status().pid, signal.SIGKILL)
    eventually(lambda: not aws.status().up)
    with pytest.raises(InstanceError, match="not up"):
        aws.client("s3")
    with small_aws(state_dir) as again:
        s3 = again.client("s3")
        assert s3.get_object(Bucket=bucket, Key="paid for")["Body"].read() == b"2"
        assert len(s3.list_object_versions(Bucket=bucket, Prefix="paid")["Versions"]) == 2
        assert upload(again, "uploads/after.jsonl", {"name": "eve"})["status"] == "SUCCEEDED"


def test_changed_code_is_deployed_over_what_is_there(state_dir: Path, app: Path) -> None:
    with small_aws(state_dir, app) as aws:
        assert invoke(aws, "GreetItemFunctionArn", name="ann")["text"] == "Hello ann"
        bucket = aws.outputs["BucketName"]
        aws.client("s3").put_object(Bucket=bucket, Key="kept", Body=b"1")
        greeting = app / "layers/storycast/greeting/__init__.py"
        greeting.write_text(greeting.read_text().replace("Hello", "Goodbye"))
        aws.up()
        assert invoke(aws, "GreetItemFunctionArn", name="ann")["text"] == "Goodbye ann"
        assert invoke(aws, "ShoutItemFunctionArn", name="ann")["text"] == "GOODBYE ANN"
        assert aws.client("s3").get_object(Bucket=bucket, Key="kept")["Body"].read() == b"1"


def test_a_template_that_cannot_be_deployed_leaves_all_as_it_was(state_dir: Path, app: Path) -> None:
    template = app / "template.yaml"
    template.write_text(template.read_text().replace("AWS::DynamoDB::Table", "AWS::DynamoDB::Chair"))
    with pytest.raises(DeploymentError, match="Chair"):
        small_aws(state_dir, app, tied=True).up()
    assert not small_aws(state_dir).status().up
    with small_aws(state_dir) as aws:
        assert invoke(aws, "GreetItemFunctionArn", name="ann")["text"] == "Hello ann"


def test_two_instances_live_side_by_side(aws: EmbeddedAws, state_dir: Path) -> None:
    with small_aws(state_dir) as other:
        assert other.endpoints != aws.endpoints
        other.client("s3").put_object(Bucket=other.outputs["BucketName"], Key="only/here", Body=b"")
        assert invoke(other, "GreetItemFunctionArn", name="ann")["text"] == "Hello ann"
        listed = aws.client("s3").list_objects_v2(Bucket=aws.outputs["BucketName"], Prefix="only/")
        assert listed["KeyCount"] == 0
    assert invoke(aws, "GreetItemFunctionArn", name="ann")["text"] == "Hello ann"
