"""What a project asks of the stand-ins on this machine: which ended models they play as if they had not ended."""

import json
import urllib.error
import urllib.request

from cli.problems import TargetLostError, TargetUnusableError
from cli.screen import Screen
from cli.target import Target
from local.standins.catalogue import foundation_model
from storycast.settings import Settings

ROUTE = "/_storycast/catalogue"
WORKER_PAGE = "/_storycast/a2i/"

_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def play(target: Target, settings: Settings, screen: Screen) -> None:
    """Tell the stand-ins what the project's ``local.play_as_active`` says, and tell the user, too.

    The list is the stand-ins' own and not a run's, so it is set for every start, also where it is empty.

    Args:
        target: Where the run is to be; nothing is done on AWS.
        settings: The project's settings.
        screen: Where to tell it.

    Raises:
        TargetUnusableError: The stand-ins refuse the list.
        TargetLostError: They do not answer.
    """
    if target.standins_url is None:
        return
    models = settings.local.play_as_active
    asked = urllib.request.Request(  # noqa: S310 -- http, on loopback
        target.standins_url + ROUTE,
        data=json.dumps({"play_as_active": models}).encode(),
        headers={"content-type": "application/json"},
        method="POST",
    )
    try:
        with _opener.open(asked, timeout=10):
            pass
    except urllib.error.HTTPError as error:
        said = error.read().decode(errors="replace")
        raise TargetUnusableError(
            f"The stand-ins refuse local.play_as_active: [{', '.join(models)}] ({said}). Mend the project file."
        ) from error
    except OSError as error:
        raise TargetLostError(f"The stand-ins at {target.standins_url} do not answer: {error}.") from error
    for model_id in models:
        screen.say(_said(model_id), style="yellow")


def workers_place(target: Target) -> str:
    """Return where Amazon A2I's workers answer: on this machine at the stand-in's page."""
    if target.standins_url is None:
        return "where their team works"
    return f"at {target.standins_url}{WORKER_PAGE}"


def _said(model_id: str) -> str:
    model = foundation_model(model_id)
    said = f"The stand-in plays {model_id} as active, as the project file says"
    if model is None or model.end_of_life is None:
        return f"{said}."
    return f"{said}; on AWS it ended on {model.end_of_life}."
