"""An unpacked root file system → the image that it is of.

Links are followed by hand, with the folder as their root: nothing outside of it is ever read. Nothing is run.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from mlpin.errors import InputError
from mlpin.image.model import Image
from mlpin.matrix.images import distribution
from mlpin.matrix.matrix import Matrix

_HOPS = 40
"""Links in one path, as in Linux."""
_LARGE = 16 << 20
_ENTRIES = 20_000
_BRANCHES = 500
"""Folders that one `*` stands for."""
_TRIPLETS = ("x86_64-linux-gnu", "aarch64-linux-gnu")
_LIBRARIES = tuple(
    f"{top}{name}" for name in (*(f"lib/{triplet}" for triplet in _TRIPLETS), "lib64", "lib") for top in ("", "usr/")
)
_BINARIES = (
    "usr/local/bin", "usr/bin", "bin", "opt/*/bin", "opt/conda/envs/*/bin", "opt/*/envs/*/bin", "opt/python/*/bin",
    "opt/uv/*/*/bin", "root/.local/share/uv/python/*/bin", "usr/local/share/uv/python/*/bin", "root/*/bin",
    "root/.pyenv/versions/*/bin", "usr/local/pyenv/versions/*/bin", "app/.venv/bin", "venv/bin", ".venv/bin",
    "workspace/.venv/bin", "home/*/.local/share/uv/python/*/bin", "home/*/*/bin", "home/*/.pyenv/versions/*/bin",
)  # fmt: skip
_OF_SYSTEM = ("usr/bin", "bin")
_MACHINES = {62: "x86_64", 183: "aarch64"}  # e_machine of ELF: EM_X86_64, EM_AARCH64


class _Root:
    """The folder as a file system of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def real(self, name: str) -> Path | None:
        """Where a path leads, without a link in it; None where it leads nowhere."""
        todo = [part for part in name.split("/") if part not in {"", "."}][::-1]
        done: list[str] = []
        hops = 0
        while todo:
            part = todo.pop()
            if part == "..":
                done = done[:-1]
                continue
            here = self.path.joinpath(*done, part)
            try:
                mode = here.lstat().st_mode
                target = os.readlink(here) if stat.S_ISLNK(mode) else None
            except (OSError, ValueError):
                return None
            if target is None:
                done.append(part)
                continue
            hops += 1
            if hops > _HOPS:
                return None
            done = [] if target.startswith("/") else done
            todo += [each for each in target.split("/") if each not in {"", "."}][::-1]
        return self.path.joinpath(*done)

    def names(self, folder: str) -> Sequence[str]:
        """The names in a folder, sorted; none where there is no such folder."""
        found = self.real(folder)
        try:
            return sorted(os.listdir(found))[:_ENTRIES] if found else ()
        except OSError:
            return ()

    def data(self, name: str, most: int = 1 << 20) -> bytes:
        """The first bytes of a regular file; none where it is not there, or is no file."""
        found = self.real(name)
        try:
            # A pipe or a device is no file, and may never answer.
            if found is None or not stat.S_ISREG(found.lstat().st_mode):
                return b""
            with os.fdopen(os.open(found, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
                return file.read(most)
        except (OSError, ValueError):
            return b""

    def text(self, name: str) -> str:
        return self.data(name).decode(errors="replace")

    def matching(self, pattern: str) -> Iterator[str]:
        """The folders that a path with `*` in it means."""
        head, star, rest = pattern.partition("*")
        if not star:
            yield pattern
            return
        head = head.rstrip("/")
        for name in self.names(head)[:_BRANCHES]:
            yield from self.matching(f"{head}/{name}{rest}")


def read(path: Path, shown: str, rules: Matrix) -> Image:
    """The image whose root the folder is. Raises `InputError` where it is none."""
    root = _Root(path)
    if not any(root.names(folder) for folder in ("etc", "usr", "bin", "lib")):
        for name in ("Dockerfile", "Containerfile"):
            if (path / name).is_file():
                raise InputError(
                    "is no root file system", where=shown, hint=f"name the file: {shown.rstrip('/')}/{name}"
                )
        raise InputError("is no root file system: it has none of etc, usr, bin and lib", where=shown)
    system = _system(root)
    libc, glibc = _libc(root)
    release = distribution(rules.distributions, system)
    if not libc and release and release.glibc and not root.names("lib/apk"):
        libc, glibc = "glibc", release.glibc
    folder, note = _toolkit(root)
    pythons, own = _pythons(root)
    return Image(
        f"the image in `{shown}`",
        shown,
        system=system,
        libc=libc,
        glibc=glibc,
        machine=_machine(root),
        pythons=pythons,
        for_python=own,
        cuda=_cuda(root, folder),
        cudnn=_cudnn(root, folder),
        nvcc=("yes" if root.real(f"{folder}/bin/nvcc") else "no") if folder else "",
        notes=(note,) if note else (),
    )


def _system(root: _Root) -> str:
    text = root.text("etc/os-release") or root.text("usr/lib/os-release")
    found = dict(re.findall(r"^(ID|VERSION_ID)=[\"']?([A-Za-z0-9._-]+)", text, re.MULTILINE))
    # The matrix names distributions as tags of images do.
    name = {"rocky": "rockylinux", "amzn": "amazonlinux", "ol": "oraclelinux", "rhel": "ubi"}.get(found.get("ID", ""))
    return f"{name or found.get('ID', '')} {found.get('VERSION_ID', '')}".strip()


def _libc(root: _Root) -> tuple[str, str]:
    for folder in _LIBRARIES:
        found = root.real(f"{folder}/libc.so.6")
        if found is None:
            continue
        if named := re.fullmatch(r"libc-(\d+\.\d+)\.so", found.name):
            return "glibc", named[1]
        data = root.data(f"{folder}/libc.so.6", _LARGE)
        if said := re.search(rb"GNU C Library[^\n]{0,200}? release version (\d+\.\d+)", data):
            return "glibc", said[1].decode()
        return "", ""
    there = root.names("lib")
    musl = any(name.startswith("ld-musl-") for name in there)
    compatible = any(name.startswith("ld-linux-") for name in [*there, *root.names("lib64")])
    return ("musl", "") if musl and not compatible else ("", "")


def _machine(root: _Root) -> str:
    for name in ("bin/sh", "usr/bin/env", "bin/busybox", *(f"{folder}/libc.so.6" for folder in _LIBRARIES)):
        head = root.data(name, 20)
        if head[:4] == b"\x7fELF" and len(head) == 20:
            return _MACHINES.get(int.from_bytes(head[18:20], "big" if head[5] == 2 else "little"), "")
    return ""


def _toolkit(root: _Root) -> tuple[str, str]:
    """The folder of the CUDA toolkit that counts, and why that is not known."""
    if root.names("usr/local/cuda"):
        return "usr/local/cuda", ""
    found = [name for name in root.names("usr/local") if re.fullmatch(r"cuda-\d+\.\d+", name)]
    if len(found) > 1:
        return "", f"it has {' and '.join(found)} in usr/local, and which one counts is not known"
    return (f"usr/local/{found[0]}", "") if found else ("", "")


def _cuda(root: _Root, folder: str) -> str:
    if not folder:
        return ""
    try:
        stated = json.loads(root.text(f"{folder}/version.json") or "{}")["cuda"]["version"]
        if isinstance(stated, str) and re.fullmatch(r"\d+(\.\d+)+", stated):
            return stated
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    if said := re.search(r"CUDA Version (\d+\.\d+)", root.text(f"{folder}/version.txt")):
        return said[1]
    for place in ("lib64", "lib", "targets/x86_64-linux/lib", "targets/sbsa-linux/lib"):
        for name in root.names(f"{folder}/{place}"):
            if named := re.fullmatch(r"libcudart\.so\.(\d+\.\d+)\.\d+", name):
                return named[1]
    return ""


def _cudnn(root: _Root, folder: str) -> str:
    places = (*_LIBRARIES, *((f"{folder}/lib64", f"{folder}/lib") if folder else ()))
    for place in places:
        for name in root.names(place):
            if named := re.fullmatch(r"libcudnn\.so\.(\d+\.\d+\.\d+)", name):
                return named[1]
    headers = ["usr/include", *(f"usr/include/{name}" for name in _TRIPLETS), f"{folder}/include"]
    for place in headers[: None if folder else -1]:
        text = root.text(f"{place}/cudnn_version.h")
        found = dict(re.findall(r"#define CUDNN_(MAJOR|MINOR|PATCHLEVEL) (\d+)", text))
        if len(found) == 3:
            return ".".join(found[part] for part in ("MAJOR", "MINOR", "PATCHLEVEL"))
    return ""


def _pythons(root: _Root) -> tuple[tuple[str, ...], bool]:
    """The minor versions of the Pythons that are there, and whether any is not the system's own."""
    found: set[str] = set()
    own = False
    for pattern in _BINARIES:
        for folder in root.matching(pattern):
            for name in root.names(folder):
                if (named := re.fullmatch(r"python(3\.\d+)", name)) and root.real(f"{folder}/{name}"):
                    found.add(named[1])
                    own = own or pattern not in _OF_SYSTEM
    return tuple(sorted(found, key=lambda text: int(text[2:]))), own
