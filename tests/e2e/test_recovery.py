"""What functions do after a crash, or where others were first, is within their rights, too.

Each is invoked by itself, on the book, the claims and the records of one training, as the crash would leave them.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from storycast.adapters.review_log import DynamoReviewLog
from storycast.decisions import Decision
from tests.e2e.invoking import invoke, look_at_panels_again
from tests.e2e.photographs import COLLINS, reference, write_people
from tests.e2e.sessions import by_hand, leave_rows, torn_down
from tests.e2e.stack import Stack

pytestmark = pytest.mark.e2e

RUN, PROJECT, NAME = "recovered", "recovery", "Eileen Collins"
CANVAS = "amazon.nova-canvas-v1:0"
EMBEDDING = "amazon.nova-2-multimodal-embeddings-v1:0"
SETTINGS = f"""
characters: [{{name: {NAME}, labels: [Person], references: [cast/eileen/*.jpg]}}]
sampling: {{frames_per_second: 2}}
detection: {{methods: [labels, references], min_confidence: 50}}
selection: {{images_per_character: 12}}
duplicates: {{embedding: {EMBEDDING}}}
captions: {{model: us.amazon.nova-2-lite-v1:0}}
"""
SESSION: dict[str, Any] = {
    "training": {"target": "bedrock", "base_model": CANVAS, "step_count": 100, "batch_size": 8},
    "storyboard": {"prompts": [f"{NAME} on a meadow"], "images_per_prompt": 1, "width": 512, "height": 512},
    "budget_usd": 100_000,
}


@pytest.fixture(scope="module")
def trainable(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack with a dataset: embedded by Nova, captioned by way of an inference profile."""
    film = write_people(tmp_path_factory.mktemp("recovery") / "film.mp4", tint=60)
    for number in range(3):
        stack.put(f"projects/{PROJECT}/cast/eileen/{number}.jpg", reference(COLLINS, number))
    ended = stack.run(film, PROJECT, RUN, SETTINGS)
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    stack.standins("catalogue", {"play_as_active": [CANVAS]})
    yield stack
    stack.standins("catalogue", {"play_as_active": []})


def session_of(stack: Stack) -> dict[str, str]:
    """Return the run's only session so far, as events name it."""
    (parts,) = {tuple(key.split("/")[3:5]) for key in stack.keys(f"runs/{RUN}/training/") if key.count("/") > 4}
    return {"run_id": RUN, "training_id": parts[0], "session_id": parts[1]}


def test_a_training_whose_functions_crashed_is_found_again(trainable: Stack) -> None:
    trainable.standins("outcomes", {"throughput": {"deletion_seconds": 6}, "count": 1})
    mark = trainable.calls_so_far()
    arn = trainable.train(RUN, **SESSION)
    trainable.wait_until(
        "the hosting's deletion",
        lambda: any(one["operation"] == "DeleteProvisionedModelThroughput" for one in trainable.calls(mark)),
    )
    session = session_of(trainable)
    request = {"scope": "session", "run_id": RUN, "session_id": session["session_id"], "reason": "a test"}
    began = (datetime.now(UTC) - timedelta(hours=7)).isoformat()
    teardown = {"request": request, "execution_arn": arn, "started_at": began}
    overdue = invoke(trainable, "EndBilled", teardown)
    assert overdue["status"] == "overdue", overdue
    ended = torn_down(trainable, arn)
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)

    # Nobody wrote the model down before the execution died: the teardown does.
    (model,) = [key for key in trainable.keys(f"projects/{PROJECT}/models/") if key.endswith("/model.json")]
    trainable.s3.delete_object(Bucket=trainable.bucket, Key=model)
    leave_rows(trainable, RUN, "SET #state = :live", **{"#state": "state"})
    assert invoke(trainable, "EndBilled", teardown)["status"] == "ended"
    assert trainable.keys(model)

    leave_rows(trainable, RUN, "REMOVE arn")
    mark = trainable.calls_so_far()
    assert invoke(trainable, "CheckTraining", session)["status"] == "Completed"
    assert invoke(trainable, "CheckProvisioning", session)["status"] == "InService"
    asked = {one["operation"] for one in trainable.calls(mark)}
    assert {"ListModelCustomizationJobs", "ListProvisionedModelThroughputs"} <= asked
    assert not trainable.paid_calls(mark)

    assert look_at_panels_again(trainable, PROJECT, session)["pictures"] > 0
    assert {"DetectLabels", "InvokeModel"} <= set(trainable.paid_calls(mark))
    assert EMBEDDING in {one["model"] for one in trainable.calls(mark)}


def test_a_model_that_somebody_deleted_is_trained_anew(trainable: Stack) -> None:
    bedrock = trainable.aws.client("bedrock")
    for model in bedrock.list_custom_models()["modelSummaries"]:
        if model["modelName"].startswith(RUN):
            bedrock.delete_custom_model(modelIdentifier=model["modelArn"])
    mark = trainable.calls_so_far()
    ended = torn_down(trainable, trainable.train(RUN, **SESSION, **by_hand(trainable, RUN)))
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    assert trainable.paid_calls(mark)["CreateModelCustomizationJob"] == 1


def test_a_review_that_was_closed_before_it_opens_lets_the_run_go_on(trainable: Stack) -> None:
    now = datetime.now(UTC)
    log = DynamoReviewLog(trainable.aws.outputs["ReviewTableName"], trainable.aws.client("dynamodb"))
    closed = {"id": "time-out-1", "who": "rule", "when": now.isoformat(), "what": "time_out", "via": "rule"}
    log.append(RUN, Decision.model_validate({"seq": 1, **closed}))
    event = {"run_id": RUN, "deadline": now.isoformat(), "task_token": "nobody-waits-with-it"}
    assert invoke(trainable, "OpenReview", event) == {"waits": False}
