"""Asks PyPI whether a locked package has a known weakness, and says of how many it could not be asked.

`.venv/bin/python checks/audit.py LOCK...`: pip-audit does the asking, in an environment of its own. It calls a
lock clean of which nobody was asked; here that has an exit code of its own.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

CLEAN = 0
WEAK = 1
NOT_ASKED = 3
"""Some packages could not be asked about, so that nothing is known of them."""
PIP_AUDIT = Path(__file__).resolve().parent.parent / ".tools/audit/bin/pip-audit"


def audit(locks: Sequence[str], ask: Callable[[str], str], say: Callable[[str], None]) -> int:
    """Audit locks and tell what was found.

    Args:
        locks: Paths of hashed requirements.
        ask: Audits one lock and returns pip-audit's JSON; empty where it gave none.
        say: Told a line at a time.

    Returns:
        The exit code: ``WEAK`` before ``NOT_ASKED``.
    """
    weak = unasked = 0
    for lock in locks:
        packages = json.loads(ask(lock) or "{}").get("dependencies", [])
        skipped = [one for one in packages if "skip_reason" in one]
        found = [(one, flaw) for one in packages for flaw in one.get("vulns", ())]
        weak += len(found)
        unasked += len(skipped) or not packages
        asked = len(packages) - len(skipped)
        say(f"{lock}: {asked} of {len(packages)} packages asked about, {len(found)} weaknesses")
        for package, flaw in found:
            mended = ", ".join(flaw["fix_versions"]) or "no release"
            say(f"  {package['name']} {package['version']}: {flaw['id']}, mended in {mended}")
        if skipped:
            say(f"  not asked about: {skipped[0]['skip_reason']}{', and others' if len(skipped) > 1 else ''}")
    if unasked:
        say("NOT AUDITED: of some packages nobody could be asked. This needs a network that reaches pypi.org.")
    return WEAK if weak else NOT_ASKED if unasked else CLEAN


def ask_pypi(lock: str) -> str:
    """Run pip-audit on one lock and return its JSON."""
    asked = [str(PIP_AUDIT), "--disable-pip", "--require-hashes", "--progress-spinner", "off", "--format", "json"]
    done = subprocess.run([*asked, "--requirement", lock], capture_output=True, text=True, check=False)  # noqa: S603
    if not done.stdout.strip():
        print(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "pip-audit said nothing.")
    return done.stdout


if __name__ == "__main__":
    sys.exit(audit(sys.argv[1:], ask_pypi, print))
