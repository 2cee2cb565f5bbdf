"""The caption lint within the workflow: what it writes, when a training is refused, and how it goes on."""

import json
from typing import Any

import pytest

from storycast import keys
from storycast.approval import FinalNames
from storycast.caption_lint.findings import Acknowledged, Lint, LintedCaption
from storycast.caption_lint.of_dataset import captions_of_manifest, descriptions_of
from storycast.decisions import Change, Decision
from storycast.errors import CaptionLintError, SettingsInvalidError
from storycast.manifest import ManifestRecord, read_manifest, write_manifest
from storycast.review import ChangeRefusedError, Review, read_review
from storycast.review_desk import Proposal, ReviewDesk
from storycast.settings import Character, Settings, read_settings
from tests.fakes.trainings import RUN, SETTINGS, Account, approved, curated
from tests.fakes.workflow import World, keep_the_rest
from tests.unit.test_whole_run import PROJECT, REQUEST, world

PAINTERLY = "in a soft painterly style"
SCENES = (
    "before a wide, empty field at noon",
    "seen through rain from far above",
    "in the last light, half hidden by fog",
    "close up, turned away from a window",
    "rolling down a steep bank of snow",
    "at rest below a row of lamps",
    "split by the shadow of a tree",
    "upside down above a glassy lake",
)
CAST = {"characters": [{"name": "Mara", "description": "a girl with red hair"}]}


def spoiled(account: Account, text: str = f", {PAINTERLY}.", most: int = 100) -> None:
    """End the captions of a run's approved dataset with the same words."""
    key = keys.run_file(RUN, keys.APPROVED_MANIFEST)
    records, _ = read_manifest(account.store.get(key))
    changed = [
        one.model_copy(update={"caption": f"{one.caption[:-1]}{text}"}) if number <= most else one
        for number, one in records.items()
    ]
    account.store.put(key, write_manifest(changed, "bedrock"), "application/jsonl")


def refused(account: Account, number: int = 1, **request: Any) -> str:
    with pytest.raises(CaptionLintError) as caught:
        account.check(number, **request)
    assert account.bedrock.calls == []
    assert account.book.rows() == []
    return str(caught.value)


# ---- CheckTrainingPlan ----------------------------------------------------------------------------


def test_a_training_is_refused_before_anything_is_made_and_says_both_ways_on() -> None:
    account = Account()
    spoiled(account)
    told = refused(account)
    assert f"12 of 12 captions hold '{PAINTERLY}'" in told
    assert f"storycast train {RUN} --acknowledge repeated_fragment" in told
    assert "captions.acknowledge: [repeated_fragment] in the project file" in told
    assert "in the review of a new run" in told
    assert told.count("Mara") >= 3, "examples"
    assert account.run().status == "dataset_ready"


@pytest.mark.parametrize("how", ["request", "setting", "review"])
def test_it_goes_on_where_somebody_acknowledges_it(how: str) -> None:
    captions = {"acknowledge": ["repeated_fragment"]} if how == "setting" else {}
    account = Account(settings={**SETTINGS, "captions": captions})
    spoiled(account)
    if how == "review":
        word = Acknowledged(rule="repeated_fragment", who="Ada", when="2026-01-02T03:04:05+00:00")
        lint = Lint(caption_count=12, findings=(), acknowledged=(word,))
        account.store.put(keys.run_file(RUN, keys.LINT), lint.model_dump_json().encode(), "application/json")
    checked = account.check(acknowledge=["repeated_fragment"]) if how == "request" else account.check()
    assert checked["start_with"] == "train"
    who = "Ada" if how == "review" else "captions.acknowledge"
    assert f"Caption lint, acknowledged by {who}: 12 of 12 captions hold '{PAINTERLY}'." in account.run().warnings


def test_another_rules_word_is_not_enough() -> None:
    account = Account()
    spoiled(account)
    refused(account, acknowledge=["near_identical", "wrong_cast"])


def test_a_rule_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="repeated_fragment"):
        Account().check(acknowledge=["fragments"])
    with pytest.raises(SettingsInvalidError, match=r"captions.acknowledge\[0\]"):
        read_settings("captions: {acknowledge: [fragments]}", "project.yaml")


def test_a_few_captions_that_end_alike_are_no_matter() -> None:
    account = Account()
    spoiled(account, most=7)
    assert account.check()["start_with"] == "train"


def test_the_looks_of_the_cast_count_under_their_names_of_now() -> None:
    account = Account(settings={**SETTINGS, **CAST})
    account.put_dataset(RUN, [curated(number, character="Ruby") for number in range(12)])
    names = FinalNames(names={"Mara": "Ruby"}).model_dump_json().encode()
    account.store.put(keys.run_file(RUN, keys.FINAL_NAMES), names, "application/json")
    spoiled(account, ", red hair flying.", most=6)
    assert "Ruby: 6 of 12 captions (50%) repeat the standard looks: 'red hair'" in refused(account)


def test_a_model_that_was_paid_for_is_drawn_with_whatever_its_captions_say() -> None:
    account = Account()
    spoiled(account)
    plan = account.plan(1, acknowledge=["repeated_fragment"])
    account.start(plan)
    account.bedrock.end_job(plan.job_name, "Completed")
    account.look_at_training(plan)
    assert account.check(2)["start_with"] == "host"
    assert account.check(3, draw_only=True)["start_with"] == "host"


def test_a_manifest_of_ones_own_is_linted_by_what_it_holds() -> None:
    account = Account()
    for number in range(6):
        account.store.put(f"datasets/mine/{number}.png", f"{number}".encode(), "image/png")
    lines = [
        json.dumps({"image-ref": f"s3://media/datasets/mine/{number}.png", "caption": f"A photo of Mara {text}"})
        for number, text in enumerate(["at sea", "on a hill", "asleep", "with a lamp", "in snow", "by a well"])
    ]
    account.store.put("datasets/mine.jsonl", "\n".join(lines).encode(), "x")
    asked: dict[str, Any] = {"run_id": "mine", "manifest_key": "datasets/mine.jsonl", "budget_usd": 5000}
    told = refused(account, **asked, training={"target": "bedrock"})
    assert "6 of 6 captions hold 'a photo of mara'" in told
    assert "Mend the captions in datasets/mine.jsonl" in told
    assert "storycast train mine --manifest datasets/mine.jsonl --acknowledge repeated_fragment" in told
    assert "project file" not in told
    account.check(2, **asked, training={"target": "bedrock"}, acknowledge=["repeated_fragment"])
    warnings = " ".join(account.run("mine").warnings)
    assert "nobody knows who is in the pictures" in warnings
    assert "nobody knows what length was asked for" in warnings


def test_what_a_review_lets_stay_holds_for_its_own_manifest_alone() -> None:
    account = Account()
    spoiled(account)
    word = Acknowledged(rule="repeated_fragment", who="Ada")
    lint = Lint(caption_count=12, findings=(), acknowledged=(word,))
    account.store.put(keys.run_file(RUN, keys.LINT), lint.model_dump_json().encode(), "application/json")
    refused(account, manifest_key=keys.run_file(RUN, keys.APPROVED_MANIFEST))


def test_who_changed_a_manifest_by_hand_has_written_it() -> None:
    image = approved(curated(1))
    records = [ManifestRecord(image_uri=f"s3://media/x/{image.file_name}", caption=text) for text in ("By hand",)]
    (one,) = captions_of_manifest(records, {image.file_name: image}, {"somebody"})
    assert one == LintedCaption("crop-01", "By hand", "Mara", ("Mara",), by_person=True)


def test_a_picture_that_stands_twice_in_a_manifest_is_linted_with_both_captions() -> None:
    image = approved(curated(1))
    texts = ("I'm sorry, I can't help.", "Mara waves.")
    records = [ManifestRecord(image_uri=f"s3://media/x/{image.file_name}", caption=text) for text in texts]
    told = captions_of_manifest(records, {image.file_name: image}, {"somebody"})
    assert [one.caption for one in told] == list(texts)
    assert len({one.id for one in told}) == 2
    bare = captions_of_manifest(records, {}, ())
    assert [one.caption for one in bare] == list(texts)
    assert len({one.id for one in bare}) == 2


@pytest.mark.parametrize("content", [b"\x00", b'{"version": "of another release"}'])
def test_a_review_that_cannot_be_read_stops_no_training(content: bytes) -> None:
    account = Account()
    account.store.put(keys.review(RUN), content, "application/json")
    assert account.check()["start_with"] == "train"


def test_merged_characters_have_the_looks_of_each() -> None:
    cast = [
        Character(name="A", description="a dog"),
        Character(name="B", description="a hound"),
        Character(name="C"),
    ]
    assert descriptions_of(cast, {"B": "A"}) == {"A": "a dog; a hound", "C": ""}


# ---- a whole run ----------------------------------------------------------------------------------


def painted(more: str = "") -> World:
    """Return a world whose captioner says the same of every picture."""
    return world(PROJECT + "review: {minimum_per_character: 0}\n" + more)


def linted(one: World, run_id: str) -> Lint:
    return Lint.model_validate_json(one.store.get(keys.run_file(run_id, keys.LINT)))


def test_a_run_lints_what_it_proposes_and_what_is_approved() -> None:
    one = painted()
    proposed: list[Lint | None] = []

    def look(desk: ReviewDesk) -> None:
        (key,) = (key for key in one.store.keys("runs/") if key.endswith("review.json"))
        review = Review.model_validate_json(one.store.get(key))
        proposed.append(review.lint)
        changes = [
            Change(
                subject=f"picture:{picture.image.crop_id}",
                field="caption",
                before=picture.caption,
                after=f"{' and '.join(picture.image.in_picture)} {scene}",
            )
            for picture, scene in zip(review.pictures, SCENES, strict=False)
        ]
        desk.decide(Proposal("rewrite-all-of-it", "Ada", "caption", "page", tuple(changes)))
        keep_the_rest(desk)

    one.reviewer = look
    end = one.run(REQUEST)
    assert end.name == "DatasetReady"
    (before,) = proposed
    assert before is not None
    assert {finding.rule for finding in before.blocking()} == {"near_identical"}
    after = linted(one, end.run_id)
    assert after.blocking() == ()
    counts = one.record(end.run_id).counts
    assert counts["caption_findings"] == len(after.findings)
    assert counts["caption_findings_that_block"] == 0


def test_people_are_told_what_stands_in_a_trainings_way() -> None:
    one = painted()
    end = one.run(REQUEST)
    assert "refused for its captions, unless somebody acknowledges" in end.message
    assert "captions are the same" in end.message
    card = one.store.get(keys.run_file(end.run_id, "dataset/README.md")).decode()
    assert all(finding.message in card for finding in linted(one, end.run_id).findings)
    quiet = painted("captions: {acknowledge: [near_identical]}\n")
    assert "refused" not in quiet.run(REQUEST).message


def test_a_reviewer_acknowledges_a_rule_with_name_and_time() -> None:
    one = painted()

    def acknowledge(desk: ReviewDesk) -> None:
        change = Change(subject="lint:near_identical", field="acknowledged", before="no", after="yes")
        desk.decide(Proposal("acknowledge-it", "Ada", "acknowledge", "page", (change,)))
        with pytest.raises(ChangeRefusedError, match="does not acknowledge"):
            desk.decide(
                Proposal(
                    "acknowledge-2", "Ada", "acknowledge", "page", (change.model_copy(update={"after": "x"}),)
                )
            )
        keep_the_rest(desk)

    one.reviewer = acknowledge
    end = one.run(REQUEST)
    found = linted(one, end.run_id)
    (word,) = found.acknowledged
    assert (word.rule, word.who) == ("near_identical", "Ada")
    assert word.when
    assert "near_identical" not in {finding.rule for finding in found.blocking()}
    log = one.store.get(keys.run_file(end.run_id, keys.DECISIONS)).decode().splitlines()
    assert "acknowledge" in {Decision.model_validate_json(line).what for line in log}


def test_a_review_of_before_can_be_read() -> None:
    one = painted()
    end = one.run(REQUEST)
    told = json.loads(one.store.get(keys.review(end.run_id)))
    del told["lint"]
    one.store.put(keys.review(end.run_id), json.dumps(told).encode(), "application/json")
    assert read_review(one.store, end.run_id).lint is None


def test_settings_say_which_rules_there_are() -> None:
    assert Settings().captions.acknowledge == ()
