"""Greets one item; with `key`, writes where it is told, allowed or not."""

import importlib.util
import os
from typing import Any

import boto3
from greeting import NameMissingError, greet


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    if "name" not in event:
        raise NameMissingError("name")
    text = greet(event["name"])
    print(text)
    key = event.get("key", f"results/{event['name']}.txt")
    boto3.client("s3").put_object(Bucket=os.environ["BUCKET"], Key=key, Body=text.encode())
    boto3.client("dynamodb").put_item(TableName=os.environ["TABLE"], Item={"id": {"S": event["name"]}})
    return {"text": text, "imaging": importlib.util.find_spec("numpy") is not None}


def paint(event: dict[str, Any], context: object) -> dict[str, Any]:
    import numpy as np
    from PIL import Image

    print(greet("painter"))
    return {"pixels": int(np.asarray(Image.new("L", (2, 3))).size)}
