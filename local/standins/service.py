"""A service that a stand-in plays: one class, one method per operation.

To add an operation, write a method named after it in snake case (``SearchFaces`` -> ``search_faces``). The
wire protocol, validation, errors, faults and the call log follow from the service's model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, wraps
from pathlib import Path
from typing import Any, ClassVar

from botocore import xform_name

from local.standins.a2i_world import A2iWorld
from local.standins.bedrock_world import BedrockWorld
from local.standins.errors import DefectError, ModelledError, RefusedError
from local.standins.human_loops import HumanLoops
from local.standins.outcomes import Outcomes
from local.standins.rekognition_world import RekognitionWorld
from local.standins.sagemaker_world import SageMakerWorld
from local.standins.wire import Wire

type Params = dict[str, Any]
type Operation = Callable[[Any, Params, Call], Params]


@dataclass(slots=True)
class Call:
    """One request while it is answered: who asks, and what the operation tells the call log."""

    service: str
    operation: str
    region: str
    access_key_id: str
    request_id: str
    #: The model id that was asked for, where the operation has one.
    model: str | None = None
    #: What picture the call was about: the first 16 hex digits of the SHA-256 of its content.
    item: str | None = None
    #: Whether an earlier call made what this one answers, so that nothing is charged for it.
    is_repeat: bool = False

    def about(self, content: bytes) -> None:
        """Name the content (an image file's bytes) that the call is about, for the call log."""
        self.item = hashlib.sha256(content).hexdigest()[:16]


def without_none(members: Params) -> Params:
    """The members of an answer that there are: an answer leaves out what is not so."""
    return {name: value for name, value in members.items() if value is not None}


def paid[F: Callable[..., Any]](operation: F) -> F:
    """Mark an operation that the real service charges for when it succeeds."""
    operation.paid = True  # type: ignore[attr-defined]
    return operation


class World:
    """What the services share: what they have made, and what tests ask to go otherwise."""

    def __init__(self, state: Path) -> None:
        """Continue what the state folder keeps."""
        self.bedrock = BedrockWorld(state)
        self.sagemaker = SageMakerWorld(state)
        self.rekognition = RekognitionWorld(state)
        self.a2i = A2iWorld(state)
        self.human_loops = HumanLoops(self.a2i)
        self.outcomes = Outcomes()
        #: Why a call is not allowed, None if it is. Without an emulator whose IAM knows the caller, all are.
        self.denial: Callable[[Call, Params], str | None] = lambda _call, _params: None

    def billed(self) -> list[dict[str, str]]:
        """What AWS would bill by time right now."""
        return self.bedrock.billed() + self.sagemaker.billed() + self.rekognition.billed()

    def close(self) -> None:
        """Write nothing any more."""
        self.sagemaker.close()
        self.rekognition.close()
        self.human_loops.close()
        self.a2i.close()
        self.bedrock.close()


class Service:
    """Base of the stand-ins; every public method of a subclass plays the operation it is named after."""

    #: The service's name in botocore, such as ``bedrock-runtime``.
    service_name: ClassVar[str]

    def __init__(self, world: World) -> None:
        """Play in a world that all services share."""
        self.world = world

    @cached_property
    def wire(self) -> Wire:
        """The service on the wire."""
        return Wire(self.service_name)

    @cached_property
    def operations(self) -> dict[str, Callable[[Params, Call], Params]]:
        """What is played: the methods by operation name.

        Raises:
            DefectError: A public method is no operation of the service's model.
        """
        model = self.wire.model
        known = {xform_name(name): name for name in model.operation_names}
        played: dict[str, Callable[[Params, Call], Params]] = {}
        for attribute in dir(type(self)):
            if attribute.startswith("_") or attribute in _BASE or not callable(getattr(type(self), attribute)):
                continue
            if attribute not in known:
                raise DefectError(f"{type(self).__name__}.{attribute} is no operation of {self.service_name}")
            operation = model.operation_model(known[attribute])
            if operation.has_event_stream_input or operation.has_event_stream_output:
                raise DefectError(f"{operation.name} streams events, which the stand-ins do not speak")
            played[known[attribute]] = self._for_the_allowed(known[attribute], getattr(self, attribute))
        return played

    def _for_the_allowed(
        self, name: str, operation: Callable[[Params, Call], Params]
    ) -> Callable[[Params, Call], Params]:
        @wraps(operation)
        def for_the_allowed(params: Params, call: Call) -> Params:
            if problem := self.world.denial(call, params):
                modelled = {shape.name for shape in self.wire.model.operation_model(name).error_shapes}
                kind = ModelledError if _DENIED in modelled else RefusedError
                raise kind(_DENIED, problem)
            return operation(params, call)

        return for_the_allowed

    def is_paid(self, operation: str) -> bool:
        """Whether the real service charges for this operation when it succeeds."""
        return bool(getattr(self.operations[operation], "paid", False))


_BASE = frozenset(dir(Service))
_DENIED = "AccessDeniedException"
