"""Where things are in the bucket: every key is made here and nowhere else."""

UPLOADS = "uploads/"
INCOMING = "incoming/"
PROJECTS = "projects/"
FOOTAGE = "footage/"
MANIFEST = "dataset/manifest.jsonl"
"""Name of the manifest within a run."""
LINT = "dataset/lint.json"
"""Name of what the caption lint says within a run."""
APPROVED_MANIFEST = "dataset/approved.jsonl"
"""Name of the manifest that people, or ``review.mode: auto``, have approved."""
REVIEW = "review/review.json"
"""Name of what people are shown of a run in its review."""
DECISIONS = "review/decisions.jsonl"
"""Name of what was decided in a run's review, as of its end."""
FINAL_NAMES = "review/names.json"
"""Name of what the review calls the characters of the run."""
DATASET_CARD = "dataset/README.md"
"""Name of the dataset's card within a run."""
IMAGES = "dataset/images/"
"""Folder of the dataset's pictures within a run."""
PICTURES = "dataset/pictures.jsonl"
"""Name of what is known of the approved pictures within a run, in the manifest's order."""
RUNS = "runs/"
A2I_OUTPUT = "a2i/"
"""Prefix under which Amazon A2I writes workers' answers: a flow definition has one for all runs."""


def project_file(project: str) -> str:
    """Key of a project's settings."""
    return f"{PROJECTS}{project}/project.yaml"


def project_folder(project: str) -> str:
    """Prefix of all that a project brings: its settings and its reference pictures."""
    return f"{PROJECTS}{project}/"


def cast_embedding(project: str, model_fingerprint: str, content: str) -> str:
    """Key of the embedding of one reference picture, named by the picture's content."""
    return f"{PROJECTS}{project}/embeddings-{model_fingerprint}/{content}.json"


def cast_face(project: str, collection_fingerprint: str, content: str) -> str:
    """Key of what became of one reference picture in the project's face collection, named by its content."""
    return f"{PROJECTS}{project}/faces-{collection_fingerprint}/{content}.json"


def incoming(run_id: str, name: str) -> str:
    """Key under which the command uploads footage; no rule watches it."""
    return f"{INCOMING}{run_id}/{name}"


def upload(project: str, name: str) -> str:
    """Key whose creation starts a run."""
    return f"{UPLOADS}{project}/{name}"


def probe(footage_id: str) -> str:
    """Key of what a footage's header says."""
    return f"{FOOTAGE}{footage_id}/probe.json"


def segment_list(footage_id: str, fingerprint: str, segment: int) -> str:
    """Key of the list of one segment's frames, kept and dropped."""
    return f"{FOOTAGE}{footage_id}/frames-{fingerprint}/{segment:05d}.jsonl"


def frame(footage_id: str, fingerprint: str, segment: int, time_ms: int) -> str:
    """Key of a sampled picture."""
    return f"{FOOTAGE}{footage_id}/frames-{fingerprint}/{segment:05d}/{time_ms:09d}.jpg"


def detections_folder(footage_id: str, fingerprint: str) -> str:
    """Prefix of one footage's detections."""
    return f"{FOOTAGE}{footage_id}/detections-{fingerprint}/"


def detections(footage_id: str, fingerprint: str, frame_id: str) -> str:
    """Key of what was found in one frame."""
    return f"{detections_folder(footage_id, fingerprint)}{frame_id}.json"


def found_faces(footage_id: str, fingerprint: str, frame_id: str) -> str:
    """Key of the faces that were found in one frame."""
    return f"{FOOTAGE}{footage_id}/faces-{fingerprint}/{frame_id}.json"


def found_labels(footage_id: str, fingerprint: str, frame_id: str) -> str:
    """Key of the labels that were found in one frame."""
    return f"{FOOTAGE}{footage_id}/labels-{fingerprint}/{frame_id}.json"


def face_searches(footage_id: str, fingerprint: str, frame_id: str) -> str:
    """Key of what searches of a project's face collection said of one frame's faces."""
    return f"{FOOTAGE}{footage_id}/face-searches-{fingerprint}/{frame_id}.json"


def turn(key: str) -> str:
    """Key of whose turn it is to pay for the result at a key of a footage's or a project's."""
    place, owner, rest = key.split("/", 2)
    return f"{place}/{owner}/turns/{rest}"


def crops_folder(footage_id: str, fingerprint: str) -> str:
    """Prefix of one footage's crops and their records."""
    return f"{FOOTAGE}{footage_id}/crops-{fingerprint}/"


def crops(footage_id: str, fingerprint: str, frame_id: str) -> str:
    """Key of the record of one frame's crops and their embeddings."""
    return f"{crops_folder(footage_id, fingerprint)}{frame_id}.json"


def crop(footage_id: str, fingerprint: str, crop_id: str) -> str:
    """Key of one crop's picture."""
    return f"{crops_folder(footage_id, fingerprint)}{crop_id}.jpg"


def caption(footage_id: str, fingerprint: str, crop_id: str) -> str:
    """Key of a paid caption, shared by all runs that ask for the same one."""
    return f"{FOOTAGE}{footage_id}/captions-{fingerprint}/{crop_id}.json"


def caption_answer(footage_id: str, fingerprint: str, crop_id: str, number: int) -> str:
    """Key of what a model answered about a picture: ``number`` 1, or 2 to what was wrong with that."""
    return f"{FOOTAGE}{footage_id}/caption-answers-{fingerprint}/{crop_id}-{number}.json"


def project_text(project: str, name: str) -> str:
    """Key of a text that a project file names by its path below the project's folder."""
    return f"{PROJECTS}{project}/{name}"


def run_file(run_id: str, name: str) -> str:
    """Key of a file of a run, such as ``ledger.jsonl`` or ``dataset/manifest.jsonl``."""
    return f"{RUNS}{run_id}/{name}"


def review(run_id: str) -> str:
    """Key of what people are shown of a run in its review."""
    return run_file(run_id, REVIEW)


def review_thumb(run_id: str, crop_id: str) -> str:
    """Key of the small JPEG of a picture in the review's grid."""
    return run_file(run_id, f"review/thumbs/{crop_id}.jpg")


def merged_answers(run_id: str, batch: int) -> str:
    """Key of what the answers of several workers to one batch came to."""
    return run_file(run_id, f"review/a2i/merged-{batch}.json")


def training_file(run_id: str, training_id: str, session_id: str, name: str) -> str:
    """Key of a file of one training session, such as ``plan.json``."""
    return run_file(run_id, f"training/{training_id}/{session_id}/{name}")


def training_output(run_id: str, training_id: str, session_id: str) -> str:
    """Prefix under which the service that trains writes its metrics."""
    return run_file(run_id, f"training/{training_id}/{session_id}/output/")


def training_job(run_id: str, training_id: str, session_id: str, task: str) -> str:
    """Prefix of what a container job is told, which is ``train`` or ``draw``: its ``job.json`` alone."""
    return run_file(run_id, f"training/{training_id}/{session_id}/job-{task}/")


def training_work(run_id: str, training_id: str) -> str:
    """Prefix of a training's work folder: all that its jobs give back, and where the next one goes on."""
    return run_file(run_id, f"training/{training_id}/work-train/")


def drawing_work(run_id: str, training_id: str, session_id: str) -> str:
    """Prefix of the work folder of a session's drawing job: all that it gives back."""
    return run_file(run_id, f"training/{training_id}/{session_id}/work-draw/")


def trained_models(project: str) -> str:
    """Prefix of the records of all models of a project, and of their panels."""
    return f"{PROJECTS}{project}/models/"


def trained_model(project: str, fingerprint: str) -> str:
    """Key of the record of a model that was trained on one dataset in one way, shared by all runs."""
    return f"{PROJECTS}{project}/models/{fingerprint}/model.json"


def panel(project: str, fingerprint: str, panel_fingerprint: str) -> str:
    """Key of the record of a prompt's pictures by one model, shared by all runs; pictures lie beside it."""
    return f"{PROJECTS}{project}/models/{fingerprint}/panels/{panel_fingerprint}.json"


def panel_picture(project: str, fingerprint: str, panel_fingerprint: str, number: int) -> str:
    """Key of picture ``number`` (0-based) of a prompt."""
    return f"{PROJECTS}{project}/models/{fingerprint}/panels/{panel_fingerprint}-{number}.png"


def panel_look(picture_key: str, fingerprint: str) -> str:
    """Key of what was found in a prompt's picture; it lies beside the picture."""
    return f"{picture_key.removesuffix('.png')}-look-{fingerprint}.json"


def run_folder(run_id: str) -> str:
    """Prefix of all that belongs to one run."""
    return f"{RUNS}{run_id}/"
