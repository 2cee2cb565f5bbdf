"""The exact request that a caption is asked with, on the wire, as a golden file."""

import base64
import json
from pathlib import Path
from typing import Any

import boto3

from local.standins.server import running
from storycast.adapters.bedrock_runtime import ConverseCaptioner
from storycast.caption_answers import read_answer
from storycast.caption_prompt import write_prompt
from storycast.caption_template import MAX_TOKENS
from storycast.cast import Cast, CastMember
from storycast.curation import CuratedImage
from tests.contract.standin_pictures import jpeg

SNAPSHOT = Path(__file__).parent / "snapshots" / "converse_request.json"

CAST = Cast(
    embedding_model="amazon.titan-embed-image-v1",
    members=(
        CastMember(name="Mara", description="a girl with red hair and a scar", labels=(), references=()),
        CastMember(name="Old Tom", description="a bent man with a grey beard", labels=(), references=()),
        CastMember(name="Pip", description="a small dog", labels=(), references=()),
    ),
)
IMAGE = CuratedImage(
    crop_id="8d1f0c2ab34e-000012500-00",
    character="Mara",
    frame_id="8d1f0c2ab34e-000012500",
    frame_key="footage/8d1f0c2ab34e/frames-0/00000/000012500.jpg",
    footage_id="8d1f0c2ab34e",
    time_ms=12_500,
    shot=3,
    left_px=100,
    top_px=40,
    side_px=512,
    in_picture=("Mara", "Old Tom"),
    framing="medium",
    enlarged=False,
    score=0.8,
    duplicates=(),
)


def test_the_request_is_the_golden_one_and_the_model_answers_it(tmp_path: Path) -> None:
    sent: list[dict[str, Any]] = []
    with running(tmp_path) as server:
        client = boto3.client(
            "bedrock-runtime",
            region_name="us-east-1",
            endpoint_url=server.url,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )
        client.meta.events.register(
            "before-send.bedrock-runtime.Converse",
            lambda request, **_: sent.append({"url": request.url, "body": json.loads(request.body)}),
        )
        prompt = write_prompt(IMAGE, CAST, (20, 30))
        picture = jpeg(1)
        answer = ConverseCaptioner("amazon.nova-pro-v1:0", client).answer(
            prompt.system, [prompt.user], picture, max_tokens=MAX_TOKENS
        )
    (request,) = sent
    source = request["body"]["messages"][0]["content"][0]["image"]["source"]
    assert base64.b64decode(source["bytes"]) == picture
    source["bytes"] = "the picture"
    shown = {"path": request["url"].removeprefix(server.url), "body": request["body"]}
    assert shown == json.loads(SNAPSHOT.read_text()), json.dumps(shown, indent=1, ensure_ascii=False)
    caption = read_answer(answer.text, answer.stop_reason)
    assert "Mara" in caption
    assert "Old Tom" in caption
    assert 20 <= len(caption.split()) <= 30
