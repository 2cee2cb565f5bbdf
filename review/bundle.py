"""The bundle: a review as a zip that opens in any browser, without Python, AWS or a network."""

import io
import json
import tempfile
import zipfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from review.files import page_files
from review.pictures import PictureGoneError, Pictures
from storycast.decisions import Decision
from storycast.images import PictureUnreadableError, fitted, open_picture
from storycast.review import Review
from storycast.review_desk import Status

DATA = "data.js"
FULL_PX = 1024
FULL_QUALITY = 90
AT_ONCE = 8
"""Pictures that are read at once; so many and no more are in memory."""

_README = """\
Storycast review of run {run_id} (project {project}), made on {made_at}.

1. Unpack this zip: in many systems a page that is opened inside of it finds no pictures.
2. Open index.html in a browser. It needs no network, and nothing leaves this machine.
3. Type your name, decide, and press "Save decisions": you get a file decisions-{run_id}-NAME.json.
4. Send that file to whoever gave you this zip. They take it in with

       storycast review {run_id} --import decisions-{run_id}-NAME.json

Your decisions are also kept in this browser until you clear its data. {waits}
The pictures are from the project's footage; its rights hold for them, too.
"""


@dataclass(frozen=True, slots=True)
class Packed:
    """What a bundle holds."""

    picture_count: int
    missing: tuple[str, ...]
    """Crop ids of pictures that could not be read, and are left out."""
    size_bytes: int


def write_bundle(
    path: Path,
    review: Review,
    decisions: Sequence[Decision],
    status: Status,
    pictures: Pictures,
    *,
    advance: Callable[[], None] = lambda: None,
) -> Packed:
    """Write a review as a zip, in place of a file that may be there; it is there as a whole or not at all.

    Args:
        path: The zip.
        review: What is reviewed.
        decisions: All that was decided by now.
        status: Where the review stands.
        pictures: Its pictures.
        advance: Told after each picture.

    Returns:
        What is in it.

    Raises:
        OSError: It can't be written.
    """
    folder = f"review-{review.run_id}/"
    missing: list[str] = []
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}-", delete=False) as file:
        part = Path(file.name)
        try:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
                for name, content in page_files().items():
                    if name != DATA:
                        packed.writestr(folder + name, content)
                packed.writestr(folder + DATA, data_js(review, decisions, status))
                packed.writestr(folder + "README.txt", _readme(review, status))
                for crop_id, read in _read(pictures):
                    advance()
                    if read is None:
                        missing.append(crop_id)
                        continue
                    for size, content in read.items():
                        name = f"{folder}pictures/{crop_id}-{size}.jpg"
                        packed.writestr(name, content, zipfile.ZIP_STORED)
            file.close()
            part.chmod(0o644)
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    return Packed(len(pictures.crop_ids) - len(missing), tuple(missing), path.stat().st_size)


def data_js(review: Review, decisions: Sequence[Decision], status: Status) -> bytes:
    """Return the script that gives the page its review; nothing in it ends a script or a line."""
    data: dict[str, Any] = {
        "review": review.model_dump(mode="json"),
        "decisions": [one.model_dump(mode="json") for one in decisions],
        "status": asdict(status),
    }
    # ASCII only: no line separator that JSON allows breaks the script, in whatever encoding it is read.
    text = json.dumps(data, ensure_ascii=True)
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return f"window.STORYCAST_REVIEW = {text};\n".encode("ascii")


def _read(pictures: Pictures) -> Iterator[tuple[str, dict[str, bytes] | None]]:
    """Yield each picture's JPEGs by size, in order; None for one that can't be read."""
    waiting: deque[tuple[str, Future[dict[str, bytes] | None]]] = deque()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for crop_id in pictures.crop_ids:
            waiting.append((crop_id, pool.submit(_jpegs, pictures, crop_id)))
            if len(waiting) >= AT_ONCE:
                done, future = waiting.popleft()
                yield done, future.result()
        for crop_id, future in waiting:
            yield crop_id, future.result()


def _jpegs(pictures: Pictures, crop_id: str) -> dict[str, bytes] | None:
    try:
        full = fitted(open_picture(pictures.full(crop_id).content), FULL_PX)
        thumb = pictures.thumb(crop_id).content
    except (PictureGoneError, PictureUnreadableError):
        return None
    out = io.BytesIO()
    full.save(out, "JPEG", quality=FULL_QUALITY)
    return {"thumb": thumb, "full": out.getvalue()}


def _readme(review: Review, status: Status) -> bytes:
    waits = f"The run waits until {_moment(status.deadline)}." if status.deadline else ""
    text = _README.format(
        run_id=review.run_id, project=review.project, made_at=_moment(review.made_at), waits=waits
    )
    return text.replace("\n", "\r\n").encode()


def _moment(when: str) -> str:
    return f"{datetime.fromisoformat(when):%Y-%m-%d %H:%M %Z}"
