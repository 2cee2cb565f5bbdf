"""A review by Amazon A2I's workers, over fakes: started, started again, answered, divided, hostile, late."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storycast import human_answers, human_loops, keys
from storycast.approval import approve
from storycast.decisions import state_of
from storycast.errors import (
    DependencyUnavailableError,
    HumanReviewFailedError,
    RequestInvalidError,
    SettingsInvalidError,
)
from storycast.human_answers import (
    AnswersUnreadableError,
    LoopOutput,
    MergedAnswers,
    merge,
    proposals,
    read_output,
)
from storycast.human_loops import (
    MAX_INPUT_CONTENT,
    batch_count,
    batch_pictures,
    content_text,
    input_content,
    open_batches,
)
from storycast.manifest import MAX_CAPTION
from storycast.names import RUN_ID_MAX_LENGTH, human_loop_name
from storycast.plan import RunPlan
from storycast.requests import LoopEnd
from storycast.review import Carried, Review, caption_problem
from storycast.runs import change_run, read_run
from storycast.settings import read_settings
from storycast.stages.check_plan import refuse_missing_flow_definition
from storycast.stages.check_review import check_review
from storycast.stages.complete_human_review import LoopStatus, complete_human_review
from storycast.stages.start_human_reviews import start_human_review
from tests.fakes.humans import FLOW, FakeHumans, MemoryLoopBook, answer
from tests.fakes.reviews import NOW, RUN, Waiting, made_review
from tests.fakes.services import HeardNotifier


class Shop:
    """A run that waits for workers: its review, A2I, and the book of loops."""

    def __init__(self, count: int = 12, *, status: Any = "running", **more: Any) -> None:
        self.review = made_review(count, **more)
        self.waiting = Waiting(self.review, status=status)
        self.store, self.log, self.callbacks = self.waiting.store, self.waiting.log, self.waiting.callbacks
        self.log.gates.clear()
        self.log.projects.clear()
        self.humans = FakeHumans(self.store)
        self.loops = MemoryLoopBook()
        self.notifier = HeardNotifier()
        self.now = NOW
        settings = read_settings("review: {mode: a2i, timeout_hours: 24}\n", "project.yaml")
        self.plan = RunPlan(run_id=RUN, project=self.review.project, settings=settings, footage=())

    def start(self, batch: int = 0, token: str = "token-1", flow: str = FLOW) -> dict[str, Any]:
        self.now += timedelta(seconds=1)
        return start_human_review(
            self.plan,
            batch,
            task_token=token,
            flow_definition_arn=flow,
            store=self.store,
            log=self.log,
            loops=self.loops,
            humans=self.humans,
            callbacks=self.callbacks,
            notifier=self.notifier,
            now=self.now,
        )

    def hear(self, detail: dict[str, Any], flow: str = FLOW) -> dict[str, Any]:
        return complete_human_review(
            LoopStatus.model_validate(detail),
            flow_definition_arn=flow,
            store=self.store,
            log=self.log,
            loops=self.loops,
            callbacks=self.callbacks,
            clock=lambda: self.now,
        )

    def crops(self, batch: int = 0) -> list[str]:
        return [one.image.crop_id for one in batch_pictures(self.review, batch)]

    def verdict(self, crop_id: str) -> str:
        return self.waiting.new_desk().state().text(f"picture:{crop_id}", "verdict")

    def caption(self, crop_id: str) -> str:
        return self.waiting.new_desk().state().text(f"picture:{crop_id}", "caption")

    def merged(self, batch: int = 0) -> MergedAnswers:
        return MergedAnswers.model_validate_json(self.store.get(keys.merged_answers(RUN, batch)))


LOOP = human_loop_name(RUN, 0)


# ---- batches ----------------------------------------------------------------------------------------


@given(count=st.integers(1, 1000))
def test_batches_hold_every_picture_once_and_are_of_one_size(count: int) -> None:
    review = made_review(1).model_copy(update={"pictures": tuple(made_review(1).pictures) * count})
    numbered = review.model_copy(
        update={
            "pictures": tuple(
                one.model_copy(update={"file_name": f"{number}.png"}) for number, one in enumerate(review.pictures)
            )
        }
    )
    batches = [batch_pictures(numbered, batch) for batch in range(batch_count(count))]
    assert [one.file_name for batch in batches for one in batch] == [one.file_name for one in numbered.pictures]
    assert 1 <= len(batches) <= 40
    sizes = {len(batch) for batch in batches}
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= 10 or len(batches) == 40


@pytest.mark.parametrize("batch", [-1, 2, 40])
def test_a_batch_that_is_not_there_is_refused(batch: int) -> None:
    with pytest.raises(RequestInvalidError, match="2 batches"):
        batch_pictures(made_review(12), batch)


def test_a_batch_in_which_all_was_decided_before_is_not_paid_again() -> None:
    kept, undecided = (
        Carried(run_id="run-0", who="a2i:anna", when=NOW.isoformat(), verdict=verdict, caption="Hers")
        for verdict in ("kept", "open")
    )

    def carried(ones: Mapping[int, Carried]) -> Review:
        review = made_review(12)
        pictures = [one.model_copy(update={"carried": ones.get(n)}) for n, one in enumerate(review.pictures)]
        return review.model_copy(update={"pictures": tuple(pictures)})

    assert open_batches(carried({})) == [0, 1]
    assert open_batches(carried(dict.fromkeys(range(6), kept))) == [1]
    assert open_batches(carried(dict.fromkeys(range(5), kept))) == [0, 1]
    assert open_batches(carried(dict.fromkeys(range(12), undecided))) == [0, 1]
    assert open_batches(carried(dict.fromkeys(range(12), kept))) == []


def test_the_longest_run_id_leaves_a_legal_name() -> None:
    name = human_loop_name("a" * RUN_ID_MAX_LENGTH, 39)
    assert len(name) <= 63
    assert "--" not in name


def test_workers_are_shown_what_the_review_shows() -> None:
    before = Carried(
        run_id="run-0", who="anna", when=NOW.isoformat(), verdict="dropped", caption="Bunny, as Anna says"
    )
    review = made_review(12, carried={0: before})
    content = input_content(review, 0, "media")
    shown = {one["crop_id"]: one for one in content["pictures"]}
    assert (content["batch"], content["batches"], content["words"]) == (1, 2, [8, 30])
    first = shown["000000"]
    assert first["picture"] == f"s3://media/runs/{RUN}/dataset/images/bunny-000000.png"
    assert (first["caption"], first["said_before"]) == ("Bunny, as Anna says", "drop")
    other = next(one for one in content["pictures"] if one["crop_id"] != "000000")
    assert other["said_before"] == ""


def test_more_than_a_loop_takes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    review = made_review(10)
    length = len(content_text(input_content(review, 0, "media")))
    monkeypatch.setattr(human_loops, "MAX_INPUT_CONTENT", length)
    input_content(review, 0, "media")
    monkeypatch.setattr(human_loops, "MAX_INPUT_CONTENT", length - 1)
    with pytest.raises(HumanReviewFailedError, match=r"Batch 0 of run-1 has .* characters"):
        input_content(review, 0, "media")


def test_letters_of_any_script_count_once() -> None:
    """As ``\\u`` escapes they would count six times, and a review in Cyrillic would pass the limit early."""
    review = made_review(1, captions=["Ёжик в тумане идёт домой"])
    assert "Ёжик в тумане" in content_text(input_content(review, 0, "media"))
    assert MAX_INPUT_CONTENT == 3_145_728


# ---- started ----------------------------------------------------------------------------------------


def test_the_token_is_noted_before_the_loop_begins() -> None:
    shop = Shop()
    noted: list[str] = []
    start = shop.humans.start

    def watched(*arguments: Any) -> bool:
        noted.append(shop.loops.loops[LOOP].task_token)
        return start(*arguments)

    shop.humans.start = watched  # type: ignore[method-assign, assignment]
    assert shop.start() == {"loop": LOOP, "status": "waiting"}
    assert noted == ["token-1"]
    assert not shop.callbacks.told


def test_people_are_told_once_and_reminded_later() -> None:
    shop = Shop()
    for batch in (0, 1, 0):
        shop.start(batch, f"token-{batch}")
    ((subject, message),) = shop.notifier.told
    assert RUN in subject
    assert "Amazon A2I's workers" in message
    assert read_run(shop.store, RUN).status == "in_review"
    assert shop.log.runs_of(shop.review.project) == [RUN]
    gate = shop.log.gates[RUN]
    assert (gate.task_token, gate.deadline) == ("", NOW + timedelta(hours=24)), "no token of its own"


def test_somebody_may_finish_the_review_on_the_page_meanwhile() -> None:
    shop = Shop()
    shop.start()
    shop.waiting.new_desk().finish("anna", "finish-0001")
    assert not shop.callbacks.told, "the run sees it when it looks next"
    crop_id = shop.crops()[0]
    done = shop.hear(shop.humans.complete(LOOP, [answer({crop_id: "keep"})]))
    assert (done["status"], done["told"]) == ("completed", True)
    assert shop.verdict(crop_id) == "open", "too late"


def test_a_retried_start_starts_no_second_loop_and_takes_the_new_token() -> None:
    shop = Shop()
    shop.start(token="token-1")
    assert shop.start(token="token-2") == {"loop": LOOP, "status": "waiting"}
    assert shop.humans.started == [LOOP]
    shop.hear(shop.humans.complete(LOOP, [answer({})]))
    assert [token for token, _ in shop.callbacks.told] == ["token-2"]


def test_an_attempt_that_was_overtaken_does_not_put_its_token_back() -> None:
    shop = Shop()
    shop.start(token="token-2")
    late = replace(shop.loops.loops[LOOP], task_token="token-1", started_at=NOW)
    shop.loops.put(late)
    assert shop.loops.loops[LOOP].task_token == "token-2"


def test_a_loop_that_was_answered_meanwhile_is_taken_in_by_the_new_start() -> None:
    shop = Shop()
    shop.start(token="token-1")
    crop_id = shop.crops()[0]
    shop.humans.complete(LOOP, [answer({crop_id: "keep"})])
    assert shop.start(token="token-2") == {"loop": LOOP, "status": "completed"}
    assert shop.callbacks.told == [("token-2", {"batch": 0, "status": "completed", "reason": ""})]
    assert shop.verdict(crop_id) == "kept"


@pytest.mark.parametrize("status", ["Failed", "Stopped"])
def test_a_loop_that_had_ended_otherwise_lets_the_batch_end(status: str) -> None:
    shop = Shop()
    shop.start(token="token-1")
    shop.humans.end(LOOP, status, failure="expired")
    assert shop.start(token="token-2")["status"] == status.lower()
    assert shop.callbacks.told == [("token-2", {"batch": 0, "status": status.lower(), "reason": "expired"})]


def test_a_loop_that_is_being_stopped_is_waited_for() -> None:
    shop = Shop()
    shop.start()
    shop.humans.end(LOOP, "Stopping")
    assert shop.start(token="token-2")["status"] == "waiting"
    assert not shop.callbacks.told


def test_a_name_that_another_flow_definition_has_is_refused() -> None:
    shop = Shop()
    other = FLOW.replace("storycast", "invoices")
    shop.humans.start(LOOP, other, "{}")
    with pytest.raises(HumanReviewFailedError, match="invoices"):
        shop.start()


def test_a_loop_that_is_gone_between_two_calls_is_asked_for_again() -> None:
    shop = Shop()
    shop.start()
    shop.humans.facts = lambda name: None  # type: ignore[method-assign]
    with pytest.raises(DependencyUnavailableError):
        shop.start()


# ---- answered ---------------------------------------------------------------------------------------


def test_one_workers_answer_decides_and_the_run_goes_on() -> None:
    shop = Shop()
    shop.start()
    first, second, third, *_ = shop.crops()
    said = answer({first: "keep", second: "drop"}, {first: "Bunny waves,\n in the  rain", third: "never kept"})
    done = shop.hear(shop.humans.complete(LOOP, [said]))
    assert done == {"run_id": RUN, "batch": 0, "status": "completed", "reason": "", "told": True}
    assert [shop.verdict(crop) for crop in (first, second, third)] == ["kept", "dropped", "open"]
    assert shop.caption(first) == "Bunny waves, in the rain"
    assert shop.caption(third) != "never kept"
    assert {(one.who, one.via) for one in shop.waiting.decisions} == {("a2i:w1", "a2i")}
    assert {one.what for one in shop.waiting.decisions} == {"caption", "keep", "drop"}
    assert shop.callbacks.told == [("token-1", {"batch": 0, "status": "completed", "reason": ""})]


def test_the_majority_decides() -> None:
    shop = Shop()
    shop.start()
    first, second, third, *_ = shop.crops()
    shop.hear(
        shop.humans.complete(
            LOOP,
            [
                answer({first: "keep", second: "drop", third: "keep"}),
                answer({first: "keep", second: "drop", third: "drop"}),
                answer({first: "drop", second: "keep"}),
            ],
        )
    )
    assert [shop.verdict(crop) for crop in (first, second, third)] == ["kept", "dropped", "open"]
    assert {one.who for one in shop.waiting.decisions} == {"a2i:3 workers"}
    tied = next(one for one in shop.merged().pictures if one.crop_id == third)
    assert (tied.keep_votes, tied.drop_votes, tied.note) == (1, 1, "1 keep it, 1 drop it")


def test_what_workers_are_divided_on_is_left_to_a_person_and_the_run_says_so() -> None:
    shop = Shop(10)
    shop.start()
    crops = shop.crops()
    keep, drop = (answer(dict.fromkeys(crops, said)) for said in ("keep", "drop"))
    shop.hear(shop.humans.complete(LOOP, [keep, drop]))
    assert {shop.verdict(crop) for crop in crops} == {"open"}
    assert not shop.waiting.decisions
    assert shop.merged().undecided == 10
    (warning,) = read_run(shop.store, RUN).warnings
    assert "divided or silent on 10 pictures of batch 0" in warning
    assert keys.merged_answers(RUN, 0) in warning
    outcomes = approve(shop.review, state_of(shop.review.initial, shop.waiting.decisions)).outcomes
    assert {one.outcome for one in outcomes} == {"not_reviewed"}


def test_a_tie_leaves_what_a_person_kept_before() -> None:
    before = Carried(run_id="run-0", who="anna", when=NOW.isoformat(), verdict="kept")
    shop = Shop(carried={0: before})
    shop.start()
    shop.hear(shop.humans.complete(LOOP, [answer({"000000": "keep"}), answer({"000000": "drop"})]))
    assert shop.verdict("000000") == "kept"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (["A new one", "A new one", "shown"], "A new one"),
        (["A new one", "Another", "A third"], "shown"),
        (["A new one", "shown", "shown"], "shown"),
        (["A new one", "A  new\tone ", "Another"], "A new one"),
        (["A new one", "", ""], "shown"),
    ],
)
def test_a_caption_needs_most_of_those_who_kept_the_picture(written: list[str], expected: str) -> None:
    shop = Shop()
    shop.start()
    crop_id = shop.crops()[0]
    shown = shop.caption(crop_id)
    texts = [shown if text == "shown" else text for text in written]
    shop.hear(shop.humans.complete(LOOP, [answer({crop_id: "keep"}, {crop_id: text}) for text in texts]))
    assert shop.caption(crop_id) == (shown if expected == "shown" else expected)


def test_who_drops_a_picture_has_no_say_in_its_caption() -> None:
    shop = Shop()
    shop.start()
    crop_id = shop.crops()[0]
    shown = shop.caption(crop_id)
    said = [
        answer({crop_id: "keep"}),
        answer({crop_id: "keep"}),
        answer({crop_id: "drop"}, {crop_id: "My own words"}),
    ]
    shop.hear(shop.humans.complete(LOOP, said))
    assert shop.caption(crop_id) == shown


def test_a_person_who_decided_meanwhile_is_not_overruled() -> None:
    shop = Shop()
    shop.start()
    crop_id = shop.crops()[0]
    from storycast.decisions import Change

    change = Change(subject=f"picture:{crop_id}", field="verdict", before="open", after="dropped")
    shop.waiting.decide("anna", "drop", [change])
    shop.hear(shop.humans.complete(LOOP, [answer({crop_id: "keep"})]))
    assert shop.verdict(crop_id) == "dropped"


# ---- late, repeated, of others ----------------------------------------------------------------------


def test_the_same_event_again_changes_nothing() -> None:
    shop = Shop()
    shop.start()
    crop_id = shop.crops()[0]
    event = shop.humans.complete(LOOP, [answer({crop_id: "keep"})])
    shop.hear(event)
    decisions, merged = shop.waiting.decisions, shop.merged()
    # A person takes it back; the event that comes once more has nothing to say to that.
    from storycast.decisions import Change

    change = Change(subject=f"picture:{crop_id}", field="verdict", before="kept", after="open")
    shop.waiting.decide("anna", "reopen", [change])
    shop.hear(event)
    assert shop.verdict(crop_id) == "open"
    assert shop.waiting.decisions[:-1] == decisions
    assert shop.merged() == merged


def test_what_broke_off_before_its_record_is_done_again_with_the_same_decisions() -> None:
    shop = Shop()
    shop.start()
    event = shop.humans.complete(LOOP, [answer(dict.fromkeys(shop.crops(), "keep"))])
    shop.hear(event)
    once = shop.waiting.decisions
    shop.store.delete(keys.merged_answers(RUN, 0))
    shop.hear(event)
    assert shop.waiting.decisions == once


def test_an_event_that_comes_when_nobody_waits_any_more_is_no_fault() -> None:
    shop = Shop()
    shop.start()
    shop.callbacks.valid = set()
    done = shop.hear(shop.humans.complete(LOOP, [answer({})]))
    assert (done["status"], done["told"]) == ("completed", False)


def test_an_event_after_the_run_has_gone_on_changes_nothing() -> None:
    shop = Shop()
    shop.start()
    shop.waiting.new_desk().finish("anna", "finish-0001")
    change_run(shop.store, RUN, lambda run: run.model_copy(update={"status": "dataset_ready"}))
    shop.callbacks.valid = set()
    before = shop.waiting.decisions
    done = shop.hear(shop.humans.complete(LOOP, [answer(dict.fromkeys(shop.crops(), "keep"))]))
    assert done["told"] is False
    assert shop.waiting.decisions == before


def test_loops_of_others_are_passed_over() -> None:
    shop = Shop()
    shop.start()
    event = shop.humans.complete(LOOP, [answer({})])
    assert shop.hear(event, flow=f"{FLOW}-2")["status"] == "passed_over"
    assert shop.hear(event | {"humanLoopName": "somebody-elses"})["status"] == "passed_over"
    assert shop.hear(event | {"humanLoopStatus": "Stopping"})["status"] == "passed_over"
    assert not shop.callbacks.told


@pytest.mark.parametrize("status", ["Failed", "Stopped"])
def test_a_loop_that_fails_or_is_stopped_ends_its_batch(status: str) -> None:
    shop = Shop()
    shop.start()
    done = shop.hear(shop.humans.end(LOOP, status, failure="The task expired"))
    assert done["status"] == status.lower()
    assert shop.callbacks.told == [
        ("token-1", {"batch": 0, "status": status.lower(), "reason": "The task expired"})
    ]
    assert not shop.waiting.decisions


# ---- hostile ----------------------------------------------------------------------------------------

HOSTILE_TEXTS = [
    "<img src=x onerror=alert(1)> waves",
    "{{ task.input }} {% include 'x' %}",
    "bell \x07 and escape \x1b[31m",
    "right to left \u202e override",
    "x" * (MAX_CAPTION + 1),
    "no",
]


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_a_hostile_caption_is_text_or_nothing(text: str) -> None:
    shop = Shop()
    shop.start()
    crop_id = shop.crops()[0]
    shown = shop.caption(crop_id)
    shop.hear(shop.humans.complete(LOOP, [answer({crop_id: "keep"}, {crop_id: text})]))
    assert shop.verdict(crop_id) == "kept"
    usable = not caption_problem(text)
    assert shop.caption(crop_id) == (text if usable else shown)
    note = next(one for one in shop.merged().pictures if one.crop_id == crop_id).note
    assert bool(note) != usable


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no JSON",
        b"[]",
        b'{"humanAnswers": []}',
        b'{"humanLoopName": "another", "humanAnswers": []}',
        json.dumps({"humanLoopName": LOOP, "humanAnswers": {}}).encode(),
        json.dumps({"humanLoopName": LOOP, "humanAnswers": [{"answerContent": {}}]}).encode(),
        json.dumps({"humanLoopName": LOOP, "humanAnswers": [{"workerId": "w\n1", "answerContent": {}}]}).encode(),
        json.dumps(
            {"humanLoopName": LOOP, "humanAnswers": [{"workerId": "w1", "answerContent": "keep"}]}
        ).encode(),
        json.dumps(
            {"humanLoopName": LOOP, "humanAnswers": [{"workerId": "w", "answerContent": {}}] * 11}
        ).encode(),
        (b'{"humanLoopName": "%s", "humanAnswers": ' % LOOP.encode()) + b"[" * 5000,
        b"\xff\xfe",
    ],
    ids=range(12),
)
def test_answers_that_cannot_be_read_fail_the_batch_with_the_reason(content: bytes) -> None:
    shop = Shop()
    shop.start()
    done = shop.hear(shop.humans.complete_with(LOOP, content))
    assert done["status"] == "failed"
    assert "can't be used" in done["reason"]
    assert not shop.waiting.decisions
    assert shop.callbacks.told[0][1]["status"] == "failed"


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "https://example.com/output.json",
        f"s3://elsewhere/a2i/storycast/2026/01/02/12/00/00/{LOOP}/output.json",
        f"s3://media/runs/{RUN}/{LOOP}/output.json",
        f"s3://media/a2i/../runs/{LOOP}/output.json",
        "s3://media/a2i/storycast/2026/01/02/12/00/00/another/output.json",
    ],
)
def test_answers_are_read_from_the_flow_definitions_output_alone(uri: str) -> None:
    shop = Shop()
    shop.start()
    done = shop.hear(shop.humans.end(LOOP, "Completed", output_uri=uri))
    assert done["status"] == "failed"
    assert "s3://media/a2i/" in done["reason"]


def test_answers_that_are_too_large_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    from storycast.stages import complete_human_review as stage

    monkeypatch.setattr(stage, "MAX_OUTPUT_BYTES", 10)
    shop = Shop()
    shop.start()
    done = shop.hear(shop.humans.complete(LOOP, [answer({})]))
    assert done["status"] == "failed"
    assert "bytes, more than 10" in done["reason"]


def test_answers_that_are_not_there_yet_are_asked_for_again() -> None:
    shop = Shop()
    shop.start()
    event = shop.humans.complete(LOOP, [answer({})])
    shop.store.delete(event["humanLoopOutput"]["outputS3Uri"].removeprefix("s3://media/"))
    with pytest.raises(DependencyUnavailableError, match="not there yet"):
        shop.hear(event)
    assert not shop.callbacks.told


def test_verdicts_on_pictures_of_another_batch_change_nothing() -> None:
    shop = Shop()
    shop.start()
    elsewhere = shop.crops(1)[0]
    shop.hear(shop.humans.complete(LOOP, [answer({elsewhere: "drop", "no-such": "keep"})]))
    assert shop.verdict(elsewhere) == "open"


@pytest.mark.parametrize(
    "said",
    [
        None,
        True,
        3,
        "KEEP",
        "keep it",
        [],
        ["keep"],
        {},
        {"keep": "true"},
        {"keep": 1},
        {"keep": True, "drop": True},
        {"other": True},
        {"keep": {"keep": True}},
    ],
)
def test_what_is_no_verdict_is_none(said: Any) -> None:
    shop = Shop()
    shop.start()
    crop_id = shop.crops()[0]
    shop.hear(shop.humans.complete(LOOP, [{f"verdict-{crop_id}": said}]))
    assert shop.verdict(crop_id) == "open"


@pytest.mark.parametrize("said", ["keep", {"keep": True, "drop": False}, {"keep": True}])
def test_a_verdict_is_read_as_text_and_as_radio_buttons(said: Any) -> None:
    shop = Shop()
    shop.start()
    crop_id = shop.crops()[0]
    shop.hear(shop.humans.complete(LOOP, [{f"verdict-{crop_id}": said}]))
    assert shop.verdict(crop_id) == "kept"


def test_a_worker_who_answers_twice_counts_once() -> None:
    said = {"workerId": "w1", "answerContent": {"verdict-a": "drop"}}
    other = {"workerId": "w2", "answerContent": {"verdict-a": "keep"}}
    output = LoopOutput.model_validate({"humanLoopName": "loop", "humanAnswers": [said, other, said]})
    merged = merge(output, {"a": "a caption"})
    assert merged.workers == ("w1", "w2")
    assert (merged.pictures[0].keep_votes, merged.pictures[0].drop_votes) == (1, 1)


# ---- properties -------------------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)
REVIEW = made_review(10)
CROPS = [one.image.crop_id for one in REVIEW.pictures]
fields = st.sampled_from([f"{kind}-{crop}" for kind in ("verdict", "caption") for crop in CROPS])


@given(answers=st.lists(st.dictionaries(fields, json_values, max_size=12), max_size=5))
def test_no_answer_does_more_than_a_review_allows(answers: list[dict[str, Any]]) -> None:
    output = {
        "humanLoopName": LOOP,
        "humanAnswers": [{"workerId": f"w{n}", "answerContent": said} for n, said in enumerate(answers)],
    }
    merged = merge(read_output(json.dumps(output).encode(), LOOP), dict.fromkeys(CROPS, "a caption"))
    for proposal in proposals(merged, REVIEW):
        for change in proposal.changes:
            REVIEW.check(change)
            assert change.before != change.after


votes = st.lists(st.sampled_from(["keep", "drop", ""]), max_size=5)


@given(said=votes)
def test_a_majority_is_more_than_the_others(said: list[str]) -> None:
    answers = [
        {"workerId": f"w{n}", "answerContent": answer({"a": one}) if one else {}} for n, one in enumerate(said)
    ]
    output = LoopOutput.model_validate({"humanLoopName": "loop", "humanAnswers": answers})
    (merged,) = merge(output, {"a": "a caption"}).pictures
    difference = said.count("keep") - said.count("drop")
    assert merged.verdict == ("kept" if difference > 0 else "dropped" if difference < 0 else "open")


@given(said=votes, order=st.randoms(use_true_random=False))
def test_the_order_of_workers_does_not_matter(said: list[str], order: Any) -> None:
    answers = [
        {"workerId": f"w{n}", "answerContent": answer({"a": one}, {"a": f"words {n % 2}"}) if one else {}}
        for n, one in enumerate(said)
    ]
    mixed = list(answers)
    order.shuffle(mixed)

    def come_to(given_in: list[Any]) -> Any:
        output = LoopOutput.model_validate({"humanLoopName": "loop", "humanAnswers": given_in})
        return merge(output, {"a": "a caption"}).pictures

    assert come_to(answers) == come_to(mixed)


@given(content=st.binary(max_size=200))
def test_no_bytes_are_read_as_answers_by_chance(content: bytes) -> None:
    with pytest.raises(AnswersUnreadableError):
        read_output(content, LOOP)


def test_decisions_of_a_large_batch_come_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(human_answers, "MAX_CHANGES", 3)
    output = LoopOutput.model_validate(
        {
            "humanLoopName": LOOP,
            "humanAnswers": [{"workerId": "w1", "answerContent": answer(dict.fromkeys(CROPS, "keep"))}],
        }
    )
    made = proposals(merge(output, dict.fromkeys(CROPS, "")), REVIEW)
    assert [len(one.changes) for one in made] == [3, 3, 3, 1]
    assert len({one.id for one in made}) == 4
    assert made == proposals(merge(output, dict.fromkeys(CROPS, "")), REVIEW), "the same again"


# ---- what becomes of the review ---------------------------------------------------------------------


def _check(shop: Shop, statuses: list[str], *, hours: float = 1.0, completed: int = 0, **settings: Any) -> Any:
    review = shop.plan.settings.review.model_copy(update=settings)
    plan = shop.plan.model_copy(update={"settings": shop.plan.settings.model_copy(update={"review": review})})
    return check_review(
        plan,
        deadline=NOW + timedelta(hours=24),
        loops=[LoopEnd(batch=batch, status=status) for batch, status in enumerate(statuses)],  # type: ignore[arg-type]
        completed=completed,
        log=shop.log,
        humans=shop.humans,
        notifier=shop.notifier,
        now=NOW + timedelta(hours=hours),
    )


def test_workers_are_stopped_when_the_time_is_over() -> None:
    shop = Shop(22)
    for batch in range(3):
        shop.start(batch)
    shop.hear(shop.humans.complete(LOOP, [answer({})]))
    assert _check(shop, ["completed", "open", "open"], hours=25)["status"] == "timed_out"
    statuses = [shop.humans.loops[human_loop_name(RUN, batch)].status for batch in range(3)]
    assert statuses == ["Completed", "Stopping", "Stopping"]


def test_workers_are_stopped_when_a_person_finishes_on_the_page() -> None:
    shop = Shop()
    shop.start()
    assert _check(shop, ["open"])["status"] == "waiting"
    shop.waiting.new_desk().finish("anna", "finish-0001")
    assert _check(shop, ["open"])["status"] == "closed"
    assert shop.humans.loops[LOOP].status == "Stopping"


def test_a_review_that_only_a_person_finished_is_one() -> None:
    shop = Shop()
    shop.start()
    assert _check(shop, ["failed", "stopped"])["status"] == "failed"
    shop.waiting.new_desk().finish("anna", "finish-0001")
    assert _check(shop, ["failed", "stopped"])["status"] == "closed"


def test_a_reminder_speaks_of_workers() -> None:
    shop = Shop()
    shop.start()
    assert _check(shop, ["open", "open"], hours=5, remind_hours=4.0)["batches"] == [0, 1]
    assert _check(shop, ["open", "open"], hours=6, remind_hours=4.0)["status"] == "waiting"
    ((_, first), (subject, reminder)) = shop.notifier.told
    assert "still waits" in subject
    assert first == reminder
    assert "storycast review" not in reminder


# ---- before anything is paid ------------------------------------------------------------------------


def test_without_a_flow_definition_a_review_by_workers_is_refused_with_what_to_do() -> None:
    asked = read_settings("review: {mode: a2i}\n", "project.yaml")
    with pytest.raises(SettingsInvalidError, match=r"storycast a2i-setup .*review\.mode: page"):
        refuse_missing_flow_definition(asked, "")
    refuse_missing_flow_definition(asked, FLOW)
    for mode in ("page", "auto"):
        refuse_missing_flow_definition(read_settings(f"review: {{mode: {mode}}}\n", "project.yaml"), "")
