"""The tables of docs/permissions.md: `python -m tests.permissions.document` writes them anew."""

import re
from collections.abc import Iterator

from local.servers import ACCOUNT_ID, REGION
from tests.permissions.granted import REVIEWERS, Grant, grants, of_type
from tests.permissions.not_walked import OF_ANOTHER_BUCKET, OF_TRAINING, ONLY_ON_AWS
from tests.workflow.files import ROOT

PAGE = ROOT / "docs/permissions.md"
BEGIN, END = "<!-- roles: python -m tests.permissions.document -->\n", "<!-- end of roles -->\n"
_ONLY_WITH = {OF_TRAINING: "with `SageMakerTraining: on`", OF_ANOTHER_BUCKET: "with `WeightsBucket`"}


def tables() -> str:
    """Return a table for each role, as Markdown."""
    by_role: dict[str, list[Grant]] = {}
    for grant in grants():
        by_role.setdefault(grant.who, []).append(grant)
    return "\n".join(line for who, of_role in by_role.items() for line in _table(who, of_role)) + "\n"


def with_tables(page: str) -> str:
    """Return a page with the tables between its two marks."""
    before, _, rest = page.partition(BEGIN)
    return before + BEGIN + tables() + END + rest.partition(END)[2]


def _table(who: str, of_role: list[Grant]) -> Iterator[str]:
    yield f"### `{who}`\n"
    yield f"{_assumed_by(who)}\n"
    yield "| what for | may | on |"
    yield "|---|---|---|"
    for grant in of_role:
        statement = grant.statement
        notes = [_ONLY_WITH[grant.condition]] if grant.condition else []
        if (who, statement.sid) in ONLY_ON_AWS:
            notes.append("only on AWS")
        words = re.sub(r"(?<!^)(?=[A-Z])", " ", statement.sid).capitalize()
        what = f"{words} ({', '.join(notes)})" if notes else words
        actions = ", ".join(f"`{action}`" for action in statement.actions)
        resources = ", ".join(f"`{_short(resource)}`" for resource in statement.resources)
        only = "".join(
            f"; {operator} {key}: {', '.join(values)}"
            for operator, keys in statement.conditions.items()
            for key, values in keys.items()
        )
        yield f"| {what} | {actions} | {resources}{only} |"
    yield ""


def _assumed_by(who: str) -> str:
    if who == REVIEWERS:
        return "A managed policy, for people who review."
    role = of_type("AWS::IAM::Role")[who]["Properties"]
    service = role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["Service"]
    managed = [arn.rpartition("/")[2] for arn in role.get("ManagedPolicyArns", ())]
    return f"Assumed by `{service}`." + (f" Also has {' and '.join(managed)}." if managed else "")


def _short(resource: str) -> str:
    """Leave out what is the same everywhere: partition, this region, this account, and the bucket's own name."""
    text = resource.replace("arn:aws:s3:::<MediaBucket>/", "").replace("arn:aws:s3:::<MediaBucket>", "the bucket")
    text = text.replace(f":{REGION}:{ACCOUNT_ID}:", ":").replace(f":{REGION}::", ":").removeprefix("arn:aws:")
    return text.replace(f"::{ACCOUNT_ID}:", ":").replace(f":{ACCOUNT_ID}:", ":")


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text("utf-8")), "utf-8")
