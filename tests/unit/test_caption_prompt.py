"""The prompt that users may replace, and the examples that vary from picture to picture."""

import json
import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storycast.caption_examples import NAMES, SHOWN, draw_examples, pool
from storycast.caption_prompt import repair_request, write_prompt
from storycast.caption_template import (
    MAX_TEMPLATE_BYTES,
    PLACEHOLDERS,
    default_template,
    filled,
    packaged,
    read_template,
)
from storycast.errors import SettingsInvalidError
from storycast.estimate import DEFAULT_PROMPT_CHARACTERS, INPUT_TOKENS, REPAIR_TOKENS
from tests.unit.test_captions import CAST, image

OWN = "Describe this.\nWho: {in_picture}\nHow long: {words}\nBraces: {{ }}\n"


def refusal(text: str | bytes) -> str:
    content = text.encode() if isinstance(text, str) else text
    with pytest.raises(SettingsInvalidError) as caught:
        read_template(content, "prompts/mine.txt")
    return str(caught.value)


# ---- a prompt of one's own ------------------------------------------------------------------------


def test_an_own_prompt_is_filled_in_and_the_form_of_the_answer_asked_for_behind_it() -> None:
    prompt = write_prompt(image("Mara"), CAST, (20, 30), read_template(OWN.encode(), "mine"))
    assert prompt.user == (
        'Describe this.\nWho: <in_picture>["Mara"]</in_picture>\n'
        'How long: <words>{"min": 20, "max": 30}</words>\nBraces: { }\n\n'
        'Answer with JSON only, no other text and no code fence: {"caption": "..."}'
    )
    assert prompt.system == write_prompt(image("Mara"), CAST, (20, 30)).system


def test_the_printed_default_is_the_default() -> None:
    assert read_template(default_template().encode(), "mine") == default_template()
    assert {f"{{{name}}}" for name in PLACEHOLDERS} == set(re.findall(r"\{.*?\}", default_template()))


@pytest.mark.parametrize("content", [OWN.encode("utf-8-sig"), OWN.replace("\n", "\r\n").encode()])
def test_marks_that_windows_leaves_are_taken_off(content: bytes) -> None:
    assert read_template(content, "mine") == OWN.strip()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{in_picture}", "{words} must stand in it"),
        ("{cast} {examples}", "{in_picture} and {words} must stand in it"),
        ("", "{in_picture} and {words} must stand in it"),
        (OWN + "{name}", "line 5: '{name}' is no placeholder"),
        (OWN + "{cast.__class__}", "line 5: '{cast.__class__}' is no placeholder"),
        (OWN + "{cast[0]}", "line 5: '{cast[0]}' is no placeholder"),
        (OWN + "{cast!r}", "line 5: '{cast!r}' is no placeholder"),
        (OWN + "{words:>10}", "line 5: '{words:>10}' is no placeholder"),
        (OWN + "{0}", "line 5: '{0}' is no placeholder"),
        (OWN + "{}", "line 5: '{}' is no placeholder"),
        (OWN + "{ cast }", "line 5: '{ cast }' is no placeholder"),
        (OWN + 'Such as {"caption": "x"}', 'line 5: \'{"caption": "x"}\' is no placeholder'),
        (OWN + "a { alone", "line 5: '{' is no placeholder"),
        (OWN + "a } alone", "line 5: '}' is no placeholder"),
        ("{who}\n\n{what}\n" + OWN, "line 1: '{who}' is no placeholder; line 3: '{what}' is no placeholder"),
        (OWN + "a\x00b", "line 5: it has a control character"),
        (b"Gr\xfc\xdfe {in_picture} {words}", "line 1: this is not UTF-8. Save the file as UTF-8"),
        (b"\x89PNG\r\n\x1a\n\x00", "this is not UTF-8"),
        (OWN + "x" * MAX_TEMPLATE_BYTES, f"at most {MAX_TEMPLATE_BYTES:,}"),
    ],
)
def test_a_prompt_that_cannot_be_used_is_refused_with_file_line_and_what_to_do(
    text: str | bytes, told: str
) -> None:
    said = refusal(text)
    assert said.startswith("prompts/mine.txt")
    assert told in said
    assert "storycast prompt" in said or "UTF-8" in said or "Shorten it" in said


@pytest.mark.parametrize(
    "text",
    [
        "Décris l’image\u00a0: {in_picture}, {words}",
        "絵を\u3000{in_picture}\u3000{words}",
        "👩\u200d🚀 {in_picture} {words}",
    ],
)
def test_a_prompt_may_have_the_spaces_and_joiners_of_any_language(text: str) -> None:
    assert read_template(text.encode(), "mine") == text


@given(st.text())
def test_any_text_is_refused_or_filled_in_without_looking_into_it(text: str) -> None:
    try:
        template = read_template(f"{text}{{in_picture}}{{words}}".encode(errors="replace"), "mine")
    except SettingsInvalidError:
        return
    values = dict.fromkeys(PLACEHOLDERS, "{cast.__class__} {{")
    plain = filled(template, dict.fromkeys(PLACEHOLDERS, "X"))
    assert filled(template, values).replace("{cast.__class__} {{", "X") == plain


def test_a_repair_says_what_is_wrong_and_asks_for_json() -> None:
    assert repair_request(["4 words, asked for 20 to 30", "does not name {Mara}"]) == (
        "This answer can't be used as it is:\n- 4 words, asked for 20 to 30\n- does not name {Mara}\n\n"
        "Look at the picture again and answer once more, with all of that put right.\n\n"
        'Answer with JSON only, no other text and no code fence: {"caption": "..."}'
    )


def test_the_estimate_knows_how_long_the_prompt_is() -> None:
    """A token for four characters, as for English, and 1,300 for a picture."""
    prompt = write_prompt(image("Old Tom", "Mara"), CAST, (20, 30))
    text_tokens = (len(prompt.system) + len(prompt.user)) / 4
    assert pytest.approx(text_tokens, rel=0.15) == INPUT_TOKENS - 1300
    assert len(default_template()) <= DEFAULT_PROMPT_CHARACTERS < 1.3 * len(default_template())
    repair = repair_request(["4 words, asked for 20 to 30", "does not name Mara"])
    assert (len(repair) + 200) / 4 < REPAIR_TOKENS


# ---- examples -------------------------------------------------------------------------------------


def test_the_pool_is_large_and_each_example_is_what_is_asked_for() -> None:
    assert len(pool()) >= 12
    assert Counter((one.framing, one.count) for one in pool()).keys() == {
        (framing, count) for framing in ("close-up", "medium", "full") for count in (1, 2)
    }
    for one in pool():
        assert 20 <= len(one.caption.split()) <= 30
        assert sum(name in one.caption for name in NAMES) == one.count
    assert len({one.caption.split()[0] for one in pool()} | {"Pell", "Tamsin"}) >= 12, "openings differ"


def test_no_three_words_stand_in_two_examples() -> None:
    """What a model is shown twice it says every time."""
    counts: Counter[tuple[str, ...]] = Counter()
    for one in pool():
        text = one.caption.lower()
        for name in NAMES:
            text = text.replace(name.lower(), "name")
        words = re.findall(r"[\w-]+", text)
        counts.update(set(zip(words, words[1:], words[2:], strict=False)))
    assert not [words for words, count in counts.items() if count > 1 and words.count("name") < 2]


@given(
    st.text(alphabet="0123456789abcdef-", min_size=1),
    st.sampled_from(["close-up", "medium", "full"]),
    st.integers(1, 4),
)
def test_a_picture_gets_fitting_examples_always_the_same_ones(crop_id: str, framing: str, count: int) -> None:
    drawn = draw_examples(crop_id, framing, count)
    assert drawn == draw_examples(crop_id, framing, count)
    assert len({one.caption for one in drawn}) == SHOWN
    fitting, kindred, _ = drawn
    several = min(count, 2)
    assert (fitting.framing, fitting.count) == (framing, several)
    assert kindred.count == several
    assert kindred.framing != framing


def test_pictures_are_shown_different_examples() -> None:
    drawn = [draw_examples(f"f-{number:09d}-00", "medium", 1) for number in range(300)]
    counts = Counter(one.caption for examples in drawn for one in examples)
    assert len(counts) == len(pool()), "each is shown to somebody"
    assert max(counts.values()) < 0.5 * len(drawn), "none to most"
    assert len(set(drawn)) > 100


def test_examples_are_shown_in_the_form_of_the_answer() -> None:
    lines = write_prompt(image("Mara"), CAST, (20, 30)).user.splitlines()
    shown = [json.loads(line) for line in lines if line.startswith("{")]
    assert len(shown) == SHOWN
    assert all(set(one) == {"caption"} for one in shown)
    assert packaged("caption_answer").endswith('{"caption": "..."}')
