"""Amazon Bedrock's stand-in: provisioned throughput, billed by the hour on AWS."""

from __future__ import annotations

from local.standins.bedrock_world import HOSTING_SECONDS, CustomModel, Hosting, new_id, now
from local.standins.customization import ACCOUNT, REGION, Customization
from local.standins.errors import ModelledError
from local.standins.outcomes import JobOutcome
from local.standins.paging import page
from local.standins.service import Call, Params, paid


class HostingService(Customization):
    """Hosting that comes into service over time, and lives on a short while after its deletion."""

    @paid
    def create_provisioned_model_throughput(self, params: Params, call: Call) -> Params:
        """Begin to host a custom model; the same token again is the same hosting."""
        model = self._model(params["modelId"])
        call.model = model.arn
        token, name = params.get("clientRequestToken"), params["provisionedModelName"]
        outcome = self.world.outcomes.take("throughput")
        asked = outcome if isinstance(outcome, JobOutcome) else JobOutcome()
        with self.world.bedrock.reading() as kept:
            for hosting in kept.hostings:
                if token is not None and hosting.token == token:
                    return {"provisionedModelArn": hosting.arn}
                if hosting.name == name:
                    raise ModelledError("ValidationException", f"The provided name is in use: {name}")
        with self.world.bedrock.changing() as kept:
            hosting = Hosting(
                arn=f"arn:aws:bedrock:{call.region}:{ACCOUNT}:provisioned-model/{new_id()}",
                name=name,
                token=token,
                model_arn=model.arn,
                model_units=params["modelUnits"],
                created_at=now(),
                seconds=HOSTING_SECONDS if asked.seconds is None else asked.seconds,
                doomed=asked.fail,
            )
            kept.hostings.append(hosting)
        return {"provisionedModelArn": hosting.arn}

    def get_provisioned_model_throughput(self, params: Params, _call: Call) -> Params:
        """Describe a hosting, by its ARN or its name; one that is being deleted still has its status."""
        hosting = self._hosting(params["provisionedModelId"])
        failure = {"failureMessage": hosting.doomed} if hosting.doomed else {}
        return {**self._described(hosting), **failure}

    def list_provisioned_model_throughputs(self, params: Params, _call: Call) -> Params:
        """List hosting, newest first; ``nameContains`` is a substring."""
        with self.world.bedrock.reading() as kept:
            found = [
                one
                for one in kept.hostings
                if params.get("nameContains", "") in one.name
                and params.get("statusEquals", one.status) == one.status
                and params.get("modelArnEquals", one.model_arn) == one.model_arn
            ]
        found.sort(key=lambda one: one.created_at, reverse=params.get("sortOrder") != "Ascending")
        shown, more = page(found, params)
        return {"provisionedModelSummaries": [self._described(one) for one in shown], **more}

    def update_provisioned_model_throughput(self, params: Params, _call: Call) -> Params:
        """Rename a hosting, or host another custom model of the same base."""
        hosting = self._hosting(params["provisionedModelId"])
        model = self._model(params["desiredModelId"]) if "desiredModelId" in params else None
        if model and model.base_model != self._model(hosting.model_arn).base_model:
            raise ModelledError("ValidationException", "The model has another base model.")
        with self.world.bedrock.changing():
            hosting.name = params.get("desiredProvisionedModelName", hosting.name)
            hosting.model_arn = model.arn if model else hosting.model_arn
        return {}

    def delete_provisioned_model_throughput(self, params: Params, _call: Call) -> Params:
        """Begin to end a hosting."""
        hosting = self._hosting(params["provisionedModelId"])
        with self.world.bedrock.changing():
            hosting.deleted_at = hosting.deleted_at or now()
        return {}

    def _hosting(self, identifier: str) -> Hosting:
        with self.world.bedrock.reading() as kept:
            for hosting in kept.hostings:
                if identifier in {hosting.arn, hosting.name, hosting.arn.rpartition("/")[2]}:
                    return hosting
        raise ModelledError("ResourceNotFoundException", f"There is no provisioned throughput {identifier}.")

    def _described(self, hosting: Hosting) -> Params:
        model: CustomModel = self._model(hosting.model_arn)
        return {
            "provisionedModelName": hosting.name,
            "provisionedModelArn": hosting.arn,
            "modelArn": hosting.model_arn,
            "desiredModelArn": hosting.model_arn,
            "foundationModelArn": f"arn:aws:bedrock:{REGION}::foundation-model/{model.base_model}",
            "modelUnits": hosting.model_units,
            "desiredModelUnits": hosting.model_units,
            "status": hosting.status,
            "creationTime": hosting.created_at,
            "lastModifiedTime": hosting.deleted_at or hosting.created_at,
        }
