"""One statement of the matrix: which releases of a package need, or fail with, which range of something else.

A rule is data; what it says of an exact set or inside a solve is read off here. `other` is a distribution, or a
fact of the target (`FACTS`). A rule knows nothing of files, indexes or the search.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Literal, NamedTuple

Verb = Literal["needs", "fails", "kernels"]
Severity = Literal["broken", "declared", "untested"]
Evidence = Literal["metadata", "documented", "reported"]

SEVERITIES: tuple[Severity, ...] = ("broken", "declared", "untested")
EVIDENCE: tuple[Evidence, ...] = ("metadata", "documented", "reported")

FACTS = frozenset({"python", "driver", "cuda", "cudnn", "glibc", "gpu"})
"""What a target states, beside distributions. `gpu` is compared by compute capability, `driver` by NVIDIA's number,
`cuda` and `cudnn` are those of the host, which few packages use."""

SAME = "same"
"""In place of a range: the same release as the package's own (numeric parts)."""
LABEL = "label"
"""In place of a range: what the package's own build label says (`+cu12torch2.4cxx11abiTRUE`) of torch."""

_ARCH = re.compile(r"(?:sm|compute)_(\d{1,4})(\d)([af]?)(\+PTX)?", re.IGNORECASE)


class Rule(NamedTuple):
    """A rule of the matrix. Ranges are PEP 440 text, empty for any version.

    `table` has a row for each range of the package's releases with the range of `other` that it needs or fails
    with; a release in no row is unknown to the rule. A condition that is empty always holds.
    """

    id: str
    package: str
    verb: Verb
    severity: Severity
    other: str = ""
    table: tuple[tuple[str, str], ...] = ()
    kernels: tuple[str, ...] = ()
    """GPU architectures that the files have code for: `sm_80`, `sm_90+PTX`, `compute_70`."""
    line: tuple[str, ...] = ()
    """Patterns of build labels (`cu12*`, `cpu`) that the rule holds for."""
    platforms: tuple[str, ...] = ()
    """Patterns of platforms without a release: `linux-x86_64`, `windows-*`, `macos-arm64`."""
    python: str = ""
    accelerator: str = ""
    wheels_only: bool = False
    """It is about wheels of PyPI and vendors, not about conda's packages, source builds or vendor containers."""
    unless_same_version: bool = False
    steer: bool = False
    """Avoid while there is a choice; never refuse."""
    symptom: str = ""
    remedy: str = ""
    note: str = ""
    source: tuple[str, ...] = ()
    evidence: Evidence = "documented"
    date: str = ""

    @property
    def of_target(self) -> bool:
        """Whether the other side is a fact of the target, not a distribution."""
        return self.verb == "kernels" or self.other in FACTS


def arch(text: str) -> tuple[int, int, str, bool, bool] | None:
    """(major, minor, suffix, has binary code, has PTX) of `sm_90`, `sm_90a`, `sm_120+PTX`, `compute_70`."""
    match = _ARCH.fullmatch(text)
    if match is None:
        return None
    binary = text.lower().startswith("sm")
    return int(match[1]), int(match[2]), match[3].lower(), binary, bool(match[4]) or not binary


def serves(kernels: tuple[str, ...], capability: tuple[int, int]) -> bool:
    """Whether code for `kernels` runs on a GPU of this compute capability.

    Binary code runs on the same major version and the same or a later minor one; PTX is compiled for any later
    architecture; `sm_90a` runs on 9.0 alone, `sm_100f` and PTX for it on their own family (CUDA C++ Programming
    Guide, binary and PTX compatibility).
    """
    for text in kernels:
        found = arch(text)
        if found is None:
            continue
        major, minor, suffix, binary, ptx = found
        if suffix == "a":
            if capability == (major, minor):
                return True
            continue
        if (binary or suffix) and capability[0] == major and capability[1] >= minor:
            return True
        if ptx and not suffix and capability >= (major, minor):
            return True
    return False


def any_of(patterns: tuple[str, ...], text: str) -> bool:
    """Whether there are no patterns, or one that the text matches."""
    return not patterns or any(fnmatchcase(text, pattern) for pattern in patterns)
