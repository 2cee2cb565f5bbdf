"""Whatever happens in whatever order: runs that need one result at once pay for it once.

The real stages over fakes. Every call of a port is a place where a function may be overtaken by another run's or
may die, and the clock goes on. What was paid and died with its function before it was written is paid again.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from storycast import keys
from storycast.boxes import Box
from storycast.crops import FrameCrops
from storycast.errors import DependencyUnavailableError
from storycast.footage import FootageSource
from storycast.frames import KeptFrame
from storycast.plan import make_plan
from storycast.ports import LabelledBox, Labels
from storycast.runs import Run, change_run, create_run
from storycast.settings import Settings
from storycast.stages.crop_characters import crop_characters
from storycast.stages.detect_characters import detect_characters
from storycast.turns import Turn
from tests.fakes.steps import DiedError, Invocation, Stepped
from tests.fakes.store import MemoryStore
from tests.fakes.turns import LIMIT, turns_of

KEY = "footage/f/labels-abc/0.json"
START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@dataclass
class Clock:
    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def pause(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def known(store: MemoryStore) -> bytes | None:
    try:
        return store.get(KEY)
    except KeyError:
        return None


# ---- one after the other --------------------------------------------------------------------------


def test_what_is_there_is_nobodys_turn(store: MemoryStore) -> None:
    store.put(KEY, b"result", "text/plain")
    assert turns_of("one", store).known_or_mine(KEY, lambda: known(store)) == b"result"
    assert store.keys() == [KEY]


def test_a_turn_is_beside_the_footages_results_and_in_no_stages_folder(store: MemoryStore) -> None:
    assert turns_of("one", store).known_or_mine(KEY, lambda: known(store)) is None
    assert store.keys() == ["footage/f/turns/labels-abc/0.json"]
    assert keys.turn("projects/p/embeddings-abc/1.json") == "projects/p/turns/embeddings-abc/1.json"
    assert Turn.model_validate_json(store.get(store.keys()[0])).run_id == "one"


def test_another_run_waits_for_the_result(store: MemoryStore) -> None:
    clock = Clock()
    turns_of("one", store, clock).known_or_mine(KEY, lambda: known(store))
    looks: Iterator[bytes | None] = iter([None, None, None, b"result"])
    other = turns_of("two", store, clock, clock.pause)
    assert other.known_or_mine(KEY, lambda: next(looks)) == b"result"
    assert START < clock.now < START + timedelta(seconds=2)


def test_who_waits_reads_and_does_not_write(store: MemoryStore) -> None:
    clock, asked = Clock(), list[str]()

    class Watched(MemoryStore):
        def get_with_etag(self, key: str) -> tuple[bytes, str]:
            asked.append("get")
            return store.get_with_etag(key)

        def put_if(self, key: str, content: bytes, content_type: str, etag: str | None) -> None:
            asked.append("put")
            store.put_if(key, content, content_type, etag)

    turns_of("one", store, clock).known_or_mine(KEY, lambda: known(store))
    with pytest.raises(DependencyUnavailableError):
        turns_of("two", Watched(), clock, clock.pause).known_or_mine(KEY, lambda: None)
    assert asked[:3] == ["put", "get", "get"]
    assert asked.count("put") == 1


def test_a_wait_ends_and_is_tried_again(store: MemoryStore) -> None:
    clock = Clock()
    turns_of("one", store, clock).known_or_mine(KEY, lambda: known(store))
    with pytest.raises(DependencyUnavailableError, match=f"the run one has {KEY} in work: try again"):
        turns_of("two", store, clock, clock.pause).known_or_mine(KEY, lambda: known(store))
    assert clock.now <= START + LIMIT / 2 + timedelta(seconds=1), "half of the function's time is left"


def test_a_turn_that_led_to_nothing_lapses(store: MemoryStore) -> None:
    clock = Clock()
    turns_of("one", store, clock).known_or_mine(KEY, lambda: known(store))
    clock.now += LIMIT
    assert turns_of("two", store, clock).known_or_mine(KEY, lambda: known(store)) is None
    with pytest.raises(DependencyUnavailableError, match="the run two"):
        turns_of("three", store, clock).known_or_mine(KEY, lambda: known(store))


def test_a_run_that_failed_keeps_nobody_off(store: MemoryStore) -> None:
    clock = Clock()
    one = Run(run_id="one", project="p", status="running", execution_arn="e", started_at=START.isoformat())
    create_run(store, one)
    turns_of("one", store, clock).known_or_mine(KEY, lambda: known(store))
    with pytest.raises(DependencyUnavailableError, match="the run one"):
        turns_of("two", store, clock, clock.pause).known_or_mine(KEY, lambda: known(store))
    clock.now = START
    change_run(store, "one", lambda run: run.model_copy(update={"status": "failed"}))
    assert turns_of("two", store, clock).known_or_mine(KEY, lambda: known(store)) is None
    assert clock.now == START


def test_a_result_that_came_just_before_its_turn_lapsed_is_taken(store: MemoryStore) -> None:
    clock = Clock()
    turns_of("one", store, clock).known_or_mine(KEY, lambda: known(store))
    clock.now += LIMIT
    looks: Iterator[bytes | None] = iter([None, b"result"])
    assert turns_of("two", store, clock).known_or_mine(KEY, lambda: next(looks)) == b"result"


def test_a_runs_own_next_attempt_waits_for_nobody(store: MemoryStore) -> None:
    for _ in range(2):
        assert turns_of("one", store).known_or_mine(KEY, lambda: known(store)) is None


def test_a_turn_that_was_deleted_meanwhile_is_taken_anew(store: MemoryStore) -> None:
    clock = Clock()
    turns_of("one", store, clock).known_or_mine(KEY, lambda: known(store))
    place = keys.turn(KEY)

    class Vanishing(MemoryStore):
        def get_with_etag(self, key: str) -> tuple[bytes, str]:
            store.delete(place)
            return store.get_with_etag(key)

        def put_if(self, key: str, content: bytes, content_type: str, etag: str | None) -> None:
            store.put_if(key, content, content_type, etag)

    assert turns_of("two", Vanishing(), clock, clock.pause).known_or_mine(KEY, lambda: None) is None
    assert Turn.model_validate_json(store.get(place)).run_id == "two"


# ---- at once --------------------------------------------------------------------------------------

SOURCE = FootageSource(footage_id="f", name="film", key="k", size_bytes=1, etag="e", version_id=None)
FRAME = KeptFrame(
    frame_id="f-000000000",
    footage_id="f",
    key="footage/f/frames-x/0.jpg",
    time_ms=0,
    shot=0,
    width_px=320,
    height_px=240,
    sharpness=1.0,
)
PLANS = {run: make_plan(run, "p", Settings(), [SOURCE]) for run in ("one", "two", "three")}


class PaidOnes:
    """A detector and an embedder that count what they were paid for."""

    model_id = "amazon.titan-embed-image-v1"

    def __init__(self) -> None:
        self.paid: Counter[str] = Counter()

    def detect(self, _key: str, *, min_confidence: float, only: Sequence[str]) -> Labels:
        assert min_confidence
        assert not only
        self.paid["detect"] += 1
        boxes = [LabelledBox(Box(left, 0.2, 0.3, 0.5), "Person", 90.0) for left in (0.1, 0.5)]
        return Labels(tuple(boxes), "1.0")

    def embed(self, picture: bytes) -> list[float]:
        self.paid[hashlib.sha256(picture).hexdigest()] += 1
        return [1.0, 0.5, 0.25]


@dataclass
class Attempt:
    """One function of a run, which detects and crops in the frame that all of them share."""

    run_id: str
    began_at: datetime
    at_work: Invocation | None = None
    unrecorded: bool = False
    """Whether an answer was paid that is written nowhere yet."""


class AtOnce(RuleBasedStateMachine):
    """Three runs over one frame."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.store = MemoryStore()
        self.services = PaidOnes()
        content = cv2.imencode(".jpg", np.arange(240 * 320 * 3, dtype=np.uint8).reshape(240, 320, 3))[1].tobytes()
        self.store.put(FRAME.key, content, "image/jpeg")
        self.attempts: dict[str, Attempt] = {}
        self.done: set[str] = set()
        self.lost_answers = 0
        self.was_complete = False

    # ---- what may happen ----

    @rule(run_id=st.sampled_from(sorted(PLANS)), places=st.sampled_from([1, 2, 3, 5, 8, 100]))
    def a_run_goes_on(self, run_id: str, places: int) -> None:
        if run_id in self.done:
            return
        attempt = self.attempts.get(run_id) or self._begin(run_id)
        assert attempt.at_work
        attempt.at_work.step(places)
        self._look_at(attempt)

    @rule(run_id=st.sampled_from(sorted(PLANS)))
    def a_function_is_killed(self, run_id: str) -> None:
        if run_id in self.attempts:
            self._kill(self.attempts[run_id])

    @rule(seconds=st.sampled_from([1, 5, 11, 25]))
    def time_passes(self, seconds: int) -> None:
        self.clock.now += timedelta(seconds=seconds)
        for attempt in list(self.attempts.values()):
            if self.clock.now >= attempt.began_at + LIMIT:
                self._kill(attempt)

    # ---- what always holds ----

    @invariant()
    def nothing_is_paid_twice_but_what_a_killed_function_had_not_written(self) -> None:
        again = sum(times - 1 for times in self.services.paid.values())
        assert again <= self.lost_answers, self.services.paid

    @invariant()
    def a_whole_result_stays_whole(self) -> None:
        is_complete = _complete(self.store)
        assert is_complete or not self.was_complete, "a slower run wrote its half over it"
        self.was_complete = is_complete

    def teardown(self) -> None:
        """Every run comes to its end, whatever happened to the others."""
        for _ in range(100):
            for run_id in sorted(PLANS):
                self.a_run_goes_on(run_id, 1000)
            if len(self.done) == len(PLANS):
                break
            self.time_passes(5)
        assert len(self.done) == len(PLANS)
        assert _complete(self.store)
        self.nothing_is_paid_twice_but_what_a_killed_function_had_not_written()

    # ---- how ----

    def _begin(self, run_id: str) -> Attempt:
        attempt = Attempt(run_id, self.clock.now)
        attempt.at_work = Invocation(lambda gate: self._work(attempt, gate))
        self.attempts[run_id] = attempt
        return attempt

    def _work(self, attempt: Attempt, gate: Callable[[str], None]) -> None:
        def watched(place: str) -> None:
            if place in {"after detect", "after embed"}:
                attempt.unrecorded = True
            elif place == "after put":
                attempt.unrecorded = False
            gate(place)

        def pause(seconds: float) -> None:
            self.clock.pause(seconds)
            watched("pause")

        store, services = Stepped(self.store, watched), Stepped(self.services, watched)
        plan = PLANS[attempt.run_id]
        mine = turns_of(plan.run_id, store, self.clock, pause)
        detect_characters(plan, FRAME, store=store, turns=mine, detector=services)
        crop_characters(plan, FRAME, store=store, turns=mine, embedder=services)

    def _kill(self, attempt: Attempt) -> None:
        assert attempt.at_work
        attempt.at_work.die()
        self.lost_answers += attempt.unrecorded
        self._look_at(attempt)

    def _look_at(self, attempt: Attempt) -> None:
        assert attempt.at_work
        if not attempt.at_work.is_done:
            return
        del self.attempts[attempt.run_id]
        error = attempt.at_work.error
        if error is None:
            self.done.add(attempt.run_id)
        else:
            assert isinstance(error, (DiedError, DependencyUnavailableError)), repr(error)


def test_a_frame_takes_no_more_writes_than_it_must(store: MemoryStore) -> None:
    """Each is billed: a turn and a result for the look, the detections; a turn, and two for each of two crops."""
    content = cv2.imencode(".jpg", np.arange(240 * 320 * 3, dtype=np.uint8).reshape(240, 320, 3))[1].tobytes()
    store.put(FRAME.key, content, "image/jpeg")
    before = store.writes.total()
    mine = turns_of("one", store)
    detect_characters(PLANS["one"], FRAME, store=store, turns=mine, detector=PaidOnes())
    assert store.writes.total() - before == 3
    crop_characters(PLANS["one"], FRAME, store=store, turns=mine, embedder=PaidOnes())
    assert store.writes.total() - before == 3 + 1 + 2 * 2
    assert _complete(store)


def _complete(store: MemoryStore) -> bool:
    (footage,) = PLANS["one"].footage
    key = keys.crops("f", footage.crops, FRAME.frame_id)
    try:
        return FrameCrops.model_validate_json(store.get(key)).complete
    except KeyError:
        return False


AtOnce.TestCase.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
TestAtOnce = AtOnce.TestCase
