"""Deinterlacing: one whole picture out of a frame whose odd and even rows were taken at two moments.

By libavfilter's ``bwdif`` ("Bob Weaver", after Martin Weston's w3fdif and yadif): what does not move keeps all its
rows, what moves keeps those of the earlier moment.
"""

from collections.abc import Sequence

from av.filter import Graph
from av.video.frame import VideoFrame

LEAST_SIDE_PX = 16
"""Of a smaller frame the planes of colour may be smaller than bwdif takes: three columns, four rows."""


def deinterlaced(frame: VideoFrame, before: VideoFrame | None, after: VideoFrame | None) -> VideoFrame:
    """Return a frame with one moment's rows, the others made out of it and of what did not move.

    Args:
        frame: An interlaced frame.
        before: The frame that is shown before it; None at the beginning.
        after: The frame that is shown after it; None at the end.

    Returns:
        A frame of the same size and colours.
    """
    neighbours = [one for one in (before, frame, after) if one is not None and _alike(one, frame)]
    if len(neighbours) == 1 or min(frame.width, frame.height) < LEAST_SIDE_PX:
        # The filter leaves a frame without neighbours as it is. So its first field is stretched.
        made = _filtered([frame], "field", type="top")[0].reformat(height=frame.height)
    else:
        made = _filtered(neighbours, "bwdif", mode="send_frame", parity="auto", deint="all")[
            neighbours.index(frame)
        ]
    made.colorspace, made.color_range = frame.colorspace, frame.color_range
    made.color_trc, made.color_primaries = frame.color_trc, frame.color_primaries
    return made


def _filtered(frames: Sequence[VideoFrame], name: str, **options: str) -> list[VideoFrame]:
    graph = Graph()
    first = frames[0]
    source = graph.add_buffer(
        width=first.width, height=first.height, format=first.format, time_base=first.time_base
    )
    graph.link_nodes(source, graph.add(name, **options), graph.add("buffersink"))
    graph.configure()
    for frame in frames:
        graph.vpush(frame)
    graph.vpush(None)
    return [graph.vpull() for _ in frames]


def _alike(one: VideoFrame, other: VideoFrame) -> bool:
    return (one.width, one.height, one.format.name) == (other.width, other.height, other.format.name)
