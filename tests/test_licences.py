"""Whoever uses Storycast may do so for money: the licence of each package that it brings allows that.

Looked at is what is installed, by its own metadata. Environments that only test or lint are left out.
"""

import re
from collections.abc import Mapping
from importlib.metadata import Distribution, distributions

import pytest
from packaging.markers import Marker
from packaging.utils import canonicalize_name

from tests.test_requirements import ROOT, requirements

ENVIRONMENTS = {
    "layers/storycast/requirements.txt": ".storycast/layers/storycast/python",
    "layers/imaging/requirements.txt": ".storycast/layers/imaging/python",
    "functions/sample_frames/requirements.txt": ".storycast/layers/image/python",
    "requirements/cli.txt": ".venv/lib/python3.13/site-packages",
    "requirements/lambda.txt": ".tools/lambda/lib/python3.13/site-packages",
    "requirements/ministack.txt": ".tools/ministack/lib/python3.13/site-packages",
    "requirements/sam.txt": ".tools/sam/lib/python3.13/site-packages",
}
"""Where what a lock names is installed by `make setup`."""
TRAINER = ("training/requirements-cpu.txt", ".tools/training/lib/python3.11/site-packages")

ACCEPTED = {
    *("0BSD", "AFL-2.1", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "CNRI-Python", "ISC"),
    *("MIT", "MIT-0", "MIT-CMU", "MPL-2.0", "PSF-2.0", "Zlib", "Apache-2.0 WITH LLVM-exception"),
}
"""SPDX names. Of these MPL-2.0 alone asks for something: to publish changes to its own files."""
SPDX = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0 License": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
"""How older metadata calls them."""
LOOKED_AT = {
    "asyncssh": "EPL-2.0 OR GPL-2.0-or-later, in the emulator's environment alone: run as it is, in a process of "
    "its own, and not passed on",
    "cookiecutter": "BSD-3-Clause, by the licence in its own folder; its metadata names none",
    "psycopg2-binary": "LGPL with exceptions, in the emulator's environment alone, as asyncssh is",
    "text-unidecode": "Artistic Licence or GPL, as one likes; in the environment of `sam` alone",
}
"""Packages whose metadata does not settle it, and what a person found."""


def licences(package: Distribution) -> list[str]:
    """Return the licences that all hold for a package; alternatives are one, with OR between them."""
    about = package.metadata
    classifiers = about.get_all("Classifier") or ()
    classified = [one.split(" :: ")[-1] for one in classifiers if one.startswith("License ::")]
    expression = about.get("License-Expression")
    if classified and not expression:
        return classified
    return (expression or about.get("License") or "").strip().split("\n")[0].split(" AND ")


def is_accepted(licence: str) -> bool:
    return any(SPDX.get(one, one) in ACCEPTED for one in licence.split(" OR "))


def refused(lock: str, folder: str) -> dict[str, str]:
    """Return the packages of a lock that may not be used so, with what speaks against them."""
    installed: Mapping[str, Distribution] = {
        canonicalize_name(one.metadata["Name"]): one for one in distributions(path=[str(ROOT / folder)])
    }
    found: dict[str, str] = {}
    for pin, *_ in requirements(ROOT / lock):
        wanted, _, marker = pin.partition(" ; ")
        name = canonicalize_name(re.split(r"[\[=]", wanted)[0])
        package = installed.get(name)
        if package is None and marker and not Marker(marker).evaluate():
            continue  # for other machines
        if package is None:
            found[name] = f"is not in {folder}: run `make setup`"
        elif name not in LOOKED_AT and not all(map(is_accepted, licences(package))):
            found[name] = " AND ".join(licences(package))
    return found


@pytest.mark.parametrize("lock", ENVIRONMENTS)
def test_all_may_be_used_commercially(lock: str) -> None:
    assert refused(lock, ENVIRONMENTS[lock]) == {}


@pytest.mark.training
def test_the_trainers_may_be_used_commercially() -> None:
    assert refused(*TRAINER) == {}


@pytest.mark.parametrize(
    ("licence", "may"),
    [
        ("MIT", True),
        ("BSD License", True),
        ("GPL-2.0-only OR MIT", True),
        ("AGPL-3.0-only", False),
        ("CC-BY-NC-4.0", False),
        ("", False),
    ],
)
def test_a_licence_is_judged_by_its_name(licence: str, may: bool) -> None:
    assert is_accepted(licence) == may


def test_nothing_is_excused_that_is_not_there() -> None:
    pins = [pin for lock in ENVIRONMENTS for pin, *_ in requirements(ROOT / lock)]
    named = {canonicalize_name(re.split(r"[\[=]", pin)[0]) for pin in pins}
    assert set(LOOKED_AT) <= named
