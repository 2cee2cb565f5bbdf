"""How fast the review page is: from a key to the next picture, and to its first picture of a thousand.

    .venv/bin/python -m benchmarks.review_page
    .venv/bin/python -m benchmarks.review_page --pictures docs/pictures --bucket FOLDER

Needs Chromium. The review's own server serves made-up reviews, whose pictures are cut from the demo's film.
``--pictures`` draws the documentation's screenshots instead, of the newest run in a bucket's folder, such as the
embedded AWS has.
"""

import argparse
import io
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
from PIL import Image
from playwright.sync_api import Browser, Page

from benchmarks.review_pictures import draw_screenshots
from storycast import keys
from tests.fakes.reviews import Waiting, made_review
from tests.pages.reviewing import Reviewer, ServedReview, started_chromium

ROOT = Path(__file__).resolve().parent.parent
CLIP = ROOT / "examples" / "demo" / "clip.mp4"
DISTINCT = 200
SIDE_PX, THUMB_PX = 720, 320
PACE_MS = 150
"""Between the next picture being there and the next key: faster than anybody looks."""
LOADS = 7

# From the key as the browser had it to two frames after the large picture was there, decoded.
KEYS = """() => {
  window.measured = [];
  addEventListener("keydown", event => {
    if (event.key !== "k") return;
    const before = document.querySelector(".stage img").src;
    const look = async () => {
      const image = document.querySelector(".stage img");
      if (image.src === before || image.classList.contains("small")) return requestAnimationFrame(look);
      await image.decode();
      requestAnimationFrame(() => requestAnimationFrame(() => measured.push(performance.now() - event.timeStamp)));
    };
    setTimeout(look, 0);
  }, true);
}"""

# When the first tile's picture was there, and when all were that can be seen.
TILES = """() => {
  const look = () => {
    const isSeen = one => one.getBoundingClientRect().top < innerHeight;
    const seen = [...document.querySelectorAll(".tile img")].filter(isSeen);
    const done = seen.filter(one => one.complete && one.naturalWidth);
    if (done.length && !window.firstTile) window.firstTile = performance.now();
    if (seen.length && done.length === seen.length) { window.allTiles = performance.now(); return; }
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}"""


@dataclass(frozen=True)
class Load:
    """One load of the page, in ms from the start of its navigation."""

    first_paint_ms: float
    first_tile_ms: float
    all_tiles_ms: float


def film_pictures(count: int) -> list[tuple[bytes, bytes]]:
    """Return PNGs as training takes them and their JPEG thumbs, of squares all over the demo's film."""
    found: list[tuple[bytes, bytes]] = []
    with av.open(str(CLIP)) as container:
        stream = container.streams.video[0]
        every = max(1, stream.frames // count)
        for index, frame in enumerate(container.decode(stream)):
            if index % every or len(found) >= count:
                continue
            left = (index * 37) % (frame.width - SIDE_PX + 1)
            pixels = frame.to_ndarray(format="rgb24")[:SIDE_PX, left : left + SIDE_PX]
            picture = Image.fromarray(pixels)
            found.append((_png(picture), _jpeg(picture.resize((THUMB_PX, THUMB_PX)))))
    return found


def _png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG", compress_level=3)
    return out.getvalue()


def _jpeg(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=85)
    return out.getvalue()


def waiting_for(count: int, pictures: Sequence[tuple[bytes, bytes]]) -> Waiting:
    """Return a run that waits for the review of so many pictures; where they are more, the film's come again."""
    review = made_review(count, minimum=10)
    waiting = Waiting(review)
    for index, one in enumerate(review.pictures):
        png, thumb = pictures[index % len(pictures)]
        key = keys.run_file(review.run_id, f"{keys.IMAGES}{one.file_name}")
        waiting.store.put(key, png, "image/png")
        waiting.store.put(keys.review_thumb(review.run_id, one.image.crop_id), thumb, "image/jpeg")
        for other in one.alternatives:
            waiting.store.put(other.crop_key, thumb, "image/jpeg")
    return waiting


def measure_keys(browser: Browser, waiting: Waiting) -> tuple[list[float], float]:
    """Keep every picture, one key each; return the times in ms and the largest JavaScript heap in MB."""
    with ServedReview(waiting) as served:
        reviewer = Reviewer(browser, served.url).ready()
        page = reviewer.page
        heap = _heap(page)
        reviewer.press("ArrowRight", "Enter")
        page.wait_for_timeout(1000)
        page.evaluate(KEYS)
        most_mb = 0.0
        for number in range(1, len(waiting.review.pictures)):
            page.keyboard.press("k")
            page.wait_for_function("number => measured.length >= number", arg=number)
            page.wait_for_timeout(PACE_MS)
            if number % 10 == 0:
                most_mb = max(most_mb, heap())
        times: list[float] = page.evaluate("measured")
        reviewer.close()
    return times, most_mb


def measure_loads(browser: Browser, waiting: Waiting) -> tuple[list[Load], float]:
    """Load the page several times, with an empty cache each; return the times and the JavaScript heap in MB."""
    loads: list[Load] = []
    most_mb = 0.0
    with ServedReview(waiting) as served:
        for _ in range(LOADS):
            reviewer = Reviewer(browser, served.url)
            page = reviewer.ready().page
            page.context.add_init_script(f"({TILES})()")
            page.goto("about:blank")
            session = page.context.new_cdp_session(page)
            session.send("Network.enable")
            session.send("Network.setCacheDisabled", {"cacheDisabled": True})
            heap = _heap(page)
            page.goto(served.url)
            page.wait_for_function("() => window.allTiles")
            page.wait_for_timeout(1500)
            paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
            loads.append(Load(paint, page.evaluate("firstTile"), page.evaluate("allTiles")))
            assert page.locator(".tile").count() == len(waiting.review.pictures)
            most_mb = max(most_mb, heap())
            reviewer.close()
    return loads, most_mb


def _heap(page: Page) -> Callable[[], float]:
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")

    def read() -> float:
        metrics: list[dict[str, Any]] = session.send("Performance.getMetrics")["metrics"]
        used: float = next(one["value"] for one in metrics if one["name"] == "JSHeapUsedSize")
        return used / 1024**2

    return read


def _p95(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


def measure() -> None:
    """Measure and print."""
    pictures = film_pictures(DISTINCT)
    mean_kb = statistics.mean(len(png) for png, _ in pictures) / 1024
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; "
        f"{len(pictures)} PNGs of {SIDE_PX} px, {mean_kb:.0f} KB on average"
    )
    with started_chromium() as browser:
        print(f"Chromium {browser.version}")
        began = time.monotonic()
        times, keys_mb = measure_keys(browser, waiting_for(200, pictures))
        print(
            f"200 pictures, one key per keep: p50 {statistics.median(times):.0f} ms, p95 {_p95(times):.0f} ms, "
            f"max {max(times):.0f} ms to the next picture painted ({len(times)} keys in "
            f"{time.monotonic() - began:.0f} s); JavaScript heap at most {keys_mb:.0f} MB"
        )
        loads, loads_mb = measure_loads(browser, waiting_for(1000, pictures))
    middle = {
        name: statistics.median(getattr(one, name) for one in loads)
        for name in ("first_paint_ms", "first_tile_ms", "all_tiles_ms")
    }
    print(
        f"1,000 pictures, median of {LOADS} loads without a cache: first paint {middle['first_paint_ms']:.0f} ms, "
        f"first picture {middle['first_tile_ms']:.0f} ms, all that are seen {middle['all_tiles_ms']:.0f} ms "
        f"(worst {max(one.all_tiles_ms for one in loads):.0f} ms); JavaScript heap at most {loads_mb:.0f} MB"
    )
    figures = {
        "key_to_next_p50_ms": round(statistics.median(times), 1),
        "key_to_next_p95_ms": round(_p95(times), 1),
        "key_to_next_max_ms": round(max(times), 1),
        "first_paint_1000_ms": round(middle["first_paint_ms"], 1),
        "first_picture_1000_ms": round(middle["first_tile_ms"], 1),
        "all_seen_1000_ms": round(middle["all_tiles_ms"], 1),
        "heap_200_mb": round(keys_mb, 1),
        "heap_1000_mb": round(loads_mb, 1),
    }
    print(json.dumps(figures))


def main() -> None:
    """Measure, or draw screenshots."""
    parser = argparse.ArgumentParser(description="Measure the review page, or draw its screenshots.")
    parser.add_argument("--pictures", type=Path, help="draw screenshots into this folder instead")
    parser.add_argument("--bucket", type=Path, help="folder of a bucket with a run that has a review")
    arguments = parser.parse_args()
    if arguments.pictures is None:
        measure()
    elif arguments.bucket is None:
        sys.exit("--pictures needs --bucket: the folder of a bucket with a run that has a review.")
    else:
        draw_screenshots(arguments.bucket, arguments.pictures)


if __name__ == "__main__":
    main()
