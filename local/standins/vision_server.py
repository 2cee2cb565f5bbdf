"""A vision model on the user's machine, behind an OpenAI-compatible ``/v1/chat/completions``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from local.standins.errors import ModelledError

URL_VARIABLE = "STORYCAST_VLM_URL"
MODEL_VARIABLE = "STORYCAST_VLM_MODEL"
KEY_VARIABLE = "STORYCAST_VLM_API_KEY"
#: Some servers ignore the model's name, some (Ollama) need it: then set ``STORYCAST_VLM_MODEL``.
DEFAULT_MODEL = "default"
#: A large model on a CPU may take minutes for one picture.
TIMEOUT = httpx.Timeout(300.0, connect=5.0)

_STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "content_filter": "content_filtered"}


@dataclass(frozen=True, slots=True)
class ServerReply:
    """What the server said."""

    text: str
    #: Converse's word for why it ended.
    stop_reason: str
    #: Tokens, as the server counted them; 0 if it did not.
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class VisionServer:
    """Where the server is, and what it is asked for."""

    url: str
    model: str
    api_key: str | None

    @property
    def host(self) -> str:
        """Its host, with the port where the URL names one."""
        return urlsplit(self.url).netloc.rpartition("@")[2]

    def complete(self, messages: list[dict[str, Any]], settings: dict[str, Any]) -> ServerReply:
        """Ask for one answer.

        Args:
            messages: The conversation, in OpenAI's form.
            settings: Further keys of the request, such as ``max_tokens`` and ``temperature``.

        Raises:
            ModelledError: ThrottlingException for its 429, ServiceUnavailableException where it is not
                there or says 503, ModelTimeoutException where it takes too long, ModelErrorException for
                all else.
        """
        headers = {"authorization": f"Bearer {self.api_key}"} if self.api_key else {}
        body = {"model": self.model, "messages": messages, "stream": False} | settings
        try:
            with httpx.Client(timeout=TIMEOUT, trust_env=False) as client:
                answer = client.post(self.url, json=body, headers=headers)
        except httpx.ReadTimeout as error:
            raise ModelledError("ModelTimeoutException", f"{self.host} took too long") from error
        except httpx.HTTPError as error:
            raise ModelledError(
                "ServiceUnavailableException", f"The vision server {self.host} does not answer: {error}"
            ) from error
        if answer.status_code != httpx.codes.OK:
            raise self._failure(answer)
        return self._reply(answer)

    def _failure(self, answer: httpx.Response) -> ModelledError:
        message = f"The vision server {self.host} said {answer.status_code}: {answer.text[:300]}"
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            return ModelledError("ThrottlingException", message)
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            return ModelledError("ServiceUnavailableException", message)
        return ModelledError(
            "ModelErrorException", message, originalStatusCode=answer.status_code, resourceName=self.model
        )

    def _reply(self, answer: httpx.Response) -> ServerReply:
        try:
            document = answer.json()
            choice = document["choices"][0]
            usage = document.get("usage") or {}
            return ServerReply(
                text=str(choice["message"]["content"] or ""),
                stop_reason=_STOP_REASONS.get(choice.get("finish_reason") or "stop", "end_turn"),
                input_tokens=int(usage.get("prompt_tokens", 0)),
                output_tokens=int(usage.get("completion_tokens", 0)),
            )
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            message = f"The vision server {self.host} gave an answer that cannot be read: {error!r}"
            raise ModelledError("ModelErrorException", message, resourceName=self.model) from error


def vision_server() -> VisionServer | None:
    """The server that the environment names, or None."""
    url = os.environ.get(URL_VARIABLE, "").rstrip("/")
    if not url:
        return None
    if not url.endswith("/chat/completions"):
        url += "/chat/completions" if url.endswith("/v1") else "/v1/chat/completions"
    return VisionServer(
        url=url,
        model=os.environ.get(MODEL_VARIABLE) or DEFAULT_MODEL,
        api_key=os.environ.get(KEY_VARIABLE) or None,
    )
