"""How often the grader is right on panels of which it is known who is in them.

    .venv/bin/python -m benchmarks.grading [--video FILE] [--pictures FOLDER]

Panels are planted: cut from the demo's clip, pasted on its backgrounds, or copied from the training, and graded by
the stage itself with the local stand-ins' models. The figures are theirs (EfficientNet-Lite0, NanoDet-g, U2Netp)
and tell nothing of Titan or Rekognition. The clip's shots are dealt out in thirds, three times over: trained on,
held out, planted; so each is planted once. ``--video`` plants windows of another film, of which
grading_windows.json must know who is in them, against the dataset of the clip.
"""

import argparse
import http.server
import io
import json
import os
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path

import av
import boto3
import yaml
from PIL import Image

from local.standins.server import running
from storycast import keys
from storycast.adapters.bedrock_runtime import BedrockEmbedder
from storycast.adapters.rekognition import RekognitionLabels
from storycast.cast import Cast
from storycast.curation import CuratedImage
from storycast.frames import KeptFrame, from_json_lines, to_json_lines
from storycast.grading import Grade, Grades, judge
from storycast.images import open_picture, to_png
from storycast.plan import read_plan
from storycast.settings import Settings
from storycast.stages.grade_storyboard import grade_storyboard
from storycast.stages.reading import write_record
from storycast.stages.training_picture import training_picture
from storycast.storyboard import Panels, panel_requests, panels_key
from storycast.training import TrainingPlan
from tests.fakes.store import MemoryStore
from tests.fakes.workflow import World

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / "examples" / "demo"
WINDOWS = json.loads((ROOT / "benchmarks" / "grading_windows.json").read_text("utf-8"))
TITAN = "amazon.titan-embed-image-v1"
NAMES = ("Bunny", "Frank", "Gamera", "Rinky")
FOLDS = 3
CROP_SHARES = (0.85, 0.7, 0.5)
"""Sides of the cuts from copies, as shares of the training picture's."""


@dataclass(frozen=True)
class Planted:
    """A panel of which it is known who is in it."""

    name: str
    form: str
    """How it was made."""
    shows: frozenset[str]
    picture: Image.Image
    shot: int = -1
    """Of the clip; -1 where it comes from elsewhere."""


@dataclass(frozen=True)
class Outcome:
    """What the grader said of a planted panel when somebody was asked for."""

    planted: Planted
    asked: frozenset[str]
    grade: Grade

    @property
    def key(self) -> tuple[str, str]:
        """Tells planted panels apart, whoever was asked for: those from elsewhere are planted in each fold."""
        return self.planted.name, self.grade.picture_key.split("/")[1]

    @property
    def identity(self) -> str:
        """The verdict on who is in it, had it not been a copy."""
        return judge(sorted(self.asked), self.grade.found, None)[0]


def main() -> None:
    """Plant, grade, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--video", type=Path, help="plant windows of this film")
    parser.add_argument("--pictures", type=Path, help="leave the planted panels here, as JPEG")
    asked = parser.parse_args()
    store = MemoryStore()
    with tempfile.TemporaryDirectory() as folder, _models(Path(folder), store) as (detector, embedder):
        run_id = _dataset(store, detector, embedder)
        elsewhere = _windows(asked.video) if asked.video else [*_cast_pictures()]
        here = [] if asked.video else _windows_of_run(store, run_id)
        with_cast: list[Outcome] = []
        held_out_alone: list[Outcome] = []
        for fold in range(FOLDS):
            plan, images = _session(store, run_id, fold, with_cast=True)
            held_out = Counter(image.character for image in images if image.crop_id in plan.held_out)
            trained = len(images) - len(plan.held_out)
            print(f"fold {fold}: {trained} trained on, held out {dict(sorted(held_out.items()))}")
            planted = elsewhere if asked.video else [one for one in here if one.shot % FOLDS == fold]
            planted = [*planted, *_pasted(planted)]
            copies = [] if asked.video else _copies(store, plan, images)
            with_cast += _graded(store, plan, [*planted, *copies], detector, embedder)
            alone, _ = _session(store, run_id, fold, with_cast=False)
            # The cast's own pictures can be planted here, where nothing is compared with them.
            cast = [] if asked.video else [one for one in elsewhere if one.shows <= set(held_out)]
            held_out_alone += _graded(store, alone, [*planted, *cast], detector, embedder)
    print("\n=== against held-out pictures and the cast's")
    _report(with_cast)
    print("\n=== against held-out pictures alone")
    _report(held_out_alone)
    outcomes = [*with_cast, *held_out_alone]
    if asked.pictures:
        _leave(outcomes, asked.pictures)


@contextmanager
def _models(folder: Path, store: MemoryStore) -> Iterator[tuple[RekognitionLabels, BedrockEmbedder]]:
    """The stand-ins, which read pictures from ``store`` through a small S3."""

    class Objects(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = store.get(self.path.partition("?")[0].split("/", 2)[2])
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None: ...

    objects = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Objects)
    threading.Thread(target=objects.serve_forever, daemon=True).start()
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "benchmark",
        "AWS_SECRET_ACCESS_KEY": "benchmark",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{objects.server_address[1]}",
    }
    try:
        with running(folder) as server:
            rekognition = boto3.client("rekognition", endpoint_url=server.url)
            runtime = boto3.client("bedrock-runtime", endpoint_url=server.url)
            yield RekognitionLabels(store.bucket, rekognition), BedrockEmbedder(TITAN, runtime)
    finally:
        objects.shutdown()
        objects.server_close()


def _dataset(store: MemoryStore, detector: RekognitionLabels, embedder: BedrockEmbedder) -> str:
    """Make the clip's dataset with all stages; captions are made up, for nothing here reads them."""
    project = yaml.safe_load((DEMO / "project.yaml").read_text("utf-8"))
    kept = {key: project[key] for key in ("characters", "sampling", "detection", "duplicates")}
    store.put(keys.project_file("demo"), yaml.safe_dump(kept).encode(), "application/yaml")
    for path in sorted((DEMO / "cast").rglob("*.jpg")):
        store.put(f"{keys.project_folder('demo')}{path.relative_to(DEMO)}", path.read_bytes(), "image/jpeg")
    footage = keys.incoming("benchmark", "clip.mp4")
    store.put(footage, (DEMO / "clip.mp4").read_bytes(), "video/mp4")
    world = World(store=store)
    world.detector, world.embedder = detector, embedder  # type: ignore[assignment]
    return world.run({"project": "demo", "footage": [footage]}).run_id


def _session(
    store: MemoryStore, run_id: str, fold: int, *, with_cast: bool
) -> tuple[TrainingPlan, list[CuratedImage]]:
    """Deal the shots out: those of ``fold`` are planted, the next third is held out, the last one trained on."""
    curated = from_json_lines(store.get(keys.run_file(run_id, "curated.jsonl")), CuratedImage)
    images = [image for image in curated if image.shot % FOLDS != fold]
    # A run of its own, in whose dataset the planted shots never were.
    own_id = f"{run_id}-{fold}-{'cast' if with_cast else 'alone'}"
    for stored in list(store.list(keys.run_folder(run_id))):
        name = stored.key.removeprefix(keys.run_folder(run_id))
        content = to_json_lines(images) if name == "curated.jsonl" else store.get(stored.key)
        store.put(keys.run_file(own_id, name), content, "application/octet-stream")
    if not with_cast:
        cast = Cast.model_validate_json(store.get(keys.run_file(run_id, "cast.json")))
        bare = [member.model_copy(update={"references": ()}) for member in cast.members]
        write_record(store, keys.run_file(own_id, "cast.json"), cast.model_copy(update={"members": tuple(bare)}))
    pairs = [sorted(pair) for pair in combinations(NAMES, 2)]
    prompts = [f"{' and '.join(names)} in a meadow" for names in [*([name] for name in NAMES), *pairs]]
    settings = read_plan(store, run_id).settings.model_dump()
    plan = TrainingPlan(
        run_id=own_id,
        training_id=f"t{fold:08d}",
        session_id=f"{fold:06d}",
        project="demo",
        execution_arn="",
        settings=Settings.model_validate({**settings, "storyboard": {"prompts": prompts}}),
        fingerprint=f"{fold:012d}",
        manifest_key="",
        record_count=len(images),
        held_out=tuple(image.crop_id for image in images if image.shot % FOLDS == (fold + 1) % FOLDS),
        begun_at=datetime.now(UTC),
        job_name="benchmark",
    )
    return plan, images


# ---- planting -------------------------------------------------------------------------------------


def _windows_of_run(store: MemoryStore, run_id: str) -> list[Planted]:
    frames = from_json_lines(store.get(keys.run_file(run_id, "frames.jsonl")), KeptFrame)
    by_time = {frame.time_ms: (open_picture(store.get(frame.key)), frame.shot) for frame in frames}
    return _cut_windows("clip.mp4", by_time)


def _windows(video: Path) -> list[Planted]:
    wanted = {time_ms for entry in WINDOWS[video.name] for time_ms in entry["times_ms"]}
    by_time = {}
    with av.open(str(video)) as container:
        for frame in container.decode(video=0):
            time_ms = round(float(frame.time or 0) * 1000)
            if time_ms in wanted:
                by_time[time_ms] = (frame.to_image(), -1)  # type: ignore[no-untyped-call]
    return _cut_windows(video.name, by_time)


def _cut_windows(video: str, by_time: dict[int, tuple[Image.Image, int]]) -> list[Planted]:
    planted = []
    for entry in WINDOWS[video]:
        for time_ms in entry["times_ms"]:
            picture, shot = by_time[time_ms]
            window = entry["window"]
            if window:
                left, top, width, height = window
                picture = picture.crop((left, top, left + width, top + height))
            name = f"{Path(video).stem}-{time_ms}-{'-'.join(entry['shows']) or 'nobody'}"
            planted.append(Planted(name, "cut", frozenset(entry["shows"]), _enlarged(picture), shot))
    return planted


def _cast_pictures() -> list[Planted]:
    """The project's reference pictures: other scenes, labelled by whoever chose them."""
    return [
        Planted(
            f"cast-{path.stem}", "other scene", frozenset([path.parent.name.title()]), _enlarged(Image.open(path))
        )
        for path in sorted((DEMO / "cast").rglob("*.jpg"))
    ]


def _pasted(planted: Sequence[Planted]) -> list[Planted]:
    """Paste whom the panels show, alone and by twos, on backgrounds that show nobody."""
    grounds = [one.picture for one in planted if not one.shows]
    alone = [one for one in planted if len(one.shows) == 1 and one.form == "cut"]
    if not grounds:
        return []
    pasted = []
    for number, one in enumerate(alone):
        canvas = grounds[number % len(grounds)].resize((1280, 720))
        _paste(canvas, one.picture, 640 if number % 2 else 120)
        pasted.append(Planted(f"pasted-{one.name}", "pasted", one.shows, canvas, one.shot))
    for number, (one, other) in enumerate(zip(alone, alone[len(alone) // 2 :], strict=False)):
        if one.shows != other.shows:
            canvas = grounds[number % len(grounds)].resize((1280, 720))
            _paste(canvas, one.picture, 60)
            _paste(canvas, other.picture, 680)
            pasted.append(Planted(f"both-{one.name}-{other.name}", "pasted", one.shows | other.shows, canvas))
    return pasted


def _paste(canvas: Image.Image, picture: Image.Image, left: int) -> None:
    small = picture.copy()
    small.thumbnail((540, 540))
    canvas.paste(small, (left, 720 - small.height - 60))


def _copies(store: MemoryStore, plan: TrainingPlan, images: Sequence[CuratedImage]) -> list[Planted]:
    """Training pictures as they are, and cuts from them, enlarged; off the middle to either side."""
    run_plan = read_plan(store, plan.run_id)
    planted = []
    for number, image in enumerate(image for image in images if image.crop_id not in plan.held_out):
        picture = training_picture(run_plan, image, store=store)
        shows = frozenset(image.in_picture)
        name = f"{plan.training_id}-{image.crop_id}"
        planted.append(Planted(f"copy-{name}", "exact copy", shows, _enlarged(picture)))
        for share in CROP_SHARES:
            side = round(picture.width * share)
            left, top = ((picture.width - side) * (0.25 + 0.5 * (number % 2)), (picture.height - side) * 0.25)
            cut = picture.crop((round(left), round(top), round(left) + side, round(top) + side))
            planted.append(
                Planted(
                    f"copy-{round(share * 100)}-{name}", f"cut of {share:.0%} of a copy", shows, _enlarged(cut)
                )
            )
    return planted


def _enlarged(picture: Image.Image) -> Image.Image:
    """Return the picture in a storyboard's size."""
    scale = 1024 / max(picture.size)
    return picture.convert("RGB").resize((round(picture.width * scale), round(picture.height * scale)))


# ---- grading --------------------------------------------------------------------------------------


def _graded(
    store: MemoryStore,
    plan: TrainingPlan,
    planted: Sequence[Planted],
    detector: RekognitionLabels,
    embedder: BedrockEmbedder,
) -> list[Outcome]:
    """Put each panel where the trained model's would be: asked for as it is, and asked for as somebody else."""
    by_asked: dict[frozenset[str], list[Planted]] = {}
    for number, one in enumerate(planted):
        store.put(f"planted/{one.name}.png", to_png(one.picture), "image/png")
        for asked in _askings(one, number):
            by_asked.setdefault(asked, []).append(one)
    outcomes = []
    for index, prompt in enumerate(plan.settings.storyboard.prompts):
        asked = frozenset(name for name in NAMES if name in prompt)
        order = panel_requests(plan, index)[0]
        panels = Panels(
            fingerprint=order.fingerprint,
            drawn_by="trained",
            model_id="planted",
            request=order.request,
            picture_keys=tuple(f"planted/{one.name}.png" for one in by_asked.get(asked, ())),
            composite=False,
            refused="",
            paid_by=plan.session_id,
        )
        write_record(store, panels_key(plan, order), panels)
    grade_storyboard(plan, store=store, detector=detector, embedder=embedder)
    key = keys.training_file(plan.run_id, plan.training_id, plan.session_id, "grades.json")
    by_prompt: dict[int, list[Grade]] = {}
    for grade in Grades.model_validate_json(store.get(key)).grades:
        by_prompt.setdefault(grade.prompt, []).append(grade)
    for index, prompt in enumerate(plan.settings.storyboard.prompts):
        asked = frozenset(name for name in NAMES if name in prompt)
        outcomes += [
            Outcome(one, asked, grade)
            for one, grade in zip(by_asked.get(asked, ()), by_prompt.get(index, ()), strict=True)
        ]
    return outcomes


def _askings(one: Planted, number: int) -> list[frozenset[str]]:
    strangers = [name for name in NAMES if name not in one.shows]
    stranger = frozenset([strangers[number % len(strangers)]])
    if one.form.endswith("copy") or not one.shows:
        return [one.shows or stranger] if len(one.shows) < 3 else []
    if len(one.shows) == 1:
        return [one.shows, stranger, one.shows | stranger]
    return [one.shows, frozenset([min(one.shows)])]


# ---- reporting ------------------------------------------------------------------------------------


def _kind(outcome: Outcome) -> str:
    shows, asked = outcome.planted.shows, outcome.asked
    if not shows:
        return "nobody of the cast"
    if shows == asked:
        return "whom it should" if len(asked) == 1 else "both, as asked"
    if shows < asked:
        return "one of two asked for"
    return "two, one asked for" if asked < shows else "somebody else"


def _report(outcomes: Sequence[Outcome]) -> None:
    print("\nwho is in it, whether or not it is a copy")
    print(
        f"{'the panel shows':22} {'made by':12} {'n':>4} {'right':>6} {'wrong':>6} {'missing':>8} {'expected':>9}"
    )
    expected = {
        "whom it should": "right",
        "both, as asked": "right",
        "one of two asked for": "missing",
        "somebody else": "wrong",
        "two, one asked for": "wrong",
        "nobody of the cast": "missing",
    }
    plain = [one for one in outcomes if not one.planted.form.endswith("copy")]
    for kind, verdict in expected.items():
        for form in sorted({one.planted.form for one in plain}):
            cell = [one.identity for one in plain if _kind(one) == kind and one.planted.form == form]
            if cell:
                count = Counter(cell)
                counts = f"{count['right']:6} {count['wrong']:6} {count['missing']:8}"
                print(f"{kind:22} {form:12} {len(cell):4} {counts} {verdict:>9}")
    print("\nshown against found, panels that show one character or nobody")
    columns = [*NAMES, "nobody", "several"]
    print(f"{'shown':10} {'n':>4} " + " ".join(f"{column:>8}" for column in columns))
    single = {one.key: one for one in plain}
    for shown in [*NAMES, "nobody"]:
        rows = [
            one.grade.found
            for one in single.values()
            if (shown == "nobody" and not one.planted.shows) or one.planted.shows == {shown}
        ]
        cells = Counter(
            "nobody" if not found else "several" if len(found) > 1 else found[0].character for found in rows
        )
        print(f"{shown:10} {len(rows):4} " + " ".join(f"{cells[column]:8}" for column in columns))
    print("\ncalled a copy, by pixels; beside it, what the nearest training picture's cosine alone would say")
    print(f"{'made by':22} {'n':>4} {'copies':>7} {'0.93':>6} {'0.85':>6}")
    for form in dict.fromkeys(one.planted.form for one in outcomes):
        grades = {one.key: one.grade for one in outcomes if one.planted.form == form}.values()
        copies = sum(grade.copy_of is not None for grade in grades)
        alike = [
            sum(grade.nearest.cosine >= cosine for grade in grades if grade.nearest) for cosine in (0.93, 0.85)
        ]
        print(f"{form:22} {len(grades):4} {copies:7} {alike[0]:6} {alike[1]:6}")


def _leave(outcomes: Sequence[Outcome], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for planted in {one.planted.name: one.planted for one in outcomes}.values():
        small = planted.picture.copy()
        small.thumbnail((256, 256))
        out = io.BytesIO()
        small.save(out, "JPEG", quality=80)
        (folder / f"{planted.name}.jpg").write_bytes(out.getvalue())


if __name__ == "__main__":
    main()
