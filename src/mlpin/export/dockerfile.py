"""A lock as a Dockerfile: a base image that serves it, an environment made by uv in a cached layer, no root."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from mlpin.errors import InputError
from mlpin.export.base import Base, base_of, uv_image
from mlpin.export.model import Exported, printable, public
from mlpin.lock.conda import LockedConda
from mlpin.lock.locked import LockedPackage
from mlpin.lock.runtime import compiled, own_cuda
from mlpin.report.wrap import wrapped

if TYPE_CHECKING:
    from mlpin.target import Target

_VENV = "/opt/venv"
_PYTHONS = "/opt/python"
_PREFIX = "/opt/env"
_PLAIN = re.compile(r"[\w.][\w./+~@!-]*")
"""A path that means itself in a COPY."""
_SSH = re.compile(r"(git\+)?ssh://|[\w.-]+@[\w.-]+:(?!//)")


def dockerfile(exported: Exported) -> str:
    """The Dockerfile, to be built in the lock's folder. Raises `InputError` where there can be none."""
    target, lock = exported.target, exported.lock
    if target is None:
        raise InputError(
            "the lock does not say which Python and platform it is for",
            where=lock.shown,
            hint="`mlpin lock` makes one that does, for each target",
        )
    if target.platform.system != "linux":
        raise InputError(
            f"a Dockerfile is for Linux, and this lock is for {target.platform.kind}",
            where=lock.shown,
            hint="lock for a target on Linux as well",
        )
    if not lock.path.name.isprintable():
        raise InputError(
            f"`{printable(lock.path.name)}` cannot be written into a Dockerfile",
            where=lock.shown,
            hint="rename the lock",
        )
    base = base_of(lock, target, exported.matrix)
    paths = _paths(exported)
    build = _conda_build if lock.conda else _build
    blocks = [
        _header(exported, target, base),
        build(exported, target, base, paths),
        _run(exported, target, base, paths),
    ]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _header(exported: Exported, target: Target, base: Base) -> Sequence[str]:
    lines = ["# syntax=docker/dockerfile:1"]
    lock = exported.lock
    lines += wrapped(f"Made by `mlpin export` from {lock.path.name}, for {target}. Build it there.", "# ", "# ")
    notes = [f"{base.why[0].upper()}{base.why[1:]}."] if base.why else []
    if _gpu(exported, target):
        stated = lock.floor.get("driver")
        floor = printable(stated) if isinstance(stated, str) else ""
        needs = f"the NVIDIA driver {floor} or newer" if floor else "NVIDIA's driver"
        notes.append(f"The host needs {needs} and the NVIDIA Container Toolkit: `docker run --gpus all`.")
    for note in notes:
        lines += wrapped(note, "# ", "# ")
    return lines


def _build(exported: Exported, target: Target, base: Base, paths: Sequence[str]) -> Iterator[str]:
    """The stage that makes the environment."""
    trees = {package.tree.place for package in exported.packages if package.tree}
    yield f"FROM {_platform(target)}{base.build} AS build"
    if tools := _tools(exported):
        yield "RUN apt-get update \\"
        yield f"    && apt-get install -y --no-install-recommends {' '.join(tools)} \\"
        yield "    && rm -rf /var/lib/apt/lists/*"
    yield f"COPY --from={uv_image(exported.matrix)} /uv /usr/local/bin/"
    place = "" if base.python else f" UV_PYTHON_INSTALL_DIR={_PYTHONS}"
    yield f"ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy{place}"
    if base.python:
        yield f"RUN python -m venv --without-pip {_VENV}"
    else:
        yield f"RUN uv venv --python {target.python} --managed-python {_VENV}"
    yield "WORKDIR /app"
    yield _copy(exported.lock.path.name)
    for path in paths:
        yield _copy(path, tree=path in trees)
    yield from _sync(exported, f"uv pip sync --python {_VENV}")


def _conda_build(exported: Exported, target: Target, base: Base, paths: Sequence[str]) -> Iterator[str]:
    """The stage that makes a conda environment of the explicit file, and installs what is of PyPI into it."""
    file = exported.lock.conda_file
    if file is None:
        raise InputError(
            "the lock names no file with its conda packages",
            where=exported.lock.shown,
            hint="`mlpin lock` writes one beside the lock",
        )
    trees = {package.tree.place for package in exported.packages if package.tree}
    yield f"FROM {_platform(target)}{base.build} AS build"
    yield "USER root"
    if tools := _tools(exported):
        yield "RUN apt-get update \\"
        yield f"    && apt-get install -y --no-install-recommends {' '.join(tools)} \\"
        yield "    && rm -rf /var/lib/apt/lists/*"
    yield "WORKDIR /app"
    yield _copy(file[0])
    for path in paths:
        yield _copy(path, tree=path in trees)
    yield "RUN --mount=type=cache,target=/opt/conda/pkgs \\"
    yield f"    micromamba create -y --always-copy -p {_PREFIX} -f {shlex.quote(file[0])}"
    if not exported.packages:
        return
    yield f"COPY --from={uv_image(exported.matrix)} /uv /usr/local/bin/"
    yield "ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy"
    yield _copy(exported.lock.path.name)
    # `sync` would take away what conda has installed.
    yield from _sync(exported, f"uv pip install --no-deps --python {_PREFIX}/bin/python -r")


def _sync(exported: Exported, command: str) -> Iterator[str]:
    """The step in which uv installs the lock, with what that must be given."""
    mounts = ["--mount=type=cache,target=/root/.cache/uv"]
    if others := _other_indexes(exported):
        yield from wrapped(f"If {' or '.join(others)} wants a password:", "# ", "# ")
        yield "# docker build --secret id=netrc,src=$HOME/.netrc ."
        mounts.append("--mount=type=secret,id=netrc,target=/root/.netrc")
    if any(package.tree and _SSH.match(package.tree.place) for package in exported.packages):
        yield "# A repository is fetched by ssh: docker build --ssh default ."
        mounts.append("--mount=type=ssh")
    if built := [package.name for package in compiled(exported.lock, exported.matrix)]:
        names = f"`{'`, `'.join(built)}`"
        said = f"{names} is compiled here. If its build wants torch, install that and its build tools in a step before"
        yield from wrapped(f"{said}, and add --no-build-isolation.", "# ", "# ")
    yield f"RUN {' '.join(mounts)} \\"
    name = exported.lock.path.name
    yield f"    {command} {shlex.quote(f'./{name}' if name.startswith('-') else name)}"


def _run(exported: Exported, target: Target, base: Base, paths: Sequence[str]) -> Iterator[str]:
    """The stage that is kept: the environment, and a user who is not root."""
    yield f"FROM {_platform(target)}{base.run}"
    prefix = _PREFIX if exported.lock.conda else _VENV
    if not base.python and prefix == _VENV:
        yield f"COPY --from=build {_PYTHONS} {_PYTHONS}"
    yield f"COPY --from=build {prefix} {prefix}"
    yield f"ENV PATH={prefix}/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1"
    if exported.lock.conda:
        yield f"ENV CONDA_PREFIX={prefix}"
    if _gpu(exported, target):
        yield "ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility"
    yield "RUN useradd --create-home --shell /bin/bash app"
    yield "USER app"
    yield "WORKDIR /app"
    kept = {package.tree.place for package in exported.packages if package.tree and package.tree.editable}
    for path in sorted(kept.intersection(paths)):
        yield _copy(path, tree=True)
    yield "# Your own code comes here: COPY --chown=app . ."
    yield 'CMD ["python"]'


def _gpu(exported: Exported, target: Target) -> bool:
    accelerator = target.hardware.accelerator
    if accelerator:
        return accelerator == "cuda"
    by_conda = any("__cuda" in package.needs for package in exported.lock.conda)
    return by_conda or bool(own_cuda(exported.lock, exported.matrix))


def _platform(target: Target) -> str:
    """Locked wheels are for one processor, whatever the one that builds the image has."""
    return f"--platform=linux/{'arm64' if target.platform.machine == 'aarch64' else 'amd64'} "


def _tools(exported: Exported) -> Sequence[str]:
    """Packages of the distribution that are needed to build and fetch what is no wheel."""
    sources = [
        package
        for package in exported.packages
        if package.tree or not any(file.kind == "wheel" for file in package.files)
    ]
    git = any(package.tree and package.tree.kind == "vcs" for package in sources)
    ssh = any(package.tree and _SSH.match(package.tree.place) for package in sources)
    compilers = ["build-essential"] if sources else []
    # The images of distributions have no certificates, and uv brings its own for all but git.
    return [*compilers, *(["ca-certificates", "git"] if git else []), *(["openssh-client"] if ssh else [])]


def _paths(exported: Exported) -> Sequence[str]:
    """Files and folders beside the lock that are installed. Raises `InputError` for one outside of its folder."""
    found = set()
    packages: list[LockedPackage | LockedConda] = [*exported.packages, *exported.lock.conda]
    for package in packages:
        for place in _local(package):
            path = PurePosixPath(place)
            if path.is_absolute() or ".." in path.parts:
                raise InputError(
                    f"{package.name} is locked from `{place}`, outside of the folder that an image is built in",
                    where=f"{exported.lock.shown}:{package.line}" if package.line else exported.lock.shown,
                    hint="put the lock and what it names into one folder",
                )
            found.add(place)
    return sorted(found)


def _local(package: LockedPackage | LockedConda) -> Sequence[str]:
    """The paths that a package is installed from."""
    if isinstance(package, LockedConda):
        return [package.url] if package.is_local else []
    places = [file.path for file in package.files if file.path and not file.url]
    if package.tree and "://" not in package.tree.place and not _SSH.match(package.tree.place):
        places.append(package.tree.place)
    return places


def _copy(path: str, *, tree: bool = False) -> str:
    """A COPY of a file, or a folder, to where it lies below the work folder."""
    path = str(PurePosixPath(path))
    # Of a folder, what is in it is copied.
    to = f"./{path}/" if tree and path != "." else "./" if "/" not in path else f"./{path}"
    if _PLAIN.fullmatch(path):
        return f"COPY {path} {to}"
    # The source is a pattern, and in both words Docker takes quotes and variables for its own.
    words = [re.sub(r"([*?\[])", r"[\1]", f"./{path}"), to]
    escaped = [re.sub(r"([\\$'\"])", r"\\\1", word) for word in words]
    return f"COPY {json.dumps(escaped, ensure_ascii=False)}"


def _other_indexes(exported: Exported) -> Sequence[str]:
    """Hosts of indexes that are nobody's known ones, and so may want a password."""
    bases = [exported.default_index, *(family.base for family in exported.matrix.tables.families)]
    known = {_host(base) for base in bases}
    return sorted({_host(public(index)) for index in exported.indexes} - known - {""})


def _host(url: str) -> str:
    from urllib.parse import urlsplit

    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
