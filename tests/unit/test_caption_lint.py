"""The caption lint: each rule finds its planted fault, good captions pass, and nothing depends on the order."""

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from storycast.caption_lint.findings import RULES, Acknowledged, Finding, Lint, LintedCaption
from storycast.caption_lint.fragments import MIN_CHARACTER_REPEATS, MIN_REPEATS, REPEATED_SHARE
from storycast.caption_lint.linting import lint, refuse_bad_captions
from storycast.caption_lint.looks import KIND_SHARE, MIN_KINDS, MIN_TRAITS, TRAITS_SHARE, looks_of
from storycast.caption_lint.near_identical import ALIKE, MANY_SHARE, near_identical
from storycast.caption_lint.unusable import MIN_LENGTHS
from storycast.caption_lint.words import Names, split, stem
from storycast.errors import CaptionLintError
from tests.fakes.captions import HARBOUR, HARBOUR_CAPTIONS, ORBIT, ORBIT_CAPTIONS

WORDS = (15, 25)


def found(captions: Sequence[LintedCaption], rule: str | None = None, **more: object) -> list[Finding]:
    result = lint(captions, {**HARBOUR, **ORBIT}, WORDS)
    return [one for one in result.findings if rule in {None, one.rule}]


def changed(
    captions: Sequence[LintedCaption],
    change: Callable[[str], str],
    where: Callable[[LintedCaption], bool] = lambda one: True,
    most: int | None = None,
) -> list[LintedCaption]:
    """Return captions, the first few of some of them changed."""
    done = 0
    made = []
    for one in captions:
        is_meant = where(one) and (most is None or done < most)
        done += is_meant
        made.append(replace(one, caption=change(one.caption)) if is_meant else one)
    return made


def of(name: str) -> Callable[[LintedCaption], bool]:
    return lambda one: one.character == name


# ---- good captions --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("captions", "descriptions"),
    [
        (HARBOUR_CAPTIONS, HARBOUR),
        (ORBIT_CAPTIONS, ORBIT),
        ((*HARBOUR_CAPTIONS, *ORBIT_CAPTIONS), HARBOUR | ORBIT),
    ],
    ids=["harbour", "orbit", "both"],
)
def test_good_captions_pass(captions: Sequence[LintedCaption], descriptions: dict[str, str]) -> None:
    result = lint(captions, descriptions, WORDS)
    assert result.findings == ()
    assert result.left_out == ()
    assert result.caption_count == len(captions)


def test_any_part_of_good_captions_passes() -> None:
    chance = random.Random(7)
    for size in (1, 2, 5, 8, 12, 20):
        assert found(chance.sample(HARBOUR_CAPTIONS, size)) == []


# ---- a fragment in nearly all ---------------------------------------------------------------------


def test_a_fragment_in_nearly_all_captions_is_found_in_full() -> None:
    bad = changed(HARBOUR_CAPTIONS, lambda text: f"{text[:-1]}, in a soft painterly style.", most=30)
    (one,) = found(bad, "repeated_fragment")
    assert (one.fragment, one.severity) == ("in a soft painterly style", "blocks")
    assert one.message == "30 of 37 captions hold 'in a soft painterly style'."
    assert one.crop_ids == tuple(sorted(one.id for one in bad[:30]))
    fewer = changed(HARBOUR_CAPTIONS, lambda text: f"{text[:-1]}, in a soft painterly style.", most=29)
    assert not [one for one in found(fewer) if "of 37 captions" in one.message]


def test_a_fragment_round_the_name_is_one_whoever_is_named() -> None:
    bad = [replace(one, caption=f"A photo of {one.caption}") for one in HARBOUR_CAPTIONS if one.in_picture]
    bad = [
        one for one in bad if one.caption.startswith(("A photo of Mara", "A photo of Old Tom", "A photo of Pip"))
    ]
    (one,) = found(bad, "repeated_fragment")
    assert one.fragment == "a photo of NAME"


def test_a_fragment_of_one_character_is_found_where_the_others_lack_it() -> None:
    bad = changed(HARBOUR_CAPTIONS, lambda text: f"{text[:-1]} beneath the striped awning.", of("Mara"))
    (one,) = found(bad, "repeated_fragment")
    assert one.message == "Mara: 15 of 15 captions hold 'beneath the striped awning'."


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: f"Cartoon still: {text}", "begin with 'cartoon still'"),
        (lambda text: f"{text} Cinematic lighting.", "end with 'cinematic lighting'"),
    ],
    ids=["opening", "closing"],
)
def test_two_words_at_the_beginning_or_the_end_are_found(change: Callable[[str], str], message: str) -> None:
    (one,) = found(changed(ORBIT_CAPTIONS, change), "repeated_fragment")
    assert message in one.message


def test_words_that_only_join_make_no_fragment() -> None:
    assert found(changed(HARBOUR_CAPTIONS, lambda text: f"{text[:-1]} and in to the."), "repeated_fragment") == []


def test_few_captions_make_no_habit() -> None:
    same = [
        LintedCaption(f"c{n}", f"{name} waits at the bus stop {where}", name, (name,))
        for n, (name, where) in enumerate(zip(("Mara", "Pip", "Juno", "Brix"), ("A", "B", "C", "D"), strict=True))
    ]
    assert found(same, "repeated_fragment") == []


# ---- standard looks and kinds ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "looks",
    ["long, floppy ears", "pale grey rabbit", "grey Bunny", "huge, pale Bunny", "small white teeth", "long ear"],
)
def test_standard_looks_are_known_again(looks: str) -> None:
    description = {"Bunny": "a huge, gentle, pale grey rabbit with long ears and small teeth"}
    (one,) = (
        one
        for one in lint(
            [LintedCaption("c", f"The {looks} on a hill, Bunny", "Bunny", ("Bunny",))], description, None
        ).findings
        if one.rule == "repeated_traits"
    )
    assert one.severity == "notes"


@pytest.mark.parametrize(
    "text",
    [
        "Bunny before a pale grey wall, ears folded back",
        "Bunny under long grey clouds, small in the frame",
        "Bunny with one ear up against white and grey",
        "A huge rock hangs over Bunny in grey light",
    ],
)
def test_a_colour_of_something_else_is_no_standard_look(text: str) -> None:
    description = {"Bunny": "a huge, gentle, pale grey rabbit with long ears and small teeth"}
    assert lint([LintedCaption("c", text, "Bunny", ("Bunny",))], description, None).findings == ()


def test_repeated_looks_block_from_a_share_on() -> None:
    def add(text: str) -> str:
        return f"{text[:-1]}, white beard shining."

    few = changed(HARBOUR_CAPTIONS, add, of("Old Tom"), most=2)
    many = changed(HARBOUR_CAPTIONS, add, of("Old Tom"), most=6)
    assert [one.severity for one in found(few, "repeated_traits")] == ["notes"]
    (one,) = found(many, "repeated_traits")
    assert one.severity == "blocks"
    assert one.message == "Old Tom: 6 of 13 captions (46%) repeat the standard looks: 'white beard'."


def test_things_that_somebody_always_has_are_standard_looks() -> None:
    many = changed(HARBOUR_CAPTIONS, lambda text: f"{text[:-1]}, the pipe lit.", of("Old Tom"), most=6)
    assert found(many, "repeated_traits")[0].fragment == "pipe"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("dog", "Pip and the dog"),
        ("dogs", "Pip, dogs"),
        ("animal", "Pip the small animal"),
        ("creature", "a creature called Pip"),
    ],
)
def test_what_somebody_is_in_most_captions_blocks(kind: str, text: str) -> None:
    bad = changed(HARBOUR_CAPTIONS, lambda caption: caption.replace("Pip", text), of("Pip"), most=6)
    (one,) = found(bad, "kind_words")
    assert (one.severity, one.fragment) == ("blocks", kind)
    assert one.message == f"Pip: 6 of 9 captions say what Pip is: '{kind}'."
    assert found(changed(HARBOUR_CAPTIONS, lambda text: f"{text} A dog.", of("Pip"), most=1), "kind_words") == []


def test_somebody_else_without_a_name_is_not_the_character() -> None:
    crowd = changed(HARBOUR_CAPTIONS, lambda text: f"{text[:-1]}, a man and two women behind.", of("Mara"))
    assert found(crowd, "kind_words") == []
    nameless = changed(HARBOUR_CAPTIONS, lambda text: text.replace("Mara", "A girl"), of("Mara"), most=11)
    assert [one.severity for one in found(nameless, "kind_words")] == ["blocks"]


@pytest.mark.parametrize(
    ("description", "kind", "own"),
    [
        ("a huge, gentle, pale grey rabbit with long ears", "rabbit", {"huge", "gentle", "pale", "gray"}),
        ("a small, round, blue-grey chinchilla", "chinchilla", {"small", "round", "blue", "gray"}),
        ("a rabbit, large and grey", "rabbit", {"large", "gray"}),
        ("an old sailor, grey beard, blue coat", "sailor", {"old"}),
        ("a girl in a red dress", "girl", set()),
        ("Professor of mathematics; bald", "professor", set()),
        ("a robot made of brass, with one red eye", "robot", set()),
        ("wears a blue coat", None, set()),
        ("She has a scar on the cheek and a limp", None, set()),
        ("with long ears, a rabbit", "rabbit", set()),
        ("grey and tall", None, set()),
        ("", None, set()),
    ],
)
def test_descriptions_are_read(description: str, kind: str | None, own: set[str]) -> None:
    looks = looks_of(description)
    assert looks.kinds == ({kind} if kind else set())
    assert looks.own == own


def test_of_whom_it_is_not_said_what_they_are_the_looks_count_all_the_same() -> None:
    captions = [
        LintedCaption(f"{number}", f"Mara {deed} in a blue coat", "Mara", ("Mara",))
        for number, deed in enumerate(["sleeps", "waits for a ferry", "sings", "eats"])
    ]
    (one,) = [
        one for one in lint(captions, {"Mara": "wears a blue coat"}, None).findings if "coat" in one.fragment
    ]
    assert (one.rule, one.severity, one.fragment) == ("repeated_traits", "blocks", "blue coat")
    plain = [replace(one, caption=one.caption.replace("in a blue", "under a torn")) for one in captions]
    assert lint(plain, {"Mara": "wears a blue coat"}, None).findings == ()


# ---- near-identical -------------------------------------------------------------------------------


def test_captions_that_are_the_same_but_for_a_word_are_found() -> None:
    first = HARBOUR_CAPTIONS[0]
    twin = LintedCaption("twin", first.caption.replace("evening", "morning"), "Mara", ("Mara",))
    (one,) = found([*HARBOUR_CAPTIONS, twin])
    assert (one.rule, one.severity, one.crop_ids) == ("near_identical", "notes", ("harbour-00", "twin"))
    assert "the same but for a word or two" in one.message


def test_many_of_them_block() -> None:
    twins = [replace(one, id=f"twin-{one.id}") for one in HARBOUR_CAPTIONS[:5]]
    groups = found([*HARBOUR_CAPTIONS, *twins], "near_identical")
    assert [one.severity for one in groups] == ["blocks"] * 5
    assert "word for word" in groups[0].message


def test_one_pair_blocks_no_small_set() -> None:
    few = HARBOUR_CAPTIONS[:5]
    (one,) = found([*few, replace(few[0], id="twin")], "near_identical")
    assert one.severity == "notes"
    groups = found([*few, replace(few[0], id="twin"), replace(few[0], id="triplet")], "near_identical")
    assert [one.severity for one in groups] == ["blocks"]


def test_the_same_of_two_characters_is_not_the_same() -> None:
    one = LintedCaption("a", "Mara sits on a wall at noon, legs dangling, eyes shut, humming", "Mara", ("Mara",))
    other = LintedCaption("b", "Pip sits on a wall at noon, legs dangling, eyes shut, humming", "Pip", ("Pip",))
    assert found([one, other], "near_identical") == []


@given(
    st.lists(st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=9).map(" ".join), min_size=2, max_size=14),
)
def test_no_pair_is_missed(texts: list[str]) -> None:
    """The groups are those that comparing all with all gives."""
    captions = [LintedCaption(f"{number:02d}", text) for number, text in enumerate(texts)]
    group = {one.id: one.id for one in captions}
    for one, other in combinations(captions, 2):
        pairs = [
            set(zip(("", *words), (*words, ""), strict=True)) for words in map(split, (one.caption, other.caption))
        ]
        if len(pairs[0] & pairs[1]) >= ALIKE * len(pairs[0] | pairs[1]) - 1e-9:
            old, new = group[one.id], group[other.id]
            group = {key: new if value == old else value for key, value in group.items()}
    expected = {frozenset(key for key in group if group[key] == root) for root in group.values()}
    told = {frozenset(one.crop_ids) for one in near_identical(captions, Names(()))}
    assert told == {one for one in expected if len(one) > 1}


# ---- names ----------------------------------------------------------------------------------------


def test_a_name_that_is_missing_is_found() -> None:
    bad = changed(HARBOUR_CAPTIONS, lambda text: text.replace("Pip", "She"), of("Pip"), most=2)
    (one,) = found(bad)
    assert (one.rule, one.severity) == ("missing_names", "blocks")
    assert one.message == "Pip: 2 of 9 captions do not name Pip."
    assert len(one.crop_ids) == 2


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Mara", "Maro"),
        ("Mara", "Marra"),
        ("Mara", "Maar"),
        ("Old Tom", "Old Tim"),
        ("Old Tom", "Tom"),
        ("Juno", "Juna"),
    ],
)
def test_a_name_with_a_slip_is_told_as_it_is_written(name: str, written: str) -> None:
    corpus = (*HARBOUR_CAPTIONS, *ORBIT_CAPTIONS)
    bad = changed(corpus, lambda text: text.replace(name, written), of(name), most=1)
    (one,) = found(bad)
    assert (one.rule, one.fragment, one.severity) == ("missing_names", written, "blocks")


@pytest.mark.parametrize(
    "text", ["MARA's hat", "mara, laughing", "(Mara) at sea", "Mara’s back", "Mara-like Mara"]
)
def test_a_name_is_one_however_it_is_inflected(text: str) -> None:
    assert found([LintedCaption("c", text, "Mara", ("Mara",))], "missing_names") == []


def test_a_name_within_a_word_is_none() -> None:
    assert found([LintedCaption("c", "Samara in the rain", "Mara", ("Mara",))])[0].rule == "missing_names"


# ---- the cast -------------------------------------------------------------------------------------


def test_who_is_named_and_not_in_the_picture_is_found() -> None:
    bad = changed(HARBOUR_CAPTIONS, lambda text: f"{text[:-1]} behind Pip.", of("Mara"), most=1)
    (one,) = found(bad)
    assert (one.rule, one.severity, one.fragment) == ("wrong_cast", "blocks", "Pip")
    assert one.message == "1 caption names Pip, who was not found in the picture."


def test_what_a_person_wrote_of_whom_nobody_found_is_only_told() -> None:
    bad = [replace(one, by_person=True) for one in changed(HARBOUR_CAPTIONS, lambda t: f"{t} Pip.", of("Mara"), 1)]
    assert [one.severity for one in found(bad, "wrong_cast")] == ["notes"]


def test_who_is_in_the_picture_and_not_named_is_found() -> None:
    bad = changed(
        HARBOUR_CAPTIONS, lambda text: text.replace("Pip", "a friend"), lambda one: one.id == "harbour-11"
    )
    (one,) = found(bad)
    assert (one.rule, one.severity) == ("wrong_cast", "blocks")
    assert "does not name Pip" in one.message


def test_an_ordinary_word_is_nobody() -> None:
    captions = [LintedCaption("c", "Mara gives a frank smile", "Mara", ("Mara",))]
    assert lint(captions, {"Mara": "", "Frank": ""}, None).findings == ()


def test_somebody_unknown_may_be_whoever_is_named() -> None:
    captions = [LintedCaption("c", "Mara looks at Pip across the room", "Mara", ("Mara", "unknown"))]
    assert found(captions, "wrong_cast") == []


# ---- what is none ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("caption", "message"),
    [
        ("", "is empty"),
        (" x ", "is empty"),
        ("Mara " * 300, "has more than 1,024 characters"),
        ("Mara at https://example.org/a.png", "holds an address"),
        ('{"caption": "Mara on a hill"}', "holds JSON"),
        ("```\nMara on a hill\n```", "holds JSON"),
        ("[Mara on a hill]", "holds JSON"),
        ("Mara <b>runs</b> up a hill", "holds markup"),
        ("**Mara** runs up a hill", "holds markup"),
        ("Mara runs [here](there)", "holds markup"),
        ("I'm sorry, I can't say who Mara is.", "refuses, or speaks of the model"),
        ("As an AI, Mara is not known to me", "refuses, or speaks of the model"),
        ("Here is your caption: Mara runs", "refuses, or speaks of the model"),
        ("I am unable to name Mara", "refuses, or speaks of the model"),
    ],
)
def test_what_is_no_caption_is_found(caption: str, message: str) -> None:
    told = found([*HARBOUR_CAPTIONS, LintedCaption("bad", caption, "Mara", ("Mara",))], "unusable_caption")
    assert any(message in one.message and one.crop_ids == ("bad",) for one in told), told
    assert all(one.severity == "blocks" for one in told)


@pytest.mark.parametrize(
    "caption",
    [
        "Mara says sorry to a tall man; 3 < 4 chalked on a board",
        "Mara (left) looks on; #7 on the door, 50 % of it in shade",
        "Mara paints an * on a box marked [7]",
        "Mara cannot reach the shelf, unable to climb",
    ],
)
def test_a_plain_sentence_is_a_caption(caption: str) -> None:
    assert found([LintedCaption("c", caption, "Mara", ("Mara",))], "unusable_caption") == []


def test_lengths_block_where_most_differ() -> None:
    few = changed(HARBOUR_CAPTIONS, lambda text: " ".join(text.split()[:9]), of("Old Tom"), most=3)
    assert [one.severity for one in found(few, "caption_length")] == ["notes"]
    long = changed(HARBOUR_CAPTIONS, lambda text: text + " and so on" * 9)
    (one,) = found(long, "caption_length")
    assert one.severity == "blocks"
    assert one.message.startswith("37 of 37 captions have another length than asked for (15 to 25 words)")
    assert found([replace(one, by_person=True) for one in long], "caption_length") == []


# ---- the whole ------------------------------------------------------------------------------------


def test_without_a_cast_what_cannot_be_looked_at_is_said() -> None:
    bare = [LintedCaption(one.id, one.caption) for one in HARBOUR_CAPTIONS]
    result = lint(bare, {}, None)
    assert result.findings == ()
    told = " ".join(result.left_out)
    for rule in ("missing_names", "wrong_cast", "repeated_traits", "kind_words", "caption_length"):
        assert rule in told


def test_who_has_no_description_is_named() -> None:
    result = lint(HARBOUR_CAPTIONS, {"Mara": HARBOUR["Mara"], "Pip": ""}, WORDS)
    assert result.left_out == ("repeated_traits and kind_words of Old Tom, Pip: the project describes no looks",)


def test_a_refusal_says_which_how_many_examples_and_both_ways_on() -> None:
    bad = changed(HARBOUR_CAPTIONS, lambda text: text.replace("Pip", "She"), of("Pip"), most=2)
    result = lint(bad, HARBOUR, WORDS)
    with pytest.raises(CaptionLintError) as caught:
        refuse_bad_captions(result, bad, (), mend="in the review", command="storycast train r")
    told = str(caught.value)
    assert told.startswith("2 of 37 captions would spoil the training: missing_names (Pip: 2 of 9 captions do not")
    assert "'She leaps between two fishing boats" in told
    assert "in the review" in told
    assert "`storycast train r --acknowledge missing_names`" in told
    assert "captions.acknowledge: [missing_names]" in told


def test_what_is_acknowledged_or_a_note_refuses_nothing() -> None:
    bad = changed(HARBOUR_CAPTIONS, lambda text: text.replace("Pip", "She"), of("Pip"), most=2)
    result = lint(bad, HARBOUR, WORDS)
    refuse_bad_captions(result, bad, ["missing_names"], mend="", command="")
    word = Acknowledged(rule="missing_names", who="Ada", when="2026-01-02T03:04:05+00:00")
    refuse_bad_captions(result.model_copy(update={"acknowledged": (word,)}), bad, (), mend="", command="")
    with pytest.raises(CaptionLintError):
        refuse_bad_captions(result, bad, ["wrong_cast"], mend="", command="")


def test_a_lint_is_read_as_it_was_written() -> None:
    result = lint(changed(HARBOUR_CAPTIONS, lambda text: "", most=3), HARBOUR, WORDS)
    assert Lint.model_validate_json(result.model_dump_json()) == result
    assert {one.rule for one in result.findings} <= set(RULES)
    with pytest.raises(ValidationError):
        Lint.model_validate({**result.model_dump(), "version": 99})


def test_the_documentation_has_every_rule_with_its_bounds() -> None:
    text = (Path(__file__).parents[2] / "docs/dataset.md").read_text()
    rows = dict(
        re.findall(
            r"^\| `(\w+)` \| (.*) \|$", text.partition("## Caption lint")[2].partition("\n## ")[0], re.MULTILINE
        )
    )
    assert tuple(rows) == RULES
    for rule, bounds in {
        "repeated_fragment": (f"{REPEATED_SHARE:.0%}", MIN_REPEATS, MIN_CHARACTER_REPEATS),
        "repeated_traits": (f"{TRAITS_SHARE:.0%}", MIN_TRAITS),
        "kind_words": (f"{KIND_SHARE:.0%}", MIN_KINDS),
        "near_identical": (f"{ALIKE:.0%}", f"{MANY_SHARE:.0%}"),
        "caption_length": (MIN_LENGTHS,),
    }.items():
        for bound in bounds:
            assert str(bound).replace("%", " %") in rows[rule], (rule, bound)


names = st.sampled_from(["Mara", "Old Tom", "Pip", "unknown"])
captions = st.lists(
    st.builds(
        LintedCaption,
        id=st.text(min_size=1, max_size=4),
        caption=st.text(max_size=60) | st.sampled_from([one.caption for one in HARBOUR_CAPTIONS]),
        character=st.none() | names,
        in_picture=st.none() | st.lists(names, max_size=3, unique=True).map(tuple),
        by_person=st.booleans(),
    ),
    max_size=25,
    unique_by=lambda one: one.id,
)


@given(captions, st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_any_text_is_linted_and_the_order_makes_no_difference(
    given: list[LintedCaption], chance: random.Random
) -> None:
    result = lint(given, HARBOUR, WORDS)
    mixed = list(given)
    chance.shuffle(mixed)
    assert lint(mixed, dict(reversed(HARBOUR.items())), WORDS) == result
    ids = {one.id for one in given}
    for one in result.findings:
        assert one.crop_ids
        assert set(one.crop_ids) <= ids
        assert len({*one.crop_ids}) == len(one.crop_ids)
        assert one.message.endswith((".", "'"))
        assert one.suggestion
    assert len({one.id for one in result.findings}) == len(result.findings)


@given(st.text(max_size=200))
def test_any_description_is_read(text: str) -> None:
    assert len(looks_of(text).kinds) <= 1


@pytest.mark.parametrize(
    ("one", "other"), [("ears", "ear"), ("bodies", "body"), ("foxes", "fox"), ("teeth", "tooth"), ("grey", "gray")]
)
def test_singular_and_plural_have_one_stem(one: str, other: str) -> None:
    assert stem(one) == stem(other)


def test_ten_thousand_captions_that_differ_in_a_number_are_one_group() -> None:
    """All of them are candidates of each other: nobody is compared with all."""
    told = "Mara stands on the meadow number {} in the low sun with a flower in one hand and looks up at the sky"
    many = [LintedCaption(f"{number:05d}", told.format(number), "Mara", ("Mara",)) for number in range(10_000)]
    (one,) = near_identical(many, Names(["Mara"]))
    assert len(one.crop_ids) == 10_000
    assert re.match("10,000 captions are the same but for a word or two", one.message)
