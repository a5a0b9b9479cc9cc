"""Drift as workflow commands of GitHub Actions: an annotation on the line of each.

The runner's own rules of escaping (`actions/toolkit`, `command.ts`). Files are named as the command names them, so it
has to be run at the root of the repository for annotations to find their lines.
"""

from __future__ import annotations

from mlpin.check.model import Checked, Drift
from mlpin.report.checked_words import counts, described, headline, worst_first
from mlpin.report.sarif import below
from mlpin.report.words import visible

SHOWN = 10
"""GitHub shows no more annotations than these of each level and step; all of them stand in the step's log."""
_LEVELS = {"error": "error", "warning": "warning", "note": "notice"}


def text(found: Checked) -> str:
    """A command for each drift, the worst first, and a line that says how many there are."""
    lines = [_command(one) for one in worst_first(found)]
    most = max(counts(found).values())
    rest = f" (GitHub shows {SHOWN} of each as annotations; all are in this log)" if most > SHOWN else ""
    return "\n".join([*lines, f"{headline(found)}{rest}"]) + "\n"


def _command(one: Drift) -> str:
    file = below(one.file)
    properties = {
        "file": file,
        "line": str(one.line) if file and one.line else "",
        "title": f"mlpin: {described(one.check, one.kind)}",
    }
    said = ",".join(f"{name}={_property(value)}" for name, value in properties.items() if value)
    return f"::{_LEVELS[one.severity]} {said}::{_data(_message(one, bare=not file))}"


def _message(one: Drift, *, bare: bool) -> str:
    place = f"{visible(one.place)}: " if bare and one.place else ""
    return f"{place}{visible(one.message)}" + (f"\nhint: {visible(one.hint)}" if one.hint else "")


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(visible(text)).replace(":", "%3A").replace(",", "%2C")
