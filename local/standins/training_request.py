"""What CreateTrainingJob is asked for, and what SageMaker refuses before a job begins."""

from __future__ import annotations

import re
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local.standins.assumed_role import AssumedRole, RoleRefusedError, trust_problem
from local.standins.emulator import EmulatorUnknownError, emulator_client
from local.standins.errors import RefusedError
from local.standins.sagemaker_world import DEFAULT_RUN_S
from local.standins.service import Params

PRINCIPAL = "sagemaker.amazonaws.com"
MAX_RUN_S = 28 * 24 * 3600
#: The most that a job on spot capacity may take in all where it keeps no checkpoints.
MAX_WAIT_WITHOUT_CHECKPOINTS_S = 3600
_ECR_IMAGE = re.compile(
    r"\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/[a-z0-9._/-]+(:[\w.-]+|@sha256:[0-9a-f]{64})"
)
#: What a training job of SageMaker may have, and none of ours has.
_NOT_PLAYED = ("ServerlessJobConfig", "VpcConfig", "RetryStrategy", "ModelPackageConfig", "MlflowConfig")


class JobRole(AssumedRole):
    """S3 as a training job's role sees it."""

    def __init__(self, role_arn: str, job_name: str) -> None:
        """Assume a job's role; see ``AssumedRole``."""
        super().__init__(role_arn, f"SageMaker-{job_name}", called="the job's role")


def check_request(params: Params) -> None:
    """Refuse what can't be run.

    Raises:
        RefusedError: ValidationException, with what is wrong.
    """
    if unknown := [name for name in _NOT_PLAYED if name in params]:
        raise _invalid(f"The local stand-in does not play {', '.join(unknown)}.")
    _check_image(params["AlgorithmSpecification"])
    _check_machine(params)
    _check_time(params)
    for channel in params.get("InputDataConfig", ()):
        _check_channel(channel)
    _check_role(params)


def _check_image(algorithm: dict[str, Any]) -> None:
    image = algorithm.get("TrainingImage")
    if image is None or "AlgorithmName" in algorithm:
        raise _invalid("Either TrainingImage or AlgorithmName must be provided; the local stand-in plays images.")
    if not _ECR_IMAGE.fullmatch(image):
        raise _invalid(f'Using non-ECR image "{image}" without Vpc repository access mode is not supported.')
    if algorithm["TrainingInputMode"] != "File":
        raise _invalid("The local stand-in plays the TrainingInputMode File only.")
    for metric in algorithm.get("MetricDefinitions", ()):
        try:
            is_fine = re.compile(metric["Regex"]).groups >= 1
        except re.error:
            is_fine = False
        if not is_fine:
            raise _invalid(f"The Regex of the metric {metric['Name']} is none, or has no group.")


def _check_machine(params: Params) -> None:
    machine = params.get("ResourceConfig")
    if machine is None:
        raise _invalid("ResourceConfig is required.")
    for name in ("InstanceType", "InstanceCount", "VolumeSizeInGB"):
        if not machine.get(name):
            raise _invalid(f"ResourceConfig.{name} is required, and is at least 1.")
    if machine["InstanceCount"] != 1:
        raise _invalid("The local stand-in plays jobs of one instance.")


def _check_time(params: Params) -> None:
    most = params.get("StoppingCondition", {})
    run_s, wait_s = most.get("MaxRuntimeInSeconds", DEFAULT_RUN_S), most.get("MaxWaitTimeInSeconds")
    if run_s > MAX_RUN_S:
        raise _invalid(f"MaxRuntimeInSeconds is at most {MAX_RUN_S}.")
    if not params.get("EnableManagedSpotTraining"):
        if wait_s is not None:
            raise _invalid("MaxWaitTimeInSeconds can be specified only where EnableManagedSpotTraining is true.")
    elif wait_s is None or wait_s < run_s:
        message = "It must be present and be greater than or equal to MaxRuntimeInSeconds"
        raise _invalid(f"Invalid MaxWaitTimeInSeconds. {message}")
    elif "CheckpointConfig" not in params and wait_s > MAX_WAIT_WITHOUT_CHECKPOINTS_S:
        raise _invalid(f"MaxWaitTimeInSeconds above {MAX_WAIT_WITHOUT_CHECKPOINTS_S} needs a CheckpointConfig.")


def _check_channel(channel: dict[str, Any]) -> None:
    source = channel["DataSource"].get("S3DataSource")
    if source is None or source["S3DataType"] not in {"S3Prefix", "ManifestFile"}:
        raise _invalid(
            f"The local stand-in plays S3Prefix and ManifestFile; see the channel {channel['ChannelName']}."
        )
    if channel.get("CompressionType", "None") != "None" or channel.get("InputMode", "File") != "File":
        raise _invalid(f"The local stand-in plays files as they are; see the channel {channel['ChannelName']}.")


def _check_role(params: Params) -> None:
    """Look at the role, and with it for the input; at the buckets that are written to with our own keys."""
    arn = params["RoleArn"]
    problem = ""
    try:
        problem = trust_problem(arn, PRINCIPAL)
        role = None if problem else JobRole(arn, params["TrainingJobName"])
    except RoleRefusedError as error:
        problem = str(error)
    if problem or role is None:
        message = f"Please ensure that the role exists and allows principal '{PRINCIPAL}' to assume the role"
        raise _invalid(f"Could not assume role {arn}. {message}: {problem}")
    for channel in params.get("InputDataConfig", ()):
        uri = channel["DataSource"]["S3DataSource"]["S3Uri"]
        if not _is_there(role, uri):
            raise _invalid(nothing_there(uri, arn))
    written = [params["OutputDataConfig"]["S3OutputPath"], params.get("CheckpointConfig", {}).get("S3Uri")]
    for uri in filter(None, written):
        _check_bucket(uri)


def _is_there(role: JobRole, uri: str) -> bool:
    try:
        return next(iter(role.keys(uri)), None) is not None
    except RoleRefusedError:
        return False


def nothing_there(uri: str, role_arn: str) -> str:
    """What SageMaker says of input that there is none of, or that the role may not look for."""
    bucket = uri.removeprefix("s3://").partition("/")[0]
    return (
        f'No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure that the bucket '
        f'exists in the selected region, that objects exist under that S3 prefix, and that the role "{role_arn}" '
        f'has "s3:ListBucket" permissions on bucket "{bucket}".'
    )


def _check_bucket(uri: str) -> None:
    bucket = uri.removeprefix("s3://").partition("/")[0]
    try:
        emulator_client("s3").head_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] in {"404", "NoSuchBucket"}:
            raise _invalid(f"The bucket {bucket} of {uri} does not exist.") from error
    except (BotoCoreError, EmulatorUnknownError) as error:
        raise _invalid(f"The bucket {bucket} of {uri} can't be looked at: {error}") from error


def _invalid(message: str) -> RefusedError:
    return RefusedError("ValidationException", message)
