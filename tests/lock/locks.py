"""Small locks as text and as values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tomli_w

from mlpin.hardware import files_target
from mlpin.lock.difference import Difference, difference
from mlpin.lock.locked import Lock, parsed
from mlpin.matrix.matrix import Matrix

TARGET = {"python": "3.11", "platform": "linux-x86_64", "glibc": "2.28"}
FLOOR = {"glibc": "2.28", "driver": "525.60.13", "gpus": "sm_70 sm_80 sm_90"}


def package(
    name: str, version: str = "1.0", /, *, line: str = "", tags: str = "py3-none-any", **more: Any
) -> dict[str, Any]:
    """A package with one wheel; `sha256`, `size` and `file` are the wheel's."""
    file = more.pop("file", f"{name.replace('-', '_')}-{version}-{tags}.whl")
    wheel: dict[str, Any] = {"name": file, "url": f"https://files.example/{file.replace('+', '%2B')}"}
    wheel["hashes"] = {"sha256": more.pop("sha256", "ab" * 32)}
    if (size := more.pop("size", None)) is not None:
        wheel["size"] = size
    found: dict[str, Any] = {"name": name, "version": version, "index": "https://index.example/simple"}
    if not {"wheels", "vcs", "directory", "archive", "sdist"} & more.keys():
        found["wheels"] = [wheel]
    if line:
        found["tool"] = {"mlpin": {"line": line}}
    return {key: value for key, value in {**found, **more}.items() if value is not None}


def conda(name: str, version: str = "1.0", build: str = "h0_0", /, **more: Any) -> dict[str, Any]:
    """The table of a conda package; `depends` and the like are its keys, `provides` too."""
    channel, subdir = more.pop("channel", "conda-forge"), more.pop("subdir", "linux-64")
    url = f"https://conda.example/{channel}/{subdir}/{name}-{version}-{build}.conda"
    found = {"name": name, "version": version, "build": build, "build-number": 0, "channel": channel, "subdir": subdir}
    return {**found, "url": url, "hashes": {"sha256": "ab" * 32, "md5": "cd" * 16}, **more}


def text(*packages: dict[str, Any], by: str = "mlpin", **more: Any) -> str:
    """A lock. `target`, `floor` and `own` are mlpin's own tables; other names are keys of the lock."""
    own = {"target": more.pop("target", TARGET), "floor": more.pop("floor", FLOOR)} if by == "mlpin" else {}
    own |= more.pop("own", {})
    tables = {"lock-version": "1.0", "created-by": by, **{key.replace("_", "-"): value for key, value in more.items()}}
    return tomli_w.dumps({**tables, "packages": list(packages), **({"tool": {"mlpin": own}} if own else {})})


def lock(text: str) -> Lock:
    return parsed(text.encode(), Path("pylock.toml"), "pylock.toml")


def differing(old: str, new: str) -> Difference:
    """What differs between the texts of two locks."""
    rules = Matrix.shipped()
    before, after = lock(old), lock(new)
    return difference(before, files_target(before.stated, rules), after, files_target(after.stated, rules), rules)
