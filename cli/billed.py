"""What is billed as long as it lives: the rows of the billing book, and what AWS has that it does not know."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from boto3.dynamodb.types import TypeDeserializer
from botocore.exceptions import ClientError
from pydantic import ValidationError

from cli.problems import TargetUnusableError
from cli.target import Target
from storycast.billing import Billed
from storycast.costs import JOB_STAGES
from storycast.names import is_job_name
from storycast.prices import price_table, usd
from storycast.report.words import BILLED

INDEX = "by-billing"
BATCH = 100
"""Rows that one call reads by their keys; DynamoDB's limit."""

_REFUSED = ("AccessDeniedException", "AccessDenied", "UnauthorizedOperation")


@dataclass(frozen=True, slots=True)
class Unowned:
    """Something alive at AWS that no row of the book has the name or the ARN of."""

    kind: str
    name: str
    arn: str
    status: str
    since: datetime
    model_units: int = 0
    image_count: int = 0
    instance_type: str = ""
    max_run_s: int = 0


@dataclass(frozen=True, slots=True)
class Bill:
    """All that is billed now; ``unread`` says in words where could not be looked."""

    rows: tuple[Billed, ...]
    unowned: tuple[Unowned, ...]
    unread: tuple[str, ...]


def rows(target: Target, run_id: str | None = None) -> list[Billed]:
    """Return the book's rows, those of one run or all, as they are after the last write."""
    pages = target.dynamodb.get_paginator("query").paginate(
        TableName=target.table,
        IndexName=INDEX,
        KeyConditionExpression="#book = :book",
        ExpressionAttributeNames={"#book": "book", "#pk": "pk"},
        ExpressionAttributeValues={":book": {"S": "billing"}},
        ProjectionExpression="#pk",
    )
    names = [item["pk"]["S"] for page in pages for item in page["Items"]]
    # The index may be a second behind; the rows themselves are not.
    found = [_row(item) for item in _read(target, names)]
    kept = [row for row in found if run_id in (None, row.run_id)]
    return sorted(kept, key=lambda row: (row.expires_at, row.name))


def open_rows(target: Target, run_id: str | None = None) -> list[Billed]:
    """Return the rows of what may still be billed."""
    return [row for row in rows(target, run_id) if row.is_open]


def bill(target: Target) -> Bill:
    """Return all that is billed in the account and region, whoever made it."""
    known = rows(target)
    still_open = tuple(row for row in known if row.is_open)
    # An ended row whose resource is alive all the same is a find, too.
    owned = {name for row in still_open for name in (row.name, row.arn) if name}
    alive: list[Unowned] = []
    unread: list[str] = []
    looks: tuple[tuple[str, Callable[[Any], Iterator[Unowned]], str], ...] = (
        ("bedrock", _hosting, "ListProvisionedModelThroughputs"),
        ("bedrock", _jobs, "ListModelCustomizationJobs"),
        ("sagemaker", _container_jobs, "ListTrainingJobs"),
    )
    for service, look, action in looks:
        try:
            alive += look(target.client(service))
        except ClientError as error:
            code = error.response["Error"]["Code"]
            said = "the credentials need a policy that allows it" if code in _REFUSED else code
            unread.append(f"{service}:{action} is refused ({said}), so what no run owns can't be told.")
    unowned = tuple(one for one in alive if not owned & {one.name, one.arn})
    return Bill(still_open, unowned, tuple(unread))


def wait_until_ended(
    target: Target,
    run_id: str,
    wait_seconds: float,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Billed]:
    """Wait until nothing of a run is billed any more, and return what still is when the time is up."""
    deadline = clock() + wait_seconds
    while (still_open := open_rows(target, run_id)) and clock() < deadline:
        sleep(0.5)
    return still_open


def lines(bills: Sequence[Billed | Unowned]) -> Iterator[str]:
    """Yield a line for each billed thing: what, of which run, since when, until when at most, and its price."""
    for one in bills:
        if isinstance(one, Unowned):
            parts = [one.status, f"since {_when(one.since)}", price_of(one)]
        else:
            since = f"since {_when(one.created_at)}" if one.created_at else f"ordered {_when(one.intended_at)}"
            until = f"ended by the sweep from {_when(one.expires_at)} on"
            parts = [f"run {one.run_id}", one.state, since, until, price_of(one)]
        yield f"{BILLED.get(one.kind, one.kind)} {one.name}: {', '.join(filter(None, parts))}"


def price_of(one: Billed | Unowned) -> str:
    """Return what something costs as long as it lives, or in all, by list price."""
    if one.kind in JOB_STAGES and not one.instance_type:
        return "billed by the hour of its instance"
    hourly = hourly_usd(one)
    if hourly is not None:
        most = f", {usd(hourly * one.max_run_s / 3600)} at most" if one.max_run_s else ""
        on = f" on {one.instance_type}" if one.instance_type else ""
        return f"{usd(hourly)} an hour{on}{most}"
    if not one.image_count:
        return "billed by the pictures that it sees"
    return f"{usd(one.image_count * price_table().price('training_picture').usd)} if it goes to its end"


def hourly_usd(one: Billed | Unowned) -> float | None:
    """Return what something costs an hour; None where it is not billed by the hour."""
    if one.kind == "provisioned_throughput":
        return price_table().price("hosting_hour").usd * max(one.model_units, 1)
    if one.kind == "custom_labels_model":
        return price_table().price("custom_labels_hour").usd * max(one.model_units, 1)
    if one.kind in JOB_STAGES:
        return price_table().price("training_hour", one.instance_type or None).usd
    return None


def _read(target: Target, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    read = TypeDeserializer().deserialize
    for at in range(0, len(names), BATCH):
        asked: Any = {
            target.table: {
                "Keys": [{"pk": {"S": name}} for name in names[at : at + BATCH]],
                "ConsistentRead": True,
            }
        }
        while asked:
            answer = target.dynamodb.batch_get_item(RequestItems=asked)
            for item in answer["Responses"].get(target.table, ()):
                yield {name: read(value) for name, value in item.items()}
            asked = answer.get("UnprocessedKeys")


def _row(item: dict[str, Any]) -> Billed:
    known = {name: item[name] for name in Billed.model_fields if item.get(name) is not None}
    try:
        return Billed.model_validate(known)
    except ValidationError:
        raise TargetUnusableError(
            f"The row '{item['pk']}' of the billing book can't be read, so what is billed can't be told. "
            "Use the command of the release that the stack was deployed from."
        ) from None


def _hosting(bedrock: Any) -> Iterator[Unowned]:
    for page in bedrock.get_paginator("list_provisioned_model_throughputs").paginate():
        for one in page.get("provisionedModelSummaries", ()):
            yield Unowned(
                kind="provisioned_throughput",
                name=one["provisionedModelName"],
                arn=one["provisionedModelArn"],
                status=one["status"],
                since=one["creationTime"],
                model_units=one["modelUnits"],
            )


def _jobs(bedrock: Any) -> Iterator[Unowned]:
    for status in ("InProgress", "Stopping"):
        for page in bedrock.get_paginator("list_model_customization_jobs").paginate(statusEquals=status):
            for one in page.get("modelCustomizationJobSummaries", ()):
                yield Unowned("customization_job", one["jobName"], one["jobArn"], status, one["creationTime"])


def _container_jobs(sagemaker: Any) -> Iterator[Unowned]:
    """Yield the account's training jobs that are called as ours are: others are none of Storycast's."""
    for status in ("InProgress", "Stopping"):
        for page in sagemaker.get_paginator("list_training_jobs").paginate(StatusEquals=status):
            for one in page.get("TrainingJobSummaries", ()):
                name = one["TrainingJobName"]
                if is_job_name(name):
                    kind = "drawing_job" if name.endswith("-h") else "training_job"
                    yield Unowned(kind, name, one["TrainingJobArn"], status, one["CreationTime"])


def _when(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"
