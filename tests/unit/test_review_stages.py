"""The review's stages over fakes: what is shown, the gate, reminders, the time-out, what is written."""

import io
import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from PIL import Image

from storycast import keys
from storycast.decisions import Change
from storycast.frames import from_json_lines
from storycast.ledger import FINAL_OUTCOMES
from storycast.plan import read_plan
from storycast.requests import LoopEnd
from storycast.review import Review, read_review
from storycast.review_desk import Proposal, ReviewDesk
from storycast.runs import change_run
from storycast.settings import Training
from storycast.sightings import Sighting
from storycast.stages.apply_review import apply_review
from storycast.stages.check_review import check_review
from storycast.stages.open_review import open_review
from storycast.stages.prepare_review import prepare_review
from tests.fakes.humans import FakeHumans
from tests.fakes.workflow import NOW, End, World, keep_the_rest
from tests.unit.test_whole_run import PROJECT, REQUEST, world

DEADLINE = NOW + timedelta(hours=72)


def settings(**review: Any) -> str:
    told = ", ".join(f"{name}: {value}" for name, value in {"minimum_per_character": 0, **review}.items())
    return PROJECT + f"review: {{{told}}}\n"


def nobody(_desk: ReviewDesk) -> None:
    """Decide nothing."""


def waiting(text: str | None = None) -> tuple[World, Any]:
    """Return a run that waits for its review, and its plan."""
    one = world(text or settings())
    one.reviewer = nobody
    end = one.run(REQUEST)
    assert end.name == "OpenReview"
    return one, read_plan(one.store, end.run_id)


def shown(one: World, run_id: str) -> Review:
    return read_review(one.store, run_id)


def check(one: World, plan: Any, now: datetime, deadline: datetime = DEADLINE, **loops: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"loops": (), "completed": 0, "humans": FakeHumans(one.store), **loops}
    return check_review(plan, deadline=deadline, log=one.log, notifier=one.notifier, now=now, **given)


def reopen(one: World, plan: Any, token: str, now: datetime) -> dict[str, Any]:
    return open_review(
        plan,
        task_token=token,
        deadline=DEADLINE,
        store=one.store,
        log=one.log,
        callbacks=one.callbacks,
        notifier=one.notifier,
        now=now,
    )


# ---- what is shown --------------------------------------------------------------------------------


def test_every_picture_is_shown_with_its_duplicates_and_what_stands_out() -> None:
    one, plan = waiting()
    review = shown(one, plan.run_id)
    assert {name.name for name in review.characters} == {"Rosso", "Blu"}
    dataset = {key.rpartition("/")[2] for key in one.store.keys(f"runs/{plan.run_id}/dataset/images/")}
    assert {picture.file_name for picture in review.pictures} == dataset
    crops = {s.crop_id: s for s in from_json_lines(one.store.get(f"runs/{plan.run_id}/sightings.jsonl"), Sighting)}
    twins = [other for picture in review.pictures for other in picture.alternatives]
    assert twins
    for other in twins:
        assert other.crop_key == crops[other.image.crop_id].key
        assert one.store.head(other.crop_key)
        assert other.reason.startswith("cosine ")
    for picture in review.pictures:
        thumb = Image.open(io.BytesIO(one.store.get(keys.review_thumb(plan.run_id, picture.image.crop_id))))
        assert (thumb.format, thumb.size) == ("JPEG", (320, 320))
    assert one.record(plan.run_id).status == "in_review"


def test_thumbs_are_made_for_the_page_alone() -> None:
    one = world(settings(mode="auto"))
    end = one.run(REQUEST)
    assert one.store.keys(f"runs/{end.run_id}/review/thumbs/") == []


def test_what_training_costs_is_told_where_one_follows() -> None:
    one, plan = waiting()
    assert shown(one, plan.run_id).training is None
    training = plan.settings.model_copy(
        update={"training": plan.settings.training.model_copy(update={"target": "bedrock"}), "budget_usd": 9000.0}
    )
    prepare_review(plan.model_copy(update={"settings": training}), store=one.store, log=one.log, now=NOW)
    ahead = shown(one, plan.run_id).training
    assert ahead is not None
    assert 0 < ahead.cost_usd[0] <= ahead.cost_usd[1]
    assert (ahead.step_count, ahead.batch_size, ahead.budget_usd) == (14_000, 64, 9000.0)


def test_what_an_adapter_costs_at_most_and_its_licence_are_told() -> None:
    one, plan = waiting()
    training = Training(target="sagemaker")
    settings_ = plan.settings.model_copy(update={"training": training, "budget_usd": 20.0})
    prepare_review(plan.model_copy(update={"settings": settings_}), store=one.store, log=one.log, now=NOW)
    ahead = shown(one, plan.run_id).training
    assert ahead is not None
    assert (ahead.step_count, ahead.batch_size, ahead.least_pictures) == (1500, 1, 1)
    assert (ahead.instance_type, ahead.spot, ahead.most_usd) == ("ml.g5.xlarge", True, 20.0)
    assert 0 < ahead.cost_usd[0] <= ahead.cost_usd[1] <= 20.0
    assert ahead.licence is not None
    assert ahead.licence.name == "CreativeML Open RAIL++-M"


# ---- the gate -------------------------------------------------------------------------------------


def test_people_are_told_once_and_a_new_token_replaces_the_old_one() -> None:
    one, plan = waiting()
    assert [subject for subject, _ in one.notifier.told] == [f"Storycast: review waits ({plan.run_id})"]
    assert f"storycast review {plan.run_id} --target aws" in one.notifier.told[0][1]
    opened = one.log.gate(plan.run_id)
    assert reopen(one, plan, "another", NOW + timedelta(hours=1)) == {"waits": True}
    gate = one.log.gate(plan.run_id)
    assert opened is not None
    assert gate is not None
    assert (gate.task_token, gate.opened_at) == ("another", opened.opened_at)
    assert len(one.notifier.told) == 1
    assert one.callbacks.told == []


def test_a_review_that_was_closed_meanwhile_lets_the_run_go_on_at_once() -> None:
    one, plan = waiting()
    one.callbacks.valid = set()
    one.desk(plan.run_id).finish("Ada", "finish-01")
    one.callbacks.valid = {"another"}
    assert reopen(one, plan, "another", NOW) == {"waits": False}
    assert one.callbacks.told[-1] == ("another", {"decisions": 1})


def test_an_attempt_that_broke_off_before_people_were_told_tells_them() -> None:
    one, plan = waiting()
    run = one.record(plan.run_id).model_copy(update={"status": "running"})
    one.store.put(f"runs/{plan.run_id}/run.json", run.model_dump_json().encode(), "application/json")
    one.notifier.told.clear()
    reopen(one, plan, "another", NOW)
    assert len(one.notifier.told) == 1
    assert one.record(plan.run_id).status == "in_review"


# ---- reminders and the time-out -------------------------------------------------------------------


def test_people_are_reminded_once_in_a_while() -> None:
    one, plan = waiting(settings(remind_hours=24))
    one.notifier.told.clear()
    for hours, told in ((1, 0), (23.9, 0), (24, 1), (25, 1), (47, 1), (48, 2)):
        answer = check(one, plan, NOW + timedelta(hours=hours))
        assert answer["status"] == "waiting"
        assert len(one.notifier.told) == told, hours
    assert one.notifier.told[0][0] == f"Storycast: review still waits ({plan.run_id})"
    reopen(one, plan, "later", NOW + timedelta(hours=49))
    check(one, plan, NOW + timedelta(hours=50))
    assert len(one.notifier.told) == 2, "a new token is no reminder, and forgets none"


def test_it_waits_no_longer_than_the_deadline() -> None:
    one, plan = waiting(settings(remind_hours=24, timeout_hours=72))
    assert check(one, plan, NOW + timedelta(hours=1))["wait_seconds"] == 24 * 3600
    assert check(one, plan, NOW + timedelta(hours=71))["wait_seconds"] == 3600
    assert check(one, plan, DEADLINE - timedelta(milliseconds=5))["wait_seconds"] == 1


@pytest.mark.parametrize(("rule", "status"), [("fail", "timed_out"), ("approved", "closed")])
def test_in_the_end_the_projects_rule_decides(rule: str, status: str) -> None:
    one, plan = waiting(settings(on_timeout=rule))
    answer = check(one, plan, DEADLINE)
    assert answer["status"] == status
    assert "nothing is paid twice" in answer["message"]
    (closing,) = one.log.read(plan.run_id)
    assert (closing.what, closing.who) == ("time_out", "review.on_timeout")
    assert check(one, plan, DEADLINE)["status"] == status, "asked again it says the same"
    assert len(one.log.read(plan.run_id)) == 1


def test_who_finishes_in_the_last_moment_is_heard() -> None:
    one, plan = waiting()
    one.callbacks.valid = set()
    one.desk(plan.run_id).finish("Ada", "finish-01")
    assert check(one, plan, DEADLINE + timedelta(hours=1))["status"] == "closed"


@pytest.mark.parametrize(
    ("loops", "completed", "status", "batches"),
    [
        (("completed", "open"), 0, "waiting", [1]),
        (("completed", "failed"), 0, "closed", []),
        (("stopped",), 3, "closed", []),
        (("failed", "stopped"), 0, "failed", []),
    ],
)
def test_batches_of_amazon_a2i(loops: tuple[str, ...], completed: int, status: str, batches: list[int]) -> None:
    one, plan = waiting(settings(mode="page"))
    ends = [LoopEnd(batch=n, status=s, reason="no workers") for n, s in enumerate(loops)]  # type: ignore[arg-type]
    answer = check(one, plan, NOW, loops=ends, completed=completed)
    assert (answer["status"], answer["batches"]) == (status, batches)
    assert answer["completed"] == completed + loops.count("completed")
    if status == "failed":
        assert "batch 0 failed: no workers" in answer["message"]


def test_a_review_by_workers_in_which_all_was_decided_before_goes_on_at_once() -> None:
    """A run that is started again after its review: nobody is asked, and nobody is paid."""
    one, first = waiting(settings())
    keep_the_rest(one.desk(first.run_id), who="a2i:anna")
    one.store.put("projects/p/project.yaml", settings(mode="a2i").encode(), "text/yaml")
    one.run({**REQUEST, "run_id": "again"}, number=2)
    plan = read_plan(one.store, "again")
    prepared = prepare_review(plan, store=one.store, log=one.log, now=NOW)
    assert (prepared["batches"], prepared["completed"]) == ([], 0)
    assert check(one, plan, NOW)["status"] == "closed"


# ---- what is written ------------------------------------------------------------------------------


def picky(desk: ReviewDesk) -> None:
    """Keep one picture, drop one, and call Rosso another name."""
    review = desk.state()
    crops = sorted(subject for subject, name in review.values if name == "verdict")
    changes = [
        Change(subject=crops[0], field="verdict", before="open", after="kept"),
        Change(subject=crops[1], field="verdict", before="open", after="dropped"),
        Change(subject="character:Rosso", field="name", before="Rosso", after="Ruby"),
        Change(subject="character:Blu", field="name", before="Blu", after="Azure"),
    ]
    for number, change in enumerate(changes):
        desk.decide(Proposal(f"picky-{number:03d}", "Ada", "keep", "page", (change,)))
    desk.finish("Ada", "finish-01")


def test_the_folder_is_the_dataset_and_writing_it_again_changes_nothing() -> None:
    one = world(settings())
    one.reviewer = picky
    end = one.run(REQUEST)
    assert end.name == "DatasetReady"
    plan = read_plan(one.store, end.run_id)

    def written() -> dict[str, bytes]:
        names = (keys.DECISIONS, keys.APPROVED_MANIFEST, keys.MANIFEST, keys.PICTURES, "ledger.jsonl")
        return {name: one.store.get(keys.run_file(end.run_id, name)) for name in names}

    before, pictures = written(), one.store.keys(f"runs/{end.run_id}/dataset/images/")
    (line,) = before[keys.APPROVED_MANIFEST].decode().splitlines()
    record = json.loads(line)
    assert record["image-ref"] == f"s3://media/{pictures[0]}"
    assert pictures[0].rpartition("/")[2].startswith(("ruby-", "azure-"))
    assert "Ruby" in record["caption"] or "Azure" in record["caption"]
    applied = apply_review(plan, store=one.store, log=one.log, notifier=one.notifier, now=NOW)
    assert (applied["status"], applied["record_count"]) == ("approved", 1)
    assert written() == before
    assert one.store.keys(f"runs/{end.run_id}/dataset/images/") == pictures
    ledger = [entry for entry in one.ledger(end.run_id) if entry.kind == "crop"]
    assert {entry.outcome for entry in ledger} <= set(FINAL_OUTCOMES["crop"])
    outcomes = [entry.outcome for entry in ledger]
    shown_count = len(shown(one, end.run_id).pictures)
    assert outcomes.count("in_dataset") == outcomes.count("rejected") == 1
    assert outcomes.count("not_reviewed") == shown_count - 2
    assert one.record(end.run_id).counts["approved"] == 1


def test_a_frame_that_is_gone_is_lost_and_told() -> None:
    """Only what has to be cut anew needs its frame."""
    one = world(settings())

    def rename_after_the_frames_are_gone(desk: ReviewDesk) -> None:
        for key in one.store.keys("footage/"):
            if "/frames-" in key and key.endswith(".jpg"):
                one.store.delete(key)
        change = Change(subject="character:Rosso", field="name", before="Rosso", after="Ruby")
        desk.decide(Proposal("rename-01", "Ada", "rename", "page", (change,)))
        keep_the_rest(desk)

    one.reviewer = rename_after_the_frames_are_gone
    end = one.run(REQUEST)
    lost = [entry for entry in one.ledger(end.run_id) if entry.outcome == "lost"]
    assert lost
    assert {entry.reason for entry in lost} == {"its frame can't be read again"}
    manifest = one.store.get(keys.run_file(end.run_id, keys.APPROVED_MANIFEST)).decode()
    assert "ruby" not in manifest
    assert "blu-" in manifest


def test_nothing_approved_is_an_end_of_its_own() -> None:
    one = world(settings())
    one.reviewer = lambda desk: (desk.finish("Ada", "finish-01"), None)[1]
    end = one.run(REQUEST)
    assert end.name == "NothingApproved"
    assert "none of" in end.message
    assert one.record(end.run_id).status == "in_review", "the failure's rule closes it"
    assert all("dataset ready" not in subject for subject, _ in one.notifier.told)


def fail(one: World, run_id: str) -> None:
    """Record that the execution was stopped; nothing stops the function that is at work for it."""
    stopped = {"status": "failed", "error": "Cancelled", "ended_at": NOW.isoformat()}
    change_run(one.store, run_id, lambda run: run.model_copy(update=stopped))


def test_a_run_that_failed_meanwhile_does_not_wait() -> None:
    one, plan = waiting()
    fail(one, plan.run_id)
    reopen(one, plan, "late", NOW)
    assert one.record(plan.run_id).status == "failed"


def test_a_run_that_failed_meanwhile_is_not_ready() -> None:
    one, plan = waiting()
    keep_the_rest(one.desk(plan.run_id))
    fail(one, plan.run_id)
    one.notifier.told.clear()
    apply_review(plan, store=one.store, log=one.log, notifier=one.notifier, now=NOW + timedelta(minutes=1))
    run = one.record(plan.run_id)
    assert (run.status, run.error, run.ended_at) == ("failed", "Cancelled", NOW.isoformat())
    assert run.counts["approved"]
    assert one.notifier.told == []


def test_too_few_for_a_training_is_told() -> None:
    one, plan = waiting(settings(minimum_per_character=50))
    keep_the_rest(one.desk(plan.run_id))
    applied = apply_review(plan, store=one.store, log=one.log, notifier=one.notifier, now=NOW)
    assert applied["status"] == "approved", "nothing would be trained anyway"
    trains = plan.settings.model_copy(
        update={"training": plan.settings.training.model_copy(update={"target": "bedrock"})}
    )
    plan = plan.model_copy(update={"settings": trains})
    applied = apply_review(plan, store=one.store, log=one.log, notifier=one.notifier, now=NOW)
    assert applied["status"] == "too_few"
    assert "training needs at least 5 pictures, the dataset has 4" in applied["message"]
    assert "of at least 50 pictures" in applied["message"]
    assert any("of at least 50 pictures" in warning for warning in one.record(plan.run_id).warnings)


def test_an_adapter_is_trained_on_fewer_pictures_than_bedrock_takes() -> None:
    one, plan = waiting(settings(minimum_per_character=1))
    keep_the_rest(one.desk(plan.run_id))
    trains = plan.settings.model_copy(update={"training": Training(target="sagemaker")})
    plan = plan.model_copy(update={"settings": trains})
    applied = apply_review(plan, store=one.store, log=one.log, notifier=one.notifier, now=NOW)
    assert applied["status"] == "approved"


# ---- the next run ---------------------------------------------------------------------------------


def test_what_was_decided_is_carried_to_the_next_run_and_to_the_one_after() -> None:
    one, plan = waiting()
    review = shown(one, plan.run_id)
    first, second, third = [picture.image.crop_id for picture in review.pictures[:3]]
    words = "Rosso, in my own words."
    for number, change in enumerate(
        [
            Change(subject=f"picture:{first}", field="verdict", before="open", after="kept"),
            Change(subject=f"picture:{second}", field="verdict", before="open", after="dropped"),
            Change(subject=f"picture:{third}", field="caption", before=review.pictures[2].caption, after=words),
        ]
    ):
        one.desk(plan.run_id).decide(Proposal(f"early-{number:03d}", "Ada", "keep", "page", (change,)))

    def carried(end: End) -> dict[str, tuple[str, str | None, str]]:
        told = {picture.image.crop_id: picture.carried for picture in shown(one, end.run_id).pictures}
        return {crop: (c.verdict, c.caption, c.who) for crop, c in told.items() if c}

    expected = {
        first: ("kept", None, "Ada"),
        second: ("dropped", None, "Ada"),
        third: ("open", words, "Ada"),
    }
    again = one.run({**REQUEST, "run_id": "again"}, number=2)
    assert carried(again) == expected
    keep_the_rest(one.desk("again"), who="Ben")
    after = one.run({**REQUEST, "run_id": "once-more"}, number=3)
    told = carried(after)
    assert told[first] == ("kept", None, "Ada")
    assert told[third] == ("kept", words, "Ben"), "Ben kept it with Ada's words"


def test_what_was_decided_on_another_square_of_the_frame_is_not_carried() -> None:
    """Other settings of the detection count a frame's crops anew: the same number may be somebody else."""
    one, plan = waiting()
    keep_the_rest(one.desk(plan.run_id))
    one.callbacks.told.clear()
    review = shown(one, plan.run_id)
    moved, stays = review.pictures[0].image, review.pictures[1].image.crop_id
    elsewhere = moved.model_copy(update={"left_px": moved.left_px + moved.side_px})
    pictures = (review.pictures[0].model_copy(update={"image": elsewhere}), *review.pictures[1:])
    key = keys.review(plan.run_id)
    one.store.put(
        key, review.model_copy(update={"pictures": pictures}).model_dump_json().encode(), "application/json"
    )
    end = one.run({**REQUEST, "run_id": "again"}, number=2)
    carried = {picture.image.crop_id: picture.carried for picture in shown(one, end.run_id).pictures}
    assert carried[moved.crop_id] is None
    assert carried[stays] is not None


def test_another_projects_decisions_are_its_own() -> None:
    one, plan = waiting()
    keep_the_rest(one.desk(plan.run_id))
    one.store.put("projects/q/project.yaml", settings(minimum_per_character=0).encode(), "application/yaml")
    for name in ("rosso", "blu"):
        reference = one.store.get(f"projects/p/cast/{name}/1.png")
        one.store.put(f"projects/q/cast/{name}/1.png", reference, "image/png")
    one.callbacks.told.clear()
    end = one.run({**REQUEST, "project": "q", "run_id": "of-another"}, number=2)
    assert all(picture.carried is None for picture in shown(one, end.run_id).pictures)
