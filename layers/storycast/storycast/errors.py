"""What can go wrong, as one tree whose leaf classes are the names that the state machines know.

A message says what happened, to which file or key, and what to do next. An outcome that a user should expect
(no character in a frame, a duplicate) is a value in the ledger and never one of these.
"""

from storycast.payloads import clipped

MOST_MESSAGE_BYTES = 4000
"""Of an error's message: it is an execution's cause, an event's detail and a line for people."""


class StorycastError(Exception):
    """Root of all errors that Storycast raises on purpose; a message that is too long ends with an ellipsis."""

    def __init__(self, message: str = "") -> None:
        super().__init__(clipped(message, MOST_MESSAGE_BYTES))


class RetryableError(StorycastError):
    """The same call may succeed later; the state machines retry these."""


class ThrottledError(RetryableError):
    """A service asked us to slow down, or a quota is used up for the moment."""


class DependencyUnavailableError(RetryableError):
    """A service failed, timed out, or answered something that its own model does not allow."""


class FrameRefusedError(StorycastError):
    """A service can't use one frame or crop: the item ends with this as its reason, the run goes on."""


class PanelRefusedError(StorycastError):
    """The image model does not draw one prompt: the panel ends with this as its reason, the others go on."""


class BadInputError(StorycastError):
    """The user's input cannot be used as it is; the command ends with exit code 2."""


class RequestInvalidError(BadInputError):
    """The event or request that started the run has not the form of either."""


class SettingsInvalidError(BadInputError):
    """The project file has a key or a value that it must not have."""


class ReferenceMissingError(BadInputError):
    """A character's reference pattern matches no picture, or a picture of it can't be read."""


class FootageMissingError(BadInputError):
    """The footage that the request names is not in the bucket, or changed since it was claimed."""


class FootageUnreadableError(BadInputError):
    """The footage is no video or picture, holds no picture stream, or ends before its first frame."""


class FootageRepeatedError(BadInputError):
    """One request names two files of one name, or the same content twice."""


class NoFramesError(BadInputError):
    """Sampling kept no frame of any footage of the run."""


class NoCharactersError(BadInputError):
    """Nothing in any frame was taken for a character that the run could use."""


class NothingApprovedError(BadInputError):
    """Whoever reviewed the run left no picture in its dataset."""


class ReviewTimedOutError(BadInputError):
    """Nobody finished the review within ``review.timeout_hours``."""


class TrainingPlanInvalidError(BadInputError):
    """The project asks for a training that cannot be: no budget, a dataset or values outside the limits."""


class CaptionLintError(BadInputError):
    """The captions as a whole would teach a model what nobody wants, and nobody has acknowledged it."""


class BudgetExceededError(BadInputError):
    """The next step could cost more than is left of ``budget_usd``; it was not taken."""


class ModelMissingError(BadInputError):
    """Something is to be drawn or deleted with a trained model that the run does not have."""


class RunFailedError(StorycastError):
    """The run cannot go on, and its input is not at fault."""


class ModelRetiredError(RunFailedError):
    """A model that the project names has ended, or ends before the run could use it."""


class ModelNotAvailableError(RunFailedError):
    """A model that the project names does not exist in this region, or the account has no access to it."""


class FaceCollectionMissingError(RunFailedError):
    """Somebody deleted the project's face collection while the run searched it."""


class DetectorFailedError(RunFailedError):
    """The Custom Labels model did not start, or was stopped while the run needed it."""


class DetectorOverdueError(RunFailedError):
    """The Custom Labels model was not running in time."""


class TooManyLostError(RunFailedError):
    """More items than ``max_lost_share`` allows ended without a result."""


class CaptionsFailedError(RunFailedError):
    """Not one picture got a usable caption, so there is no dataset to write."""


class HumanReviewFailedError(RunFailedError):
    """Amazon A2I can't show a batch to its workers, or they stopped before its end."""


class TrainingAccessError(RunFailedError):
    """The service cannot train here: its role, its region or a quota stands against it."""


class TrainingFailedError(RunFailedError):
    """The training job failed; the message is the service's."""


class TrainingStoppedError(RunFailedError):
    """The training job was stopped before its end."""


class TrainingOverdueError(RunFailedError):
    """The training job took longer than ``training.max_hours``, and is stopped."""


class HostingFailedError(RunFailedError):
    """The trained model could not be hosted; the message is the service's."""


class HostingOverdueError(RunFailedError):
    """The hosting was not in service in time, and is ended."""


class BillingClosedError(RunFailedError):
    """Something billed was to be made after the run's teardown had begun."""


class StillBillingError(RunFailedError):
    """Something that is billed by the hour could not be ended in time; the message says what and where."""
