"""What tests of more than one module need: servers that are closed again, and an environment of their own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.index.server import IndexServer
from tests.projects import Project


@pytest.fixture
def serve() -> Iterator[Callable[..., IndexServer]]:
    """Starts an index: `serve(wheel(…), wheel(…), json=False)`."""
    with ExitStack() as stack:

        def start(*files: Any, **behaviour: Any) -> IndexServer:
            return stack.enter_context(IndexServer(files, **behaviour))

        yield start


def hermetic(home: Path) -> dict[str, str]:
    """An environment without anybody's settings, at home in `home`."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.upper().startswith(("PIP_", "UV_", "MLPIN_", "GIT_", "XDG_", "CONDA_"))
        and "proxy" not in key.lower()
        and key not in {"NETRC", "CI", "VIRTUAL_ENV", "PYTHONPATH"}
    }
    return kept | {
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_CONFIG_DIRS": str(home / "etc"),
        "XDG_DATA_HOME": str(home / "data"),
        "PIP_CONFIG_FILE": os.devnull,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
    }


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The hermetic environment, set for this process too; its home is `tmp_path / "home"`."""
    home = tmp_path / "home"
    home.mkdir()
    wanted = hermetic(home)
    for key in set(os.environ) - set(wanted):
        monkeypatch.delenv(key)
    for key, value in wanted.items():
        monkeypatch.setenv(key, value)
    return wanted


@pytest.fixture
def project(
    environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Project:
    root = tmp_path / "project"
    root.mkdir()
    monkeypatch.chdir(root)
    return Project(root, capsys)
