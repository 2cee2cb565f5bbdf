"""``python -m trainer --root DIR``: do the job that lies in a folder."""

import argparse
import logging
import sys
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path

import diffusers.utils.logging
import transformers.utils.logging
from huggingface_hub.utils.tqdm import disable_progress_bars

from trainer import stopping
from trainer.drawing import draw
from trainer.errors import TrainerError
from trainer.job import read_job
from trainer.places import Places
from trainer.progress import Progress, say
from trainer.stopping import Stopped, StopSignal
from trainer.train import train

MODEL_NOTE = """What this job made is not in this archive. It lies uncompressed where the job's CheckpointConfig
points: adapter/ (what was trained, and its card), panels/ (what was drawn), metrics.csv, held_out.json and
progress.json.
"""
DONE, FAILED = 0, 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Do the job; return the exit code."""
    parser = argparse.ArgumentParser(prog="trainer", description="Do the job that lies in a folder.")
    parser.add_argument("task", nargs="*", help="what SageMaker adds, for people; job.json decides")
    parser.add_argument("--root", type=Path, default=Path("/opt/ml"), help="the folder (default: %(default)s)")
    places = Places(parser.parse_args(arguments).root)
    stop = StopSignal()
    stop.listen()
    try:
        _quieten()
        places.make()
        places.failure_file.unlink(missing_ok=True)
        (places.model / "README.txt").write_text(MODEL_NOTE, encoding="utf-8")
        job = read_job(places)
        progress = Progress(places.progress_file, job.task)
        # At once: what lies there may be of the job before, in whose folder this one goes on.
        progress.phase("loading")
        if job.task == "train":
            train(places, job, progress, stop)
        else:
            draw(places, job, progress)
    except Stopped:
        say("Asked to end: what is done is kept.")
        return stopping.EXIT_CODE
    except TrainerError as error:
        return _fail(places, error)
    except Exception as error:
        traceback.print_exc()
        return _fail(places, error)
    return DONE


def _fail(places: Places, error: Exception) -> int:
    message = f"{type(error).__name__}: {error}"
    places.failure_file.write_text(message + "\n", encoding="utf-8")
    print(message, file=sys.stderr, flush=True)
    return FAILED


def _quieten() -> None:
    """Leave the log to what people look for: libraries say how they load, and bars fill no file well."""
    for library in (diffusers.utils.logging, transformers.utils.logging):
        library.set_verbosity_error()
        library.disable_progress_bar()
    disable_progress_bars()
    logging.getLogger("accelerate").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=FutureWarning)


if __name__ == "__main__":
    sys.exit(main())
