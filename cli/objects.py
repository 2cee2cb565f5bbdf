"""Objects of the media bucket, for readers."""

from collections.abc import Iterator

from botocore.exceptions import ClientError

from cli.target import Target


def read(target: Target, key: str) -> bytes | None:
    """Return an object's content; None where there is none."""
    try:
        return target.s3.get_object(Bucket=target.bucket, Key=key)["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] in ("404", "NoSuchKey"):
            return None
        raise


def listed(target: Target, prefix: str) -> Iterator[str]:
    """Yield the keys below a prefix, in order."""
    pages = target.s3.get_paginator("list_objects_v2").paginate(Bucket=target.bucket, Prefix=prefix)
    for page in pages:
        for stored in page.get("Contents", ()):
            yield stored["Key"]
