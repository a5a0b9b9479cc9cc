"""This machine, as far as the unnamed target needs it: Python, platform, C library. Imports nothing heavy."""

from __future__ import annotations

import os
import sys

from mlpin.errors import InputError
from mlpin.target import DEFAULT_GLIBC


def python() -> tuple[int, int]:
    """Major and minor version of the running interpreter."""
    return sys.version_info[0], sys.version_info[1]


def platform() -> str:
    """The name of this machine's platform. Raises `InputError` where mlpin has no name for it."""
    machine = os.uname().machine if hasattr(os, "uname") else "amd64"
    if sys.platform == "linux":
        if machine in {"x86_64", "amd64", "aarch64", "arm64"}:
            return f"linux-{machine}"
    elif sys.platform == "darwin":
        import platform as facts

        major = facts.mac_ver()[0].partition(".")[0] or "14"
        return f"macos-{major}-{machine}"
    elif sys.platform == "win32":
        return "windows-amd64"
    raise InputError(
        f"this machine ({sys.platform}, {machine}) is none that mlpin can lock for by itself",
        hint="name the target's platform: --platform linux-x86_64",
    )


def glibc() -> str:
    """The version of this machine's glibc; the default floor where it has none."""
    try:
        found = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (AttributeError, ValueError, OSError):
        found = ""
    name, _, version = found.partition(" ")
    parts = version.split(".")
    if name == "glibc" and len(parts) >= 2 and parts[0].isdigit() and parts[1].isdigit():
        return f"{parts[0]}.{parts[1]}"
    return f"{DEFAULT_GLIBC[0]}.{DEFAULT_GLIBC[1]}"
