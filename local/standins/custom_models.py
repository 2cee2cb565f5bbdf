"""Amazon Bedrock's stand-in: the custom models that come of customization jobs."""

from __future__ import annotations

from local.standins.bedrock_world import CustomModel
from local.standins.catalogue import foundation_model
from local.standins.customization import base_arn, found_job
from local.standins.errors import ModelledError
from local.standins.job_request import REGION
from local.standins.paging import page
from local.standins.service import Call, Params, Service


class CustomModels(Service):
    """Models that are there from a job's completion until somebody deletes them."""

    service_name = "bedrock"

    def get_custom_model(self, params: Params, call: Call) -> Params:
        """Describe a custom model, by its ARN or its name."""
        with self.world.bedrock.reading() as kept:
            model = found_model(kept.models, params["modelIdentifier"])
            job = found_job(kept.jobs, model.job_arn)
        call.model = model.arn
        return {
            "modelArn": model.arn,
            "modelName": model.name,
            "jobArn": job.arn,
            "jobName": job.name,
            "baseModelArn": base_arn(job.region, job.base_model),
            "customizationType": "FINE_TUNING",
            "hyperParameters": job.values,
            "trainingDataConfig": {"s3Uri": job.manifest_uri},
            "outputDataConfig": {"s3Uri": job.output_uri},
            "trainingMetrics": {"trainingLoss": job.loss},
            "creationTime": model.created_at,
            "modelStatus": "Active",
        }

    def list_custom_models(self, params: Params, _call: Call) -> Params:
        """List custom models, newest first; ``nameContains`` is a part of the name."""
        with self.world.bedrock.reading() as kept:
            shown, more = page([model for model in kept.models if _is_wanted(model, params)], params)
            return {"modelSummaries": [_summary(model) for model in shown], **more}

    def delete_custom_model(self, params: Params, call: Call) -> Params:
        """Delete a custom model that nothing hosts, not even something that is still being deleted."""
        with self.world.bedrock.changing() as kept:
            model = found_model(kept.models, params["modelIdentifier"])
            call.model = model.arn
            hosted = [one for one in kept.hostings if model.arn in {one.model_arn, one.model_arn_before}]
            if hosted:
                told = ", ".join(one.name + (" (being deleted)" if one.deleted_at else "") for one in hosted)
                raise ModelledError("ConflictException", f"The model has provisioned throughput: {told}")
            kept.models.remove(model)
        self.world.bedrock.forget_pictures(model.folder)
        return {}


def found_model(models: list[CustomModel], identifier: str) -> CustomModel:
    """The custom model with that ARN or name.

    Raises:
        ModelledError: ResourceNotFoundException.
    """
    for model in models:
        if identifier in {model.arn, model.name}:
            return model
    raise ModelledError("ResourceNotFoundException", f"There is no custom model {identifier}.")


def _is_wanted(model: CustomModel, params: Params) -> bool:
    base = base_arn(REGION, model.base_model)
    return bool(
        params.get("baseModelArnEquals", base) == base
        and params.get("foundationModelArnEquals", base) == base
        and params.get("modelStatus", "Active") == "Active"
        and params.get("isOwned", True)
    )


def _summary(model: CustomModel) -> Params:
    base = foundation_model(model.base_model)
    return {
        "modelArn": model.arn,
        "modelName": model.name,
        "creationTime": model.created_at,
        "baseModelArn": base_arn(REGION, model.base_model),
        "baseModelName": base.name if base else model.base_model,
        "customizationType": "FINE_TUNING",
        "modelStatus": "Active",
    }
