"""The words that every form of a check's report shares: what each kind of drift is, how the whole ended.

Plain text without markup; each form escapes it its own way. A kind that is not listed here is still shown.
"""

from __future__ import annotations

from collections.abc import Mapping

from mlpin.check.model import Checked, Drift, Severity
from mlpin.report.words import counted, joined

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""The worst first."""
KINDS: Mapping[str, Mapping[str, str]] = {
    "manifest": {
        "lock-missing": "There is no lock",
        "orphan": "A lock that belongs to no target of the project",
        "unlocked": "What is asked for is not in the lock",
        "version": "The locked version is not one that is asked for",
        "extra": "An extra that is asked for is not locked",
        "unneeded": "A locked package that nothing asks for",
        "source": "Locked from another source than is asked for",
        "index": "Locked from another index than is asked for",
        "constraint": "The locked version is against a constraint",
        "requires-python": "Locked for a Python that the project does not take",
        "target": "Locked for another target than the project describes",
        "option": "Locked with other options than the project has",
        "hash": "The locked files are not those whose hashes the project names",
    },
    "lock": {
        "invalid": "The lock is not a valid one (PEP 751)",
        "edited": "The lock was changed by hand",
        "file": "A locked file that is none of its package, or no file at all",
        "hash": "A locked file without a usable hash",
        "graph": "A dependency in the lock that the lock does not satisfy",
        "marker": "A marker of the lock does not fit its target",
        "tags": "A locked wheel does not fit the target",
        "duplicate": "A package is locked twice",
        "conda-file": "The file of the conda packages is not what the lock has",
    },
    "matrix": {"broken": "Locked, but known not to work"},
    "env": {
        "missing": "Locked, but not installed",
        "extra": "Installed, but not locked",
        "version": "Installed in another version than locked",
        "build": "Installed in another build than locked",
        "source": "Installed from another source than locked",
        "changed": "Installed files were changed",
        "overwritten": "Two installed packages have the same file",
        "duplicate": "A package is installed twice",
        "python": "The Python of the environment is not the one that was locked for",
    },
    "host": {
        "python": "The Python of this machine is not the one that was locked for",
        "platform": "This machine is not the platform that was locked for",
        "glibc": "The glibc of this machine is older than the lock needs",
        "driver": "The driver of this machine is older than the lock needs",
        "gpu": "A GPU of this machine is not served by what is locked",
        "broken": "Locked, but known not to work on this machine",
    },
    "index": {
        "gone": "A locked file is no longer on its index",
        "yanked": "A locked release was yanked",
        "hash": "The index has another hash for a locked file",
        "outdated": "The index has a newer version than the locked one",
    },
    "image": {
        "python": "The Python of the base image is not the one that was locked for",
        "platform": "The base image is not for the platform that was locked for",
        "glibc": "The C library of the base image is not what the lock needs",
        "driver": "The base image needs another driver than the lock",
        "cuda": "The CUDA of the base image does not fit the lock",
        "cudnn": "The cuDNN of the base image does not fit the lock",
        "nvcc": "The base image cannot compile what is locked as source",
        "version": "The base image has another version of a locked package",
        "unknown": "What the base image has is not known",
    },
    "fleet": {
        "missing": "Nodes lack what others, or the lock, have",
        "extra": "Nodes have what is not locked",
        "version": "Nodes have another version",
        "build": "Nodes have another build",
        "source": "Nodes have it from another source",
        "files": "Nodes have other files of the same version",
        "environment": "Nodes have no environment",
        "python": "Nodes have another Python",
        "platform": "Nodes are not the platform that was locked for",
        "glibc": "The glibc of nodes is older than the lock needs",
        "driver": "The driver of nodes is older than the lock needs",
        "gpu": "GPUs of nodes are not served by what is locked",
        "host": "Nodes differ as machines",
        "unreadable": "A snapshot that cannot be read",
    },
}
"""By check, its kinds of drift, each as a title without a full stop."""


def described(check: str, kind: str) -> str:
    """What a kind of drift is, in a few words."""
    return KINDS.get(check, {}).get(kind) or f"Another difference ({check}, {kind})"


def kinds(found: Checked) -> list[tuple[str, str]]:
    """Check and kind of all that the checks could have found, and of all that they did find."""
    known = [(check, kind) for check in found.checks for kind in KINDS.get(check, {})]
    return list(dict.fromkeys([*known, *sorted({(one.check, one.kind) for one in found.drift})]))


def worst_first(found: Checked) -> list[Drift]:
    """All drift, errors before warnings before notes; else in the order in which it was found."""
    return sorted(found.drift, key=lambda one: SEVERITIES.index(one.severity))


def fails(one: Drift, found: Checked) -> bool:
    """Whether this one makes the check fail."""
    return one.severity == "error" or (one.severity == "warning" and found.strict)


def counts(found: Checked) -> dict[Severity, int]:
    """How much of each severity there is."""
    return {severity: sum(one.severity == severity for one in found.drift) for severity in SEVERITIES}


def headline(found: Checked) -> str:
    """How the check ended, in one line without a full stop."""
    told = counts(found)
    some = joined([counted(count, severity) for severity, count in told.items() if count])
    if found.ok:
        return f"mlpin check passed: {some or 'no drift'}"
    return f"mlpin check failed: {some}" + ("" if told["error"] else ", with --strict")


def looked_at(found: Checked) -> str:
    """`manifest, lock and env, with 70 packages in pylock.toml`."""
    locks = found.locks[0] if len(found.locks) == 1 else counted(len(found.locks), "lock")
    return f"{joined(found.checks) or 'nothing'}, with {counted(found.packages, 'package')} in {locks}"
