"""The report of a run: what it tells, that it always comes out, and that nothing in it runs or is fetched."""

import copy
import html
import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest

from storycast import keys
from storycast.caption_lint.findings import Acknowledged, Lint, finding
from storycast.captions import Caption
from storycast.errors import RequestInvalidError
from storycast.frames import from_json_lines, to_json_lines
from storycast.ledger import Entry
from storycast.report import thumbnails
from storycast.report.material import gather
from storycast.report.page import MAX_PAGE_BYTES, write_page
from storycast.report.pictures import ledger_totals
from storycast.report.words import MANY_FILES, parsed
from storycast.runs import ModelUsed
from storycast.stages.billing_copy import copy_rows
from storycast.stages.record_failure import record_failure
from storycast.stages.report_run import report_run
from storycast.stages.training_dataset import approved_pictures
from tests.fakes.services import HeardNotifier, MemoryClaims
from tests.fakes.steps import Meanwhile, Stepped
from tests.fakes.store import MemoryStore
from tests.fakes.told import (
    BEGAN,
    PROMPTS,
    SESSION,
    TRAINING,
    Told,
    billed,
    drawn,
    made_dataset,
    noise,
    png,
    trained,
    trained_adapter,
)
from tests.fakes.trainings import approved, ended, execution
from tests.fakes.workflow import NOW

LATER = BEGAN + timedelta(hours=5)


@pytest.fixture(scope="module")
def dataset() -> Told:
    return made_dataset()


@pytest.fixture
def told(dataset: Told) -> Told:
    """A run with its dataset, to be changed at will."""
    return copy.deepcopy(dataset)


def report(told: Told, now: datetime = LATER) -> str:
    report_run(told.run_id, store=told.store, book=told.book, notifier=told.notifier, now=now)  # type: ignore[arg-type]
    return told.page


class _Tags(HTMLParser):
    """Collects tags with their attributes, and the text outside of styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._in_style = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in_style = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self._in_style = False

    def handle_data(self, data: str) -> None:
        if not self._in_style:
            self.text += f" {data}"


def words(page: str) -> str:
    return " ".join(_Tags(page).text.split())


# ---- what it tells --------------------------------------------------------------------------------


def test_a_dataset_is_told_and_people_are_not_told_again(told: Told) -> None:
    told.notifier.told.clear()
    before = told.run
    page = words(report(told))
    assert told.notifier.told == []
    assert (told.run.status, told.run.ended_at) == ("dataset_ready", before.ended_at)
    assert "The dataset is ready" in page
    assert "Storyboard" not in page
    for name in (
        "Rosso",
        "Blu",
        "film.mp4",
        "Near-duplicates beside what they duplicate",
        "kept by Ada",
        told.run_id,
    ):
        assert name in page
    images = told.run.counts["dataset_images"]
    assert f"{images} pictures of 2 characters." in page
    captions = [
        Caption.model_validate_json(told.store.get(key))
        for key in told.store.keys(keys.run_file(told.run_id, "captions/"))
    ]
    assert all(caption.caption in page for caption in captions)
    assert told.store.content_type(keys.run_file(told.run_id, "report.html")) == "text/html; charset=utf-8"


def test_the_end_of_a_training_closes_the_run_and_is_told_once(told: Told) -> None:
    trained(told)
    told.notifier.told.clear()
    returned = report_run(told.run_id, store=told.store, book=told.book, notifier=told.notifier, now=LATER)  # type: ignore[arg-type]
    assert returned == {"report_key": f"runs/{told.run_id}/report.html", "status": "storyboard_ready"}
    run = told.run
    assert (run.status, run.ended_at) == ("storyboard_ready", LATER.isoformat())
    assert run.billing == tuple(told.book.given)
    assert {name: count for name, count in run.counts.items() if "panels" in name or "grade" in name} == {
        "paid_panels_trained": 6,
        "paid_panels_base": 2,
        "paid_panels_job": 0,
        "paid_grade_detections": 6,
        "paid_grade_embeddings": 12,
    }
    assert run.cost
    assert run.cost["total_usd"] > 4000 * 0.005
    assert [subject for subject, _ in told.notifier.told] == [f"Storycast: storyboard ready ({told.run_id})"]
    assert "Nothing of it is billed any more." in told.notifier.told[0][1]
    report(told)
    assert len(told.notifier.told) == 1
    page = words(told.page)
    for text in (
        *PROMPTS,
        "Seed 42",
        "blurry, deformed",
        "Shows whom it should",
        "it shows Rosso (0.71)",
        "1 begun hour",
        "LOCAL STAND-IN",
        "Nobody was charged.",
        "Training loss by step",
        "the storyboard is drawn",
    ):
        assert text in page, text
    assert told.page.index("Trained model") < told.page.index("Base model")


def test_an_adapter_is_told_with_its_losses_its_licence_and_how_to_load_it(told: Told) -> None:
    trained_adapter(told)
    page = words(report(told))
    run = told.run
    assert {name: count for name, count in run.counts.items() if name.startswith("paid_panels")} == {
        "paid_panels_trained": 0,
        "paid_panels_base": 0,
        "paid_panels_job": 8,
    }
    assert run.cost
    lines = {line["stage"]: line for line in run.cost["lines"]}
    assert lines["start_training"]["usd"] == pytest.approx(1260 / 3600 * 1.408, abs=1e-5)
    assert lines["provision_model"]["usd"] == pytest.approx(540 / 3600 * 1.408, abs=1e-5)
    assert (lines["start_training"]["at_most"], lines["provision_model"]["at_most"]) == (False, True)
    work = keys.training_work(told.run_id, TRAINING)
    for text in (
        "t0123abcd on stabilityai/stable-diffusion-xl-base-1.0",
        "Rank 16 Resolution 1024 px Instance ml.g5.xlarge, spot capacity",
        "Ran on NVIDIA A10G, 22 GB, bf16, gradient checkpointing",
        f"Adapter s3://media/{work}adapter/",
        "Final loss 0.1023 On held-out pictures 0.1570",
        "On held-out pictures, 0.1405 to 0.1313",
        "film.mp4, shot 2 2 0.1810 0.1330 -26.5%",
        "unknown 1 0.2000 0.2050 +2.5%",
        "The trainer: 2 of 9 pictures lose more",
        'pipeline.load_lora_weights("adapter")',
        "licence CreativeML Open RAIL++-M. It allows commercial use",
        "Its text: https://example.com/LICENSE.md. It lies with the adapter, as LICENSE.md.",
        "21 min of ml.g5.xlarge billed, 2 h 30 min from start to end",
        "at most 9 min of ml.g5.xlarge",
        "30 min of jobs that train and draw",
        "$1.41 an hour",
        "drawn by the drawing job, which is billed by the hour",
        "Drawing job",
    ):
        assert text in page, text
    assert "Nova Canvas" not in page
    assert "random weights" not in page
    assert "Stand-in:" not in page


def test_a_licence_whose_text_did_not_come_with_the_weights_lies_nowhere(told: Told) -> None:
    trained_adapter(told)
    key = keys.training_work(told.run_id, TRAINING) + "adapter/adapter.json"
    told.store.put(key, told.store.get(key).replace(b'"LICENSE.md"', b'""'), "application/json")
    page = words(report(told))
    assert "licence CreativeML Open RAIL++-M" in page
    assert "lies with the adapter" not in page


def test_an_adapter_of_random_weights_is_marked_everywhere(told: Told) -> None:
    trained_adapter(told, stand_in="STAND-IN: a tiny model with random weights.")
    page = words(report(told))
    assert "Stand-in: a tiny model with random weights." in page
    assert "Trained model random weights" in page
    assert "they are noise" in page
    assert "What stand-ins made is not graded" in page
    assert "composite" not in page
    assert "Not graded: random weights" in page


@pytest.mark.parametrize("gone", ["progress.json", "held_out.json", "adapter/adapter.json", "metrics.csv"])
@pytest.mark.parametrize("broken", [None, b"{", b"[]"])
def test_whatever_of_a_jobs_work_is_missing_or_broken_the_report_comes_out(
    told: Told, gone: str, broken: bytes | None
) -> None:
    trained_adapter(told)
    key = keys.training_work(told.run_id, TRAINING) + gone
    told.store.delete(key)
    if broken is not None:
        told.store.put(key, broken, "application/json")
    page = words(report(told))
    assert "Rank 16" in page
    assert "CreativeML Open RAIL++-M" in page


def test_a_model_without_prompts_leaves_the_dataset_ready(told: Told) -> None:
    trained(told, prompts=())
    told.notifier.told.clear()
    report(told)
    assert told.run.status == "dataset_ready"
    assert told.notifier.told[0][0] == f"Storycast: model ready ({told.run_id})"


def test_only_what_the_runs_own_sessions_paid_for_counts(told: Told) -> None:
    trained(told)
    for key in told.store.keys("projects/p/models/0123abcd4567/panels/") + [
        key for key in told.store.keys(keys.run_file(told.run_id, "storyboard/")) if key.endswith("-trained.json")
    ]:
        if b'"drawn_by":"trained"' in (content := told.store.get(key)):
            told.store.put(key, content.replace(SESSION.encode(), b"ffffff"), "application/json")
    report(told)
    assert told.run.counts["paid_panels_trained"] == 0
    assert told.run.counts["paid_panels_base"] == 2


def test_panels_of_an_earlier_storyboard_of_the_run_are_still_counted(told: Told) -> None:
    """Other prompts drawn later take the place of the run's own copies; what was paid stays paid."""
    trained(told)
    earlier = keys.panel("p", "0123abcd4567", "earlier")
    content = told.store.get(keys.panel("p", "0123abcd4567", "000001a")).replace(b"000001a", b"earlier")
    told.store.put(earlier, content, "application/json")
    report(told)
    assert told.run.counts["paid_panels_trained"] == 9


def test_composites_are_not_graded_and_refusals_are_shown(told: Told) -> None:
    trained(told, verdict="not graded", composite=True)
    drawn(told, 3, "Rosso in a bank", "trained", 0, refused="the prompt was blocked by a content filter")
    page = words(report(told))
    assert "Not graded: composite" in page
    assert "What stand-ins made is not graded" in page
    assert "0 of 1 picture: the prompt was blocked by a content filter" in page
    assert "Shows whom it should" not in page


def test_grades_of_pictures_that_were_drawn_over_are_not_shown(told: Told) -> None:
    trained(told)
    told.store.clock += timedelta(hours=1)
    drawn(told, 1, "Rosso in the rain", "trained", 3)
    material = gather(told.store, told.run)
    by_number = {(one.number, one.panels.drawn_by): one.grades for one in material.drawings}
    assert by_number[1, "trained"] == {}
    assert by_number[2, "trained"]


def test_what_is_still_billed_stands_at_the_top(told: Told) -> None:
    trained(told)
    told.book.given.append(billed(told.run_id, "left-over-h", state="live", ended_at=None, reason=""))
    page = report(told)
    assert words(page).index("Still billed: Hosting left-over-h") < words(page).index("Seed 42")
    assert f"storycast teardown {told.run_id}" in page
    assert "left-over-h" in told.notifier.told[-1][1]


def test_who_was_charged_is_not_told_that_nobody_was(told: Told) -> None:
    told.change(models=(ModelUsed(model_id="amazon.nova-pro-v1:0", name="Nova Pro", provider="Amazon"),))
    page = words(report(told))
    assert "Nobody was charged" not in page
    assert "LOCAL STAND-IN" not in page
    assert "AWS's own bill is the truth" in page


def test_stages_have_the_buckets_times(told: Told) -> None:
    for name, minutes in (("segments.jsonl", 1), ("frames.jsonl", 4), ("cast.json", 5), ("sightings.jsonl", 35)):
        told.store.clock = NOW + timedelta(minutes=minutes)
        told.put(name, told.store.get(keys.run_file(told.run_id, name)))
    told.store.clock = NOW + timedelta(minutes=36)
    for key in told.store.keys(keys.run_file(told.run_id, "")):
        if not key.endswith(("segments.jsonl", "frames.jsonl", "cast.json", "sightings.jsonl")):
            told.store.put(key, told.store.get(key), told.store.content_type(key))
    page = words(report(told))
    assert "Find and name characters" in page
    for took in ("1 min", "3 min", "30 min", "2026-01-02 03:39:05"):
        assert took in page


def test_reasons_are_counted_without_their_numbers(told: Told) -> None:
    page = words(report(told))
    entries = told.store.get(keys.run_file(told.run_id, "ledger.jsonl")).decode()
    duplicates = entries.count('"outcome":"duplicate"')
    assert f"{duplicates} cosine … with another picture, threshold …" in page


# ---- it always comes out --------------------------------------------------------------------------


STAGES = (
    ("segments.jsonl",),
    ("frames.jsonl", "ledger/1", "ledger.jsonl"),
    ("cast.json",),
    ("sightings.jsonl", "embeddings.npy", "ledger/2"),
    ("curated.jsonl", "curation.json", "ledger/3"),
    ("captions/",),
    ("dataset/", "ledger/4"),
    ("review/", "dataset/approved.jsonl"),
    ("training/",),
    ("storyboard/",),
)
ERRORS = (
    "FootageUnreadableError",
    "TooManyLostError",
    "ThrottledError",
    "NoCharactersError",
    "States.Timeout",
    "BudgetExceededError",
    "CaptionsFailedError",
    "ABORTED",
    "TrainingFailedError",
    "HostingFailedError",
)


@pytest.mark.parametrize("reached", range(len(STAGES)))
def test_a_run_that_failed_at_any_stage_gets_its_report(told: Told, reached: int) -> None:
    trained(told)
    for names in STAGES[reached:]:
        for key in told.store.keys(keys.run_file(told.run_id, "")):
            if key.removeprefix(f"runs/{told.run_id}/").startswith(names):
                told.store.delete(key)
    told.notifier.told.clear()
    cause = f"what went wrong at {reached} <b>here</b>"
    told.change(status="failed", ended_at=LATER.isoformat(), error=ERRORS[reached], cause=cause)
    page = report(told, LATER + timedelta(hours=1))
    assert told.notifier.told == []
    assert (told.run.status, told.run.ended_at) == ("failed", LATER.isoformat())
    assert "The run failed" in page
    assert ERRORS[reached] in page
    assert html.escape(cause) in page
    assert "What to do next." in page
    if reached < 8:
        assert "not reached" in page


def test_a_run_of_which_nothing_but_its_record_is_left(told: Told) -> None:
    run = told.run.model_copy(update={"status": "failed", "counts": {}, "models": (), "chosen": {}, "error": "X"})
    store = MemoryStore()
    bare = Told(told.run_id, store, told.notifier, told.book)
    store.put(keys.run_file(run.run_id, "run.json"), run.model_dump_json().encode(), "application/json")
    assert "not reached" in report(bare)
    bare.change(footage=())
    assert "The run came to none of its stages." in report(bare)


def test_a_failed_training_leaves_the_dataset_ready(told: Told) -> None:
    trained(told)
    told.notifier.told.clear()
    told.change(status="dataset_ready", error="TrainingFailedError", cause="the dataset is too small")
    assert "The dataset is ready, the training failed" in report(told)
    assert told.run.status == "dataset_ready"
    assert told.notifier.told == []


def _files(told: Told) -> Iterator[str]:
    """Yield one file of each kind of a run and of what it shares with others."""
    seen = set()
    for key in told.store.keys(""):
        kind = re.sub(r"[0-9a-f]{6,}|\d+", "#", key)
        if not key.endswith(("run.json", "report.html")) and kind not in seen:
            seen.add(kind)
            yield key


@pytest.mark.parametrize("content", [None, b"", b"\x00garbage", b"[]\n", b"{}\n"], ids=repr)
def test_no_file_that_is_missing_or_damaged_keeps_a_report_from_coming(told: Told, content: bytes | None) -> None:
    trained(told)
    for key in list(_files(told)):
        one = copy.deepcopy(told)
        if content is None:
            one.store.delete(key)
        else:
            one.store.put(key, content, "application/octet-stream")
        material = gather(one.store, one.run)
        page = write_page(material, one.store, LATER)
        assert page.rstrip().endswith(b"</html>"), key


def test_a_file_that_cannot_be_read_is_named(told: Told) -> None:
    told.put("sightings.jsonl", b"\x00")
    page = report(told)
    assert f"runs/{told.run_id}/sightings.jsonl" in page
    assert "could not be read" in page


def test_captions_of_another_release_are_told_in_one_line(told: Told) -> None:
    names = [one.rpartition("/")[2] for one in told.store.keys(keys.run_file(told.run_id, "captions/"))]
    assert len(names) >= MANY_FILES
    for name in names:
        told.put(f"captions/{name}", b'{"crop_id": "x", "answer": "of another release"}')
    told.put("curation.json", b"\x00")
    page = report(told)
    folder = keys.run_file(told.run_id, "captions/")
    assert page.count("could not be read") == 2
    assert f"{len(names)} files in <code>{folder}</code> could not be read" in page
    assert page.count(f"<code>{keys.run_file(told.run_id, 'curation.json')}</code> could not be read") == 1


def test_there_is_no_report_of_no_run(told: Told) -> None:
    with pytest.raises(RequestInvalidError, match="no run 'nobody'"):
        report_run("nobody", store=told.store, book=told.book, notifier=told.notifier, now=LATER)  # type: ignore[arg-type]


# ---- what happens while it is written -------------------------------------------------------------


def test_a_report_that_is_late_does_not_take_back_the_end_that_was_recorded(told: Told) -> None:
    """The session was stopped while its ReportRun was at work, which nothing stops."""
    trained(told)
    told.change(training_execution_arn=execution(1))
    claims = MemoryClaims()
    claims.register(execution(1), told.run_id)
    stopped = ended(execution(1), status="ABORTED", error="Cancelled", cause="Somebody thought better of it.")
    gate = Meanwhile(
        "before put_if",
        lambda: record_failure(stopped, store=told.store, claims=claims, notifier=HeardNotifier(), now=NOW),
    )
    reported = report_run(
        told.run_id,
        store=Stepped(told.store, gate),
        book=told.book,  # type: ignore[arg-type]
        notifier=told.notifier,
        now=LATER,
        execution_arn=execution(1),
    )
    assert gate.has_happened
    run = told.run
    assert (run.status, run.error, run.cause) == ("dataset_ready", "Cancelled", "Somebody thought better of it.")
    assert run.ended_at == NOW.isoformat()
    assert reported["status"] == "dataset_ready"
    assert run.counts["paid_panels_trained"] == 6
    assert run.cost
    assert run.billing == tuple(told.book.given)
    assert "Somebody thought better of it." in words(told.page)


def test_rows_that_end_while_the_report_is_written_are_not_opened_again(told: Told) -> None:
    trained(told)
    closed = told.book.given
    told.book.given = [row.model_copy(update={"state": "ending", "ended_at": None}) for row in closed]

    def end() -> None:
        told.book.given = closed
        copy_rows(told.store, told.book, told.run_id)  # type: ignore[arg-type]

    gate = Meanwhile("before put_if", end)
    report_run(told.run_id, store=Stepped(told.store, gate), book=told.book, notifier=told.notifier, now=LATER)  # type: ignore[arg-type]
    assert told.run.billing == tuple(closed)
    assert told.run.status == "storyboard_ready"
    assert "Still billed" not in words(told.page)


@pytest.mark.parametrize("execution_arn", [execution(1), None], ids=["an earlier session", "a teardown"])
def test_a_report_ends_no_training_but_its_own(told: Told, execution_arn: str | None) -> None:
    trained(told)
    told.change(training_execution_arn=execution(2))
    told.notifier.told.clear()
    report_run(
        told.run_id,
        store=told.store,
        book=told.book,  # type: ignore[arg-type]
        notifier=told.notifier,
        now=LATER,
        execution_arn=execution_arn,
    )
    assert (told.run.status, told.run.ended_at) == ("training", NOW.isoformat())
    assert told.run.counts["paid_panels_trained"] == 6
    assert told.notifier.told == []


# ---- captions -------------------------------------------------------------------------------------


def _linted(told: Told, text: str, **more: Any) -> Lint:
    """Return a lint with a finding that blocks and one that does not, about all of the run's pictures."""
    ids = [one.image.crop_id for one in approved_pictures(told.store, told.run_id)]
    findings = (
        finding("repeated_fragment", text, ids, blocks=True, suggestion=text),
        finding("caption_length", "Two are short.", ids[:1], blocks=False, suggestion="Write more."),
    )
    return Lint(caption_count=len(ids), findings=findings, left_out=(text,), **more)


def test_what_the_captions_come_to_is_told_with_examples(told: Told) -> None:
    told.put(keys.LINT, _linted(told, "All of 9 captions hold 'on a log'").model_dump_json().encode())
    text = words(report(told))
    assert "Captions, all together" in text
    assert "All of 9 captions hold 'on a log'" in text
    assert "a training is refused for it" in text
    assert "Two are short." in text
    assert "told, and no hindrance" in text
    assert "Not looked at: All of 9" in text
    section = told.page.partition('id="captions"')[2].partition("</section>")[0]
    assert section.count("<img") >= 2
    shown = [(one.image.crop_id, one.caption) for one in approved_pictures(told.store, told.run_id)]
    assert html.escape(min(shown)[1]) in section


def test_who_let_a_finding_stay_is_told(told: Told) -> None:
    word = Acknowledged(rule="repeated_fragment", who="Ada", when="2026-01-02T03:04:05+00:00")
    told.put(keys.LINT, _linted(told, "x", acknowledged=(word,)).model_dump_json().encode())
    text = words(report(told))
    assert "acknowledged: Ada, 2026-01-02 03:04" in text
    assert "a training is refused for it" not in text


def test_a_run_of_before_has_no_word_of_it(told: Told) -> None:
    told.store.delete(keys.run_file(told.run_id, keys.LINT))
    assert "Captions, all together" not in words(report(told))


# ---- nothing in it runs or is fetched -------------------------------------------------------------


HOSTILE = (
    "\"'><script>alert(1)</script><img src=https://evil.test/x onerror=alert(2)>"
    "{{ 7*7 }}{% raw %}&amp;\u202e\x1b</style></title>"
)


def hostile(told: Told) -> str:
    """Put hostile words wherever a run has words of others, and return the page."""
    trained(told, prompts=(HOSTILE,))
    run = told.run
    quoted = HOSTILE.encode("unicode_escape").decode()
    for name in ("curated.jsonl", "sightings.jsonl"):
        content = told.store.get(keys.run_file(told.run_id, name)).decode()
        told.put(name, content.replace('"Rosso"', _json(HOSTILE)).encode())
    for key in told.store.keys(keys.run_file(told.run_id, "captions/")):
        caption = Caption.model_validate_json(told.store.get(key))
        caption = caption.model_copy(update={"caption": HOSTILE, "flags": (HOSTILE,)})
        told.store.put(key, caption.model_dump_json().encode(), "application/json")
    ledger = told.store.get(keys.run_file(told.run_id, "ledger.jsonl")).decode()
    told.put("ledger.jsonl", re.sub(r'"reason":"[^"]*"', lambda _: f'"reason":{_json(HOSTILE)}', ledger).encode())
    told.put(
        "review/decisions.jsonl",
        f'{{"who":{_json(HOSTILE)},"when":{_json(HOSTILE)},"what":{_json(HOSTILE)}}}\n'.encode(),
    )
    told.put(keys.LINT, _linted(told, HOSTILE).model_dump_json().encode())
    told.book.given.append(billed(told.run_id, HOSTILE, reason=HOSTILE, state="live"))
    told.change(
        project=HOSTILE,
        footage=tuple(source.model_copy(update={"name": HOSTILE}) for source in run.footage),
        models=(ModelUsed(model_id=HOSTILE, name=HOSTILE, provider=f"stand-in {HOSTILE}"),),
        warnings=(HOSTILE, quoted),
        error=HOSTILE,
        cause=HOSTILE,
        chosen={**run.chosen, "threshold_source": HOSTILE, "label_models": [HOSTILE]},
    )
    return report(told)


def _json(text: str) -> str:
    return json.dumps(text)


def test_words_of_others_stay_words(told: Told) -> None:
    page = hostile(told)
    tags = _Tags(page)
    assert not [tag for tag, _ in tags.tags if tag in {"script", "iframe", "object", "embed", "form", "base"}]
    assert not [name for _, attributes in tags.tags for name in attributes if name.startswith("on")]
    assert "{{ 7*7 }}" in tags.text
    assert "\x1b" not in page
    assert page.count("evil.test") > 10


def test_everything_that_it_shows_is_inside(told: Told) -> None:
    for page in (report(trained(told)), hostile(told)):
        for tag, attributes in _Tags(page).tags:
            for name in ("src", "href", "srcset", "xlink:href", "action", "data", "poster"):
                value = attributes.get(name)
                assert value is None or value.startswith(("data:", "#")), (tag, name, value)
        assert "url(" not in page
        assert "@import" not in page
        policy = [a["content"] for t, a in _Tags(page).tags if a.get("http-equiv") == "Content-Security-Policy"]
        assert policy == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]


def test_every_picture_has_words_and_every_link_a_place(told: Told) -> None:
    page = report(trained(told))
    tags = _Tags(page).tags
    assert all(attributes.get("alt") for tag, attributes in tags if tag == "img")
    assert sum(tag == "img" for tag, _ in tags) > 20
    ids = {attributes["id"] for _, attributes in tags if "id" in attributes}
    links = {attributes["href"] for tag, attributes in tags if tag == "a"}
    assert {f"#{one}" for one in ids} >= links
    assert [tag for tag, _ in tags].count("h1") == 1


# ---- size and time --------------------------------------------------------------------------------


def test_two_hundred_pictures_that_compress_badly_stay_below_five_megabytes(told: Told) -> None:
    material = gather(told.store, told.run)
    first = material.images[0]
    images = []
    for number in range(200):
        crop_id = f"{first.crop_id[:-2]}{number:03d}"
        images.append(first.model_copy(update={"crop_id": crop_id, "character": f"Character {number % 7}"}))
    content = png(noise(1, 512))
    written = "".join(image.model_dump_json() + "\n" for image in images)
    told.put("curated.jsonl", written.encode())
    told.put("dataset/pictures.jsonl", to_json_lines([approved(image) for image in images]))
    entry = '{{"kind":"crop","id":"{}","footage_id":"f","outcome":"in_dataset","reason":"x"}}\n'
    told.put("ledger.jsonl", "".join(entry.format(image.crop_id) for image in images).encode())
    for image in images:
        name = f"{image.character.lower().replace(' ', '-')}-{image.crop_id}.png"
        told.put(f"dataset/images/{name}", content)
    began = time.monotonic()
    page = report(told)
    assert time.monotonic() - began < 20
    assert 2_000_000 < len(page.encode()) < MAX_PAGE_BYTES
    assert page.count("<img ") >= 196


def test_a_full_page_says_how_many_pictures_found_no_room(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thumbnails, "BUDGET_BYTES", 9_000)
    page = report(trained(told))
    assert len(re.findall(r"data:image/jpeg;base64,[^\"]+", page)) >= 1
    assert sum(map(len, re.findall(r"data:image/jpeg;base64,[^\"]+", page))) <= 9_000
    assert "found no room in it" in words(page)
    assert "no room on this page" in page


def test_what_a_stage_wrote_is_what_the_page_counts(told: Told) -> None:
    """Every item of the ledger is in exactly one of the page's totals."""
    material = gather(told.store, told.run)
    entries = from_json_lines(told.store.get(keys.run_file(told.run_id, "ledger.jsonl")), Entry)
    assert sum(share.count for _, shares in ledger_totals(material) for share in shares) == len(entries)


def test_times_without_a_zone_are_utc() -> None:
    assert parsed("2026-01-02T03:04:05") == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert parsed("soon") is None
    assert parsed(None) is None


def test_training_names(told: Told) -> None:
    page = words(report(trained(told)))
    assert f"{TRAINING} on amazon.nova-canvas-v1:0" in page
    assert any(word in page for word in ("each picture is seen", "epochs"))
