"""The review desk over fakes: several people, the same click twice, replaced tokens, closed reviews."""

import threading

import pytest

from storycast.decisions import Change
from storycast.review import ChangeRefusedError
from storycast.review_desk import Proposal, ReviewClosedError
from tests.fakes.reviews import Waiting, made_review

REVIEW = made_review(12)
CROPS = [one.image.crop_id for one in REVIEW.pictures]


@pytest.fixture
def waiting() -> Waiting:
    return Waiting(REVIEW)


def verdict(crop: str, before: str = "open", after: str = "kept") -> Change:
    return Change(subject=f"picture:{crop}", field="verdict", before=before, after=after)


def proposal(identity: str, *changes: Change, who: str = "Ada") -> Proposal:
    return Proposal(identity, who, "keep", "page", tuple(changes))


def test_a_decision_is_kept_with_who_and_when(waiting: Waiting) -> None:
    answer = waiting.desk.decide(proposal("click-001", verdict(CROPS[0])))
    assert answer.decision is not None
    assert (answer.decision.seq, answer.decision.who, answer.conflicts) == (1, "Ada", ())
    assert answer.decision.when.endswith("+00:00")
    assert waiting.decisions == [answer.decision]


def test_the_same_click_twice_is_one_decision(waiting: Waiting) -> None:
    first = waiting.desk.decide(proposal("click-001", verdict(CROPS[0])))
    again = waiting.new_desk().decide(proposal("click-001", verdict(CROPS[0])))
    assert again.decision == first.decision
    assert len(waiting.decisions) == 1


def test_what_somebody_else_changed_stays_and_the_rest_is_done(waiting: Waiting) -> None:
    waiting.decide("Ben", "drop", [verdict(CROPS[0], after="dropped")])
    answer = waiting.desk.decide(proposal("click-001", *(verdict(crop) for crop in CROPS[:3])))
    assert answer.decision is not None
    assert [change.subject for change in answer.decision.changes] == [f"picture:{crop}" for crop in CROPS[1:3]]
    (conflict,) = answer.conflicts
    assert (conflict.now.text, conflict.now.by and conflict.now.by.who) == ("dropped", "Ben")


def test_nothing_left_to_change_is_no_decision(waiting: Waiting) -> None:
    waiting.decide("Ben", "keep", [verdict(CROPS[0])])
    assert waiting.desk.decide(proposal("click-001", verdict(CROPS[0]))).decision is None
    assert len(waiting.decisions) == 1


def test_one_impossible_change_refuses_all_of_it(waiting: Waiting) -> None:
    with pytest.raises(ChangeRefusedError):
        waiting.desk.decide(proposal("click-001", verdict(CROPS[0]), verdict("nobody")))
    assert waiting.decisions == []


def test_many_desks_at_once_leave_no_gap_and_no_double(waiting: Waiting) -> None:
    def keep_all(who: str) -> None:
        desk = waiting.new_desk()
        for crop in CROPS:
            desk.decide(proposal(f"{who}-{crop}-xx", verdict(crop), who=who))

    people = [threading.Thread(target=keep_all, args=(f"person{number}",)) for number in range(8)]
    for person in people:
        person.start()
    for person in people:
        person.join()
    log = waiting.decisions
    assert [one.seq for one in log] == list(range(1, len(CROPS) + 1))
    assert sorted(one.changes[0].subject for one in log) == sorted(f"picture:{crop}" for crop in CROPS)


def test_finishing_answers_the_token_once_and_closes(waiting: Waiting) -> None:
    status = waiting.desk.finish("Ada", "finish-01")
    assert (status.state, waiting.callbacks.told) == ("finished", [("token-1", {"decisions": 1})])
    assert "Ada finished this review on 2026-01-02" in status.message
    for act in (
        lambda: waiting.desk.finish("Ben", "finish-02"),
        lambda: waiting.new_desk().decide(proposal("click-001", verdict(CROPS[0]))),
    ):
        with pytest.raises(ReviewClosedError, match="Ada finished this review"):
            act()
    assert len(waiting.callbacks.told) == 1


def test_the_same_finish_again_lets_the_run_go_on_that_still_waits(waiting: Waiting) -> None:
    """The answer of the first one was lost."""
    waiting.desk.finish("Ada", "finish-01")
    waiting.new_token("token-2")
    assert waiting.new_desk().finish("Ada", "finish-01").state == "finished"
    assert [token for token, _ in waiting.callbacks.told] == ["token-1", "token-2"]
    assert len(waiting.decisions) == 1


def test_a_token_that_was_replaced_is_looked_up_again(waiting: Waiting) -> None:
    waiting.callbacks.valid = {"token-2"}
    succeed = waiting.callbacks.succeed

    def replaced_meanwhile(token: str, output: object) -> bool:
        went_on = succeed(token, {"decisions": 1})
        waiting.new_token("token-2")
        return went_on

    waiting.callbacks.succeed = replaced_meanwhile  # type: ignore[method-assign,assignment]
    assert waiting.desk.finish("Ada", "finish-01").state == "finished"
    assert [token for token, _ in waiting.callbacks.told] == ["token-1", "token-2"]


def test_a_token_that_has_expired_is_no_fault_the_run_finds_the_review_closed(waiting: Waiting) -> None:
    waiting.callbacks.valid = set()
    status = waiting.desk.finish("Ada", "finish-01")
    assert status.state == "finished"
    assert "The run goes on." in status.message
    assert waiting.decisions[-1].what == "finish"


def test_a_run_that_has_ended_says_so(waiting: Waiting) -> None:
    waiting.end("failed", error="Cancelled", cause="somebody stopped it.")
    status = waiting.desk.status()
    assert status.state == "ended"
    assert "The run failed: Cancelled: somebody stopped it." in status.message
    with pytest.raises(ReviewClosedError, match="does not wait for a review"):
        waiting.desk.finish("Ada", "finish-01")
    assert waiting.decisions == []
