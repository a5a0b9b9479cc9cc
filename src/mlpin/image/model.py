"""What is known of a container image, before anything of the project is installed in it. Values only."""

from __future__ import annotations

import re
from typing import NamedTuple

_DIGEST = re.compile(r"(?i)@(?:sha\d+:[^@]*|\$\{?\w*(?:digest|sha\d*)\}?)$")
_SCHEME = re.compile(r"(?i)(?:https?|docker|oci)://")


class Image(NamedTuple):
    """An image. Every fact is empty where it is not known, and what is not known is never held against it."""

    subject: str
    """As a message begins with it: "the base image `ubuntu:22.04`"."""
    file: str
    """The Dockerfile or the folder, as the user named it."""
    line: int = 0
    """Of the `FROM` with the base image."""
    system: str = ""
    """`ubuntu 22.04`, `windows`; the release may be a code name."""
    libc: str = ""
    """`glibc` or `musl`."""
    glibc: str = ""
    """`2.35`."""
    machine: str = ""
    """`x86_64`, `aarch64`."""
    pythons: tuple[str, ...] = ()
    """The versions that are there, `3.11` or `3.11.4`; if any is known, there are no others."""
    for_python: bool = False
    """Whether it was made to run Python code with the one that it has; else that may be the system's own."""
    cuda: str = ""
    """Of the CUDA toolkit or its libraries: `12.4` or `12.4.1`."""
    cudnn: str = ""
    nvcc: str = ""
    """`yes` or `no`: a compiler for CUDA."""
    packages: tuple[tuple[str, str], ...] = ()
    """(name, version) of the package that it was made for: torch, tensorflow."""
    branches: tuple[str, ...] | None = None
    """Branches of drivers older than its CUDA on which a container of it starts as well; None: not known."""
    notes: tuple[str, ...] = ()
    """Why something is not known, in whole sentences without a full stop."""


def without_credentials(name: str) -> str:
    """The name of an image as it may be shown: `****@reg.example/python:3.9` of one with user and password."""
    digest = _DIGEST.search(name)
    user, at, _ = name[: digest.start() if digest else None].rpartition("@")
    if not at:
        return name
    scheme = _SCHEME.match(user)
    return f"{scheme[0] if scheme else ''}****{name[len(user) :]}"


def machine_of(platform: str) -> str:
    """`x86_64` of `linux/amd64`, `aarch64` of `linux/arm64/v8`; empty of anything else."""
    parts = platform.lower().split("/")
    name = parts[1] if len(parts) > 1 else parts[0]
    return {"amd64": "x86_64", "x86_64": "x86_64", "arm64": "aarch64", "aarch64": "aarch64"}.get(name, "")
