"""What `mlpin check` found, as a person reads it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from mlpin.check.model import Checked, Drift
from mlpin.report.checked_words import counts, fails, looked_at
from mlpin.report.words import counted, joined, visible
from mlpin.report.wrap import wrapped

_WAYS_OUT = {
    "manifest": "`{command}` brings the lock up to date; versions that still fit stay.",
    "lock": "`{command}` makes the lock anew; its versions stay where they fit.",
    "matrix": "`{command}` takes what is not known to be broken, where your lines leave a choice.",
}
_AGAIN = frozenset({"changed", "overwritten", "source"})
_MORE = 100
"""So many of one check are printed, unless all are asked for."""


def text(found: Checked, *, quiet: bool = False, verbose: bool = False) -> str:
    """The whole report; `quiet` leaves out what does not fail the check, `verbose` cuts nothing short."""
    lines: list[str] = []
    for check in found.checks:
        some = [one for one in found.drift if one.check == check and (fails(one, found) or not quiet)]
        if check == "fleet" and found.fleet is not None:
            from mlpin.report import fleet

            lines.append(fleet.text(found.fleet, verbose=verbose))
            continue
        for one in some if verbose else some[:_MORE]:
            lines += _drift(one)
        if len(some) > _MORE and not verbose:
            lines.append(f"({len(some) - _MORE} more of this kind: --verbose shows all)")
        if any(one.severity != "note" for one in some) and (way_out := _way_out(check, some, found)):
            lines += wrapped(way_out, "  ", "  ")
    if quiet and found.ok:
        return ""
    told = joined([counted(count, word) for word, count in counts(found).items() if count]) or "No drift"
    strict = "" if found.ok or counts(found)["error"] else ", which fail with --strict"
    return "\n".join([*lines, *wrapped(f"{told}{strict}: {visible(looked_at(found))}", "", "  ")]) + "\n"


def _way_out(check: str, some: Sequence[Drift], found: Checked) -> str:
    """What mends drift of one check; empty where no command does."""
    if check != "env":
        if all(one.kind == "orphan" for one in some):
            return ""
        command = " ".join([found.command, *map(shlex.quote, found.options)])
        return _WAYS_OUT.get(check, "").format(command=visible(command))
    lock = found.locks[0] if len(found.locks) == 1 else "pylock.toml"
    if found.conda_file and any(one.severity != "warning" for one in some):
        file, rest = (shlex.quote(visible(text)) for text in (found.conda_file, lock))
        then = f"`uv pip install --no-deps -r {rest} --python NEW` installs what is of PyPI"
        return f"`micromamba create -p NEW -f {file}` makes the environment anew, and {then}."
    python = next((one.expected for one in some if one.kind == "python"), "")
    if python:
        minor = ".".join(python.split(".")[:2])
        return f"An environment keeps its Python: make a new one (`uv venv --python {minor}`), and sync it."
    if all(one.severity == "warning" for one in some):
        return ""
    # What is there in the right version stays as it is, unless it is installed again.
    again = " --reinstall" if any(one.kind in _AGAIN or (one.kind == "missing" and one.found) for one in some) else ""
    words = f"{shlex.quote(visible(lock))}{again} --python {shlex.quote(visible(found.environment))}"
    return f"`uv pip sync {words}` makes it what is locked, and removes what is not, the project itself too."


def _drift(one: Drift) -> list[str]:
    place = f"{visible(one.place)}: " if one.place else ""
    lines = wrapped(visible(one.message), f"{one.severity}: {place}", "  ")
    return lines + (wrapped(visible(one.hint), "  hint: ", "        ") if one.hint else [])
