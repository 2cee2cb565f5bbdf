"""The desk: takes each request to the service it is for, and logs what became of it."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from botocore.model import OperationModel

from local.faults import ANSWER_LOST, CONNECTION_CUT, DONE, GARBAGE, GARBAGE_PAGE, KINDS, FaultRule, Faults
from local.standins.calls import CallLog, CallRecord
from local.standins.errors import COMMON_ERRORS, ModelledError, RefusedError
from local.standins.http import CredentialScope, HttpAnswer, HttpRequest, credential_scope
from local.standins.service import Call, Service
from local.standins.wire import refusal

_log = logging.getLogger("storycast.standins")

#: Threads that answer; most of them wait (for S3, for a vision server, for their turn on a model's core).
_THREADS = 16


class Desk:
    """All services on the one port."""

    def __init__(self, services: Sequence[Service], calls: CallLog) -> None:
        """Open the desk; a service that plays what its model does not know is refused here.

        Raises:
            DefectError: A public method of a service is no operation of its model.
        """
        self.services = {service.service_name: service for service in services}
        for service in services:
            _ = service.operations
        self.calls = calls
        self.faults = Faults()
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="standins")

    async def answer(self, request: HttpRequest) -> HttpAnswer | None:
        """Answer one request; None means that the connection must be cut."""
        begun, arrived = time.perf_counter(), dt.datetime.now(dt.UTC)
        call = Call("", "", "", "", str(uuid.uuid4()))
        rule: FaultRule | None = None
        error: str | None = None
        answer: HttpAnswer | None
        try:
            service, operation, labels = self._find(request, call)
            rule = self.faults.next_for(call.service, call.operation)
            if rule and rule.delay_ms:
                await asyncio.sleep(rule.delay_ms / 1000)
            if rule and rule.error and rule.error not in DONE:
                answer, error = _broken(service, operation, rule, call.request_id)
            else:
                work = (service, operation, labels, request, call)
                loop = asyncio.get_running_loop()
                answer, error = await loop.run_in_executor(self._pool, _served, *work)
                if rule and rule.error in DONE:
                    answer = None if rule.error == ANSWER_LOST else _half(answer)
        except RefusedError as refused:
            answer, error = refusal(refused, call.request_id), refused.code
        if answer is not None:
            answer.headers["x-amzn-requestid"] = call.request_id
        played = self.services.get(call.service)
        self.calls.append(
            CallRecord(
                time=arrived.isoformat(timespec="milliseconds"),
                service=call.service or None,
                operation=call.operation or None,
                model=call.model,
                item=call.item,
                status=answer.status if answer else 0,
                error=error,
                ms=round((time.perf_counter() - begun) * 1000, 1),
                access_key_id=call.access_key_id or None,
                paid=bool(error is None and played and played.is_paid(call.operation) and not call.is_repeat),
                fault=rule.name if rule else None,
            )
        )
        return answer

    def check_rule(self, rule: FaultRule) -> str | None:
        """Say why a fault rule cannot be, or None if it can."""
        service = self.services.get(rule.service)
        if service is None:
            return f"no such service here: {rule.service} (there are: {', '.join(sorted(self.services))})"
        if rule.operation not in service.operations:
            return f"{rule.service} does not play {rule.operation} (it plays: {', '.join(service.operations)})"
        operation = service.wire.model.operation_model(rule.operation)
        codes = {shape.name for shape in operation.error_shapes} | set(COMMON_ERRORS)
        if rule.error is not None and rule.error not in codes | KINDS:
            return f"{rule.operation} does not model {rule.error}; it may answer {', '.join(sorted(codes))}"
        return None

    def close(self) -> None:
        """Take no more calls, and close the log; what still runs is not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self.calls.close()

    def _find(self, request: HttpRequest, call: Call) -> tuple[Service, OperationModel, dict[str, str]]:
        """Find the service and operation of a request, and note them in the call."""
        scope: CredentialScope = credential_scope(request)
        call.access_key_id, call.region = scope.access_key_id, scope.region
        candidates = [each for each in self.services.values() if each.wire.signing_name == scope.signing_name]
        for service in candidates:
            found = service.wire.match(request)
            if found is None:
                continue
            operation, labels = found
            call.service = service.service_name
            if operation.name not in service.operations:
                plays = ", ".join(service.operations)
                raise RefusedError(
                    "UnknownOperationException",
                    f"The local stand-in does not play {call.service}:{operation.name}. It plays: {plays}.",
                )
            call.operation = operation.name
            return service, operation, labels
        asked = request.headers.get("x-amz-target") or f"{request.method} {request.path}"
        raise RefusedError(
            "UnknownOperationException",
            f"No local stand-in plays {asked} of the service {scope.signing_name}. "
            f"There are: {', '.join(self.services)}.",
        )


def _served(
    service: Service, operation: OperationModel, labels: dict[str, str], request: HttpRequest, call: Call
) -> tuple[HttpAnswer, str | None]:
    """Read the request, do the work and write the answer; runs in a thread of the pool."""
    try:
        params = service.wire.read(operation, labels, request)
        return service.wire.write(operation, service.operations[operation.name](params, call)), None
    except ModelledError as error:
        try:
            return service.wire.write_error(operation, error, call.request_id), error.code
        except Exception as defect:
            return _defect(service, operation, call, defect)
    except Exception as defect:
        return _defect(service, operation, call, defect)


def _defect(
    service: Service, operation: OperationModel, call: Call, defect: Exception
) -> tuple[HttpAnswer, str | None]:
    """A bug of the stand-in: logged with its traceback, and an internal error for the client."""
    _log.error("%s:%s failed", call.service, call.operation, exc_info=defect)
    message = f"The local stand-in failed, which is a bug of it: {type(defect).__name__}: {defect}"
    error = service.wire.internal_error(operation, message)
    return service.wire.write_error(operation, error, call.request_id), error.code


def _half(answer: HttpAnswer | None) -> HttpAnswer | None:
    """An answer whose body ends in the middle."""
    return answer and HttpAnswer(answer.status, answer.body[: len(answer.body) // 2], answer.headers)


def _broken(
    service: Service, operation: OperationModel, rule: FaultRule, request_id: str
) -> tuple[HttpAnswer | None, str]:
    """What a fault rule answers with."""
    code = rule.error or ""
    if code == CONNECTION_CUT:
        return None, code
    if code == GARBAGE:
        return HttpAnswer(200, GARBAGE_PAGE, {"content-type": "text/html"}), code
    message = f"{code}, as a fault rule asked for."
    modelled = {shape.name for shape in operation.error_shapes}
    error = ModelledError(code, message) if code in modelled else RefusedError(code, message)
    return service.wire.write_error(operation, error, request_id), code
