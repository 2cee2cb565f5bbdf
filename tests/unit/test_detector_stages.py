"""A Custom Labels model through a run: preflight, start, release, teardown, cost; and whom its labels name."""

from datetime import timedelta
from typing import Any

import pytest

from storycast import names
from storycast.billing import Billed
from storycast.boxes import Box
from storycast.costs import costs
from storycast.custom_labels import STARTABLE, UNUSABLE
from storycast.detections import Detection, FoundLabels
from storycast.detector_preflight import detection_most_usd, detector_findings
from storycast.errors import BillingClosedError, BudgetExceededError, ModelNotAvailableError
from storycast.estimate import CROPS_PER_FRAME, estimate, frames_usd
from storycast.footage import FootageSource
from storycast.frames import from_json_lines
from storycast.plan import RunPlan, make_plan, read_plan, write_plan
from storycast.preflight import refuse_problems
from storycast.runs import Run, create_run, read_run
from storycast.settings import Settings
from storycast.sightings import Sighting
from storycast.stages.release_detector import PATIENCE, release_detector
from storycast.stages.start_detector import start_detector
from tests.fakes.aws_training import START
from tests.fakes.custom_labels import ARN, FakeVersions, SaysLabels
from tests.fakes.film import encoded, film
from tests.fakes.trainings import Account
from tests.fakes.workflow import RED, World, scene


def asked(**detection: Any) -> dict[str, Any]:
    return {"detection": {"methods": ["custom_labels"], "custom_labels_model": ARN, **detection}, "budget_usd": 50}


class Site(Account):
    """An account with runs of ``build_dataset`` that need a model."""

    def begin(self, run_id: str, **detection: Any) -> RunPlan:
        plan = make_plan(run_id, "p", Settings.model_validate(asked(**detection)), [])
        write_plan(self.store, plan)
        create_run(
            self.store,
            Run(
                run_id=run_id,
                project="p",
                status="running",
                execution_arn=f"arn:aws:states:x:1:execution:storycast-build-dataset:{run_id}",
                started_at=START.isoformat(),
            ),
        )
        return plan

    def start_model(self, plan: RunPlan) -> str:
        arn = read_run(self.store, plan.run_id).execution_arn
        detectors = self.detectors()
        answer = start_detector(plan, execution_arn=arn, leases=detectors, store=self.store, book=self.book)
        return str(answer["status"])

    def release_model(self, plan: RunPlan) -> str:
        leases = self.detectors()
        answer = release_detector(plan, leases=leases, store=self.store, book=self.book, now=self.clock.now)
        return str(answer["status"])

    def moves(self, minutes: float = 2) -> None:
        self.clock.forward(minutes=minutes)
        self.versions.settle()

    def ready(self, *plans: RunPlan) -> None:
        for plan in plans:
            self.start_model(plan)
        self.moves()
        assert [self.start_model(plan) for plan in plans] == ["ready"] * len(plans)


# ---- preflight ------------------------------------------------------------------------------------


def findings(settings: dict[str, Any], models: FakeVersions | None) -> list[tuple[str, str]]:
    found = detector_findings(Settings.model_validate(settings), models)
    return [(one.level, one.message) for one in found]


def test_a_project_without_a_model_is_not_looked_at() -> None:
    assert findings({}, None) == []
    assert detection_most_usd(Settings()) == 0


def test_a_model_needs_a_budget_that_covers_its_hours() -> None:
    account = Account()
    ok = asked(custom_labels_hours=2, custom_labels_units=3)
    assert detection_most_usd(Settings.model_validate(ok)) == 24.0
    assert [level for level, _ in findings(ok, account.versions)] == ["ok"]
    for budget, told in ((0, "Set budget_usd"), (23.9, "budget_usd is 23.9")):
        settings = Settings.model_validate({**ok, "budget_usd": budget})
        with pytest.raises(BudgetExceededError, match=told):
            refuse_problems(list(detector_findings(settings, account.versions)))


@pytest.mark.parametrize("status", sorted(UNUSABLE))
def test_a_model_that_can_not_run_is_refused_before_anything_is_paid(status: Any) -> None:
    versions = FakeVersions(Account().clock, status=status, message="too few pictures")
    with pytest.raises(ModelNotAvailableError, match=f"{status}: too few pictures"):
        refuse_problems(list(detector_findings(Settings.model_validate(asked()), versions)))


@pytest.mark.parametrize("status", sorted(STARTABLE | {"RUNNING", "STARTING", "STOPPING"}))
def test_a_model_that_can_run_is_fine(status: Any) -> None:
    versions = FakeVersions(Account().clock, status=status)
    assert findings(asked(), versions) == [("ok", f"{ARN} is {status}.")]


def test_a_model_that_is_not_there_is_refused_and_one_that_nobody_may_look_at_is_told() -> None:
    missing = FakeVersions(Account().clock, is_gone=True)
    with pytest.raises(ModelNotAvailableError, match=r"Mend detection\.custom_labels_model"):
        refuse_problems(list(detector_findings(Settings.model_validate(asked()), missing)))
    assert [level for level, _ in findings(asked(), None)] == ["unknown"]


# ---- start and release ----------------------------------------------------------------------------


def test_a_run_waits_until_its_model_has_stopped_and_its_record_has_the_row() -> None:
    site = Site()
    plan = site.begin("one")
    assert site.start_model(plan) == "waiting"
    (row,) = read_run(site.store, "one").billing
    assert (row.kind, row.state) == ("custom_labels_model", "live")
    site.moves()
    assert site.start_model(plan) == "ready"
    assert site.release_model(plan) == "stopping"
    assert read_run(site.store, "one").billing[0].state == "ending"
    site.moves()
    assert site.release_model(plan) == "released"
    assert read_run(site.store, "one").billing[0].state == "ended"


def test_only_the_last_of_two_runs_waits_and_the_first_ones_record_has_the_end() -> None:
    site = Site()
    one, two = site.begin("one"), site.begin("two")
    site.ready(one, two)
    assert site.release_model(one) == "released"
    assert site.versions.status == "RUNNING"
    assert site.release_model(two) == "stopping"
    site.moves()
    assert site.release_model(two) == "released"
    assert [row.state for row in read_run(site.store, "one").billing] == ["ended"]
    assert read_run(site.store, "two").billing == ()


def test_a_model_that_does_not_stop_holds_no_run_up_for_long() -> None:
    site = Site()
    plan = site.begin("one")
    site.ready(plan)
    assert site.release_model(plan) == "stopping"
    site.clock.now += PATIENCE
    assert site.release_model(plan) == "released"
    (warning,) = read_run(site.store, "one").warnings
    assert "is STOPPING for 30 minutes; the sweep stops it" in warning
    assert site.tear_down({"scope": "expired"})["status"] == "ending"
    site.moves()
    assert site.tear_down({"scope": "expired"})["status"] == "ended"


# ---- teardown -------------------------------------------------------------------------------------


def test_a_failed_run_gives_its_model_up_and_waits_for_its_end() -> None:
    site = Site()
    plan = site.begin("one")
    site.ready(plan)
    scope = {"scope": "run", "run_id": "one", "reason": "FAILED: TooManyLostError"}
    first = site.tear_down(scope)
    assert (first["status"], ARN in first["message"]) == ("ending", True)
    site.moves()
    assert site.tear_down(scope) == {"status": "ended", "message": "1 ended"}
    (row,) = read_run(site.store, "one").billing
    assert (row.state, row.reason) == ("ended", "FAILED: TooManyLostError")


def test_a_failed_run_takes_no_model_from_another_one() -> None:
    site = Site()
    one, two = site.begin("one"), site.begin("two")
    site.ready(one, two)
    assert site.tear_down({"scope": "run", "run_id": "one"}) == {
        "status": "ended",
        "message": "nothing was billed",
    }
    assert site.versions.status == "RUNNING"
    assert site.start_model(two) == "ready"
    with pytest.raises(BillingClosedError):
        site.start_model(one)
    assert site.versions.calls == ["start 1"]


def test_a_function_that_comes_after_the_teardown_of_its_run_starts_nothing() -> None:
    site = Site()
    plan = site.begin("one")
    site.tear_down({"scope": "run", "run_id": "one"})
    with pytest.raises(BillingClosedError):
        site.start_model(plan)
    assert site.versions.calls == []


def test_the_sweep_ends_what_has_outlived_its_time() -> None:
    site = Site()
    plan = site.begin("one", custom_labels_hours=1)
    site.ready(plan)
    assert site.tear_down({"scope": "expired"})["status"] == "ended"
    assert site.versions.status == "RUNNING"
    site.clock.forward(hours=1)
    assert site.tear_down({"scope": "expired"})["status"] == "ending"
    site.moves()
    assert site.tear_down({"scope": "expired"})["status"] == "ended"
    assert [row.state for row in site.book.rows()] == ["ended"]


def test_all_is_all() -> None:
    site = Site()
    one, two = site.begin("one"), site.begin("two")
    site.ready(one, two)
    assert site.tear_down({"scope": "all"})["status"] == "ending"
    stopped = {arn for arn, _, _ in site.executions.stopped}
    assert {read_run(site.store, run_id).execution_arn for run_id in ("one", "two")} <= stopped
    site.moves()
    assert site.tear_down({"scope": "all"})["status"] == "ended"
    with pytest.raises(BillingClosedError):
        site.start_model(two)


def test_a_training_sessions_teardown_leaves_models_alone() -> None:
    site = Site()
    plan = site.begin("one")
    site.ready(plan)
    session = names.session_id("arn:of:a:training")
    assert site.tear_down({"scope": "session", "run_id": "one", "session_id": session})["status"] == "ended"
    assert site.start_model(plan) == "ready"


def test_a_model_whose_service_is_down_is_told_and_tried_again() -> None:
    site = Site()
    plan = site.begin("one")
    site.ready(plan)

    site.versions.is_down = True
    told = site.tear_down({"scope": "run", "run_id": "one"})
    assert told == {"status": "ending", "message": f"still billed: {ARN} (down)"}
    site.versions.is_down = False
    assert site.tear_down({"scope": "run", "run_id": "one"})["status"] == "ending"
    site.moves()
    assert site.tear_down({"scope": "run", "run_id": "one"})["status"] == "ended"


# ---- what it costs --------------------------------------------------------------------------------


def test_the_hours_of_all_its_units_are_counted() -> None:
    run = Run(run_id="r", project="p", status="running", execution_arn="e", started_at=START.isoformat())
    row = Billed(
        name="custom-labels-1",
        kind="custom_labels_model",
        run_id="r",
        session_id="0a1b2c",
        execution_arn="e",
        state="live",
        intended_at=START,
        expires_at=START,
        model_units=2,
        created_at=START,
    )
    (line,) = [
        one for one in costs(run, [row], START + timedelta(minutes=90)).lines if one.stage == "start_detector"
    ]
    assert (line.count, line.usd, line.note) == (3.0, 12.0, "still billed")
    ended = row.model_copy(update={"state": "ended", "ended_at": START + timedelta(minutes=30)})
    (line,) = [
        one for one in costs(run, [ended], START + timedelta(days=1)).lines if one.stage == "start_detector"
    ]
    assert line.usd == 4.0


def test_what_is_paid_for_faces_is_counted() -> None:
    run = Run(run_id="r", project="p", status="running", execution_arn="e", started_at=START.isoformat())
    run = run.with_counts(
        paid_face_detections=10, paid_face_searches=20, paid_face_references=3, paid_indexed_faces=2
    )
    lines = {line.what: round(line.usd, 6) for line in costs(run, [], START).lines}
    assert lines["face detection"] == 0.01
    assert lines["face searches"] == 0.02
    assert lines["face detection in references"] == 0.003
    assert lines["faces into the collection"] == 0.002


# ---- whom labels name -----------------------------------------------------------------------------


def test_a_run_with_custom_labels_asks_the_model_once_a_frame_and_keeps_its_votes() -> None:
    one = World()
    one.store.put(
        "incoming/a/film.mp4", film([scene(n, ground=90, shapes={RED: 40}) for n in range(24)]), "video/mp4"
    )
    project = (
        "characters: [{name: Mara}, {name: Old Tom, labels: [cat]}]\nbudget_usd: 50\n"
        "sampling: {frames_per_second: 2, pick: fixed}\nreview: {mode: auto}\n"
        f"detection: {{methods: [custom_labels], economy: false, custom_labels_model: '{ARN}'}}\n"
    )
    one.store.put("projects/p/project.yaml", project.encode(), "application/yaml")
    one.models = FakeVersions(Account().clock)
    left, right = Box(0.1, 0.2, 0.3, 0.5), Box(0.6, 0.2, 0.3, 0.5)

    class Everywhere(SaysLabels):
        def detect(self, key: str, *, min_confidence: float | None) -> Any:
            self._found[key] = [(left, "mara", 91.0), (right, "Cat", 80.0)]
            return super().detect(key, min_confidence=min_confidence)

    one.custom_labels = says = Everywhere({})
    end = one.run({"project": "p", "footage": ["incoming/a/film.mp4"]})
    plan = read_plan(one.store, end.run_id)
    frames = one.record(end.run_id).counts["frames_kept"]
    assert len(says.asked) == frames
    assert {least for _, least in says.asked} == {None}, "the model's own thresholds"
    assert one.detector.answered == 0
    sightings = from_json_lines(one.store.get(f"runs/{end.run_id}/sightings.jsonl"), Sighting)
    assert {one.custom_labels for one in sightings} == {(("mara", 91.0),), (("Cat", 80.0),)}
    one.run({"project": "p", "footage": ["incoming/a/film.mp4"]}, number=2)
    assert len(says.asked) == frames
    found = one.store.keys(f"footage/{plan.footage[0].source.footage_id}/labels-{plan.footage[0].custom_labels}/")
    record = FoundLabels.model_validate_json(one.store.get(found[0]))
    assert [box.method for box in record.boxes("custom_labels")] == ["custom_labels"] * 2
    assert Detection.model_fields["face"].default is None


def test_the_estimate_has_the_methods_that_are_asked_for() -> None:
    def usd(settings: dict[str, Any]) -> dict[tuple[str, str], tuple[float, float]]:
        lines = estimate(Settings.model_validate(settings), [600_000], reference_count=8).lines
        return {(line.stage, line.what): (line.usd.low, line.usd.high) for line in lines}

    plain, faces, custom = usd({}), usd({"detection": {"methods": ["faces"]}}), usd(asked(custom_labels_units=2))
    assert ("detect_characters", "label detection") in plain
    assert ("detect_characters", "face detection") not in plain
    assert ("detect_characters", "label detection") not in faces | custom
    assert faces["detect_characters", "face detection"] == (0.3, 0.6)
    assert faces["crop_characters", "face searches"][1] == pytest.approx(600 * CROPS_PER_FRAME * 0.001)
    assert faces["build_cast", "faces into the collection"] == (0.008, 0.008)
    low, high = custom["start_detector", "hours of inference units"]
    assert low == pytest.approx(2 * 4 * (0.25 + 600 / 8 / 3600))
    assert high == pytest.approx(3 * low)
    capped = usd(asked(custom_labels_units=2, custom_labels_hours=0.5))
    assert capped["start_detector", "hours of inference units"][1] == 4.0
    both = {"methods": ["labels", "faces"]}
    assert frames_usd(Settings.model_validate({"detection": both}), 100) > frames_usd(Settings(), 100)


# ---- a method more pays for that method alone -----------------------------------------------------


def test_each_methods_calls_hang_on_their_own_settings() -> None:
    source = FootageSource(footage_id="f", name="f.mp4", key="f", size_bytes=1, etag="e")

    def marks(**detection: Any) -> tuple[str, str, str]:
        made = make_plan("r", "p", Settings.model_validate({"detection": detection}), [source]).footage[0]
        return made.labels, made.faces, made.custom_labels

    everything = {"methods": ["labels", "faces", "custom_labels"], "custom_labels_model": ARN}
    labels, faces, custom = marks(**everything)
    assert all((labels, faces, custom))
    assert marks() == (labels, "", "")
    assert marks(methods=["faces"]) == ("", faces, "")
    assert marks(methods=["custom_labels"], custom_labels_model=ARN) == ("", "", custom)
    assert marks(**everything, min_confidence=10)[1:] == (faces, custom)
    assert marks(**everything, thresholds={"faces": 10, "references": 0.3}) == (labels, faces, custom)
    other = ARN.replace("/v1/", "/v2/")
    assert marks(**{**everything, "custom_labels_model": other})[:2] == (labels, faces)
    assert marks(**{**everything, "custom_labels_model": other})[2] != custom
    assert marks(**everything, thresholds={"custom_labels": 10})[2] != custom


def test_faces_beside_labels_pay_for_no_label_again() -> None:
    one = World()
    one.store.put(
        "incoming/a/film.mp4", film([scene(n, ground=90, shapes={RED: 40}) for n in range(24)]), "video/mp4"
    )
    reference = scene(0, ground=100, shapes={RED: 100})[60:180, 75:195]
    one.store.put("projects/p/cast/rosso.png", encoded(reference, "PNG"), "image/png")
    project = (
        "characters: [{name: Rosso, references: [cast/rosso.png]}]\n"
        "sampling: {frames_per_second: 2, pick: fixed}\nreview: {mode: auto}\n"
    )
    run_ids = []
    for number, methods in enumerate(("[references]", "[references, faces]"), 1):
        text = f"{project}detection: {{methods: {methods}, economy: false}}\n"
        one.store.put("projects/p/project.yaml", text.encode(), "application/yaml")
        end = one.run({"project": "p", "footage": ["incoming/a/film.mp4"]}, number=number)
        run_ids.append(end.run_id)
    run = read_run(one.store, run_ids[-1])
    frames = run.counts["frames_kept"]
    assert one.detector.answered == frames
    assert run.counts["paid_face_detections"] == frames
    assert run.counts["paid_detections"] == 0
    assert "Rosso has no face reference" in run.warnings[0]
