"""A corpus of bad answers, through reading and repair: no picture is lost by one, and no caption is made up.

Each case of ``bad_answers/*.json`` has who is in the picture, what a captioner answered and why it stopped, which
faults that has, and the caption that stays, with flags, where the second answer is no better; null where none is.
"""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storycast import keys
from storycast.caption_answers import FAULTS, CaptionRefusedError, Question, better, read, read_answer
from storycast.caption_faults import Fault
from storycast.caption_lint.findings import LintedCaption
from storycast.captions import Caption, CaptionAnswer
from storycast.cast import Cast, CastMember
from storycast.curation import CuratedImage
from storycast.errors import FrameRefusedError, ThrottledError
from storycast.footage import FootageSource
from storycast.plan import RunPlan, make_plan
from storycast.ports import Answer
from storycast.runs import ModelUsed
from storycast.settings import Settings
from storycast.stages.caption_images import caption_images
from tests.fakes.captions import HARBOUR, HARBOUR_CAPTIONS, ORBIT, ORBIT_CAPTIONS
from tests.fakes.film import encoded
from tests.fakes.store import MemoryStore
from tests.fakes.turns import LIMIT, turns_of

CASES: list[dict[str, Any]] = [
    {**case, "group": file.stem}
    for file in sorted((Path(__file__).parent / "bad_answers").glob("*.json"))
    for case in json.loads(file.read_text(encoding="utf-8"))
]
IDS = [f"{case['group']}: {case['why']}" for case in CASES]
LOOKS = {
    "Bunny": "a huge, gentle, pale grey rabbit with long ears and small teeth",
    "Frank": "a brown flying squirrel with a bushy tail and a striped forehead",
    "Gamera": "a small, round, blue-grey chinchilla",
}
CAST = Cast(
    embedding_model="m",
    members=tuple(
        CastMember(name=name, description=looks, labels=(), references=()) for name, looks in LOOKS.items()
    ),
)
MODEL = ModelUsed(model_id="amazon.nova-pro-v1:0", name="Nova", provider="Amazon")
WORDS = (20, 30)
GOOD = {
    ("Bunny",): "Bunny stoops over a brook and drinks out of one hand, half in the shade, with morning mist "
    "between the trunks, framed to the waist.",
    (
        "Bunny",
        "Frank",
    ): "Frank whispers to Bunny across a fallen log while both look past us, faces near, lit from the "
    "left by a low and golden sun.",
}


class Scripted:
    """A :class:`~storycast.ports.Captioner` that says what it is given, one after the other."""

    def __init__(self, *script: Answer | Exception) -> None:
        self.script = list(script)
        self.conversations: list[tuple[str, ...]] = []

    def answer(self, system: str, turns: Sequence[str], picture: bytes, *, max_tokens: int) -> Answer:
        assert all(turn.strip() for turn in turns), "the service refuses a turn without text"
        assert len(turns) % 2 == 1
        assert picture.startswith(b"\x89PNG")
        self.conversations.append(tuple(turns))
        said = self.script.pop(0)
        if isinstance(said, Exception):
            raise said
        return said


def answered(text: str, stop_reason: str = "end_turn") -> Answer:
    return Answer(text, stop_reason, 1000, 50)


def good(in_picture: Sequence[str]) -> Answer:
    return answered(json.dumps({"caption": GOOD[tuple(in_picture)]}))


def picture_of(*in_picture: str) -> CuratedImage:
    return CuratedImage(
        crop_id="f-000001000-00",
        character=in_picture[0],
        frame_id="f-000001000",
        frame_key="footage/f/frames-x/00000/000001000.jpg",
        footage_id="f",
        time_ms=1000,
        shot=0,
        left_px=10,
        top_px=20,
        side_px=200,
        in_picture=in_picture,
        framing="medium",
        enlarged=True,
        score=0.9,
        duplicates=(),
    )


class Desk:
    """A bucket with one picture in it, which is captioned."""

    def __init__(self, *in_picture: str) -> None:
        self.store = MemoryStore()
        self.now = datetime(2026, 1, 2, tzinfo=UTC)
        self.image = picture_of(*in_picture)
        frame = np.full((240, 320, 3), 90, np.uint8)
        self.store.put(self.image.frame_key, encoded(frame, "JPEG"), "image/jpeg")

    def plan(self, run_id: str = "run-1", **captions: Any) -> RunPlan:
        source = FootageSource(footage_id="f", name="film", key="k", size_bytes=1, etag="e", version_id=None)
        asked = Settings.model_validate({"captions": {"words": WORDS, **captions}})
        return make_plan(run_id, "p", asked, [source])

    def caption(self, captioner: Scripted, plan: RunPlan | None = None, cast: Cast = CAST) -> Caption:
        plan = plan or self.plan()
        self.now += LIMIT
        mine = turns_of(plan.run_id, self.store, lambda: self.now)
        caption_images(plan, cast, self.image, model=MODEL, store=self.store, turns=mine, captioner=captioner)
        content = self.store.get(keys.run_file(plan.run_id, f"captions/{self.image.crop_id}.json"))
        return Caption.model_validate_json(content)


def question(*in_picture: str) -> Question:
    return Question(
        in_picture=in_picture,
        words=WORDS,
        descriptions=LOOKS,
        strangers=tuple(name for name in (*LOOKS, "Tamsin", "Old Corvin", "Pell") if name not in in_picture),
        examples=("Pell sleeps on a sack of flour.",),
        prompt="Write one caption of the picture.",
    )


# ---- the corpus -----------------------------------------------------------------------------------


def test_the_corpus_is_large_and_has_every_fault() -> None:
    assert len(CASES) >= 40
    assert len({case["answer"] for case in CASES}) >= 0.9 * len(CASES)
    assert {kind for case in CASES for kind in case["faults"]} == set(FAULTS) - {"copied"}


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_each_fault_is_found_and_told(case: dict[str, Any]) -> None:
    reading = read(case["answer"], case["stop_reason"], question(*case["in_picture"]))
    assert [fault.kind for fault in reading.faults] == case["faults"]
    assert reading.caption == (case["stays"] or "")
    assert all(FAULTS[fault.kind][1] == (not reading.caption) for fault in reading.faults)
    assert all(3 < len(fault.said) < 200 and fault.said.isprintable() for fault in reading.faults)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_a_second_answer_mends_it(case: dict[str, Any]) -> None:
    captioner = Scripted(answered(case["answer"], case["stop_reason"]), good(case["in_picture"]))
    caption = Desk(*case["in_picture"]).caption(captioner)
    assert (caption.caption, caption.refused, caption.flags) == (GOOD[tuple(case["in_picture"])], "", ())
    first, second = caption.answers
    assert (first.text, second.asked) == (case["answer"], captioner.conversations[1][-1])
    assert first.faults
    assert not second.faults
    assert all(fault in second.asked for fault in first.faults)
    assert (caption.input_tokens, caption.output_tokens) == (2000, 100)
    if case["answer"].strip():
        assert captioner.conversations[1][:2] == (captioner.conversations[0][0], case["answer"])


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_without_a_better_answer_it_is_marked_and_nothing_is_made_up(case: dict[str, Any]) -> None:
    bad = answered(case["answer"], case["stop_reason"])
    captioner = Scripted(bad, bad)
    caption = Desk(*case["in_picture"]).caption(captioner)
    assert not captioner.script, "two calls, and no third"
    if case["stays"] is None:
        assert (caption.caption, caption.flags) == ("", ())
        assert caption.refused.startswith("no caption that can be used in two answers: ")
        assert all(fault in caption.refused for answer in caption.answers for fault in answer.faults)
    else:
        assert (caption.caption, caption.refused) == (case["stays"], "")
        assert caption.flags == caption.answers[0].faults


# ---- what is taken as it is -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"caption": GOOD["Bunny",]}),
        f"```json\n{json.dumps({'caption': GOOD['Bunny',]})}\n```",
        json.dumps({"caption": GOOD["Bunny",].replace(" and ", " \n and  ")}),
        json.dumps({"caption": GOOD["Bunny",].upper().replace("BUNNY", "Bunny")}),
        json.dumps(
            {"caption": "Bunny naps under a tree while wind moves the grass, one ear up, seen very small."}
        ),
        json.dumps({"caption": "Bunny eyes a red door of a grey house, small in front of long shadows at noon."}),
    ],
)
def test_what_costs_no_second_call(text: str) -> None:
    captioner = Scripted(answered(text))
    caption = Desk("Bunny").caption(captioner)
    assert caption.caption
    assert (caption.flags, len(caption.answers)) == ((), 1)


@pytest.mark.parametrize(
    ("captions", "looks"), [(HARBOUR_CAPTIONS, HARBOUR), (ORBIT_CAPTIONS, ORBIT)], ids=["harbour", "orbit"]
)
def test_good_captions_of_two_invented_films_cost_no_second_call(
    captions: Sequence[LintedCaption], looks: dict[str, str]
) -> None:
    for one in captions:
        assert one.in_picture
        asked = Question(
            in_picture=one.in_picture,
            words=(15, 20),
            descriptions=looks,
            strangers=tuple(name for name in looks if name not in one.in_picture),
            examples=(),
            prompt="Write one caption of the picture.",
        )
        reading = read(json.dumps({"caption": one.caption}), "end_turn", asked)
        assert (reading.caption, reading.faults) == (one.caption, ())


@pytest.mark.parametrize(
    "caption",
    [
        "Sorry-eyed and soaked, Bunny waits under a dripping awning with one paw raised, grey light all about.",
        "Unfortunately Ida is out: Bunny waits under a dripping awning with one paw raised, grey light all round.",
        "Ignoring the rules, Bunny wades across a pond with both boots in his hands, low sun behind the reeds.",
        "Bunny reads: a lamp at his elbow, nose to the page, everything behind the chair lost in the dark.",
        "Bunny – half in shade – bends over a well & listens, one hand on the rope, 3 birds on the beam above.",
    ],
)
def test_what_only_looks_like_a_fault_is_none(caption: str) -> None:
    reading = read(json.dumps({"caption": caption}), "end_turn", question("Bunny"))
    assert (reading.caption, reading.faults) == (caption, ())


@pytest.mark.parametrize("caption", ["Ida meets another man on the pier.", "A man waves at Ida from a boat."])
def test_somebody_else_of_the_same_kind_is_no_standard_look(caption: str) -> None:
    asked = Question(("Ida",), (3, 9), {"Ida": "a tall man with a red scarf"}, (), (), "Write.")
    assert not read(json.dumps({"caption": caption}), "end_turn", asked).faults
    (fault,) = read('{"caption": "Ida, the man, waves."}', "end_turn", asked).faults
    assert (fault.kind, "'man'" in fault.said) == ("trait", True)


def test_an_example_is_no_caption_whoever_it_names() -> None:
    for copied in ("Pell sleeps on a sack of flour.", "Bunny sleeps on a sack of flour."):
        reading = read(json.dumps({"caption": copied}), "end_turn", question("Bunny"))
        assert [fault.kind for fault in reading.faults] == ["copied"]
        assert not reading.caption


def test_a_name_inside_a_longer_one_and_an_ordinary_word_are_no_strangers() -> None:
    asked = Question(("Old Tom",), (3, 9), {}, ("Tom", "Red", "May"), (), "Write.")
    for caption in ("Old Tom sits by a red door", "Old Tom may nap in a red chair"):
        assert not read(json.dumps({"caption": caption}), "end_turn", asked).faults
    (fault,) = read('{"caption": "Old Tom shoves Red off a chair"}', "end_turn", asked).faults
    assert fault.said == "names Red, who is not in the picture"


def test_the_better_of_two_answers_stays() -> None:
    asked = question("Bunny")
    none = read("no", "end_turn", asked)
    one = read('{"caption": "Bunny on a meadow."}', "end_turn", asked)
    two = read('{"caption": "A meadow."}', "end_turn", asked)
    clean = read(good(["Bunny"]).text, "end_turn", asked)
    for first, second, kept in (
        (none, one, one),
        (one, none, one),
        (one, two, one),
        (two, one, one),
        (one, clean, clean),
    ):
        assert better(first, second) == kept
    other = read('{"caption": "Bunny naps."}', "end_turn", asked)
    assert better(one, other) == other, "as bad as the first: the model thought about it twice"


def test_an_answer_that_could_not_be_stored_as_it_is_gets_stored_and_is_not_paid_again() -> None:
    desk, half = Desk("Bunny"), answered("Bunny waves \ud83d")
    caption = desk.caption(Scripted(half, good(["Bunny"])))
    assert caption.caption == GOOD["Bunny",]
    assert caption.answers[0].text == "Bunny waves ?"


# ---- fuzzing --------------------------------------------------------------------------------------

JSONISH = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["caption", "a", "Caption"]), inner)
    ),
)
HALVES = st.text(st.characters(categories=["Cs", "Cc", "Ll"]), max_size=20)
"""Halves of an emoji, which JSON can say, and nothing can send or store."""
ANSWERS = st.one_of(
    st.text(),
    st.text(alphabet='{}[]"\\:,caption \n`', max_size=200),
    JSONISH.map(json.dumps),
    st.tuples(st.text(max_size=20), JSONISH.map(json.dumps), st.text(max_size=20)).map("".join),
    st.text().map(lambda text: json.dumps({"caption": text})),
    HALVES.map(lambda text: json.dumps({"caption": text})),
    HALVES.map(lambda text: json.dumps({text: "caption"})),
    st.text().map(lambda text: f"```json\n{json.dumps({'caption': text}, ensure_ascii=False)}\n```"),
    st.integers(1, 5000).map(lambda depth: '{"caption":' * depth),
    st.integers(1, 5000).map(lambda depth: "[" * depth),
)


@settings(max_examples=400, deadline=None)
@given(text=ANSWERS, stop_reason=st.sampled_from(["end_turn", "stop_sequence", "max_tokens", "odd", ""]))
def test_reading_raises_its_own_error_alone_and_returns_what_stands_in_the_answer(
    text: str, stop_reason: str
) -> None:
    fault: Fault | None = None
    try:
        caption = read_answer(text, stop_reason)
    except CaptionRefusedError as error:
        fault = error.fault
    if fault:
        assert fault.kind in FAULTS
        assert fault.said
        assert fault.said.isprintable(), "it is sent with the repair call, and stored"
        return
    bare = text.strip().removeprefix("```json").removeprefix("```").removesuffix("```")
    assert " ".join(json.loads(bare)["caption"].split()) == caption
    assert caption.isprintable()
    assert 3 <= len(caption) <= 1024


@settings(max_examples=200, deadline=None)
@given(caption=st.text(max_size=300))
def test_any_caption_is_judged_and_comes_back_word_for_word(caption: str) -> None:
    reading = read(json.dumps({"caption": caption}), "end_turn", question("Bunny", "Frank"))
    assert reading.caption in {"", " ".join(caption.split())}
    assert all(fault.kind in FAULTS for fault in reading.faults)


# ---- paid once ------------------------------------------------------------------------------------

BAD = answered("I'd rather not say.")


def test_a_throttled_second_call_does_not_pay_the_first_again() -> None:
    desk = Desk("Bunny")
    captioner = Scripted(BAD, ThrottledError("slow down"), good(["Bunny"]))
    with pytest.raises(ThrottledError):
        desk.caption(captioner)
    caption = desk.caption(captioner)
    assert caption.caption == GOOD["Bunny",]
    assert [len(turns) for turns in captioner.conversations] == [1, 3, 3]
    assert [answer.paid_by for answer in caption.answers] == ["run-1", "run-1"]


def test_another_run_pays_for_the_second_call_alone_where_the_first_run_died_between() -> None:
    desk = Desk("Bunny")
    captioner = Scripted(BAD, RuntimeError("the worker was killed"), good(["Bunny"]))
    with pytest.raises(RuntimeError):
        desk.caption(captioner)
    caption = desk.caption(captioner, desk.plan("run-2"))
    assert [answer.paid_by for answer in caption.answers] == ["run-1", "run-2"]
    again = desk.caption(Scripted(), desk.plan("run-3"))
    assert again == caption, "found by its fingerprint, and nobody asked"


def test_a_character_more_in_the_cast_reads_the_answers_anew_and_pays_nothing() -> None:
    desk = Desk("Bunny")
    text = json.dumps({"caption": GOOD["Bunny",].replace("a brook", "Rinky")})
    first = desk.caption(Scripted(answered(text)))
    assert not first.flags
    rinky = CastMember(name="Rinky", description="", labels=(), references=())
    larger = CAST.model_copy(update={"members": (*CAST.members, rinky)})
    second = desk.caption(Scripted(good(["Bunny"])), desk.plan("run-2"), larger)
    assert second.answers[0].paid_by == "run-1"
    assert second.answers[0].faults == ("names Rinky, who is not in the picture",)
    assert second.caption == GOOD["Bunny",]


@pytest.mark.parametrize(
    ("change", "calls"), [({"words": (10, 40)}, 1), ({"model": "amazon.nova-2-lite-v1:0"}, 0), ({}, 0)]
)
def test_what_was_paid_is_found_again(change: dict[str, Any], calls: int) -> None:
    desk = Desk("Bunny")
    desk.caption(Scripted(good(["Bunny"])))
    captioner = Scripted(*[good(["Bunny"])] * calls)
    desk.caption(captioner, desk.plan("run-2", **change))  # who answers is told by MODEL, whatever is asked for
    assert not captioner.script


def test_a_service_that_takes_no_second_turn_leaves_the_first_answer() -> None:
    flawed = answered('{"caption": "Bunny on a meadow."}')
    caption = Desk("Bunny").caption(Scripted(flawed, FrameRefusedError("ValidationException")))
    assert (caption.caption, caption.flags) == ("Bunny on a meadow.", ("4 words, asked for 20 to 30",))
    nothing = Desk("Bunny").caption(Scripted(BAD, FrameRefusedError("ValidationException")))
    assert nothing.refused.endswith("a second answer was refused: ValidationException")
    assert len(nothing.answers) == 1


def test_a_picture_that_the_service_refuses_is_paid_by_nobody() -> None:
    caption = Desk("Bunny").caption(Scripted(FrameRefusedError("ValidationException: too large")))
    assert (caption.refused, caption.answers) == ("ValidationException: too large", ())


def test_each_answer_is_an_object_of_its_own() -> None:
    desk = Desk("Bunny")
    desk.caption(Scripted(BAD, good(["Bunny"])))
    found = list(desk.store.keys("footage/f/caption-answers-"))
    assert sorted(key.rsplit("-", 1)[1] for key in found) == ["1.json", "2.json"]
    first, second = (
        CaptionAnswer.model_validate_json(desk.store.get(key)) for key in sorted(found, key=lambda key: key[-6])
    )
    assert (first.text, second.text) == (BAD.text, good(["Bunny"]).text)
    assert first.fingerprint != second.fingerprint


def test_the_page_tells_every_fault_and_what_becomes_of_it() -> None:
    page = (Path(__file__).parents[2] / "docs" / "dataset.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (.*) \| (no caption|stays, flagged) \|$", page, re.MULTILINE)
    assert {kind: (what[0].lower() + what[1:], end == "no caption") for kind, what, end in rows} == {
        kind: (what[0].lower() + what[1:], useless) for kind, (what, useless) in FAULTS.items()
    }
