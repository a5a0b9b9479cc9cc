"""A directory with a manifest, and mlpin as a user runs it there."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from packaging.pylock import Pylock

from mlpin import cli
from tests.index.server import IndexServer


class Ran(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def words(self) -> str:
        """All that was printed, however it was wrapped."""
        return " ".join((self.out + self.err).split())


class Project:
    """A directory with a manifest, and `mlpin lock` in it, in this process."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root = root
        self._capsys = capsys
        self.log = ""

    def requires(self, *lines: str, more: str = "", mlpin: str = "") -> None:
        items = ", ".join(json.dumps(line) for line in lines)
        self.write(
            "pyproject.toml",
            f'[project]\nname = "mine"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = [{items}]\n{more}\n'
            f'[tool.mlpin]\nplatform = "linux-x86_64"\n{mlpin}\n',
        )

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def lock(self, *arguments: str, index: IndexServer | None = None) -> Ran:
        given = ["lock", *arguments, "--retries", "0"]
        if index is not None:
            given += ["--index-url", index.url]
        return self.run(*given)

    def run(self, *arguments: str) -> Ran:
        """Any command."""
        code = cli.main(list(arguments))
        printed = self._capsys.readouterr()
        self.log += printed.out + printed.err
        assert "Traceback" not in printed.err
        assert "has a defect" not in printed.err, printed.err
        return Ran(code, printed.out, printed.err)

    def locked(self, *arguments: str, index: IndexServer | None = None, name: str = "pylock.toml") -> dict[str, str]:
        """Lock, which must do, and what is then in the lock."""
        ran = self.lock(*arguments, index=index)
        assert ran.code == 0, ran.words
        return self.versions(name)

    def tables(self, name: str = "pylock.toml") -> dict[str, Any]:
        return tomllib.loads((self.root / name).read_text())

    def versions(self, name: str = "pylock.toml") -> dict[str, str]:
        Pylock.from_dict(self.tables(name))
        return {package["name"]: package.get("version", "") for package in self.tables(name)["packages"]}

    @property
    def text(self) -> str:
        return (self.root / "pylock.toml").read_text()
