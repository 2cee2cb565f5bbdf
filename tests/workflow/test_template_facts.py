"""Facts of the template that a deployment would only show later, or never."""

import json
import re
from typing import Any

import pytest

from storycast import keys
from storycast.container_jobs import LOG_GROUP
from storycast.stages.complete_human_review import ENDS
from storycast.teardown import TearDownRequest
from tests.workflow.files import ROOT, resources, template
from tests.workflow.test_state_machines import DISTRIBUTED, NESTED, TASKS, _function

FUNCTIONS = resources("AWS::Serverless::Function")
MACHINES = resources("AWS::Serverless::StateMachine")
RULES = resources("AWS::Events::Rule")
TEXT = (ROOT / "template.yaml").read_text()


def _statements(resource: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what a function or a machine is allowed, also where the stack must have what it is about."""
    if "Role" in resource["Properties"]:
        resource = template()["Resources"][resource["Properties"]["Role"]["Fn::GetAtt"][0]]
    return [
        statement["Fn::If"][1] if "Fn::If" in statement else statement
        for policy in resource["Properties"]["Policies"]
        for statement in policy.get("PolicyDocument", policy)["Statement"]
    ]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _property(function: dict[str, Any], name: str) -> Any:
    return function["Properties"].get(name, template()["Globals"]["Function"].get(name))


# ---- the bucket -----------------------------------------------------------------------------------


def test_the_bucket() -> None:
    bucket = template()["Resources"]["MediaBucket"]
    assert bucket["DeletionPolicy"] == bucket["UpdateReplacePolicy"] == "Retain"
    facts = bucket["Properties"]
    assert "BucketName" not in facts, "a fixed name can be deployed once in the world"
    assert facts["VersioningConfiguration"] == {"Status": "Enabled"}
    assert facts["NotificationConfiguration"]["EventBridgeConfiguration"]["EventBridgeEnabled"] is True
    (rule,) = facts["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert set(facts["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(facts["PublicAccessBlockConfiguration"]) == 4
    assert facts["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]


def test_only_what_can_be_made_again_expires() -> None:
    rules = template()["Resources"]["MediaBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    assert all(rule["Status"] == "Enabled" for rule in rules)
    expiring = {rule.get("Prefix", "") for rule in rules if "ExpirationInDays" in rule}
    assert expiring == {"footage/", "incoming/"}
    assert any("NoncurrentVersionExpiration" in rule for rule in rules)
    assert any("AbortIncompleteMultipartUpload" in rule for rule in rules)


def test_browsers_may_only_read_and_only_from_the_reviews_origin() -> None:
    (rule,) = template()["Resources"]["MediaBucket"]["Properties"]["CorsConfiguration"]["CorsRules"]
    assert set(rule["AllowedMethods"]) == {"GET", "HEAD"}
    assert rule["AllowedOrigins"] == [{"Ref": "ReviewOrigin"}]


def test_the_bucket_takes_no_plain_http() -> None:
    policy = template()["Resources"]["MediaBucketPolicy"]["Properties"]["PolicyDocument"]
    (statement,) = [one for one in policy["Statement"] if one["Effect"] == "Deny"]
    assert statement["Principal"] == "*"
    assert statement["Action"] == "s3:*"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert len(statement["Resource"]) == 2


# ---- functions ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_function_has_a_role_of_its_own(name: str) -> None:
    facts = FUNCTIONS[name]["Properties"]
    assert "Role" not in facts
    assert facts["Policies"], "SAM makes a role of these"
    assert all(isinstance(policy, dict) for policy in facts["Policies"]), "no managed policy"
    for statement in _statements(FUNCTIONS[name]):
        assert statement["Effect"] == "Allow"
        assert re.fullmatch(r"[A-Za-z0-9]+", statement["Sid"])
        assert not any(action.endswith("*") for action in _list(statement["Action"]))


WIDE = re.compile(
    r"Resource: \"?\*"  # everything
    r"|arn:[^\"]*:\*:"  # of any region or account
    r"|arn:[^\"]*:[a-z-]+/\*\""  # all of the account's of one kind
)
"""A resource that is wider than the stack's own; a key below a prefix of the stack's bucket is not."""


def test_a_wide_resource_has_its_reason_beside_it() -> None:
    granting = [line for line in TEXT.splitlines() if "aws:SourceArn" not in line]
    lines = [line for line in granting if WIDE.search(line)]
    assert len(lines) > 40
    for line in lines:
        assert re.search(r"# \S+ \S+ \S+", line), line
    assert not re.search(r"^\s+- \"\*\"\s*$", TEXT, re.MULTILINE)


@pytest.mark.parametrize(
    ("line", "is_wide"),
    [
        ('Resource: "*"', True),
        ('- !Sub "arn:${AWS::Partition}:bedrock:${AWS::Region}:${AWS::AccountId}:custom-model/*"', True),
        ('- !Sub "arn:${AWS::Partition}:bedrock:*::foundation-model/amazon.nova-pro-v1:0"', True),
        ('- !Sub "${MediaBucket.Arn}/footage/*"', False),
        ('- !Sub "arn:${AWS::Partition}:rekognition:x:1:collection/${AWS::StackName}.*"', False),
        ("Resource: !GetAtt Table.Arn", False),
    ],
)
def test_what_is_wide(line: str, *, is_wide: bool) -> None:
    assert bool(WIDE.search(line)) is is_wide


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_runs_python_or_the_image(name: str) -> None:
    facts = FUNCTIONS[name]["Properties"]
    folder = re.sub(r"(?<!^)(?=[A-Z])", "_", name.removesuffix("Function")).lower()
    if facts.get("PackageType") == "Image":
        assert facts["ImageConfig"]["Command"] == [f"{folder}.app.handler"]
        assert (ROOT / FUNCTIONS[name]["Metadata"]["Dockerfile"]).is_file()
    else:
        assert facts["Runtime"] == "python3.13"
        assert facts["Handler"] == "app.handler"
        assert facts["CodeUri"] == f"functions/{folder}"
        assert facts["Layers"][0] == {"Ref": "StorycastLayer"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_the_environment_and_layers_that_its_code_needs(name: str) -> None:
    facts = FUNCTIONS[name]["Properties"]
    folder = re.sub(r"(?<!^)(?=[A-Z])", "_", name.removesuffix("Function")).lower()
    code = (ROOT / "functions" / folder / "app.py").read_text()
    variables = {
        **template()["Globals"]["Function"]["Environment"]["Variables"],
        **facts.get("Environment", {}).get("Variables", {}),
    }
    assert ("STACK_NAME" in variables) == ("STACK_NAME" in code)
    assert ("TABLE_NAME" in variables) == ("environment.claims()" in code or "environment.book()" in code)
    called = _called(folder)
    preflight = "targets.job_site()" in code
    starts, provisions = "trainer.start" in called, "renderer.start" in called
    assert ("CUSTOMIZATION_ROLE_ARN" in variables) == ("CUSTOMIZATION_ROLE_ARN" in code or starts)
    for variable in ("TRAINING_ROLE_ARN", "TRAINING_IMAGE_URI"):
        assert (variable in variables) == (starts or provisions or preflight)
    assert ("WEIGHTS_BUCKET" in variables) == preflight
    assert ("SAGEMAKER_TRAINING" in variables) == ("targets.all_targets()" in code)
    reviews = "environment.review_log()" in code or "REVIEW_TABLE_NAME" in code
    assert ("REVIEW_TABLE_NAME" in variables) == reviews
    assert ("TOPIC_ARN" in variables) == ("environment.notifier()" in code)
    assert variables["MEDIA_BUCKET"] == {"Ref": "MediaBucket"}


@pytest.mark.parametrize("task", TASKS, ids=str)
def test_a_function_ends_no_later_than_its_state_waits(task: Any) -> None:
    if "TimeoutSeconds" in task.body:
        assert _property(FUNCTIONS[_function(task)], "Timeout") <= task.body["TimeoutSeconds"]


def test_functions_are_traced_and_log_json_for_a_limited_time() -> None:
    facts = template()["Globals"]["Function"]
    assert facts["Tracing"] == "Active"
    assert facts["LoggingConfig"]["LogFormat"] == "JSON"
    for name, group in resources("AWS::Logs::LogGroup").items():
        assert "RetentionInDays" in group["Properties"], name


LOOKING_AT_MODELS = {"rekognition:DescribeProjects", "rekognition:DescribeProjectVersions"}
ADAPTER_ACTIONS = {
    "RekognitionLabels": {"rekognition:DetectLabels"},
    "RekognitionFaces": {"rekognition:DetectFaces"},
    "RekognitionVersions": LOOKING_AT_MODELS,
    "detectors.leases(": LOOKING_AT_MODELS | {"rekognition:StopProjectVersion"},
    "detectors.custom_labels(": {"rekognition:DetectCustomLabels"},
    "BedrockEmbedder": {"bedrock:InvokeModel"},
    "BedrockImages": {"bedrock:InvokeModel"},
    "ConverseCaptioner": {"bedrock:InvokeModel"},
    "BedrockCatalogue": {"bedrock:GetFoundationModel"},
    "targets.job_site()": {"ecr:DescribeImages"},
    "IamRoles": {"iam:GetRole"},
    "StepFunctionsExecutions": {"states:StopExecution"},
    "StepFunctionsCallbacks": {"states:SendTaskSuccess"},
    "A2iHumanReviews": {"sagemaker:DescribeHumanLoop", "sagemaker:StartHumanLoop", "sagemaker:StopHumanLoop"},
    "environment.notifier()": {"sns:Publish"},
}
"""What the classes that a handler puts in may call."""
ACTIONS_OF_METHODS = {
    "index.add": {
        "rekognition:CreateCollection",
        "rekognition:DescribeCollection",
        "rekognition:ListFaces",
        "rekognition:IndexFaces",
        "rekognition:DeleteFaces",
    },
    "search_faces": {"rekognition:SearchFacesByImage"},
    "leases.start": {"rekognition:StartProjectVersion"},
    "humans.facts": {"sagemaker:DescribeHumanLoop"},
    "humans.start": {"sagemaker:StartHumanLoop"},
    "humans.stop": {"sagemaker:StopHumanLoop"},
    "trainer.delete_model": {"bedrock:DeleteCustomModel"},
    "trainer.find": {
        "bedrock:ListModelCustomizationJobs",
        "bedrock:GetModelCustomizationJob",
        "sagemaker:DescribeTrainingJob",
    },
    "trainer.has_model": {"bedrock:GetCustomModel"},
    "trainer.start": {
        "bedrock:CreateModelCustomizationJob",
        "bedrock:TagResource",
        "sagemaker:CreateTrainingJob",
        "sagemaker:AddTags",
        "iam:PassRole",
    },
    "trainer.stop": {"bedrock:StopModelCustomizationJob", "sagemaker:StopTrainingJob"},
    "renderer.end": {"bedrock:DeleteProvisionedModelThroughput", "sagemaker:StopTrainingJob"},
    "renderer.find": {
        "bedrock:ListProvisionedModelThroughputs",
        "bedrock:GetProvisionedModelThroughput",
        "sagemaker:DescribeTrainingJob",
    },
    "renderer.start": {
        "bedrock:CreateProvisionedModelThroughput",
        "bedrock:TagResource",
        "sagemaker:CreateTrainingJob",
        "sagemaker:AddTags",
        "iam:PassRole",
    },
    "renderer.unowned": {"bedrock:ListProvisionedModelThroughputs", "sagemaker:ListTrainingJobs"},
}
"""What each method of what has many calls: of a trainer or a renderer, those of both targets."""
NEVER_CALLED = {"ProvisionModelFunction": {"bedrock:GetProvisionedModelThroughput"}}
"""What a method would call for what a function does not ask of it: one that has an ARN is not looked for there."""


def _called(folder: str) -> set[str]:
    """Return the methods of that table that a function's stage calls."""
    stage = ROOT / "layers/storycast/storycast/stages" / f"{folder}.py"
    text = stage.read_text() if stage.is_file() else ""
    return {method for method in ACTIONS_OF_METHODS if f"{method}(" in text}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_may_call_what_it_calls_and_nothing_else(name: str) -> None:
    folder = re.sub(r"(?<!^)(?=[A-Z])", "_", name.removesuffix("Function")).lower()
    code = (ROOT / "functions" / folder / "app.py").read_text()
    allowed = {action for statement in _statements(FUNCTIONS[name]) for action in _list(statement["Action"])}
    possible = set().union(*(actions for adapter, actions in ADAPTER_ACTIONS.items() if adapter in code))
    needed = possible - ADAPTER_ACTIONS["A2iHumanReviews"]
    needed = needed.union(*(ACTIONS_OF_METHODS[method] for method in _called(folder)))
    paid = {action for action in allowed if not action.startswith(("s3:", "dynamodb:"))}
    assert paid == needed - NEVER_CALLED.get(name, set())


def test_the_models_of_the_defaults_may_be_invoked() -> None:
    from storycast.settings import Settings

    for name, model in (
        ("BuildCastFunction", Settings().duplicates.embedding),
        ("CropCharactersFunction", Settings().duplicates.embedding),
        ("CaptionImagesFunction", Settings().captions.model),
    ):
        assert f"foundation-model/{model}" in json.dumps(_statements(FUNCTIONS[name])), name


# ---- the state machine ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", MACHINES)
def test_the_machine_has_a_fixed_name_that_its_policies_use(name: str) -> None:
    facts = MACHINES[name]["Properties"]
    words = re.sub(r"(?<!^)(?=[A-Z])", "-", name.removesuffix("StateMachine")).lower()
    fixed = f"${{AWS::StackName}}-{words}"
    assert facts["Name"] == {"Fn::Sub": fixed}
    assert facts["DefinitionUri"] == f"statemachine/{words.replace('-', '_')}.asl.json"
    by_sid = {one["Sid"]: one for one in _statements(MACHINES[name])}
    arn = "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}"
    machine = words.replace("-", "_")
    assert ("StartChildrenOfMaps" in by_sid) == any(state.machine == machine for state in DISTRIBUTED)
    if "StartChildrenOfMaps" in by_sid:
        assert by_sid["StartChildrenOfMaps"]["Resource"] == {"Fn::Sub": f"{arn}:stateMachine:{fixed}"}
        follow = by_sid["FollowChildrenOfMaps"]
        assert set(follow["Action"]) == {f"states:{verb}Execution" for verb in ("Describe", "Stop")}
        assert f"execution:{fixed}/*" in json.dumps(follow["Resource"]), "children are <machine>/<label>"
    nested = [re.sub(r"(?<!^)(?=[A-Z])", "-", task.name).lower() for task in NESTED if task.machine == machine]
    assert ("StartNestedExecution" in by_sid) == bool(nested)
    for other in nested:
        name_of_other = f"${{AWS::StackName}}-{other}"
        assert by_sid["StartNestedExecution"]["Resource"] == {"Fn::Sub": f"{arn}:stateMachine:{name_of_other}"}
        assert by_sid["FollowNestedExecution"]["Resource"] == {"Fn::Sub": f"{arn}:execution:{name_of_other}:*"}
        assert by_sid["HearOfNestedExecutions"]["Resource"]["Fn::Sub"].endswith(
            ":rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"
        )


@pytest.mark.parametrize("name", MACHINES)
def test_the_machine_is_traced_and_logs_no_execution_data(name: str) -> None:
    facts = MACHINES[name]["Properties"]
    assert facts["Type"] == "STANDARD"
    assert facts["Tracing"] == {"Enabled": True}
    assert facts["Logging"]["IncludeExecutionData"] is False
    assert facts["Logging"]["Level"] in {"ERROR", "ALL"}
    group = facts["Logging"]["Destinations"][0]["CloudWatchLogsLogGroup"]["LogGroupArn"]["Fn::GetAtt"][0]
    log_name = template()["Resources"][group]["Properties"]["LogGroupName"]["Fn::Sub"]
    assert log_name.startswith("/aws/vendedlogs/states/"), "others fill the resource policy of CloudWatch Logs"


@pytest.mark.parametrize("name", MACHINES)
def test_the_machine_may_invoke_each_of_its_functions(name: str) -> None:
    allowed = {
        resource["Fn::GetAtt"][0]
        for statement in _statements(MACHINES[name])
        if statement["Action"] == "lambda:InvokeFunction"
        for resource in statement["Resource"]
    }
    machine = re.sub(r"(?<!^)(?=[A-Z])", "_", name.removesuffix("StateMachine")).lower()
    assert allowed == {_function(task) for task in TASKS if task.machine == machine}


def test_uploads_alone_start_the_machine() -> None:
    pattern = RULES["Upload"]["Properties"]["EventPattern"]
    assert pattern["source"] == ["aws.s3"]
    assert pattern["detail-type"] == ["Object Created"]
    assert pattern["detail"]["bucket"]["name"] == [{"Ref": "MediaBucket"}]
    assert pattern["detail"]["object"]["key"] == [{"prefix": "uploads/"}]
    assert pattern["detail"]["object"]["size"] == [{"numeric": [">", 0]}]


def test_every_bad_end_starts_the_teardown_and_so_does_the_clock() -> None:
    detail = RULES["ExecutionFailed"]["Properties"]["EventPattern"]["detail"]
    assert set(detail["status"]) == {"FAILED", "TIMED_OUT", "ABORTED"}
    watched = {arn["Fn::Sub"].rpartition(":stateMachine:")[2] for arn in detail["stateMachineArn"]}
    others = {name: facts for name, facts in MACHINES.items() if name != "TearDownStateMachine"}
    assert watched == {facts["Properties"]["Name"]["Fn::Sub"] for facts in others.values()}, "but not its own"
    sweep = RULES["Sweep"]["Properties"]
    assert sweep["ScheduleExpression"] == "rate(15 minutes)"
    assert TearDownRequest.model_validate_json(sweep["Targets"][0]["Input"]).scope == "expired"


STARTED = {"Upload": "BuildDataset", "ExecutionFailed": "TearDown", "Sweep": "TearDown"}


@pytest.mark.parametrize("name", RULES)
def test_a_rule_starts_one_machine_and_may_start_no_other(name: str) -> None:
    (target,) = RULES[name]["Properties"]["Targets"]
    assert set(RULES) == set(STARTED)
    assert target["Arn"] == {"Ref": f"{STARTED[name]}StateMachine"}
    assert target["RetryPolicy"] == {"MaximumRetryAttempts": 8, "MaximumEventAgeInSeconds": 3600}
    role = template()["Resources"][target["RoleArn"]["Fn::GetAtt"][0]]
    (policy,) = role["Properties"]["Policies"]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert (statement["Action"], statement["Resource"]) == ("states:StartExecution", target["Arn"])


def test_bedrock_may_read_datasets_and_nobody_else_may_be_handed_the_role() -> None:
    role = template()["Resources"]["CustomizationRole"]["Properties"]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "bedrock.amazonaws.com"}
    assert trust["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    assert trust["Condition"]["ArnEquals"]["aws:SourceArn"]["Fn::Sub"].endswith(":model-customization-job/*")
    (policy,) = role["Policies"]
    actions = {one["Action"] for one in policy["PolicyDocument"]["Statement"]}
    assert actions == {"s3:ListBucket", "s3:GetObject", "s3:PutObject"}
    assert _passing("CustomizationRole") == {"StartTrainingFunction": "bedrock.amazonaws.com"}


def _passing(role: str) -> dict[str, str]:
    """Return which functions may hand a role over, and to which service each."""
    return {
        name: statement["Condition"]["StringEquals"]["iam:PassedToService"]
        for name, function in FUNCTIONS.items()
        for statement in _statements(function)
        if "iam:PassRole" in _list(statement["Action"]) and statement["Resource"] == {"Fn::GetAtt": [role, "Arn"]}
    }


# ---- SageMaker ------------------------------------------------------------------------------------

ON, WEIGHTS = "HasSageMakerTraining", "HasWeightsBucket"


def test_nothing_of_sagemaker_training_is_there_unless_it_is_asked_for() -> None:
    document = template()
    assert document["Parameters"]["SageMakerTraining"]["Default"] == "off"
    assert document["Conditions"][ON] == {"Fn::Equals": [{"Ref": "SageMakerTraining"}, "on"]}
    assert {"Condition": ON} in document["Conditions"][WEIGHTS]["Fn::And"]
    for name in ("TrainingRole", "TrainingRepository"):
        assert document["Resources"][name]["Condition"] == ON
    for name in ("TrainingRoleArn", "TrainingRepositoryUri", "TrainingImageUri"):
        assert document["Outputs"][name]["Condition"] == ON
    for name, function in FUNCTIONS.items():
        for statement in function["Properties"]["Policies"][0]["Statement"]:
            condition, *_ = statement.get("Fn::If", [""])
            text = json.dumps(statement)
            is_about_it = "training-job" in text or "TrainingRole" in text or "TrainingJobs" in text
            assert not is_about_it or condition in {ON, WEIGHTS}, (name, text)
            if "Fn::If" in statement:
                assert statement["Fn::If"][2] == {"Ref": "AWS::NoValue"}
        variables = function["Properties"].get("Environment", {}).get("Variables", {})
        for variable in ("TRAINING_ROLE_ARN", "TRAINING_IMAGE_URI"):
            if variable in variables:
                condition, _, otherwise = variables[variable]["Fn::If"]
                assert (condition, otherwise) == (ON, "")


def test_sagemakers_jobs_read_datasets_and_weights_and_write_into_their_own_folders() -> None:
    role = template()["Resources"]["TrainingRole"]["Properties"]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "sagemaker.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    (policy,) = role["Policies"]
    by_sid = {
        one["Sid"]: one
        for one in (one.get("Fn::If", [None, one])[1] for one in policy["PolicyDocument"]["Statement"])
    }
    read = {resource["Fn::Sub"] for resource in by_sid["ReadTheInput"]["Resource"]}
    assert read == {
        f"${{MediaBucket.Arn}}/{folder}"
        for folder in (
            f"runs/*/{keys.MANIFEST.partition('/')[0]}/*",
            "runs/*/training/*",
            "datasets/*",
            "models/*",
        )
    }
    assert {resource["Fn::Sub"] for resource in by_sid["WriteWhatComesOfIt"]["Resource"]} == {
        "${MediaBucket.Arn}/runs/*/training/*/work-*",
        "${MediaBucket.Arn}/runs/*/training/*/output/*",
    }, "what a job is told, and the session's plan, are not for it to change"
    assert by_sid["FetchTheImage"]["Resource"] == {"Fn::GetAtt": ["TrainingRepository", "Arn"]}
    assert by_sid["WriteItsLog"]["Resource"]["Fn::Sub"].endswith(f":log-group:{LOG_GROUP}*")
    assert by_sid["WriteItsMetrics"]["Condition"] == {"StringEquals": {"cloudwatch:namespace": LOG_GROUP}}
    writing = {sid for sid, one in by_sid.items() if "s3:PutObject" in _list(one["Action"])}
    assert writing == {"WriteWhatComesOfIt"}
    old = {"Fn::Sub": "${MediaBucket.Arn}/runs/*/training/*/work-*"}
    assert {sid: one["Resource"] for sid, one in by_sid.items() if "s3:DeleteObject" in _list(one["Action"])} == {
        "RemoveOldCheckpoints": old
    }
    assert _passing("TrainingRole") == dict.fromkeys(
        ("StartTrainingFunction", "ProvisionModelFunction"), "sagemaker.amazonaws.com"
    )


def test_only_jobs_that_carry_our_tag_are_stopped() -> None:
    by_sid = {one["Sid"]: one for one in _statements(FUNCTIONS["EndBilledFunction"])}
    condition = by_sid["StopContainerJobs"]["Condition"]
    assert condition == {"Null": {"aws:ResourceTag/storycast:run": "false"}}, "each job is made with this tag"


def test_the_trainers_images_stay_what_they_are() -> None:
    repository = template()["Resources"]["TrainingRepository"]
    assert repository["DeletionPolicy"] == repository["UpdateReplacePolicy"] == "Retain"
    facts = repository["Properties"]
    assert facts["ImageTagMutability"] == "IMMUTABLE"
    assert facts["ImageScanningConfiguration"] == {"ScanOnPush": True}
    (rule,) = json.loads(facts["LifecyclePolicy"]["LifecyclePolicyText"])["rules"]
    assert rule["selection"]["tagStatus"] == "untagged", "what was trained by an image can be told"


def test_what_is_deleted_of_a_model_is_in_its_own_folder() -> None:
    by_sid = {one["Sid"]: one for one in _statements(FUNCTIONS["DeleteModelFunction"])}
    folder = keys.training_work("*", "*")
    assert {"Fn::Sub": f"${{MediaBucket.Arn}}/{folder}*"} in by_sid["ForgetModels"]["Resource"]


# ---- reviewers ------------------------------------------------------------------------------------


def test_reviewers_may_decide_and_do_nothing_else() -> None:
    policy = template()["Resources"]["ReviewerPolicy"]["Properties"]["PolicyDocument"]
    by_sid = {one["Sid"]: one for one in policy["Statement"]}
    assert {action for one in policy["Statement"] for action in _list(one["Action"])} == {
        "s3:ListBucket",
        "s3:GetObject",
        "dynamodb:GetItem",
        "dynamodb:Query",
        "dynamodb:PutItem",
        "states:SendTaskSuccess",
        "cloudformation:DescribeStacks",
    }
    keys_of = "ForAllValues:StringLike"
    assert by_sid["Decide"]["Condition"][keys_of] == {"dynamodb:LeadingKeys": ["log#*"]}, "tokens are not theirs"
    assert "project#*" not in str(by_sid["ReadDecisions"]["Condition"])
    assert by_sid["FindRuns"]["Condition"] == {"StringLike": {"s3:prefix": ["runs/*"]}}
    for sid in ("Decide", "ReadDecisions"):
        assert by_sid[sid]["Resource"] == {"Fn::GetAtt": ["ReviewTable", "Arn"]}
    machine = by_sid["LetTheRunGoOn"]["Resource"]["Fn::Sub"]
    assert machine.endswith(":stateMachine:${AWS::StackName}-build-dataset")
    for resource in by_sid["SeePictures"]["Resource"]:
        assert resource["Fn::Sub"].startswith(("${MediaBucket.Arn}/runs/*/", "${MediaBucket.Arn}/footage/*/"))


def test_what_people_decided_is_not_forgotten() -> None:
    table = template()["Resources"]["ReviewTable"]
    assert table["DeletionPolicy"] == table["UpdateReplacePolicy"] == "Retain"
    assert "TimeToLiveSpecification" not in table["Properties"]
    assert table["Properties"]["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


# ---- table and topic ------------------------------------------------------------------------------


def test_the_table_forgets_and_can_be_restored() -> None:
    facts = template()["Resources"]["Table"]["Properties"]
    assert facts["TimeToLiveSpecification"] == {"AttributeName": "expires_at_s", "Enabled": True}
    assert facts["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert facts["BillingMode"] == "PAY_PER_REQUEST"
    assert facts["KeySchema"] == [{"AttributeName": "pk", "KeyType": "HASH"}]


def test_every_skipped_check_has_its_reason() -> None:
    for name, one in template()["Resources"].items():
        for skip in one.get("Metadata", {}).get("checkov", {}).get("skip", ()):
            assert len(skip["comment"]) > 20, (name, skip["id"])
    for line in (ROOT / ".checkov.yaml").read_text().splitlines():
        assert "CKV" not in line or re.search(r"CKV_\w+ # .{20,}", line), line


# ---- Amazon A2I -----------------------------------------------------------------------------------


def test_only_ends_of_our_own_human_loops_are_heard() -> None:
    (event,) = FUNCTIONS["CompleteHumanReviewFunction"]["Properties"]["Events"].values()
    pattern = event["Properties"]["Pattern"]
    assert pattern["source"] == ["aws.sagemaker"]
    assert pattern["detail-type"] == ["SageMaker A2I HumanLoop Status Change"]
    assert pattern["detail"]["flowDefinitionArn"] == [{"Ref": "A2iFlowDefinitionArn"}]
    assert set(pattern["detail"]["humanLoopStatus"]) == set(ENDS)
    assert template()["Parameters"]["A2iFlowDefinitionArn"]["Default"] == "", "of which no event is"


def test_workers_see_pictures_and_their_answers_go_to_one_place() -> None:
    role = template()["Resources"]["A2iRole"]["Properties"]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "sagemaker.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    (policy,) = role["Policies"]
    by_sid = {one["Sid"]: one for one in policy["PolicyDocument"]["Statement"]}
    assert set(by_sid) == {"ShowPictures", "WriteAnswers"}
    assert by_sid["ShowPictures"]["Resource"] == {"Fn::Sub": f"${{MediaBucket.Arn}}/runs/*/{keys.IMAGES}*"}
    assert by_sid["WriteAnswers"]["Resource"] == {"Fn::Sub": f"${{MediaBucket.Arn}}/{keys.A2I_OUTPUT}*"}


def test_a_function_starts_loops_of_the_stacks_flow_definition_alone() -> None:
    by_sid = {one["Sid"]: one for one in _statements(FUNCTIONS["StartHumanReviewsFunction"])}
    has_one, arn, none = by_sid["ShowToWorkers"]["Resource"]["Fn::If"]
    assert (has_one, arn) == ("HasA2i", {"Ref": "A2iFlowDefinitionArn"})
    assert none["Fn::Sub"].endswith(":flow-definition/none")
    for name in ("StartHumanReviewsFunction", "CompleteHumanReviewFunction"):
        by_sid = {one["Sid"]: one for one in _statements(FUNCTIONS[name])}
        assert {"Fn::Sub": f"${{MediaBucket.Arn}}/{keys.A2I_OUTPUT}*"} in by_sid["Read"]["Resource"]
        assert not [one for one in by_sid["Write"]["Resource"] if keys.A2I_OUTPUT in one["Fn::Sub"]]
