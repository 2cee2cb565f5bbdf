"""What `storycast doctor` does: look at everything that a run needs, where looking costs nothing."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from cli.problems import DONE, FAILED, NO_REGION, InputRefusedError, explain
from cli.project import check_project
from cli.screen import Screen
from cli.target import Target, TargetChoice, opened
from cli.trainer_process import find_python
from local.standins.catalogue import foundation_model
from local.tools import Tools
from storycast.adapters.bedrock import BedrockCatalogue
from storycast.adapters.custom_labels import RekognitionVersions
from storycast.adapters.ecr import EcrImages
from storycast.adapters.iam import IamRoles
from storycast.adapters.quotas import BedrockQuotas, SageMakerQuotas
from storycast.adapters.weights import S3WeightFolders
from storycast.detector_preflight import detector_findings
from storycast.errors import (
    ModelNotAvailableError,
    SettingsInvalidError,
    StorycastError,
)
from storycast.findings import Finding
from storycast.instances import quota_name
from storycast.job_preflight import JobSite
from storycast.model_ids import plain_model_id
from storycast.ports import ModelFacts
from storycast.preflight import training_findings
from storycast.settings import Settings
from storycast.stages.check_plan import refuse_missing_flow_definition

MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "problem": ("✗", "bold red"), "unknown": ("?", "dim")}
PYTHON = (3, 13)
MODELS = (
    "efficientnet_lite0_fp16w.onnx",
    "face_detection_yunet_2023mar.onnx",
    "nanodet_g_416_fp16w.onnx",
    "u2netp.onnx",
)
"""What the stand-ins see with; vendored in ``local/models``."""
LOCAL_REGION = "us-east-1"
"""The embedded AWS's."""
_MAY_NOT_LOOK = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403"}


def examine(choice: TargetChoice, project_file: Path | None) -> list[Finding]:
    """Look at everything that a run needs at a target.

    Args:
        choice: The target; on this machine nothing is started.
        project_file: The project file, None for the defaults.

    Returns:
        Findings, first those that the others rest on.
    """
    found, settings = _project(project_file)
    if choice.kind == "local":
        return [*_machine(Tools()), *found, *_local_models(settings)]
    return [*_python(), *found, *_aws(choice, settings)]


def tell(found: Sequence[Finding], screen: Screen, *, target: str, as_json: bool) -> int:
    """Print findings, a line each, and return the exit code."""
    problems = sum(finding.level == "problem" for finding in found)
    if as_json:
        listed = [{"level": one.level, "subject": one.subject, "message": one.message} for one in found]
        screen.json(json.dumps({"target": target, "ok": not problems, "findings": listed}, indent=1))
        return FAILED if problems else DONE
    for finding in found:
        mark, style = MARKS[finding.level]
        screen.say(f"{mark} {finding.subject}: {finding.message}", style=style if finding.level != "ok" else "")
    if problems:
        screen.say(f"{problems} {'problem stands' if problems == 1 else 'problems stand'} in the way of a run.")
        return FAILED
    screen.say("Nothing stands in the way of a run.", style="green")
    return DONE


def _project(path: Path | None) -> tuple[list[Finding], Settings]:
    if path is None:
        return [Finding("ok", "project", "none given; looked at with the defaults.")], Settings()
    project, problems = check_project(path)
    settings = project.settings if project else Settings()
    found = [Finding("problem", "project", problem) for problem in problems]
    if project and not found:
        people = f"{len(settings.characters)} characters, {len(project.references)} reference pictures"
        found.append(Finding("ok", "project", f"{path} can be used: {people}."))
    return found, settings


# ---- on this machine ------------------------------------------------------------------------------


def _python() -> Iterator[Finding]:
    said = f"Python {sys.version_info.major}.{sys.version_info.minor}"
    if sys.version_info[:2] == PYTHON:
        yield Finding("ok", "python", f"{said}.")
    else:
        yield Finding(
            "problem", "python", f"{said}; this release needs 3.13. Run `make setup`, which finds or gets it."
        )


def _machine(tools: Tools) -> Iterator[Finding]:
    yield from _python()
    needed = {
        "command": tools.python,
        "emulator": tools.ministack,
        "sam": tools.sam,
        "functions' python": tools.lambda_python,
        **{f"layer {name}": tools.layer(name) for name in ("storycast", "imaging", "image")},
        **{f"model {name}": tools.repository / "local" / "models" / name for name in MODELS},
    }
    missing = {name: path for name, path in needed.items() if not path.exists()}
    for name, path in missing.items():
        message = f"{path} is missing. Run `make setup` in {tools.repository}."
        if name.startswith("model"):
            message = f"{path} is missing; it belongs to the repository. Fetch it again: git checkout -- {path}"
        yield Finding("problem", name, message)
    if not missing:
        yield Finding("ok", "setup", f"{len(needed)} programs, layers and models are there.")


@dataclass(frozen=True)
class _StandIns:
    """A :class:`~storycast.ports.ModelCatalogue` as the stand-ins will answer, without starting them."""

    settings: Settings

    def facts(self, model_id: str) -> ModelFacts:
        """Return what the stand-ins will say of a model."""
        model = foundation_model(plain_model_id(model_id))
        if model is None:
            raise ModelNotAvailableError(f"the stand-ins know no model {model_id}")
        today = datetime.now(UTC).date()
        played = model.id in self.settings.local.play_as_active
        ends_at = model.end_of_life if not played else None
        return ModelFacts(
            model_id=model_id,
            name=model.name,
            provider="local stand-in",
            status="LEGACY" if model.is_legacy(today) and not played else "ACTIVE",
            ends_at=datetime(ends_at.year, ends_at.month, ends_at.day, tzinfo=UTC) if ends_at else None,
            customizations=model.customizations,
            inference=model.inference,
        )


class _NoRoles:
    """A :class:`~storycast.ports.RoleInspector` where there is no stack whose role could be looked at."""

    def problems(self, role_arn: str, service: str) -> list[str] | None:  # noqa: ARG002 -- the protocol's
        """Return that we may not look."""
        return None


def _local_models(settings: Settings) -> Iterator[Finding]:
    catalogue = _StandIns(settings)
    yield from _models(settings, catalogue)
    for model_id in settings.local.play_as_active:
        model = foundation_model(model_id)
        ended = f"; on AWS it ended on {model.end_of_life}" if model and model.end_of_life else ""
        message = f"the stand-in plays {model_id} as active, as the project file says{ended}."
        yield Finding("warning", "local.play_as_active", message)
    found = training_findings(
        settings,
        catalogue=catalogue,
        roles=_NoRoles(),
        role_arn="",
        region=LOCAL_REGION,
        record_count=None,
        now=datetime.now(UTC),
    )
    # The stand-ins host and train as much as is asked for, by roles that the template makes, without an image.
    yield from (finding for finding in found if finding.subject not in {"role", "quota", "image"})
    yield from detector_findings(settings, None)
    if settings.training.target == "sagemaker":
        yield _trainer()


def _trainer() -> Finding:
    """Look for the environment that the stand-in's training job runs the real trainer in."""
    try:
        given = os.environ.get("STORYCAST_TRAINING_PYTHON")
        python = find_python(Path(given) if given else None)
    except InputRefusedError as error:
        return Finding("problem", "trainer", " ".join(error.problems))
    message = f"{python} trains a tiny model with random weights in the base model's place."
    return Finding("ok", "trainer", message)


# ---- on AWS ---------------------------------------------------------------------------------------


def _aws(choice: TargetChoice, settings: Settings) -> Iterator[Finding]:
    session = boto3.Session()
    region = session.region_name
    if not region:
        yield Finding("problem", "region", NO_REGION)
        return
    yield Finding("ok", "region", f"{region}.")
    who = _asked("credentials", lambda: session.client("sts").get_caller_identity()["Arn"])
    yield who
    if who.level == "problem":
        return
    try:
        with opened(choice, Screen()) as target:
            yield Finding("ok", "stack", f"{choice.stack} is deployed.")
            yield from _stack(target)
            yield from _review(target, settings)
            role_arn = target.outputs.get("CustomizationRoleArn", "")
            site = _site(target, settings) if settings.training.target == "sagemaker" else None
            yield from _models_and_training(target.client, settings, region, role_arn, site)
            return
    except (ClientError, BotoCoreError, StorycastError) as error:
        yield Finding("problem", "stack", _said(error))
    make: Any = session.client
    yield from _models_and_training(make, settings, region, "", None)


def _stack(target: Target) -> Iterator[Finding]:
    yield _asked("bucket", lambda: target.s3.head_bucket(Bucket=target.bucket) and target.bucket)
    yield _asked("table", lambda: target.dynamodb.describe_table(TableName=target.table) and target.table)


def _review(target: Target, settings: Settings) -> Iterator[Finding]:
    flow_definition_arn = target.outputs.get("A2iFlowDefinitionArn", "")
    try:
        refuse_missing_flow_definition(settings, flow_definition_arn)
    except SettingsInvalidError as error:
        yield Finding("problem", "review", str(error), SettingsInvalidError)
    else:
        if settings.review.mode == "a2i":
            yield Finding("ok", "review", f"workers of {flow_definition_arn}.")


def _site(target: Target, settings: Settings) -> JobSite:
    """Return where the stack's training jobs run; its outputs name nothing of them where they are switched off."""
    outputs, lora = target.outputs, settings.training.lora
    quota = quota_name(lora.instance_type, spot=lora.spot)
    return JobSite(
        image_uri=outputs.get("TrainingImageUri", ""),
        role_arn=outputs.get("TrainingRoleArn", ""),
        bucket=target.bucket,
        weights_bucket=outputs.get("WeightsBucket", ""),
        images=EcrImages(target.client("ecr")),
        weights=S3WeightFolders(target.s3),
        instance_quota=SageMakerQuotas(target.client("service-quotas")).instances(quota),
    )


def _models_and_training(
    client: Callable[[str], Any], settings: Settings, region: str, role_arn: str, site: JobSite | None
) -> Iterator[Finding]:
    catalogue = BedrockCatalogue(client("bedrock"))
    for finding in _models(settings, catalogue):
        yield finding
        if finding.level == "ok":
            yield from _access(client("bedrock"), finding.subject)
    try:
        yield from training_findings(
            settings,
            catalogue=catalogue,
            roles=IamRoles(client("iam")),
            role_arn=role_arn,
            region=region,
            record_count=None,
            now=datetime.now(UTC),
            hosting_units=BedrockQuotas(client("service-quotas")).hosting_units(),
            site=site,
        )
    except (ClientError, BotoCoreError, StorycastError) as error:
        yield _failed("training", error)
    try:
        rekognition = client("rekognition")
        yield from detector_findings(settings, RekognitionVersions(rekognition, rekognition))
    except (ClientError, BotoCoreError, StorycastError) as error:
        yield _failed("custom labels", error)


def _models(settings: Settings, catalogue: Any) -> Iterator[Finding]:
    """Yield whether the models live that every run asks; the finding's subject is the model's id."""
    now = datetime.now(UTC)
    for model_id in dict.fromkeys((settings.duplicates.embedding, settings.captions.model)):
        try:
            facts: ModelFacts = catalogue.facts(model_id)
        except ModelNotAvailableError as error:
            yield Finding("problem", model_id, f"is not there ({error}). Name another model in the project file.")
        except (ClientError, BotoCoreError, StorycastError) as error:
            yield _failed(model_id, error)
        else:
            yield _life(facts, now)


def _life(facts: ModelFacts, now: datetime) -> Finding:
    if facts.ends_at is not None and facts.ends_at <= now:
        message = f"ended on {facts.ends_at:%Y-%m-%d}. Name a model in the project file that is active."
        return Finding("problem", facts.model_id, message)
    if facts.ends_at is not None or facts.status == "LEGACY":
        until = f"{facts.ends_at:%Y-%m-%d}" if facts.ends_at else "a day not told"
        return Finding("warning", facts.model_id, f"is there until {until}. Choose another model soon.")
    return Finding("ok", facts.model_id, "is active.")


def _access(bedrock: Any, model_id: str) -> Iterator[Finding]:
    """Yield a problem where the account has no access to a model; nothing where it has."""
    plain = plain_model_id(model_id)
    try:
        told = bedrock.get_foundation_model_availability(modelId=plain)
    except (ClientError, BotoCoreError):
        yield Finding(
            "unknown", model_id, "whether the account has access was not told; a run's first call tells."
        )
        return
    denied = [
        f"{name}: {told[name]}"
        for name, good in (
            ("authorizationStatus", "AUTHORIZED"),
            ("entitlementAvailability", "AVAILABLE"),
            ("regionAvailability", "AVAILABLE"),
        )
        if told.get(name, good) != good
    ]
    if denied:
        message = f"can't be used by this account ({', '.join(denied)}). Ask for access in Bedrock's console."
        yield Finding("problem", model_id, message)


def _asked(subject: str, ask: Callable[[], Any]) -> Finding:
    try:
        return Finding("ok", subject, f"{ask()}.")
    except (ClientError, BotoCoreError) as error:
        return _failed(subject, error)


def _failed(subject: str, error: Exception) -> Finding:
    code = error.response.get("Error", {}).get("Code", "") if isinstance(error, ClientError) else ""
    if code in _MAY_NOT_LOOK:
        # What a run needs is done by its functions' roles; that this identity may not look decides nothing.
        message = f"these credentials may not look ({code}); the functions of a run have roles of their own."
        return Finding("unknown", subject, message)
    return Finding("problem", subject, _said(error))


def _said(error: Exception) -> str:
    if isinstance(error, ClientError) and error.operation_name != "GetCallerIdentity":
        details = error.response.get("Error", {})
        return f"{error.operation_name} failed ({details.get('Code', '')}): {details.get('Message', '')}"
    known = explain(error)
    return known[0] if known else f"{type(error).__name__}: {error}"
