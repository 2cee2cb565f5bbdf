"""What a dataset's card tells of, gathered from what the run has left so far."""

from collections.abc import Sequence

from storycast import keys
from storycast.caption_lint.findings import Lint, captions_word
from storycast.dataset import DatasetImage
from storycast.dataset_card import CardFacts
from storycast.decisions import Decision
from storycast.footage import Probe, Record
from storycast.frames import from_json_lines
from storycast.plan import RunPlan
from storycast.ports import ObjectStore
from storycast.runs import Run
from storycast.selection import light_of
from storycast.selection_summary import read_summary
from storycast.sightings import Sighting
from storycast.stages.reading import read_record


def card_facts(
    run: Run, plan: RunPlan, images: Sequence[DatasetImage], obstacles: Sequence[str], store: ObjectStore
) -> CardFacts:
    """Gather what a card tells of; what is not there (yet) is left out.

    Args:
        run: The run's record, as it is now.
        plan: Its plan.
        images: The dataset.
        obstacles: Why it can't be trained on as it is.
        store: The bucket.
    """
    ids = [source.footage_id for source in run.footage]
    probes = {one: read_record(store, keys.probe(one), Probe) for one in ids}
    lint = read_record(store, keys.run_file(run.run_id, keys.LINT), Lint)
    return CardFacts(
        run=run,
        settings=plan.settings,
        probes={one: probe for one, probe in probes.items() if probe},
        light=_light(run, images, store),
        decisions=_lines(store, keys.run_file(run.run_id, keys.DECISIONS), Decision),
        proposed=run.counts.get("dataset_images", 0),
        shortfalls=_shortfalls(store, run.run_id),
        lint=_said_of(lint, plan) if lint else (),
        obstacles=obstacles,
    )


def _said_of(lint: Lint, plan: RunPlan) -> list[str]:
    if not lint.findings:
        return [f"nothing found in {captions_word(lint.caption_count)}."]
    blocking = lint.blocking(plan.settings.captions.acknowledge)
    return [one.message + (" A training is refused for it." if one in blocking else "") for one in lint.findings]


def _shortfalls(store: ObjectStore, run_id: str) -> tuple[str, ...]:
    """Return in words what the footage did not give, as the selection says it."""
    try:
        return read_summary(store.get(keys.run_file(run_id, "curation.json"))).shortfalls
    except (KeyError, ValueError):
        return ()


def _light(run: Run, images: Sequence[DatasetImage], store: ObjectStore) -> dict[str, str]:
    wanted = {one.image.crop_id for one in images}
    sightings = _lines(store, keys.run_file(run.run_id, "sightings.jsonl"), Sighting)
    return {one.crop_id: light_of(one) for one in sightings if one.crop_id in wanted}


def _lines[R: Record](store: ObjectStore, key: str, kind: type[R]) -> list[R]:
    try:
        return from_json_lines(store.get(key), kind)
    except KeyError:
        return []
