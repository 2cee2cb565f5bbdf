"""Amazon Bedrock's stand-in: tags of jobs, custom models and hosting."""

from __future__ import annotations

from typing import Any

from local.standins.errors import ModelledError
from local.standins.service import Call, Params, Service


class Tags(Service):
    """Tags by ARN; they are kept and told, and decide nothing."""

    service_name = "bedrock"

    def tag_resource(self, params: Params, _call: Call) -> Params:
        """Set tags beside those that are there."""
        with self.world.bedrock.changing() as kept:
            one = _found(kept, params["resourceARN"])
            one.tags = one.tags | {tag["key"]: tag["value"] for tag in params["tags"]}
        return {}

    def untag_resource(self, params: Params, _call: Call) -> Params:
        """Take tags off."""
        with self.world.bedrock.changing() as kept:
            one = _found(kept, params["resourceARN"])
            one.tags = {key: value for key, value in one.tags.items() if key not in params["tagKeys"]}
        return {}

    def list_tags_for_resource(self, params: Params, _call: Call) -> Params:
        """List the tags of a resource."""
        with self.world.bedrock.reading() as kept:
            tags = _found(kept, params["resourceARN"]).tags
        return {"tags": [{"key": key, "value": value} for key, value in tags.items()]}


def _found(kept: Any, arn: str) -> Any:
    one = kept.tagged(arn)
    if one is None:
        raise ModelledError("ResourceNotFoundException", f"There is no resource {arn}.")
    return one
