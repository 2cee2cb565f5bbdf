"""Fine-tuning, hosting and panels as a real client sees them."""

import base64
import io
import json
import time

import boto3
import numpy as np
import pytest
from PIL import Image, ImageDraw

from local.standins import bedrock_world, customization, paging
from local.standins.job_role import RoleRefusedError
from local.standins.outcomes import JobOutcome, Outcome
from local.standins.server import running
from storycast.storyboard import COMPOSITE_MARK

CANVAS = "amazon.nova-canvas-v1:0"
ROLE = "arn:aws:iam::000000000000:role/training"
BUCKET = "training"
CAPTIONS = [
    "Mara stands by the sea, seen from afar, in warm light",
    "Mara looks out of a window in the morning",
    "Old Tom sits on a bench in the park at noon",
    "Old Tom and his dog in the rain, from behind",
    "Mara and Old Tom walk through a wood in the snow",
    "Mara laughs, close to the camera, in the evening",
]


@pytest.fixture(autouse=True)
def role(monkeypatch, objects):
    """The role reads the small S3's objects; what the emulator's STS and IAM add is tested on the emulator."""
    written = {}

    class Role:
        def __init__(self, role_arn, job_name):
            assert role_arn == ROLE

        def read(self, uri):
            try:
                return objects[uri.removeprefix("s3://")]
            except KeyError:
                raise RoleRefusedError(f"{uri} can't be read with the job's role: AccessDenied") from None

        def write(self, uri, content):
            written[uri] = content

    monkeypatch.setattr(customization, "JobRole", Role)
    monkeypatch.setattr(customization, "trust_problem", lambda arn: "" if arn == ROLE else "it does not trust us")
    return written


@pytest.fixture(autouse=True)
def active(own):
    assert own("POST", "catalogue", {"play_as_active": [CANVAS]})[0] == 200
    yield
    own("POST", "catalogue", {"play_as_active": []})


@pytest.fixture
def manifest(objects):
    lines = []
    for number, caption in enumerate(CAPTIONS):
        picture = Image.new("RGB", (512, 512), (40 * number, 160, 200 - 30 * number))
        ImageDraw.Draw(picture).ellipse(
            (150, 90, 360, 480), fill=(230, 60 + 30 * number, 40), outline="black", width=6
        )
        out = io.BytesIO()
        picture.save(out, "PNG")
        objects[f"{BUCKET}/images/{number}.png"] = out.getvalue()
        lines.append(json.dumps({"image-ref": f"s3://{BUCKET}/images/{number}.png", "caption": caption}))
    objects[f"{BUCKET}/manifest.jsonl"] = "\n".join(lines).encode()
    return f"s3://{BUCKET}/manifest.jsonl"


@pytest.fixture
def create(call, manifest):
    def make(name, **more):
        wanted = {
            "jobName": name,
            "customModelName": name,
            "roleArn": ROLE,
            "clientRequestToken": name,
            "baseModelIdentifier": CANVAS,
            "hyperParameters": {"stepCount": "300", "batchSize": "8", "learningRate": "0.00001"},
            "trainingDataConfig": {"s3Uri": manifest},
            "outputDataConfig": {"s3Uri": f"s3://{BUCKET}/output/"},
        }
        return call("bedrock", "CreateModelCustomizationJob", **(wanted | more))["jobArn"]

    return make


@pytest.fixture
def ended(call):
    def wait(arn):
        for _ in range(400):
            job = call("bedrock", "GetModelCustomizationJob", jobIdentifier=arn)
            if job["status"] not in {"InProgress", "Stopping"}:
                return job
            time.sleep(0.05)
        raise AssertionError(job)

    return wait


@pytest.fixture
def hosted(call, create, ended):
    def make(name):
        model = ended(create(name))["outputModelArn"]
        arn = call(
            "bedrock",
            "CreateProvisionedModelThroughput",
            modelUnits=1,
            provisionedModelName=name,
            clientRequestToken=name,
            modelId=model,
        )["provisionedModelArn"]
        for _ in range(100):
            if call("bedrock", "GetProvisionedModelThroughput", provisionedModelId=arn)["status"] == "InService":
                return arn
            time.sleep(0.05)
        raise AssertionError(name)

    return make


def body(text, **config):
    asked = {"taskType": "TEXT_IMAGE", "textToImageParams": {"text": text}}
    size = {"numberOfImages": 1, "width": 512, "height": 512, "seed": 7}
    return json.dumps(asked | {"imageGenerationConfig": size | config})


# ---- jobs -----------------------------------------------------------------------------------------


def test_a_job_reads_its_pictures_trains_and_makes_a_model(call, create, ended, role):
    arn = create("whole")
    assert call("bedrock", "GetModelCustomizationJob", jobIdentifier="whole")["status"] == "InProgress"
    job = ended(arn)
    assert job["status"] == "Completed", job
    assert {step["status"] for step in job["statusDetails"].values()} == {"Completed"}
    ((uri, table),) = role.items()
    assert uri.endswith("/training_artifacts/step_wise_training_metrics.csv")
    losses = [float(line.split(",")[2]) for line in table.decode().splitlines()[1:]]
    assert len(losses) == 300
    assert np.mean(losses[-10:]) < 0.75 * np.mean(losses[:10]), "it learns who is who"
    assert job["trainingMetrics"]["trainingLoss"] == pytest.approx(losses[-1], abs=1e-5)
    model = call("bedrock", "GetCustomModel", modelIdentifier=job["outputModelArn"])
    assert (model["modelName"], model["modelStatus"]) == ("whole", "Active")


def test_the_same_token_is_the_same_job_and_a_taken_name_is_refused(call, create, client):
    first = create("twice")
    assert create("twice") == first
    with pytest.raises(client("bedrock").exceptions.ConflictException):
        create("twice", clientRequestToken="another")


def test_a_list_finds_names_that_contain_and_turns_pages(call, create, monkeypatch):
    monkeypatch.setattr(paging, "DEFAULT_PAGE", 2)
    for name in ("page-1", "page-1-b", "page-1-c"):
        create(name)
    names, more = [], {}
    while True:
        answer = call("bedrock", "ListModelCustomizationJobs", nameContains="page-1", **more)
        names += [job["jobName"] for job in answer["modelCustomizationJobSummaries"]]
        if "nextToken" not in answer:
            break
        more = {"nextToken": answer["nextToken"]}
    assert names == ["page-1-c", "page-1-b", "page-1"], "newest first, and the exact one on the last page"


def test_a_job_can_be_stopped_until_it_has_ended(call, create, ended, own, client):
    own("POST", "outcomes", {"job": {"seconds": 1000}})
    arn = create("stopped")
    assert [one["name"] for one in own("GET", "billing")[1]["billed"] if one["name"] == "stopped"] == ["stopped"]
    call("bedrock", "StopModelCustomizationJob", jobIdentifier=arn)
    assert ended(arn)["status"] == "Stopped"
    with pytest.raises(client("bedrock").exceptions.ConflictException):
        call("bedrock", "StopModelCustomizationJob", jobIdentifier=arn)
    assert "stopped" not in [one["name"] for one in own("GET", "billing")[1]["billed"]]


def test_a_job_fails_with_the_message_that_a_test_asks_for(create, ended, own):
    own("POST", "outcomes", {"job": {"fail": "Internal: no capacity"}})
    job = ended(create("doomed"))
    assert (job["status"], job["failureMessage"]) == ("Failed", "Internal: no capacity")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "manifest.jsonl can't be read with the job's role: AccessDenied"),
        (b"{}\n" * 6, "line 1 of the manifest has no picture and caption"),
        (b'{"image_ref": "s3://training/images/0.png", "alt_text": "Mara"}\n' * 3, "has 3 records"),
        (b'{"image-ref": "s3://training/images/9.png", "caption": "Mara"}\n' * 6, "images/9.png can't be read"),
        (b'{"image-ref": "s3://training/small.png", "caption": "Mara"}\n' * 6, "100 x 100 px"),
        (b'{"image-ref": "s3://training/manifest.jsonl", "caption": "Mara"}\n' * 6, "manifest.jsonl"),
    ],
)
def test_a_dataset_that_can_t_be_used_fails_the_job_by_name(create, ended, objects, content, message, request):
    out = io.BytesIO()
    Image.new("RGB", (100, 100)).save(out, "PNG")
    objects[f"{BUCKET}/small.png"] = out.getvalue()
    objects.pop(f"{BUCKET}/manifest.jsonl")
    if content is not None:
        objects[f"{BUCKET}/manifest.jsonl"] = content
    job = ended(create(f"bad-{abs(hash(request.node.name)) % 10**8}"))
    assert job["status"] == "Failed"
    assert message in job["failureMessage"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"roleArn": "arn:aws:iam::000000000000:role/other"},
        {"hyperParameters": {"stepCount": "20001"}},
        {"hyperParameters": {"learningRate": "fast"}},
        {"hyperParameters": {"steps": "10"}},
        {"baseModelIdentifier": "amazon.nova-pro-v1:0"},
        {"baseModelIdentifier": "amazon.titan-image-generator-v2:0"},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_what_bedrock_refuses_at_once(create, client, wrong):
    with pytest.raises(client("bedrock").exceptions.ValidationException):
        create("refused", **wrong)


def test_an_ended_model_trains_and_draws_only_where_it_is_played_as_active(create, client, call, own):
    assert (
        "played as active"
        in call("bedrock", "GetFoundationModel", modelIdentifier=CANVAS)["modelDetails"]["modelName"]
    )
    own("POST", "catalogue", {"play_as_active": []})
    details = call("bedrock", "GetFoundationModel", modelIdentifier=CANVAS)["modelDetails"]
    assert details["modelLifecycle"]["status"] == "LEGACY"
    with pytest.raises(client("bedrock").exceptions.ValidationException):
        create("too-late")
    with pytest.raises(client("bedrock-runtime").exceptions.ResourceNotFoundException):
        call("bedrock-runtime", "InvokeModel", modelId=CANVAS, body=body("Mara"))
    assert own("POST", "catalogue", {"play_as_active": ["no.such-model"]})[0] == 400


# ---- hosting and panels ---------------------------------------------------------------------------


def test_hosting_comes_into_service_and_holds_its_model_until_it_is_gone(call, hosted, client, own):
    arn = hosted("held")
    model = call("bedrock", "GetProvisionedModelThroughput", provisionedModelId=arn)["modelArn"]
    with pytest.raises(client("bedrock").exceptions.ConflictException):
        call("bedrock", "DeleteCustomModel", modelIdentifier=model)
    call("bedrock", "DeleteProvisionedModelThroughput", provisionedModelId=arn)
    with pytest.raises(client("bedrock").exceptions.ConflictException):
        call("bedrock", "DeleteCustomModel", modelIdentifier=model)
    assert "Deleting" in [one["status"] for one in own("GET", "billing")[1]["billed"]]
    time.sleep(bedrock_world.DELETION_SECONDS + 0.1)
    with pytest.raises(client("bedrock").exceptions.ResourceNotFoundException):
        call("bedrock", "GetProvisionedModelThroughput", provisionedModelId=arn)
    call("bedrock", "DeleteCustomModel", modelIdentifier=model)
    with pytest.raises(client("bedrock").exceptions.ResourceNotFoundException):
        call("bedrock", "GetCustomModel", modelIdentifier=model)


@pytest.mark.parametrize(("width", "height"), [(1024, 1024), (1280, 720)])
def test_a_panel_says_in_the_picture_and_in_its_metadata_what_it_is(call, hosted, width, height):
    arn = hosted(f"panel-{width}")
    asked = body("Mara meets Old Tom", numberOfImages=2, width=width, height=height, quality="premium")
    answer = json.loads(call("bedrock-runtime", "InvokeModel", modelId=arn, body=asked)["body"])
    assert answer["error"] is None
    pictures = [Image.open(io.BytesIO(base64.b64decode(image))) for image in answer["images"]]
    assert [picture.size for picture in pictures] == [(width, height)] * 2
    for picture in pictures:
        assert picture.text["Software"].startswith(COMPOSITE_MARK)
        band = np.asarray(picture.convert("RGB"))[-10:, :, :]
        assert band.mean() < 70, "a dark band lies under the mark"
        assert (np.asarray(picture.convert("RGB"))[-40:].max(axis=2) > 200).any()
    again = json.loads(call("bedrock-runtime", "InvokeModel", modelId=arn, body=asked)["body"])
    assert again == answer, "the same seed gives the same pictures"
    other = body("Mara meets Old Tom", numberOfImages=2, width=width, height=height, quality="premium", seed=8)
    assert json.loads(call("bedrock-runtime", "InvokeModel", modelId=arn, body=other)["body"]) != answer


def test_the_base_model_draws_a_pattern_and_is_marked_too(call):
    answer = json.loads(call("bedrock-runtime", "InvokeModel", modelId=CANVAS, body=body("Mara"))["body"])
    picture = Image.open(io.BytesIO(base64.b64decode(answer["images"][0])))
    assert picture.text["Software"].startswith(COMPOSITE_MARK)


@pytest.mark.parametrize(
    "wrong",
    [
        {"width": 1000},
        {"width": 2048, "height": 2064},
        {"width": 1280, "height": 304},
        {"numberOfImages": 6},
        {"cfgScale": 11.0},
        {"seed": 858_993_460},
        {"quality": "best"},
    ],
    ids=str,
)
def test_a_request_outside_the_limits_is_refused(call, client, wrong):
    with pytest.raises(client("bedrock-runtime").exceptions.ValidationException):
        call("bedrock-runtime", "InvokeModel", modelId=CANVAS, body=body("Mara", **wrong))


def test_refusals_and_partial_answers_on_request(call, client, own):
    own("POST", "outcomes", {"image": {"refuse": "This request has been blocked by our content filters."}})
    own("POST", "outcomes", {"image": {"keep": 1, "error": "Some images were blocked."}})
    with pytest.raises(client("bedrock-runtime").exceptions.ValidationException):
        call("bedrock-runtime", "InvokeModel", modelId=CANVAS, body=body("Mara", numberOfImages=3))
    asked = body("Mara", numberOfImages=3)
    partial = json.loads(call("bedrock-runtime", "InvokeModel", modelId=CANVAS, body=asked)["body"])
    assert (len(partial["images"]), partial["error"]) == (1, "Some images were blocked.")


def test_hosting_that_fails_or_is_not_in_service_does_not_draw(call, create, ended, client, own):
    model = ended(create("unready"))["outputModelArn"]
    own("POST", "outcomes", {"throughput": {"fail": "No capacity."}})
    own("POST", "outcomes", {"throughput": {"seconds": 1000}})
    for name, status in (("failing", "Failed"), ("slow", "Creating")):
        arn = call(
            "bedrock", "CreateProvisionedModelThroughput", modelUnits=1, provisionedModelName=name, modelId=model
        )["provisionedModelArn"]
        found = call("bedrock", "GetProvisionedModelThroughput", provisionedModelId=arn)
        assert found["status"] == status
        with pytest.raises(client("bedrock-runtime").exceptions.ModelNotReadyException):
            call("bedrock-runtime", "InvokeModel", modelId=arn, body=body("Mara"))
        call("bedrock", "DeleteProvisionedModelThroughput", provisionedModelId=arn)


def test_what_was_made_survives_a_restart(environment, tmp_path, objects, manifest):
    def bedrock(server):
        return boto3.client("bedrock", endpoint_url=server.url)

    with running(tmp_path) as server:
        server.world.outcomes.add(Outcome(job=JobOutcome(seconds=1000)))
        bedrock(server).create_model_customization_job(
            jobName="cut-off",
            customModelName="cut-off",
            roleArn=ROLE,
            baseModelIdentifier=CANVAS,
            trainingDataConfig={"s3Uri": manifest},
            outputDataConfig={"s3Uri": f"s3://{BUCKET}/output/"},
        )
    with running(tmp_path) as server:
        (job,) = bedrock(server).list_model_customization_jobs()["modelCustomizationJobSummaries"]
        assert job["status"] == "Failed"
        told = bedrock(server).get_model_customization_job(jobIdentifier="cut-off")["failureMessage"]
        assert "ended while the job ran" in told
