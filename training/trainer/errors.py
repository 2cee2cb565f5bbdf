"""What can go wrong, by name: ``output/failure`` begins with the name, and Storycast shows it.

A message says what happened, to which file, and what to do next.
"""


class TrainerError(Exception):
    """Root of all errors that the trainer raises on purpose."""


class JobInvalidError(TrainerError):
    """``job.json`` is missing, or says something that it must not say."""


class PicturesUnreadableError(TrainerError):
    """Pictures that the job names are missing, or are no pictures."""


class WeightsMissingError(TrainerError):
    """The base model is not there, or not all of it."""


class WeightsRefusedError(TrainerError):
    """The model hub does not give the base model to this user, or does not have it."""


class AdapterMissingError(TrainerError):
    """Panels are to be drawn by the trained model, and there is no adapter."""


class AdapterUnsuitableError(TrainerError):
    """The adapter was trained for another base model or family than the job names."""


class GpuUnusableError(TrainerError):
    """The machine has a GPU, and PyTorch can't use it."""


class GpuMemoryError(TrainerError):
    """The GPU's memory does not hold what the job asks for."""


class LossNotFiniteError(TrainerError):
    """The training diverged: its loss is no number any more."""
