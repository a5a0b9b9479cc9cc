"""What a version's local part or a wheel's file name says of how it was built: CUDA, torch, C++ ABI."""

from __future__ import annotations

import re
from typing import NamedTuple

_LINE = re.compile(r"(?:^|[.+]|pt\d+)(cu(?:da)?\d+|cpu|rocm\d[\d.]*\d|xpu)")
_CUDA = re.compile(r"cu(?:da)?(\d+)")
_TORCH = re.compile(r"(?:torch|pt)(\d+)(?:\.(\d+))?")
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
        # `pt24` is 2.4, `torch2.4` is written out.
        minor = f"{torch[1]}.{torch[2]}" if torch[2] else f"{torch[1][0]}.{torch[1][1:]}" if len(torch[1]) > 1 else ""
    label = line[1].replace("cuda", "cu") if line else ""
    return Built(label, cuda_of(label), minor, None if abi is None else abi[1] == "true")


def is_vendor_build(version: str) -> bool:
    """Whether the local part names no build line that is known: a container's or a private build."""
    local = version.partition("+")[2]
    return bool(local) and built(version) == Built()
