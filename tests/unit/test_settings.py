"""The project file: what it takes, and that every mistake is named by its key."""

import tracemalloc
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from storycast.errors import SettingsInvalidError
from storycast.plan import RunPlan, read_plan, write_plan
from storycast.settings import Settings, read_settings
from storycast.votes import METHODS
from tests.fakes.store import MemoryStore

ROOT = Path(__file__).parents[2]
VERSION = "arn:aws:rekognition:us-east-1:123456789012:project/cast/version/v1/1793664000000"


@pytest.mark.parametrize("text", ["", "# nothing but a comment\n", "---\n", "{}", b"\xef\xbb\xbf"])
def test_an_empty_file_is_all_defaults(text: str | bytes) -> None:
    assert read_settings(text, "project.yaml") == Settings()


def test_the_defaults_ask_for_nothing_that_bills_by_the_hour() -> None:
    settings = Settings()
    assert settings.training.target == "none"
    assert settings.budget_usd == 0
    assert settings.review.mode == "page"
    assert (settings.concurrency.segments, settings.concurrency.frames, settings.concurrency.captions) == (
        8,
        20,
        4,
    )


def test_each_method_has_a_threshold_of_its_own() -> None:
    detection = read_settings("detection: {min_confidence: 40}", "f").detection
    assert [detection.threshold(method) for method in METHODS] == [0.4, 0.8, None, None]
    text = "{min_confidence: 40, thresholds: {labels: 70, faces: 95, custom_labels: 30, references: 0.6}}"
    detection = read_settings(f"detection: {text}", "f").detection
    assert [detection.threshold(method) for method in METHODS] == [0.7, 0.95, 0.3, 0.6]
    assert detection.min_confidence == 40


def test_a_name_is_the_same_however_its_accents_are_stored() -> None:
    asked = read_settings("characters: [{name: E\u0301mile}]".encode(), "project.yaml")
    assert asked.characters[0].name == "\u00c9mile"


def test_a_model_of_custom_labels_is_named_by_its_version() -> None:
    text = f"detection: {{methods: [custom_labels], custom_labels_model: '{VERSION}'}}"
    assert read_settings(text, "f").detection.custom_labels_model == VERSION


def test_the_example_is_valid() -> None:
    projects = list((ROOT / "examples").glob("*/project.yaml"))
    assert projects
    for project in projects:
        assert read_settings(project.read_bytes(), str(project)).characters


def test_spaces_round_values_are_taken_off() -> None:
    settings = read_settings("characters: [{name: '  Mara  ', labels: [' Person ']}]", "f")
    assert (settings.characters[0].name, settings.characters[0].labels) == ("Mara", ("Person",))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("colour: red", "unknown key 'colour'"),
        ("sampling: {fps: 1}", "unknown key 'sampling.fps' (known here: frames_per_second, pick)"),
        ("characters: [{name: A, lables: [x]}]", "unknown key 'characters[0].lables'"),
        ("sampling: {frames_per_second: 0}", "sampling.frames_per_second: "),
        ("sampling: {frames_per_second: 61}", "sampling.frames_per_second: "),
        ("sampling: {frames_per_second: .nan}", "sampling.frames_per_second: "),
        ("sampling: {frames_per_second: fast}", "sampling.frames_per_second: "),
        ("sampling: {pick: best}", "sampling.pick: "),
        ("sampling: 1", "sampling: "),
        ("sampling:", "sampling: "),
        ("detection: {methods: [labels, magic]}", "detection.methods[1]: "),
        ("detection: {min_confidence: 101}", "detection.min_confidence: "),
        ("detection: {methods: []}", "detection.methods: "),
        ("detection: {thresholds: {faces: 101}}", "detection.thresholds.faces: "),
        ("detection: {thresholds: {references: 0}}", "detection.thresholds.references"),
        ("detection: {thresholds: {captions: 1}}", "unknown key 'detection.thresholds.captions'"),
        ("detection: {custom_labels_hours: 0}", "detection.custom_labels_hours: "),
        ("detection: {methods: [custom_labels], custom_labels_model: m}", "detection.custom_labels_model: "),
        ("detection: {methods: [custom_labels]}", "custom_labels needs custom_labels_model"),
        (f"detection: {{custom_labels_model: '{VERSION}'}}", "custom_labels_model has no effect"),
        ("crop: {padding: -0.1}", "crop.padding: "),
        ("crop: {max_size: 511}", "crop.max_size: "),
        ("duplicates: {threshold: 0}", "duplicates.threshold"),
        ("duplicates: {threshold: 1.1}", "duplicates.threshold"),
        ("duplicates: {threshold: often}", "duplicates.threshold"),
        ("duplicates: {embedding: ''}", "duplicates.embedding: "),
        ("selection: {images_per_character: 0}", "selection.images_per_character: "),
        ("selection: {pairs_share: 2}", "selection.pairs_share: "),
        ("captions: {model: '  '}", "captions.model: "),
        ("captions: {words: 20}", "captions.words: "),
        ("captions: {words: [20]}", "captions.words"),
        ("captions: {words: [30, 20]}", "captions.words: [30, 20]: the smaller number comes first"),
        ("review: {mode: nobody}", "review.mode: "),
        ("review: {timeout_hours: 0}", "review.timeout_hours: "),
        ("training: {target: moon}", "training.target: "),
        ("training: {step_count: 5}", "training.step_count: "),
        ("budget_usd: -1", "budget_usd: "),
        ("budget_usd: .inf", "budget_usd: "),
        ("hosting: {hours: 100}", "hosting.hours: "),
        ("storyboard: {cfg_scale: 11}", "storyboard.cfg_scale: "),
        ("concurrency: {frames: 0}", "concurrency.frames: "),
        ("manifest: {keys: mine}", "manifest.keys: "),
        ("max_lost_share: 1.5", "max_lost_share: "),
        ("characters: {name: A}", "characters: "),
        ("characters: [Mara]", "characters[0]: "),
        ("characters: [{}]", "characters[0].name: "),
        ("characters: [{name: ''}]", "characters[0].name: "),
        ("characters: [{name: 12}]", "characters[0].name: "),
        ("characters: [{name: yes}]", "characters[0].name: "),
        ("characters: [{name: 2024-01-01}]", "characters[0].name: "),
        (f"characters: [{{name: {'x' * 61}}}]", "characters[0].name: "),
        ("characters: [{name: Unknown}]", "characters[0].name: 'unknown' is what unnamed characters are called"),
        ("characters: [{name: 'a<b'}]", "characters[0].name: a name must not hold"),
        ('characters: [{name: "a\\tb"}]', "characters[0].name: a name must not hold"),
        ("characters: [{name: A}, {name: a}]", "characters: two are called 'a'"),
        ("characters: [{name: A, clusters: [c-1]}, {name: B, clusters: [c-1]}]", "characters: the cluster c-1 is"),
        ("characters: [{name: A, clusters: [c-1]}]\ndetection: {drop: [c-1]}", "characters: the cluster c-1 is"),
        ("characters: [{name: A, references: [../x/*.jpg]}]", "characters[0].references: '../x/*.jpg' must be"),
        ("characters: [{name: A, references: [/etc/*]}]", "characters[0].references: "),
        ("characters: [{name: A, references: cast/*.jpg}]", "characters[0].references: "),
        ("1: x", "[1]: Keys should be strings"),
        ("on: x", "Keys should be strings"),
    ],
)
def test_a_mistake_is_named_by_its_key(text: str, named: str) -> None:
    with pytest.raises(SettingsInvalidError) as caught:
        read_settings(text, "projects/p/project.yaml")
    message = str(caught.value)
    assert message.startswith("projects/p/project.yaml")
    assert named in message


def test_every_mistake_is_named() -> None:
    with pytest.raises(SettingsInvalidError) as caught:
        read_settings("a: 1\nb: 2\nsampling: {pick: x}\n", "f")
    for name in ("'a'", "'b'", "sampling.pick"):
        assert name in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "- a\n- b",
        "just text",
        "42",
        "a: [",
        "a: b: c",
        "\tx: 1",
        "a: !!python/object/apply:os.system ['true']",
        "a: !mine x",
        "? [a, b]\n: c",
        "{a: 1}: c",
        "a: 1\n---\nb: 2",
        "a: 2001-99-99",
        f"a: {'1' * 5000}",
        b"\xff\xfe\x00",
        b"a: \x00",
        b"caf\xe9: 1",
    ],
)
def test_what_is_no_plain_mapping_is_refused_by_name(text: str | bytes) -> None:
    with pytest.raises(SettingsInvalidError, match=r"^f[ :]"):
        read_settings(text, "f")


def test_a_key_that_stands_twice_is_refused_since_one_would_be_ignored() -> None:
    with pytest.raises(SettingsInvalidError, match="'sampling' stands twice"):
        read_settings("sampling: {pick: fixed}\nsampling: {frames_per_second: 2}\n", "f")
    with pytest.raises(SettingsInvalidError, match="'pick' stands twice"):
        read_settings("sampling: {pick: fixed, pick: sharpest}\n", "f")


def laughs(levels: int, *, merged: bool) -> str:
    lines = ["a0: &a0 {x: lol}" if merged else "a0: &a0 [lol]"]
    for level in range(1, levels):
        again = ", ".join([f"*a{level - 1}"] * 9)
        lines.append(f"a{level}: &a{level} {{<<: [{again}]}}" if merged else f"a{level}: &a{level} [{again}]")
    return "\n".join(lines)


@pytest.mark.parametrize("merged", [False, True])
def test_a_page_that_unfolds_to_gigabytes_is_refused_at_once(merged: bool) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(SettingsInvalidError, match="alias"):
            read_settings(laughs(12, merged=merged), "f")
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "text", ["[" * 200_000, "{a: " * 50_000, "- " * 100_000, "\n".join(" " * n + "a:" for n in range(600))]
)
def test_a_file_nested_without_end_is_refused_at_once(text: str) -> None:
    with pytest.raises(SettingsInvalidError, match="levels"):
        read_settings(text, "f")


@given(st.text(max_size=200) | st.binary(max_size=200))
def test_any_bytes_are_settings_or_a_named_error(content: str | bytes) -> None:
    with suppress(SettingsInvalidError):
        read_settings(content, "f")


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(sorted(Settings.model_fields)), _VALUES)
def test_any_value_of_any_key_is_taken_or_named(key: str, value: object) -> None:
    text = yaml.safe_dump({key: value}, allow_unicode=True)
    try:
        settings = read_settings(text, "f")
    except SettingsInvalidError as error:
        refusal = str(error)
    else:
        store = MemoryStore()
        write_plan(store, RunPlan(run_id="r", project="p", settings=settings, footage=()))
        assert read_plan(store, "r").settings == settings
        return
    assert key in refusal or "alias" in refusal or "YAML" in refusal
