"""Amazon SageMaker's stand-in: training jobs, and as much of it as a review by Amazon A2I needs."""

from __future__ import annotations

import hashlib

from local.standins.a2i_world import Flow, TaskUi, built_in, flow_arn
from local.standins.assumed_role import RoleRefusedError, trust_problem
from local.standins.bedrock_world import ACCOUNT, now
from local.standins.errors import ModelledError, RefusedError
from local.standins.service import Call, Params
from local.standins.training_jobs import TrainingJobs
from local.standins.training_request import PRINCIPAL
from local.standins.worker_template import TemplateRefusedError, check_template


class SageMaker(TrainingJobs):
    """Worker templates and flow definitions, beside training jobs."""

    def create_human_task_ui(self, params: Params, call: Call) -> Params:
        """Keep a worker template; one whose Liquid can't be read is refused."""
        name, content = params["HumanTaskUiName"], params["UiTemplate"]["Content"]
        try:
            check_template(content)
        except TemplateRefusedError as error:
            raise RefusedError("ValidationException", str(error)) from error
        with self.world.a2i.changing() as kept:
            if any(ui.name == name for ui in kept.uis):
                raise ModelledError("ResourceInUse", f"A human task UI with the name {name} exists already.")
            arn = f"arn:aws:sagemaker:{call.region}:{ACCOUNT}:human-task-ui/{name}"
            kept.uis.append(TaskUi(name=name, arn=arn, content=content, created_at=now()))
        return {"HumanTaskUiArn": arn}

    def describe_human_task_ui(self, params: Params, _call: Call) -> Params:
        """Describe a worker template by the hash of its content."""
        with self.world.a2i.reading() as kept:
            for ui in kept.uis:
                if ui.name == params["HumanTaskUiName"]:
                    return {
                        "HumanTaskUiArn": ui.arn,
                        "HumanTaskUiName": ui.name,
                        "HumanTaskUiStatus": "Active",
                        "CreationTime": ui.created_at,
                        "UiTemplate": {"ContentSha256": hashlib.sha256(ui.content.encode()).hexdigest()},
                    }
        raise ModelledError("ResourceNotFound", f"There is no human task UI {params['HumanTaskUiName']}.")

    def create_flow_definition(self, params: Params, call: Call) -> Params:
        """Keep a flow definition; its role must be one that SageMaker may assume."""
        name, config = params["FlowDefinitionName"], params["HumanLoopConfig"]
        call.model = flow_arn(call.region, name)
        if not params["OutputConfig"]["S3OutputPath"].startswith("s3://"):
            raise RefusedError("ValidationException", "S3OutputPath must be s3://<bucket>/<prefix>.")
        try:
            problem = trust_problem(params["RoleArn"], PRINCIPAL)
        except RoleRefusedError as error:
            problem = str(error)
        if problem:
            raise RefusedError("ValidationException", problem)
        with self.world.a2i.changing() as kept:
            if name in {flow.name for flow in (*kept.flows, built_in())}:
                raise ModelledError("ResourceInUse", f"A flow definition with the name {name} exists already.")
            if not any(ui.arn == config["HumanTaskUiArn"] for ui in kept.uis):
                raise RefusedError("ValidationException", f"There is no human task UI {config['HumanTaskUiArn']}.")
            flow = Flow(
                name=name,
                arn=call.model,
                role_arn=params["RoleArn"],
                config=config,
                output=params["OutputConfig"],
                created_at=now(),
            )
            kept.flows.append(flow)
        return {"FlowDefinitionArn": flow.arn}

    def describe_flow_definition(self, params: Params, call: Call) -> Params:
        """Describe a flow definition, which is ``Initializing`` for a moment."""
        with self.world.a2i.reading() as kept:
            for flow in (*kept.flows, built_in()):
                if flow.name == params["FlowDefinitionName"]:
                    call.model = flow.arn
                    return {
                        "FlowDefinitionArn": flow.arn,
                        "FlowDefinitionName": flow.name,
                        "FlowDefinitionStatus": flow.status,
                        "CreationTime": flow.created_at,
                        "HumanLoopConfig": flow.config,
                        "OutputConfig": flow.output,
                        "RoleArn": flow.role_arn,
                    }
        raise ModelledError("ResourceNotFound", f"There is no flow definition {params['FlowDefinitionName']}.")

    def delete_flow_definition(self, params: Params, _call: Call) -> Params:
        """Delete a flow definition whose loops have all ended."""
        with self.world.a2i.changing() as kept:
            flow = next((one for one in kept.flows if one.name == params["FlowDefinitionName"]), None)
            if flow is None:
                raise ModelledError(
                    "ResourceNotFound", f"There is no flow definition {params['FlowDefinitionName']}."
                )
            running = [
                loop.name for loop in kept.loops if loop.flow_arn == flow.arn and loop.status == "InProgress"
            ]
            if running:
                raise ModelledError("ResourceInUse", f"The human loop {running[0]} of {flow.name} is in progress.")
            kept.flows = [one for one in kept.flows if one is not flow]
        return {}
