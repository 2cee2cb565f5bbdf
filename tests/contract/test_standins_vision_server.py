"""Converse passed on to an OpenAI-compatible server."""

import base64
import http.server
import json
import time

import httpx
import pytest
from botocore.exceptions import ClientError

from local.standins import vision_server
from local.standins.vision_server import VisionServer
from tests.contract.conftest import serving
from tests.contract.standin_pictures import jpeg

NOVA = "amazon.nova-pro-v1:0"
PICTURE = jpeg(7)
REPLY = {
    "choices": [{"message": {"role": "assistant", "content": '{"caption": "Bunny"}'}, "finish_reason": "length"}],
    "usage": {"prompt_tokens": 700, "completion_tokens": 9},
}


@pytest.fixture
def server(environment, monkeypatch):
    """A server that notes what it is asked; ``answers`` says what it answers next."""
    asked, answers = [], []

    class Model(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append((self.path, self.headers.get("Authorization"), body))
            status, reply = answers.pop(0) if answers else (200, REPLY)
            if status == 0:
                time.sleep(0.5)
                status = 200
            raw = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_): ...

    with serving(Model) as url:
        monkeypatch.setenv("STORYCAST_VLM_URL", url)
        monkeypatch.setenv("STORYCAST_VLM_MODEL", "little-vlm")
        monkeypatch.setenv("STORYCAST_VLM_API_KEY", "key")
        yield asked, answers


def ask(call, **params):
    blocks = [{"text": "Write."}, {"image": {"format": "jpeg", "source": {"bytes": PICTURE}}}]
    return call(
        "bedrock-runtime", "Converse", modelId=NOVA, messages=[{"role": "user", "content": blocks}], **params
    )


def test_a_conversation_is_passed_on(call, server, log):
    asked, _ = server
    config = {"maxTokens": 90, "temperature": 0.25, "topP": 0.5, "stopSequences": ["END"]}
    answer = ask(call, system=[{"text": "Be brief."}], inferenceConfig=config)
    ((path, key, body),) = asked
    assert path == "/v1/chat/completions"
    assert key == "Bearer key"
    url = f"data:image/jpeg;base64,{base64.b64encode(PICTURE).decode()}"
    assert body == {
        "model": "little-vlm",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [{"type": "text", "text": "Write."}, {"type": "image_url", "image_url": {"url": url}}],
            },
        ],
        "stream": False,
        "max_tokens": 90,
        "temperature": 0.25,
        "top_p": 0.5,
        "stop": ["END"],
    }
    assert answer["output"]["message"]["content"] == [{"text": '{"caption": "Bunny"}'}]
    assert answer["stopReason"] == "max_tokens"
    assert answer["usage"] == {"inputTokens": 700, "outputTokens": 9, "totalTokens": 709}
    assert answer["additionalModelResponseFields"]["storycast"].startswith("answered by little-vlm at 127.0.0.1:")
    assert log()[0]["paid"] is True


def test_a_repair_goes_on_with_the_same_conversation(call, server):
    asked, answers = server
    answers += [
        (200, {"choices": [{"message": {"content": "no JSON"}, "finish_reason": "stop"}]}),
        (200, {"choices": [{"message": {"content": '{"caption": "Bunny"}'}, "finish_reason": "stop"}]}),
    ]
    first = ask(call)
    said = first["output"]["message"]["content"]
    picture = {"image": {"format": "jpeg", "source": {"bytes": PICTURE}}}
    messages = [
        {"role": "user", "content": [picture, {"text": "Write."}]},
        {"role": "assistant", "content": said},
        {"role": "user", "content": [{"text": "That was no JSON."}]},
    ]
    second = call("bedrock-runtime", "Converse", modelId=NOVA, messages=messages)
    assert second["output"]["message"]["content"] == [{"text": '{"caption": "Bunny"}'}]
    prompt, answer, repair = asked[1][2]["messages"]
    assert [part["type"] for part in prompt["content"]] == ["image_url", "text"]
    assert answer == {"role": "assistant", "content": "no JSON"}
    assert repair == {"role": "user", "content": [{"type": "text", "text": "That was no JSON."}]}


@pytest.mark.parametrize(
    ("status", "reply", "code"),
    [
        (429, {}, "ThrottlingException"),
        (503, {}, "ServiceUnavailableException"),
        (500, {"error": "broke"}, "ModelErrorException"),
        (401, {}, "ModelErrorException"),
        (200, b"<html>", "ModelErrorException"),
        (200, {"choices": []}, "ModelErrorException"),
        (0, REPLY, "ModelTimeoutException"),
    ],
)
def test_its_errors_become_the_modelled_ones(call, server, client, monkeypatch, status, reply, code):
    monkeypatch.setattr(vision_server, "TIMEOUT", httpx.Timeout(0.2, connect=5))
    server[1].append((status, reply))
    with pytest.raises(getattr(client("bedrock-runtime").exceptions, code)):
        ask(call)


def test_a_server_that_is_not_there(call, client, monkeypatch):
    monkeypatch.setenv("STORYCAST_VLM_URL", "http://127.0.0.1:9")
    with pytest.raises(client("bedrock-runtime").exceptions.ServiceUnavailableException, match="does not answer"):
        ask(call)


def test_what_cannot_be_passed_on(call, server):
    document = {"document": {"format": "txt", "name": "x", "source": {"bytes": b"x"}}}
    with pytest.raises(ClientError, match="text and image blocks"):
        call("bedrock-runtime", "Converse", modelId=NOVA, messages=[{"role": "user", "content": [document]}])


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/", "/v1/chat/completions"])
def test_ways_to_name_the_server(monkeypatch, suffix):
    monkeypatch.setenv("STORYCAST_VLM_URL", f"http://localhost:1234{suffix}")
    monkeypatch.delenv("STORYCAST_VLM_MODEL", raising=False)
    expected = VisionServer("http://localhost:1234/v1/chat/completions", "default", None)
    assert vision_server.vision_server() == expected
