"""Amazon Bedrock's stand-in: provisioned throughput, billed by the hour on AWS."""

from __future__ import annotations

from local.standins import bedrock_world
from local.standins.bedrock_world import ACCOUNT, CustomModel, Hosting, new_id, now
from local.standins.catalogue import foundation_model, is_fresh
from local.standins.custom_models import found_model
from local.standins.customization import base_arn
from local.standins.errors import ModelledError
from local.standins.job_request import REGION
from local.standins.outcomes import ThroughputOutcome
from local.standins.paging import page
from local.standins.service import Call, Params, Service, paid, without_none


class HostingService(Service):
    """Hosting that comes into service over time, and lives on a short while after its deletion."""

    service_name = "bedrock"

    @paid
    def create_provisioned_model_throughput(self, params: Params, call: Call) -> Params:
        """Begin to host a custom model; the same token again is the same hosting."""
        token, name = params.get("clientRequestToken"), params["provisionedModelName"]
        call.model = params["modelId"]
        with self.world.bedrock.changing() as kept:
            first = next((one for one in kept.hostings if token is not None and one.token == token), None)
            if first:
                call.is_repeat = True
                return {"provisionedModelArn": first.arn}
            model = found_model(kept.models, params["modelId"])
            call.model = model.arn
            _check_base(model)
            if "commitmentDuration" in params:
                message = "The local stand-in hosts without commitment only: leave commitmentDuration out."
                raise ModelledError("ValidationException", message)
            _check_name(kept.hostings, name)
            asked, moment = self.world.outcomes.take(ThroughputOutcome), now()
            usual = 0.0 if asked.fail else bedrock_world.HOSTING_SECONDS
            deletion = asked.deletion_seconds
            hosting = Hosting(
                arn=f"arn:aws:bedrock:{call.region}:{ACCOUNT}:provisioned-model/{new_id()}",
                name=name,
                token=token,
                model_arn=model.arn,
                model_arn_before=model.arn,
                model_units=params["modelUnits"],
                tags={tag["key"]: tag["value"] for tag in params.get("tags", ())},
                created_at=moment,
                changed_at=moment,
                seconds=usual if asked.seconds is None else asked.seconds,
                doomed=asked.fail,
                deletion_seconds=bedrock_world.DELETION_SECONDS if deletion is None else deletion,
            )
            kept.hostings.append(hosting)
        return {"provisionedModelArn": hosting.arn}

    def get_provisioned_model_throughput(self, params: Params, call: Call) -> Params:
        """Describe a hosting, by its ARN or its name; one that is being deleted still has its status."""
        with self.world.bedrock.reading() as kept:
            hosting = _found(kept.hostings, params["provisionedModelId"])
            call.model = hosting.arn
            failure = hosting.doomed if hosting.status == "Failed" else None
            return without_none(_described(kept.models, hosting) | {"failureMessage": failure})

    def list_provisioned_model_throughputs(self, params: Params, _call: Call) -> Params:
        """List hosting, newest first; ``nameContains`` is a part of the name."""
        with self.world.bedrock.reading() as kept:
            found = [
                one
                for one in kept.hostings
                if params.get("statusEquals", one.status) == one.status
                and params.get("modelArnEquals", one.current_model_arn) == one.current_model_arn
            ]
            shown, more = page(found, params)
            return {"provisionedModelSummaries": [_described(kept.models, one) for one in shown], **more}

    def update_provisioned_model_throughput(self, params: Params, call: Call) -> Params:
        """Rename a hosting, or host another custom model of the same base, which takes a moment."""
        with self.world.bedrock.changing() as kept:
            hosting = _found(kept.hostings, params["provisionedModelId"])
            call.model = hosting.arn
            if hosting.deleted_at or hosting.status != "InService":
                told = "being deleted" if hosting.deleted_at else hosting.status
                message = f"The provisioned throughput {hosting.name} is {told} and can't be updated."
                raise ModelledError("ValidationException", message)
            name = params.get("desiredProvisionedModelName", hosting.name)
            _check_name([one for one in kept.hostings if one is not hosting], name)
            before = found_model(kept.models, hosting.model_arn)
            model = found_model(kept.models, params["desiredModelId"]) if "desiredModelId" in params else before
            if model.base_model != before.base_model:
                raise ModelledError("ValidationException", "The model has another base model.")
            hosting.name, hosting.changed_at = name, now()
            hosting.model_arn, hosting.model_arn_before = model.arn, before.arn
        return {}

    def delete_provisioned_model_throughput(self, params: Params, call: Call) -> Params:
        """Begin to end a hosting."""
        with self.world.bedrock.changing() as kept:
            hosting = _found(kept.hostings, params["provisionedModelId"])
            call.model = hosting.arn
            hosting.deleted_at = hosting.deleted_at or now()
        return {}


def _check_base(model: CustomModel) -> None:
    """Refuse to host what came of a model that is Legacy or has ended, as the service does."""
    base = foundation_model(model.base_model)
    if base is None or not is_fresh(base):
        message = f"The base model {model.base_model} is Legacy: no provisioned throughput can be made for it."
        raise ModelledError("ValidationException", message)


def _check_name(hostings: list[Hosting], name: str) -> None:
    if any(one.name == name for one in hostings):
        raise ModelledError("ValidationException", f"The provided provisioned model name is in use: {name}")


def _found(hostings: list[Hosting], identifier: str) -> Hosting:
    for hosting in hostings:
        if identifier in {hosting.arn, hosting.name, hosting.arn.rpartition("/")[2]}:
            return hosting
    raise ModelledError("ResourceNotFoundException", f"There is no provisioned throughput {identifier}.")


def _described(models: list[CustomModel], hosting: Hosting) -> Params:
    model = found_model(models, hosting.model_arn)
    return {
        "provisionedModelName": hosting.name,
        "provisionedModelArn": hosting.arn,
        "modelArn": hosting.current_model_arn,
        "desiredModelArn": hosting.model_arn,
        "foundationModelArn": base_arn(REGION, model.base_model),
        "modelUnits": hosting.model_units,
        "desiredModelUnits": hosting.model_units,
        "status": hosting.status,
        "creationTime": hosting.created_at,
        "lastModifiedTime": hosting.deleted_at or hosting.changed_at,
    }
