"""What trains and what draws, by target, over AWS's services; made once per process, when it is needed."""

import os
from functools import cache

from storycast.adapters import environment
from storycast.adapters.bedrock_customization import BedrockCustomizer
from storycast.adapters.bedrock_hosting import BedrockHost
from storycast.adapters.ecr import EcrImages
from storycast.adapters.sagemaker_jobs import SageMakerJobs
from storycast.adapters.weights import S3WeightFolders
from storycast.job_preflight import JobSite
from storycast.renderers import BedrockHosting, Renderer, SageMakerDrawing
from storycast.trainers import BedrockTrainer, SageMakerTrainer, Trainer
from storycast.training import Target


@cache
def all_targets() -> tuple[Target, ...]:
    """Return where this stack trains: on SageMaker only where it was deployed for that."""
    return ("bedrock", "sagemaker") if os.environ["SAGEMAKER_TRAINING"] == "on" else ("bedrock",)


@cache
def trainer(target: Target) -> Trainer:
    """Return what trains for a target. Only who starts jobs is told of their roles and of the image."""
    if target == "bedrock":
        return BedrockTrainer(
            BedrockCustomizer(), environment.store(), os.environ.get("CUSTOMIZATION_ROLE_ARN", "")
        )
    return SageMakerTrainer(container_jobs(), environment.store())


@cache
def renderer(target: Target) -> Renderer:
    """Return what draws for a target."""
    if target == "bedrock":
        return BedrockHosting(BedrockHost())
    return SageMakerDrawing(container_jobs(), environment.store())


@cache
def job_site() -> JobSite:
    """Return where a job on SageMaker would run: what the template tells of it, and who looks at it."""
    return JobSite(
        image_uri=os.environ["TRAINING_IMAGE_URI"],
        role_arn=os.environ["TRAINING_ROLE_ARN"],
        bucket=environment.store().bucket,
        weights_bucket=os.environ["WEIGHTS_BUCKET"],
        images=EcrImages(),
        weights=S3WeightFolders(),
    )


@cache
def container_jobs() -> SageMakerJobs:
    """Return SageMaker's jobs; without role and image where the function starts none, or the stack has none."""
    return SageMakerJobs(os.environ.get("TRAINING_ROLE_ARN", ""), os.environ.get("TRAINING_IMAGE_URI", ""))
