"""Reading video: headers, and one decode pass that samples frames and finds cuts.

Needs PyAV and OpenCV, so it runs in the container image and on the user's machine, never behind the layers.
ffmpeg never gets a URL: it reads from a seekable Python file.
"""

from storycast.video.bars import NO_BARS, Bars
from storycast.video.header import Header, read_header
from storycast.video.letterbox import find_bars
from storycast.video.sampled import SampledFrame
from storycast.video.sampling import Sample, sample
from storycast.video.seen import BLANK_DEVIATION

__all__ = [
    "BLANK_DEVIATION",
    "NO_BARS",
    "Bars",
    "Header",
    "Sample",
    "SampledFrame",
    "find_bars",
    "read_header",
    "sample",
]
