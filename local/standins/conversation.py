"""Converse: a conversation with a picture, answered from measured facts or by the user's vision model."""

from __future__ import annotations

import base64
import json
import math
import time
from itertools import pairwise
from typing import Any

from local.standins.composer import compose, describe
from local.standins.embeddings import BYTES_LIMIT, fetched
from local.standins.errors import ModelledError
from local.standins.facts import measure
from local.standins.nonsense import nonsense
from local.standins.outcomes import CaptionOutcome
from local.standins.pictures import PictureUnreadableError, read_header, read_pixels
from local.standins.prompts import caption_request
from local.standins.service import Call, Params
from local.standins.vision_server import VisionServer, vision_server

#: Tokens are estimated: one for four characters, as for English, and a fixed count for a picture (what
#: Amazon's guide to Nova gives for about 900 x 900 px).
CHARACTERS_PER_TOKEN = 4
TOKENS_PER_PICTURE = 1300
COMPOSED = "composed by the local stand-in from measured facts"


def reply(params: Params, call: Call, asked: CaptionOutcome) -> Params:
    """Answer Converse's parameters.

    Args:
        params: The conversation.
        call: The request, for the call log.
        asked: What a test asks for instead of a caption; a vision server answers as it will.

    Raises:
        ModelledError: ValidationException for a conversation that the service or the stand-in does not
            take; the vision server's errors.
    """
    begun = time.perf_counter()
    _check_roles(params.get("messages", []))
    server = vision_server()
    answer = _passed_on(server, params, call) if server else _composed(params, call, asked)
    answer["metrics"] = {"latencyMs": round((time.perf_counter() - begun) * 1000)}
    return answer


def _check_roles(messages: list[dict[str, Any]]) -> None:
    if not messages or messages[0]["role"] != "user":
        raise _invalid(
            "A conversation must start with a user message. Try again with a conversation that starts so."
        )
    if messages[-1]["role"] != "user":
        raise _invalid("The last turn in a conversation must be a user message.")
    roles = [message["role"] for message in messages]
    if any(one == other for one, other in pairwise(roles)):
        raise _invalid("A conversation must alternate between user and assistant roles.")


def _composed(params: Params, call: Call, outcome: CaptionOutcome) -> Params:
    """Answer without a vision model: from what can be measured of the last picture."""
    texts, picture, pictures = (
        [block["text"] for block in params.get("system", []) if "text" in block],
        None,
        0,
    )
    asked: list[str] = []
    for message in params["messages"]:
        for block in message["content"]:
            if "text" in block:
                texts.append(block["text"])
                asked += [block["text"]] if message["role"] == "user" else []
            elif "image" in block:
                picture, pictures = _picture(block["image"], call), pictures + 1
            else:
                raise _unplayed(block)
    if picture is None:
        raise _invalid(
            "Without a vision model (STORYCAST_VLM_URL) the local stand-in answers about pictures only."
        )
    try:
        facts = measure(read_pixels(picture))
    except PictureUnreadableError as error:
        raise _invalid(f"Could not process image: {error}.") from error
    wanted = caption_request("\n".join(asked))
    if wanted is None:
        text = describe(facts)
    else:
        caption = compose(facts, wanted.names, wanted.least, wanted.most, picture)
        text = json.dumps({"caption": caption}, ensure_ascii=False)
    instead = nonsense(outcome, picture, len(params["messages"]))
    text, stop_reason = instead or _cut(text, params.get("inferenceConfig", {}))
    said = _tokens("".join(texts)) + pictures * TOKENS_PER_PICTURE
    return _answer(text, stop_reason, said, _tokens(text), COMPOSED)


def _passed_on(server: VisionServer, params: Params, call: Call) -> Params:
    """Answer with the user's vision model."""
    config = params.get("inferenceConfig", {})
    names = {
        "maxTokens": "max_tokens",
        "temperature": "temperature",
        "topP": "top_p",
        "stopSequences": "stop",
    }
    settings = {names[key]: value for key, value in config.items()}
    messages: list[dict[str, Any]] = []
    system = "\n".join(block["text"] for block in params.get("system", []) if "text" in block)
    if system:
        messages.append({"role": "system", "content": system})
    for message in params["messages"]:
        parts = [_part(block, call) for block in message["content"]]
        # Some servers take no parts where they themselves speak.
        is_own = message["role"] == "assistant" and all(part["type"] == "text" for part in parts)
        content = "\n".join(part["text"] for part in parts) if is_own else parts
        messages.append({"role": message["role"], "content": content})
    said = server.complete(messages, settings)
    note = f"answered by {server.model} at {server.host}"
    return _answer(said.text, said.stop_reason, said.input_tokens, said.output_tokens, note)


def _part(block: dict[str, Any], call: Call) -> dict[str, Any]:
    """One content block in OpenAI's form."""
    if "text" in block:
        return {"type": "text", "text": block["text"]}
    if "image" in block:
        content = base64.b64encode(_picture(block["image"], call)).decode("ascii")
        return {
            "type": "image_url",
            "image_url": {"url": f"data:image/{block['image']['format']};base64,{content}"},
        }
    raise _unplayed(block)


def _picture(image: dict[str, Any], call: Call) -> bytes:
    """The bytes of an image block, checked."""
    source = image["source"]
    if "bytes" in source:
        content = bytes(source["bytes"])
    elif "s3Location" in source:
        content = fetched(source["s3Location"]["uri"])
    else:
        raise _invalid("An image's source must be bytes or s3Location.")
    call.about(content)
    if len(content) > BYTES_LIMIT:
        raise _invalid("The image is larger than 25 MB.")
    try:
        header = read_header(content)
    except PictureUnreadableError as error:
        raise _invalid(f"Could not process image: {error}.") from error
    if header.format != image["format"]:
        raise _invalid(f"The image is {header.format}, but the request says {image['format']}.")
    return content


def _answer(text: str, stop_reason: str, said: int, answered: int, note: str) -> Params:
    return {
        "output": {"message": {"role": "assistant", "content": [{"text": text}]}},
        "stopReason": stop_reason,
        "usage": {"inputTokens": said, "outputTokens": answered, "totalTokens": said + answered},
        "additionalModelResponseFields": {"storycast": note},
    }


def _cut(text: str, config: dict[str, Any]) -> tuple[str, str]:
    """Cut an answer where the request says that it must end, and say why it ended."""
    found = [text.find(stop) for stop in config.get("stopSequences", []) if stop in text]
    most = config.get("maxTokens", math.inf) * CHARACTERS_PER_TOKEN
    if found and min(found) <= most:
        return text[: min(found)], "stop_sequence"
    if len(text) > most:
        return text[: int(most)], "max_tokens"
    return text, "end_turn"


def _tokens(text: str) -> int:
    return math.ceil(len(text) / CHARACTERS_PER_TOKEN)


def _invalid(message: str) -> ModelledError:
    return ModelledError("ValidationException", message)


def _unplayed(block: dict[str, Any]) -> ModelledError:
    return _invalid(f"The local stand-in takes text and image blocks, not {', '.join(block)}.")
