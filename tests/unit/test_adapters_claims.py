"""One suite for the claims in DynamoDB (moto) and the fake ones; telling through SNS."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from storycast.adapters.dynamodb import KEEP, DynamoClaims
from storycast.adapters.sns import SnsNotifier
from storycast.ports import Claims
from tests.fakes.services import MemoryClaims

TABLE = "claims"
DETAILS = {"run_id": "film-20260101-abcdef", "key": "uploads/p/Ä b+c%.mp4", "etag": "0" * 32}


def _dynamodb() -> Any:
    dynamodb = boto3.client("dynamodb", region_name="us-east-1")
    dynamodb.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )
    return dynamodb


@pytest.fixture(params=["fake", "dynamodb"])
def claims(request: pytest.FixtureRequest) -> Claims:
    if request.param == "fake":
        return MemoryClaims()
    request.getfixturevalue("aws")
    return DynamoClaims(TABLE, _dynamodb())


def test_the_first_who_asks_holds_it(claims: Claims) -> None:
    assert claims.claim("media/uploads/p/a.mp4#1", "one", DETAILS) == "one"
    assert claims.claim("media/uploads/p/a.mp4#1", "two", DETAILS) == "one"


def test_who_holds_it_gets_it_again(claims: Claims) -> None:
    assert claims.claim("item", "one", DETAILS) == "one"
    assert claims.claim("item", "one", DETAILS) == "one"
    assert claims.claim("item", "two", DETAILS) == "one"


def test_another_item_is_another_claim(claims: Claims) -> None:
    assert claims.claim("media/uploads/p/a.mp4#1", "one", DETAILS) == "one"
    assert claims.claim("media/uploads/p/a.mp4#2", "two", DETAILS) == "two"


def test_a_claim_is_given_up_by_its_holder_alone(claims: Claims) -> None:
    assert claims.holder("item") is None
    claims.claim("item", "one", DETAILS)
    assert claims.holder("item") == "one"
    claims.release("item", "two")
    assert claims.holder("item") == "one"
    claims.release("item", "one")
    claims.release("item", "one")
    assert claims.holder("item") is None
    assert claims.claim("item", "two", DETAILS) == "two"


def test_an_execution_is_found_again_by_its_arn(claims: Claims) -> None:
    assert claims.run_of("arn:1") is None
    claims.register("arn:1", "run-1")
    claims.register("arn:1", "run-1")
    claims.register("arn:2", "run-2")
    assert claims.run_of("arn:1") == "run-1"
    assert claims.run_of("arn:2") == "run-2"


def test_a_claim_and_a_registration_do_not_meet(claims: Claims) -> None:
    claims.register("x", "run-1")
    assert claims.claim("x", "one", DETAILS) == "one"
    assert claims.run_of("x") == "run-1"


@pytest.mark.usefixtures("aws")
def test_a_row_says_what_was_claimed_and_expires() -> None:
    dynamodb = _dynamodb()
    DynamoClaims(TABLE, dynamodb).claim("item", "one", DETAILS)
    row = dynamodb.get_item(TableName=TABLE, Key={"pk": {"S": "claim#item"}})["Item"]
    assert {name: row[name]["S"] for name in DETAILS} == DETAILS
    assert datetime.fromisoformat(row["claimed_at"]["S"]).tzinfo is not None
    expires = datetime.fromtimestamp(int(row["expires_at_s"]["N"]), UTC)
    assert abs(expires - (datetime.now(UTC) + KEEP)) < timedelta(minutes=1)


@pytest.mark.usefixtures("aws")
def test_the_topic_gets_a_plain_short_subject() -> None:
    sns: Any = boto3.client("sns", region_name="us-east-1")
    sqs: Any = boto3.client("sqs", region_name="us-east-1")
    topic = sns.create_topic(Name="told")["TopicArn"]
    queue = sqs.create_queue(QueueName="heard")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    SnsNotifier(topic, sns).tell("Storycast: fertig für Ümläute " + "x" * 100, "Die Nachricht: ä")
    body = json.loads(sqs.receive_message(QueueUrl=queue)["Messages"][0]["Body"])
    assert body["Message"] == "Die Nachricht: ä"
    assert body["Subject"].isascii()
    assert len(body["Subject"]) == 100
