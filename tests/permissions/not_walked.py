"""Statements that no call of the end-to-end tests can use, each with its reason; docs/permissions.md has them."""

_MACHINES = ("BuildDatasetStateMachineRole", "TrainModelStateMachineRole", "TearDownStateMachineRole")

ONLY_ON_AWS: dict[tuple[str, str], str] = {
    **{
        (role, "DeliverLogs"): "Step Functions sets its log delivery up with it, on AWS alone."
        for role in _MACHINES
    },
    **{(role, "Trace"): "Step Functions sends traces to X-Ray with it, on AWS alone." for role in _MACHINES},
    ("BuildDatasetStateMachineRole", "WriteMapResults"): (
        "A Distributed Map's ResultWriter, which the emulator ignores; the four actions are those that AWS names."
    ),
    ("TrainingRole", "FetchTheImage"): "SageMaker pulls the trainer's image with it; here no container runs.",
    (
        "TrainingRole",
        "SignInToTheRegistry",
    ): "SageMaker pulls the trainer's image with it; here no container runs.",
    ("TrainingRole", "WriteItsLog"): "SageMaker writes the container's log with it; here it is a file.",
    ("TrainingRole", "WriteItsMetrics"): "SageMaker writes the job's metrics with it; here nobody does.",
}
"""By role and Sid."""

OF_ANOTHER_BUCKET = "HasWeightsBucket"
"""The condition of what is there only where a stack names a second bucket: here is none. It allows there what the
same roles do in the stack's own bucket, which the tests walk."""

OF_TRAINING = "HasSageMakerTraining"
"""The condition of what only `make test-training` walks, as `TrainingRole` itself."""

WHOLE_IN_TRAINING = {
    ("CheckProvisioningFunctionRole", "Write"),
    ("CheckProvisioningFunctionRole", "KeepTheBook"),
    ("CheckProvisioningFunctionRole", "ReadTheBook"),
    ("EndBilledFunctionRole", "Read"),
    ("DeleteModelFunctionRole", "ForgetModels"),
}
"""Statements of which `make test-training` alone walks all: what ends by itself, and what is kept of it, are
SageMaker's jobs and their adapters."""
