"""The contact sheet: the dataset at a glance, each picture with its name and caption. Needs Pillow."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from storycast.images import to_jpeg

TILE_PX = 240
GAP_PX = 12
TEXT_LINES = 6
LINE_PX = 15
MAX_TILES = 200
"""More tiles than one sheet can show are left to the dataset's folder."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A picture of the sheet with the line above it and the text below."""

    picture: Image.Image
    title: str
    text: str


def draw_contact_sheet(title: str, notes: Sequence[str], tiles: Sequence[Tile], *, columns: int = 5) -> bytes:
    """Draw a contact sheet.

    Args:
        title: Its first line.
        notes: Lines below the title, such as who made the captions.
        tiles: Pictures, at most :data:`MAX_TILES` of which are shown.
        columns: Pictures in a row.

    Returns:
        A JPEG.
    """
    shown = tiles[:MAX_TILES]
    columns = max(min(columns, len(shown)), 3)
    rows = -(-len(shown) // columns)
    tile_height = LINE_PX + 6 + TILE_PX + TEXT_LINES * LINE_PX + GAP_PX
    head = 48 + len(notes) * (LINE_PX + 3) + GAP_PX
    width = columns * (TILE_PX + GAP_PX) + GAP_PX
    sheet = Image.new("RGB", (width, head + rows * tile_height + GAP_PX), "#f4f1ea")
    draw = ImageDraw.Draw(sheet)
    small, bold = ImageFont.load_default(12), ImageFont.load_default(14)
    draw.text((GAP_PX, GAP_PX), title, fill="#1b1b1b", font=ImageFont.load_default(24))
    for line, note in enumerate(notes):
        draw.text((GAP_PX, 46 + line * (LINE_PX + 3)), note, fill="#7a2e1d", font=small)
    for number, tile in enumerate(shown):
        left = GAP_PX + (number % columns) * (TILE_PX + GAP_PX)
        top = head + (number // columns) * tile_height
        draw.text((left, top), tile.title, fill="#1b1b1b", font=bold)
        picture = tile.picture.resize((TILE_PX, TILE_PX), Image.Resampling.LANCZOS)
        sheet.paste(picture, (left, top + LINE_PX + 6))
        lines = textwrap.wrap(tile.text, 40)[:TEXT_LINES]
        draw.multiline_text(
            (left, top + LINE_PX + 10 + TILE_PX), "\n".join(lines), fill="#3a3a3a", font=small, spacing=2
        )
    return to_jpeg(sheet)
