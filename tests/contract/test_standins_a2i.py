"""Amazon A2I's stand-in through real clients: loops over time, answers as on AWS, events, worker pages."""

import datetime as dt
import json
import re
import time
import urllib.error
import urllib.request

import boto3
import pytest
from botocore.exceptions import ClientError

from local.standins.human_loops import HumanLoops
from local.standins.server import running
from tests.contract.cloud import TRUST
from tests.contract.standin_pictures import jpeg

BUILT_IN = "arn:aws:sagemaker:us-east-1:000000000000:flow-definition/storycast-local"
WORKTEAM = "arn:aws:sagemaker:us-east-1:000000000000:workteam/private-crowd/us"
ROLE = "arn:aws:iam::000000000000:role/workers"
TEMPLATE = (
    '<script src="https://assets.crowd.aws/crowd-html-elements.js"></script><crowd-form>'
    '{% for picture in task.input.pictures %}<img src="{{ picture.picture | grant_read_access }}">'
    "{{ picture.caption | escape }}{% endfor %}</crowd-form>"
)
CONTENT = {"pictures": [{"picture": "s3://media/runs/one/dataset/images/a.png", "caption": "Ёж & <Bunny>"}]}
pytestmark = pytest.mark.usefixtures("cloud")


@pytest.fixture
def name(request):
    """A name of a loop, of its own for each test."""
    return re.sub(r"[^a-z0-9]+", "-", request.node.name)[:60].strip("-")


@pytest.fixture
def start(call, name):
    def make(flow=BUILT_IN, content=CONTENT, loop=name):
        text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
        return call(
            "sagemaker-a2i-runtime",
            "StartHumanLoop",
            HumanLoopName=loop,
            FlowDefinitionArn=flow,
            HumanLoopInput={"InputContent": text},
        )["HumanLoopArn"]

    return make


@pytest.fixture
def told(call, name):
    return lambda loop=name: call("sagemaker-a2i-runtime", "DescribeHumanLoop", HumanLoopName=loop)


@pytest.fixture
def until(told):
    def wait(status):
        deadline = time.monotonic() + 10
        while (found := told())["HumanLoopStatus"] != status and time.monotonic() < deadline:
            time.sleep(0.02)
        assert found["HumanLoopStatus"] == status
        return found

    return wait


@pytest.fixture
def post(standins, name):
    """Ask a route of the worker page; gives status and JSON."""

    def ask(route, document=None, loop=name, **headers):
        body = json.dumps(document or {}).encode()
        url = f"{standins.url}/_storycast/a2i/loops/{loop}/{route}"
        request = urllib.request.Request(url, body, {"content-type": "application/json"} | headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    return ask


@pytest.fixture
def get(standins):
    def ask(path, **headers):
        request = urllib.request.Request(f"{standins.url}/_storycast/a2i/{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, dict(answer.headers), answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, dict(error.headers), error.read()

    return ask


@pytest.fixture
def flow(call, cloud, name):
    """Make a flow definition with a role of its own; gives its ARN."""

    def make(**more):
        service = {"Service": "sagemaker.amazonaws.com"}
        cloud.statements = [TRUST | {"Principal": service}]
        ui = call("sagemaker", "CreateHumanTaskUi", HumanTaskUiName=name[:60], UiTemplate={"Content": TEMPLATE})[
            "HumanTaskUiArn"
        ]
        config = {
            "WorkteamArn": WORKTEAM,
            "HumanTaskUiArn": ui,
            "TaskTitle": "Look",
            "TaskDescription": "Look at pictures",
            "TaskCount": 2,
        }
        arn = call(
            "sagemaker",
            "CreateFlowDefinition",
            FlowDefinitionName=name[:60],
            HumanLoopConfig=config | more,
            OutputConfig={"S3OutputPath": "s3://media/a2i/"},
            RoleArn=ROLE,
        )["FlowDefinitionArn"]
        deadline = time.monotonic() + 5
        statuses = []
        while "Active" not in statuses and time.monotonic() < deadline:
            found = call("sagemaker", "DescribeFlowDefinition", FlowDefinitionName=name[:60])
            statuses.append(found["FlowDefinitionStatus"])
            time.sleep(0.02)
        assert (statuses[0], statuses[-1]) == ("Initializing", "Active")
        return arn

    return make


def said(worker, **answer):
    return {"worker": worker, "answer": answer or {"verdict-a": {"keep": True, "drop": False}}}


def heard(cloud):
    """The detail of the one event, which comes after the status has changed."""
    deadline = time.monotonic() + 5
    while not cloud.events and time.monotonic() < deadline:
        time.sleep(0.02)
    (event,) = cloud.events
    return json.loads(event["Detail"])


# ---- loops ----------------------------------------------------------------------------------------


def test_a_loop_from_start_to_answer(start, told, post, cloud, name, log):
    arn = start()
    assert arn == f"arn:aws:sagemaker:us-east-1:000000000000:human-loop/{name}"
    waiting = told()
    assert (waiting["HumanLoopStatus"], waiting["FlowDefinitionArn"]) == ("InProgress", BUILT_IN)
    assert "HumanLoopOutput" not in waiting
    assert post("answers", said("anna"))[0] == 200
    done = told()
    assert done["HumanLoopStatus"] == "Completed"
    made = done["CreationTime"].astimezone(dt.UTC)
    uri = f"s3://media/a2i/storycast-local/{made:%Y/%m/%d/%H/%M/%S}/{name}/output.json"
    assert done["HumanLoopOutput"] == {"OutputS3Uri": uri}
    output = json.loads(cloud.written[uri.removeprefix("s3://")])
    assert set(output) == {"flowDefinitionArn", "humanAnswers", "humanLoopName", "inputContent"}
    assert output["inputContent"] == CONTENT
    (answer,) = output["humanAnswers"]
    assert answer["workerId"] == "anna"
    assert answer["answerContent"] == {"verdict-a": {"keep": True, "drop": False}}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", answer["submissionTime"])
    assert [line["operation"] for line in log() if line["paid"]] == ["StartHumanLoop"]


def test_the_event_has_the_form_of_awss(start, post, cloud, name):
    start()
    post("answers", said("anna"))
    (event,) = cloud.events
    assert (event["Source"], event["DetailType"]) == ("storycast.a2i", "SageMaker A2I HumanLoop Status Change")
    detail = json.loads(event["Detail"])
    assert event["Resources"] == [detail["humanLoopArn"]]
    assert set(detail) == {
        "creationTime",
        "failureCode",
        "failureReason",
        "flowDefinitionArn",
        "humanLoopArn",
        "humanLoopName",
        "humanLoopOutput",
        "humanLoopStatus",
    }
    assert (detail["humanLoopName"], detail["humanLoopStatus"]) == (name, "Completed")
    assert detail["humanLoopOutput"]["outputS3Uri"].endswith(f"/{name}/output.json")
    assert detail["failureReason"] is None


def test_an_event_can_be_sent_again(start, post, cloud):
    start()
    assert post("event")[0] == 409, "it has not ended"
    post("answers", said("anna"))
    assert post("event") == (200, {})
    assert cloud.events[0]["Detail"] == cloud.events[1]["Detail"]


def test_a_name_is_taken_until_its_loop_is_deleted(start, client, call, post, name):
    start()
    with pytest.raises(client("sagemaker-a2i-runtime").exceptions.ConflictException):
        start()
    with pytest.raises(client("sagemaker-a2i-runtime").exceptions.ValidationException, match="InProgress"):
        call("sagemaker-a2i-runtime", "DeleteHumanLoop", HumanLoopName=name)
    post("answers", said("anna"))
    with pytest.raises(client("sagemaker-a2i-runtime").exceptions.ConflictException):
        start()
    call("sagemaker-a2i-runtime", "DeleteHumanLoop", HumanLoopName=name)
    assert start()


def test_a_loop_that_is_stopped(start, until, call, client, cloud, name):
    start()
    call("sagemaker-a2i-runtime", "StopHumanLoop", HumanLoopName=name)
    until("Stopping")
    until("Stopped")
    assert heard(cloud)["humanLoopStatus"] == "Stopped"
    assert not cloud.written
    with pytest.raises(client("sagemaker-a2i-runtime").exceptions.ValidationException, match="Stopped"):
        call("sagemaker-a2i-runtime", "StopHumanLoop", HumanLoopName=name)


def test_a_loop_that_a_test_fails(start, told, post, cloud):
    start()
    assert post("fail", {"reason": "no workers", "code": "InternalError"})[0] == 200
    found = told()
    assert (found["HumanLoopStatus"], found["FailureCode"], found["FailureReason"]) == (
        "Failed",
        "InternalError",
        "no workers",
    )
    assert json.loads(cloud.events[0]["Detail"])["failureReason"] == "no workers"
    assert post("answers", said("anna"))[0] == 409


def test_a_loop_that_nobody_answers_in_time(start, until, flow, cloud):
    start(flow(TaskAvailabilityLifetimeInSeconds=1))
    found = until("Failed")
    assert found["FailureCode"] == "Expired"
    assert heard(cloud)["failureCode"] == "Expired"


def test_loops_are_listed_by_flow_definition(start, call, flow, name):
    arn = flow()
    names = [f"{name[:50]}-{number}" for number in range(12)]
    for loop in names:
        start(arn, loop=loop)
    listed, token = [], {}
    while True:
        page = call("sagemaker-a2i-runtime", "ListHumanLoops", FlowDefinitionArn=arn, **token)
        listed += page["HumanLoopSummaries"]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert [one["HumanLoopName"] for one in listed] == names[::-1]
    first = call(
        "sagemaker-a2i-runtime", "ListHumanLoops", FlowDefinitionArn=arn, SortOrder="Ascending", MaxResults=1
    )
    assert first["HumanLoopSummaries"][0]["HumanLoopName"] == names[0]


# ---- refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"flow": BUILT_IN.replace("local", "other")}, "no flow definition"),
        ({"content": "[]"}, "not a JSON object"),
        ({"content": "no JSON"}, "not a JSON object"),
        ({"content": {"pictures": []}}, "has no s3://"),
        ({"loop": "Upper"}, "pattern"),
        ({"loop": "a" * 64}, "length"),
        ({"content": json.dumps({"a": "x" * 3_145_728})}, "length less than or equal to 3145728"),
    ],
    ids=["flow", "list", "text", "no bucket", "upper case", "long name", "too long"],
)
def test_what_is_refused(start, client, more, says):
    with pytest.raises(client("sagemaker-a2i-runtime").exceptions.ValidationException, match=says):
        start(**more)


def test_content_of_the_limits_length_is_taken(start):
    empty = json.dumps({"a": "s3://media/x", "b": ""})
    assert start(
        content=json.dumps({"a": "s3://media/x", "b": "ü" * (3_145_728 - len(empty))}, ensure_ascii=False)
    )


@pytest.mark.parametrize("operation", ["DescribeHumanLoop", "StopHumanLoop", "DeleteHumanLoop"])
def test_a_loop_that_is_not_there(call, client, operation):
    with pytest.raises(client("sagemaker-a2i-runtime").exceptions.ResourceNotFoundException):
        call("sagemaker-a2i-runtime", operation, HumanLoopName="nobody")


# ---- several workers ------------------------------------------------------------------------------


def test_as_many_answer_as_the_flow_definition_says(start, told, post, flow, cloud):
    start(flow())
    assert post("answers", said("anna"))[1]["answers"] == 1
    assert post("answers", said("anna")) == (409, {"message": post("answers", said("anna"))[1]["message"]})
    assert told()["HumanLoopStatus"] == "InProgress"
    assert not cloud.events
    assert post("answers", said("ben"))[1]["status"] == "Completed"
    assert post("answers", said("carl"))[0] == 409
    ((key, output),) = cloud.written.items()
    assert [one["workerId"] for one in json.loads(output)["humanAnswers"]] == ["anna", "ben"]
    assert key.startswith("media/a2i/")
    assert cloud.read_by == {"ASIAROLE"}, "as the flow definition's role"


def test_answers_that_the_role_may_not_write_fail_the_loop(start, told, post, flow, cloud, monkeypatch):
    start(flow(TaskCount=1))
    monkeypatch.setattr(cloud, "object", lambda *_: (403, b"<Error><Code>AccessDenied</Code></Error>"))
    post("answers", said("anna"))
    found = told()
    assert found["HumanLoopStatus"] == "Failed"
    assert "can't be written with the flow definition's role" in found["FailureReason"]


# ---- templates and flow definitions ---------------------------------------------------------------


def test_a_template_whose_liquid_is_broken_is_refused(call):
    for broken in ("{% for x in y %}", "{{ x | no_such_filter }}", "{{ x"):
        with pytest.raises(ClientError, match="ValidationException"):
            call("sagemaker", "CreateHumanTaskUi", HumanTaskUiName="broken", UiTemplate={"Content": broken})


def test_names_are_taken(call, client, flow, name):
    flow()
    with pytest.raises(client("sagemaker").exceptions.ResourceInUse):
        call("sagemaker", "CreateHumanTaskUi", HumanTaskUiName=name[:60], UiTemplate={"Content": TEMPLATE})
    ui = call("sagemaker", "DescribeHumanTaskUi", HumanTaskUiName=name[:60])
    assert ui["HumanTaskUiStatus"] == "Active"
    assert len(ui["UiTemplate"]["ContentSha256"]) == 64
    found = call("sagemaker", "DescribeFlowDefinition", FlowDefinitionName=name[:60])
    assert found["HumanLoopConfig"]["HumanTaskUiArn"] == ui["HumanTaskUiArn"]
    again = {key: found[key] for key in ("FlowDefinitionName", "HumanLoopConfig", "OutputConfig", "RoleArn")}
    with pytest.raises(client("sagemaker").exceptions.ResourceInUse):
        call("sagemaker", "CreateFlowDefinition", **again)
    call("sagemaker", "DeleteFlowDefinition", FlowDefinitionName=name[:60])
    with pytest.raises(client("sagemaker").exceptions.ResourceNotFound):
        call("sagemaker", "DescribeFlowDefinition", FlowDefinitionName=name[:60])


def test_a_flow_definition_with_a_loop_in_progress_is_not_deleted(call, client, flow, start, name):
    start(flow())
    with pytest.raises(client("sagemaker").exceptions.ResourceInUse, match="in progress"):
        call("sagemaker", "DeleteFlowDefinition", FlowDefinitionName=name[:60])


def test_a_role_that_does_not_trust_sagemaker_is_refused(call, flow, cloud, name):
    flow()
    found = call("sagemaker", "DescribeFlowDefinition", FlowDefinitionName=name[:60])
    cloud.statements = [TRUST]
    with pytest.raises(ClientError, match=r"does not let sagemaker\.amazonaws\.com assume it"):
        call(
            "sagemaker",
            "CreateFlowDefinition",
            FlowDefinitionName="untrusted",
            HumanLoopConfig=found["HumanLoopConfig"],
            OutputConfig=found["OutputConfig"],
            RoleArn=found["RoleArn"],
        )


# ---- the worker page ------------------------------------------------------------------------------


def test_the_page_lists_what_waits(start, post, get, name):
    start()
    status, headers, page = get("?worker=anna")
    assert status == 200
    assert f'href="/_storycast/a2i/loops/{name}/task?worker=anna"' in page.decode()
    assert "LOCAL STAND-IN" in page.decode()
    assert "script-src 'self'" in headers["content-security-policy"]
    post("answers", said("anna"))
    assert f"loops/{name}/" not in get("")[2].decode()
    (told,) = [one for one in json.loads(get("loops")[2])["loops"] if one["name"] == name]
    assert told["status"] == "Completed"


def test_the_task_is_the_template_filled_in(start, get, flow, name, objects):
    objects["media/runs/one/dataset/images/a.png"] = picture = jpeg()
    start(flow(), content={"pictures": [CONTENT["pictures"][0], CONTENT["pictures"][0] | {"caption": "<b>2"}]})
    status, _, page = get(f"loops/{name}/task?worker=anna")
    text = page.decode()
    assert status == 200
    assert "Ёж &amp; &lt;Bunny&gt;" in text
    assert "&lt;b&gt;2" in text
    assert "assets.crowd.aws" not in text
    assert 'src="/_storycast/a2i/crowd-elements.js"' in text
    assert 'src="picture?number=1"' in text
    status, headers, content = get(f"loops/{name}/picture?number=1")
    assert (status, headers["content-type"], content) == (200, "image/jpeg", picture)
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("number", ["2", "-1", "x", "", "../0"])
def test_only_pictures_of_the_task_are_served(start, get, name, number):
    start()
    get(f"loops/{name}/task")
    assert get(f"loops/{name}/picture?number={number}")[0] == 404


def test_what_is_no_picture_is_not_served(start, get, name, objects):
    objects["media/runs/one/dataset/images/a.png"] = b"<html><script>alert(1)</script>"
    start()
    get(f"loops/{name}/task")
    assert get(f"loops/{name}/picture?number=0")[0] == 415


def test_a_picture_that_the_role_may_not_read(start, get, flow, name, cloud):
    cloud.denied.add("media/runs/one/dataset/images/a.png")
    start(flow())
    get(f"loops/{name}/task")
    status, _, told = get(f"loops/{name}/picture?number=0")
    assert status == 403
    assert "can't be read with the flow definition's role" in json.loads(told)["message"]


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example:80", ""])
def test_foreign_hosts_are_refused(get, host):
    assert get("", Host=host)[0] == 403


def test_pages_of_other_origins_are_refused(start, post, standins, told):
    start()
    for origin in ("http://evil.example", "null", "https://127.0.0.1"):
        assert post("answers", said("anna"), Origin=origin)[0] == 403
        assert post("stop", {}, Origin=origin)[0] == 403
    assert post("answers", said("anna"), **{"content-type": "text/plain"})[0] == 415
    assert told()["HumanLoopStatus"] == "InProgress"
    assert post("answers", said("anna"), Origin=standins.url)[0] == 200


@pytest.mark.parametrize(
    "wrong",
    [{}, {"worker": "anna"}, {"worker": "<b>", "answer": {}}, {"worker": "a", "answer": [], "more": 1}],
    ids=str,
)
def test_an_answer_that_is_none_is_refused(start, post, told, wrong):
    start()
    assert post("answers", wrong)[0] == 400
    assert told()["HumanLoopStatus"] == "InProgress"


@pytest.mark.parametrize(
    "path",
    ["nothing", "loops/x/nothing", "loops/../task", "%2e%2e/health", "loops/no-such-loop/task", "loops.html.j2"],
)
def test_nothing_else_is_served(get, path):
    assert get(path)[0] == 404


def test_a_workers_name_that_is_none_is_refused(get):
    assert get("?worker=%3Cscript%3E")[0] == 400


# ---- over restarts --------------------------------------------------------------------------------


@pytest.mark.usefixtures("environment")
def test_loops_outlive_a_restart(tmp_path, cloud):
    def client(server):
        return boto3.client("sagemaker-a2i-runtime", endpoint_url=server.url)

    with running(tmp_path) as server:
        client(server).start_human_loop(
            HumanLoopName="kept", FlowDefinitionArn=BUILT_IN, HumanLoopInput={"InputContent": json.dumps(CONTENT)}
        )
    with running(tmp_path) as server:
        assert client(server).describe_human_loop(HumanLoopName="kept")["HumanLoopStatus"] == "InProgress"
        HumanLoops(server.world.a2i).answer("kept", "anna", {})
        assert client(server).describe_human_loop(HumanLoopName="kept")["HumanLoopStatus"] == "Completed"
    assert len(cloud.events) == 1


def test_without_an_emulator_a_loop_still_ends(start, post, told, monkeypatch, cloud, caplog, environment, s3_url):
    start()
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    assert post("fail")[0] == 200
    assert told()["HumanLoopStatus"] == "Failed"
    assert not cloud.events
    assert "set AWS_ENDPOINT_URL" in caplog.text
