"""Screenshots of the review page for the documentation, of a real run."""

from pathlib import Path

from PIL import Image

from storycast import keys
from storycast.decisions import Change
from storycast.review import Review, read_review
from tests.fakes.reviews import Waiting
from tests.fakes.store import MemoryStore
from tests.pages.reviewing import Reviewer, ServedReview, started_chromium

MOST_BYTES = 400_000


def draw_screenshots(bucket: Path, folder: Path) -> None:
    """Draw the documentation's screenshots of the newest run's review.

    Args:
        bucket: A folder laid out as the bucket is.
        folder: Where the pictures go.
    """
    review, store = _newest(bucket)
    folder.mkdir(parents=True, exist_ok=True)
    with started_chromium() as browser:
        for name, width, height, scheme in (
            ("grid", 1280, 860, "light"),
            ("single", 1280, 860, "light"),
            ("phone-dark", 390, 844, "dark"),
            ("finish", 1280, 860, "light"),
        ):
            waiting = _partly_decided(review, store)
            with ServedReview(waiting) as served:
                is_phone = width < 768
                reviewer = Reviewer(
                    browser,
                    served.url,
                    viewport={"width": width, "height": height},
                    color_scheme=scheme,
                    has_touch=is_phone,
                    is_mobile=is_phone,
                    device_scale_factor=2 if is_phone else 1,
                ).ready()
                _come_to(reviewer, name, waiting)
                reviewer.page.wait_for_timeout(1500)
                _save(reviewer.page.screenshot(), folder / f"review-{name}.png")
                reviewer.close()


def _newest(bucket: Path) -> tuple[Review, MemoryStore]:
    runs = sorted(bucket.glob("runs/*/review/review.json"), key=lambda path: path.stat().st_mtime)
    if not runs:
        raise SystemExit(f"{bucket} has no run with a review: runs/<run>/review/review.json.")
    store = MemoryStore()
    run_id = runs[-1].parent.parent.name
    for path in (path for path in bucket.rglob("*") if path.is_file()):
        key = path.relative_to(bucket).as_posix()
        if key.startswith((keys.run_file(run_id, ""), keys.FOOTAGE)):
            store.put(key, path.read_bytes(), "application/octet-stream")
    return read_review(store, run_id), store


def _partly_decided(review: Review, store: MemoryStore) -> Waiting:
    """Return the run as if two people were in the middle of its review."""
    waiting = Waiting(review)
    for key in store.keys(keys.RUNS) + store.keys(keys.FOOTAGE):
        if not key.endswith("run.json"):
            waiting.store.put(key, store.get(key), "application/octet-stream")
    ids = [one.image.crop_id for one in review.pictures if one.carried is None]
    waiting.decide("anna", "keep", _verdicts(ids[::3] + ids[1::6], "kept"))
    waiting.decide("ben", "drop", _verdicts(ids[4::6], "dropped"))
    return waiting


def _verdicts(ids: list[str], after: str) -> list[Change]:
    return [Change(subject=f"picture:{crop_id}", field="verdict", before="open", after=after) for crop_id in ids]


def _come_to(reviewer: Reviewer, name: str, waiting: Waiting) -> None:
    """Bring the page to what a screenshot shows."""
    page = reviewer.page
    decided = {change.subject for one in waiting.decisions for change in one.changes}
    still_open = [one for one in waiting.review.pictures if f"picture:{one.image.crop_id}" not in decided]
    most_twins = max(still_open, key=lambda one: len(one.alternatives))
    if name == "grid":
        reviewer.press("ArrowRight", "ArrowRight", "ArrowRight", "x")
    elif name == "single":
        page.locator(f'[data-id="{most_twins.image.crop_id}"] .face').click()
    elif name == "finish":
        reviewer.press("Control+a", "Shift+K", "Shift+F")
        page.locator(".toast").wait_for(state="detached")
    page.wait_for_timeout(500)


def _save(content: bytes, path: Path) -> None:
    """Write a PNG; with a palette where it is too large for the documentation."""
    path.write_bytes(content)
    for colours in (256, 128, 64):
        if path.stat().st_size <= MOST_BYTES:
            return
        with Image.open(path) as picture:
            picture.convert("RGB").quantize(colours, dither=Image.Dither.NONE).save(path, optimize=True)
    assert path.stat().st_size <= MOST_BYTES, f"{path} has {path.stat().st_size:,} bytes"
