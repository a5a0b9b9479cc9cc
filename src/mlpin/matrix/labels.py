"""What a version's local part or a wheel's file name says of how it was built: CUDA, torch, C++ ABI."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

_LINE = re.compile(r"(?:^|[.+]|(?:pt|torch)\d+)(cu(?:da)?\d+|cpu|rocm\d[\d.]*\d|xpu)")
_CUDA = re.compile(r"cu(?:da)?(\d+)")
_TORCH = re.compile(r"(torch|pt)(\d{1,9}(?!\d))(?:\.(\d+))?")
_CONTAINER = 20
"""A major version that no torch has: `torch25.09` is the release of a vendor's container."""
_ABI = re.compile(r"cxx11abi(true|false)")


class Built(NamedTuple):
    """What a build was made against; empty where the label does not say."""

    line: str = ""
    """`cu118`, `cu12`, `cpu`, `rocm6.2`."""
    cuda: str = ""
    """`11.8`, or `12` where only the major version is named."""
    torch: str = ""
    """`2.4`."""
    cxx11: bool | None = None


def cuda_of(line: str) -> str:
    """`12.4` of `cu124`, `12` of `cu12`, empty of anything else."""
    match = _CUDA.fullmatch(line)
    if match is None:
        return ""
    digits = match[1]
    return digits if len(digits) < 3 else f"{digits[:-1]}.{digits[-1]}"


def built(version: str) -> Built:
    """What the local part of a version says. `2.8.3+cu12torch2.4cxx11abiTRUE`, `2.1.2+pt24cu121`, `2.2.0+cpu`."""
    local = version.partition("+")[2].lower()
    if not local:
        return Built()
    line = _LINE.search(local)
    torch = _TORCH.search(local)
    abi = _ABI.search(local)
    minor = ""
    if torch is not None:
        minor = _minor(torch[1], torch[2], torch[3] or "")
    label = line[1].replace("cuda", "cu") if line else ""
    return Built(label, cuda_of(label), minor, None if abi is None else abi[1] == "true")


def _minor(prefix: str, digits: str, after: str) -> str:
    """`2.4` of `torch2.4`, of `pt24` and of `torch240`, where the last digit is the patch release."""
    if after:
        return "" if int(digits) >= _CONTAINER else f"{digits}.{after}"
    if prefix == "torch" and len(digits) > 2:
        if digits == "210":
            return ""  # 2.1.0, or 2.10
        digits = digits[:-1]
    return f"{digits[0]}.{digits[1:]}" if len(digits) > 1 else ""


def is_vendor_build(version: str) -> bool:
    """Whether the local part names no build line that is known: a container's or a private build."""
    local = version.partition("+")[2].lower()
    if not local:
        return False
    torch = _TORCH.search(local)
    return built(version) == Built() or bool(torch and torch[3] and int(torch[2]) >= _CONTAINER)


def order(text: str, cuda: str = "") -> tuple[Any, tuple[int, ...], tuple[int, ...], str]:
    """For sorting releases: the newest version, then the newest torch and the newest CUDA that its label names.

    `cuda` is that of a release without a label.
    """
    from packaging.version import Version

    of = built(text)

    def numbers(dotted: str) -> tuple[int, ...]:
        return tuple(int(part) for part in dotted.split(".") if part.isdigit())

    return Version(Version(text).public), numbers(of.torch), numbers(of.cuda or cuda), text
