"""Amazon ECR: whether the trainer's image is there."""

import re
from typing import Any

from botocore.exceptions import ClientError

from storycast.adapters.clients import client
from storycast.adapters.faults import translated

_URI = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.[a-z.]+/(?P<repository>[^:@]+)"
    r"(?::(?P<tag>[^@]+))?(?:@(?P<digest>.+))?"
)
_MISSING = {"ImageNotFoundException", "RepositoryNotFoundException"}
_MAY_NOT_LOOK = {"AccessDeniedException", "AccessDenied"}


class EcrImages:
    """An :class:`~storycast.job_preflight.ImageRegistry` over DescribeImages, which costs nothing."""

    def __init__(self, ecr: Any = None) -> None:
        self._given = ecr

    def has_image(self, image_uri: str) -> bool | None:
        """Whether there is an image of this URI; None where it is no URI of Amazon ECR, or we may not look."""
        match = _URI.fullmatch(image_uri)
        if match is None:
            return None
        image = {"imageDigest": match["digest"]} if match["digest"] else {"imageTag": match["tag"] or "latest"}
        with translated(f"DescribeImages {image_uri}"):
            try:
                (self._given or client("ecr")).describe_images(
                    registryId=match["account"], repositoryName=match["repository"], imageIds=[image]
                )
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code in _MISSING:
                    return False
                if code in _MAY_NOT_LOOK:
                    return None
                raise
        return True
