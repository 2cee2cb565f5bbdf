"""Converse without a vision model: captions composed from measured facts."""

import json
import re
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local.standins.composer import compose
from local.standins.conversation import COMPOSED
from local.standins.facts import PictureFacts
from local.standins.nonsense import NONSENSE, nonsense
from local.standins.outcomes import CaptionOutcome
from tests.contract.standin_pictures import jpeg

NOVA = "us.amazon.nova-pro-v1:0"
FACTS = st.builds(
    PictureFacts,
    shot=st.sampled_from(["close-up", "medium shot", "full figure"]),
    share_percent=st.integers(0, 100),
    position=st.sampled_from(["left", "centre", "right"]),
    figures=st.integers(0, 12),
    light=st.sampled_from(["dim", "even", "bright"]),
    contrast=st.sampled_from(["soft", "moderate", "strong"]),
    warmth=st.sampled_from(["warm", "neutral", "cool"]),
    background=st.sampled_from([(), ("green",), ("dark green", "pale blue")]),
    backdrop=st.sampled_from(["plain", "busy"]),
    focus=st.sampled_from(["sharp", "soft"]),
)
RANGES = st.integers(6, 60).flatmap(lambda least: st.tuples(st.just(least), st.integers(least, least + 20)))


def prompt(names, least, most):
    cast = json.dumps([{"name": name, "description": "a large grey rabbit"} for name in names])
    return (
        "Write one caption. Answer with JSON only.\n"
        f"<cast>{cast}</cast>\n<in_picture>{json.dumps(names)}</in_picture>\n"
        f'<words>{{"min": {least}, "max": {most}}}</words>'
    )


def user(*blocks):
    return [{"role": "user", "content": list(blocks)}]


def image(content, kind="jpeg"):
    return {"image": {"format": kind, "source": {"bytes": content}}}


@pytest.fixture
def converse(call):
    def ask(content, text, **params):
        messages = user({"text": text}, image(content))
        return call("bedrock-runtime", "Converse", modelId=NOVA, messages=messages, **params)

    return ask


def said(answer):
    (block,) = answer["output"]["message"]["content"]
    return block["text"]


def refused(client, **params):
    runtime = client("bedrock-runtime")
    with pytest.raises(runtime.exceptions.ValidationException) as caught:
        runtime.converse(**({"modelId": NOVA} | params))
    return caught.value.response["Error"]["Message"]


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10_000), names=st.sampled_from([["Bunny"], ["Bunny", "Frank"], []]))
def test_captions_of_generated_pictures(converse, seed, names):
    answer = converse(jpeg(seed), prompt(names, 20, 30))
    caption = json.loads(said(answer)).pop("caption")
    assert 20 <= len(caption.split()) <= 30
    assert caption.startswith(" and ".join(names) or "A character")
    assert "rabbit" not in caption
    assert answer["stopReason"] == "end_turn"
    assert answer["additionalModelResponseFields"] == {"storycast": COMPOSED}


@settings(max_examples=100, deadline=None)
@given(
    facts=FACTS,
    wanted=RANGES,
    names=st.sampled_from([[], ["Bunny"], ["Bunny", "Gamera"], ["unknown"]]),
    seed=st.binary(max_size=8),
)
def test_captions_keep_to_the_range(facts, wanted, names, seed):
    caption = compose(facts, names, *wanted, seed)
    assert wanted[0] <= len(caption.split()) <= wanted[1]
    assert caption.startswith(" and ".join(name for name in names if name != "unknown") or "A character")
    assert caption.endswith(".")
    assert not any(odd in caption for odd in ("  ", " ,", ",,", "..", ",.", " ."))
    assert caption == compose(facts, names, *wanted, seed)


@given(facts=FACTS, words=st.integers(1, 5))
def test_names_stay_even_where_the_range_is_too_small(facts, words):
    assert compose(facts, ["Bunny", "Frank", "Gamera"], words, words, b"").startswith("Bunny, Frank and Gamera")


def test_characters_without_a_name():
    facts = PictureFacts("close-up", 50, "left", 1, "bright", "soft", "warm", ("green",), "plain", "sharp")
    for names, begins in (
        ([], "A character "),
        (["unknown"], "A character "),
        (["unknown", "unknown"], "Two characters "),
        (["Bunny", "unknown"], "Bunny and another character "),
    ):
        assert compose(facts, names, 20, 30, b"").startswith(begins)


def test_a_picture_decides_how_it_is_said_wherever_it_lies(converse, call, objects):
    one = converse(jpeg(5), prompt(["Bunny"], 20, 30))
    objects["films/caption.jpg"] = jpeg(5)
    place = {"image": {"format": "jpeg", "source": {"s3Location": {"uri": "s3://films/caption.jpg"}}}}
    messages = user({"text": prompt(["Bunny"], 20, 30)}, place)
    again = call("bedrock-runtime", "Converse", modelId="amazon.nova-2-lite-v1:0", messages=messages)
    assert said(one) == said(again)
    assert one["usage"] == again["usage"]
    assert one["usage"]["totalTokens"] == one["usage"]["inputTokens"] + one["usage"]["outputTokens"]
    assert one["metrics"]["latencyMs"] > 0


def test_a_repair_is_answered_by_the_words_of_the_first_turn(converse, call):
    first = converse(jpeg(5), prompt(["Bunny"], 20, 30))
    messages = [
        *user(image(jpeg(5)), {"text": prompt(["Bunny"], 20, 30)}),
        {"role": "assistant", "content": [{"text": "no JSON"}]},
        *user({"text": "That was no JSON. Answer once more."}),
    ]
    again = call("bedrock-runtime", "Converse", modelId=NOVA, messages=messages)
    assert said(again) == said(first)
    assert again["usage"]["inputTokens"] > first["usage"]["inputTokens"]


def test_nonsense_is_answered_where_a_test_asks_for_it(converse, own, log):
    own("POST", "outcomes", {"caption": {"text": "no", "stop_reason": "content_filtered"}, "count": 2})
    for _ in range(2):
        answer = converse(jpeg(5), prompt(["Bunny"], 20, 30))
        assert (said(answer), answer["stopReason"]) == ("no", "content_filtered")
    assert "Bunny" in said(converse(jpeg(5), prompt(["Bunny"], 20, 30)))
    assert [line["paid"] for line in log()] == [True] * 3
    own("POST", "outcomes", {"caption": {"nonsense_share": 1.0}, "count": 2})
    bad = [converse(jpeg(5), prompt(["Bunny"], 20, 30)) for _ in range(2)]
    assert said(bad[0]) == said(bad[1])
    assert (said(bad[0]), bad[0]["stopReason"]) in NONSENSE


def test_a_share_of_the_pictures_gets_nonsense_and_a_second_answer_is_decided_anew():
    asked = CaptionOutcome(nonsense_share=0.3)
    pictures = [bytes([number % 256, number // 256]) for number in range(1000)]
    first = {one for one in pictures if nonsense(asked, one, 1)}
    both = {one for one in first if nonsense(asked, one, 3)}
    assert 250 < len(first) < 350
    assert 60 < len(both) < 130
    assert {nonsense(asked, one, 1) for one in first} == set(NONSENSE)
    assert not any(nonsense(CaptionOutcome(), one, 1) for one in pictures)


def test_no_three_words_stand_in_most_captions_of_alike_pictures():
    facts = PictureFacts("medium shot", 35, "left", 1, "even", "soft", "warm", ("green", "tan"), "busy", "sharp")
    captions = [compose(facts, ["Bunny"], 20, 30, bytes([number])) for number in range(60)]
    counts = Counter()
    for caption in captions:
        words = re.findall(r"[\w-]+", caption)
        counts.update(set(zip(words, words[1:], words[2:], strict=False)))
    (most, count), *_ = counts.most_common(1)
    assert count < 0.6 * len(captions), most


def test_patterns_vary():
    facts = PictureFacts("close-up", 50, "left", 1, "bright", "soft", "warm", ("green",), "plain", "sharp")
    captions = {compose(facts, ["Bunny"], 20, 30, bytes([number])) for number in range(40)}
    assert len(captions) > 30
    assert len({" ".join(caption.split()[:5]) for caption in captions}) > 3


def test_a_prompt_without_blocks_is_answered_in_plain_words(converse, log):
    answer = said(converse(jpeg(5), "What is this?", system=[{"text": "Be brief."}]))
    assert answer.endswith(".")
    assert not answer.startswith("{")
    (line,) = log()
    assert (line["operation"], line["model"], line["paid"]) == ("Converse", NOVA, True)
    assert len(line["item"]) == 16


def test_limits_of_an_answer(converse):
    short = converse(jpeg(5), prompt(["Bunny"], 20, 30), inferenceConfig={"maxTokens": 5, "temperature": 0.2})
    assert short["stopReason"] == "max_tokens"
    assert short["usage"]["outputTokens"] == 5
    stopped = converse(jpeg(5), prompt(["Bunny"], 20, 30), inferenceConfig={"stopSequences": ["Bunny"]})
    assert stopped["stopReason"] == "stop_sequence"
    assert said(stopped) == '{"caption": "'


def test_what_is_refused(client):
    text = {"text": "Hello"}
    assert "pictures only" in refused(client, messages=user(text))
    assert "start with a user message" in refused(client, messages=[])
    assistant = {"role": "assistant", "content": [text]}
    assert "start with a user message" in refused(client, messages=[assistant])
    assert "last turn" in refused(client, messages=[*user(text), assistant])
    assert "alternate" in refused(client, messages=[*user(text), *user(text)])
    assert "Could not process" in refused(client, messages=user(image(b"no picture")))
    assert "Could not process" in refused(client, messages=user(image(jpeg()[:900])))
    assert "jpeg, but" in refused(client, messages=user(image(jpeg(), "png")))
    assert "S3" in refused(
        client,
        messages=user({"image": {"format": "png", "source": {"s3Location": {"uri": "s3://films/none"}}}}),
    )
    document = {"document": {"format": "txt", "name": "x", "source": {"bytes": b"x"}}}
    assert "text and image blocks" in refused(client, messages=user(document))
    assert "role" in refused(client, messages=[{"role": "nobody", "content": [text]}])
