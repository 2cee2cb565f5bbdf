"""The picture that training sees: cut from the frame once more, the same for its caption and for the dataset."""

from storycast.curation import CuratedImage
from storycast.cuts import TRAINING_SIDE_PX
from storycast.images import Picture, cut_out, open_picture
from storycast.plan import RunPlan
from storycast.ports import ObjectStore


def training_picture(plan: RunPlan, image: CuratedImage, *, store: ObjectStore) -> Picture:
    """Return a curated picture, its side within what training takes and ``crop.max_size`` allows.

    Raises:
        KeyError: Its frame is gone.
        PictureUnreadableError: Its frame can't be read.
    """
    frame = open_picture(store.get(image.frame_key))
    return cut_out(frame, image.cut, least_px=TRAINING_SIDE_PX, most_px=plan.settings.crop.max_size)
