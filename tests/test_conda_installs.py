"""Environments of conda's, locked and installed for real: packages are linked, pip runs inside, check looks at them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conda.channels import PLAIN, ZST, ChannelServer, Package, channel, package
from tests.conda.prefix import HERE, Prefix, carrier, pip, python, subdir
from tests.conftest import hermetic
from tests.index.server import IndexServer
from tests.projects import Project, Ran
from tests.test_installers import PIP, UV, _pip_version
from tests.wheels import wheel

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the packages have programs of Unix")

CONDA = {"tinylib": "h1_0", "python": "0_cpython", "pip": "pyh_0", "corelib": "py_0", "numpyish": "py_0"}
INSTALLED = {"app": ("1", "pip"), "dep": ("1", "pip"), "corelib": ("3", "conda"), "numpyish": ("1.5", "conda")}


def packages() -> list[Package]:
    return [
        python(),
        pip(),
        package("tinylib", "1.2", "h1_0", subdir=subdir(), files={"lib/libtiny.so.1": b"\x7fELF 1"}),
        package("tinylib", "1.2", "h2_1", subdir=subdir(), files={"lib/libtiny.so.1": b"\x7fELF 2"}),
        carrier("numpyish", "1.5", script="numpyish"),
        carrier("numpyish", "2.0", script="numpyish"),
        carrier("corelib", "3", constrains=["numpyish <2"], kind="tar.bz2"),
        carrier("other", "1"),
    ]


def environment(url: str, *lines: str) -> str:
    wanted = [f"python={HERE}", "tinylib=1.2=h1*", "corelib", "numpyish", "pip", *lines]
    return f"channels: [{url}]\ndependencies:\n" + "".join(f"  - {line}\n" for line in wanted)


def mlpin(*arguments: str, cwd: Path, environ: Mapping[str, str]) -> Ran:
    """mlpin as a user runs it."""
    command = [sys.executable, "-m", "mlpin", *arguments]
    done = subprocess.run(command, cwd=cwd, env=environ, capture_output=True, text=True, check=False, timeout=60)
    assert "Traceback" not in done.stderr
    return Ran(done.returncode, done.stdout, done.stderr)


# -- locked, linked, installed by pip, checked


class Site(NamedTuple):
    """A project with a lock, servers of what is in it, and an environment made of it."""

    root: Path
    channel: str
    index: IndexServer
    prefix: Prefix

    def check(self, prefix: Path) -> Ran:
        return mlpin("check", "--env", str(prefix), cwd=self.root, environ=self.prefix.environ)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """pip's part is installed by the pip that conda's part brings."""
    if _pip_version() < PIP:
        pytest.skip(f"pip {PIP[0]}.{PIP[1]} or newer is not installed for {sys.executable}: it reads no pylock.toml")
    base = tmp_path_factory.mktemp("site")
    for name in ("home", "project"):
        (base / name).mkdir()
    channel(base / "channels/one", *packages(), forms=(PLAIN, ZST))
    wheels = [wheel("app", "1", ["numpyish>=1", "dep"]), wheel("dep", "1"), wheel("numpyish", "1.9")]
    with ChannelServer(base / "channels") as channels, IndexServer(wheels) as index:
        prefix = Prefix(base / "prefix", hermetic(base / "home"))
        made = Site(base / "project", f"{channels.url}/one", index, prefix)
        (made.root / "environment.yml").write_text(environment(made.channel, "pip: [app]"))
        ran = mlpin("lock", "--index-url", index.url, cwd=made.root, environ=prefix.environ)
        assert ran.code == 0, ran.words
        prefix.link(made.root / "conda.lock")
        prefix.pip("install", "-r", "pylock.toml", cwd=made.root)
        yield made


def test_what_is_locked_is_installed(site: Site) -> None:
    assert site.prefix.conda() == CONDA
    there = site.prefix.distributions()
    assert {name: said for name, said in there.items() if name != "pip"} == INSTALLED
    assert there["pip"][1] == "conda"
    code = "import app, dep, corelib, numpyish, sys; print(sys.prefix, numpyish.__version__)"
    assert site.prefix.run("-c", code).split() == [str(site.prefix.path), "1.5"]
    assert site.prefix.run(site.prefix.path / "bin/numpyish") == "1.5\n"
    ran = site.check(site.prefix.path)
    assert (ran.code, ran.words) == (0, "No drift: manifest, lock, matrix and env, with 7 packages in pylock.toml")


def test_the_files_are_the_ones_that_the_channel_has(site: Site) -> None:
    lines = [line for line in (site.root / "conda.lock").read_text().splitlines() if "://" in line]
    files = {f"{site.channel}/{one.subdir}/{one.filename}#{hashlib.md5(one.data).hexdigest()}" for one in packages()}
    assert len(lines) == len(CONDA)
    assert files.issuperset(lines)


def relinked(site: Site, prefix: Prefix, *, without: str = "", more: str = "") -> None:
    """What a conda client makes of other wishes: the file with lines left out and added."""
    lines = (site.root / "conda.lock").read_text().splitlines()
    lines = [line for line in lines if not without or f"/{without}-" not in line]
    wanted = [one for one in packages() if one.filename == more]
    lines += [f"{site.channel}/{one.subdir}/{one.filename}#{one.record['md5']}" for one in wanted]
    file = prefix.path.with_name("other.lock")
    file.write_text("\n".join(lines))
    prefix.link(file)


Disturb = Callable[[Site, Prefix], object]


@pytest.mark.parametrize(
    ("disturb", "words"),
    [
        pytest.param(
            lambda site, prefix: relinked(site, prefix, without="tinylib", more="tinylib-1.2-h2_1.conda"),
            "conda's tinylib 1.2 h2_1 is installed, the lock has 1.2 h1_0",
            id="build",
        ),
        pytest.param(
            lambda site, prefix: relinked(site, prefix, without="numpyish", more="numpyish-2.0-py_0.conda"),
            "conda's numpyish 2.0 py_0 is installed, the lock has 1.5 py_0",
            id="version",
        ),
        pytest.param(
            lambda site, prefix: relinked(site, prefix, without="tinylib"),
            "conda's tinylib 1.2 h1_0 is in the lock, but not installed",
            id="removed",
        ),
        pytest.param(
            lambda site, prefix: relinked(site, prefix, more="other-1-py_0.conda"),
            "conda's other 1 py_0 is installed, but not in the lock",
            id="added",
        ),
        pytest.param(
            lambda site, prefix: prefix.pip("install", "-U", "numpyish", "-i", site.index.url),
            "numpyish 1.9 was installed by pip, the lock has it as conda's numpyish 1.5 py_0",
            id="pip-over-conda",
        ),
        pytest.param(
            lambda site, prefix: prefix.pip("uninstall", "-y", "numpyish"),
            "numpyish",
            id="pip-removes-conda",
        ),
        pytest.param(
            lambda site, prefix: prefix.pip("uninstall", "-y", "dep"), "dep 1 is in the lock, but not installed", id="pip"
        ),
    ],
)
def test_what_is_disturbed_is_found(site: Site, tmp_path: Path, disturb: Disturb, words: str) -> None:
    prefix = site.prefix._replace(path=tmp_path / "prefix")
    shutil.copytree(site.prefix.path, prefix.path, symlinks=True)
    assert site.check(prefix.path).code == 0
    disturb(site, prefix)
    ran = site.check(prefix.path)
    assert ran.code == 1
    assert words in ran.words
    assert "1 error" in ran.words


def test_a_file_that_is_not_the_locked_one(site: Site, tmp_path: Path) -> None:
    """The same name, version and build, built anew: no client links it, and one that was linked is found."""
    other = carrier("numpyish", "1.5", script="numpyish", files={"more.py": ""})
    root = channel(tmp_path / "channels/one", *(one for one in packages() if one.filename != other.filename), other)
    text = (site.root / "conda.lock").read_text().replace(site.channel, root.as_uri())
    (tmp_path / "conda.lock").write_text(text)
    prefix = site.prefix._replace(path=tmp_path / "prefix")
    with pytest.raises(Exception, match="(?i)hash|checksum|mismatch"):
        prefix.link(tmp_path / "conda.lock")
    locked = next(one for one in packages() if one.filename == other.filename)
    (tmp_path / "conda.lock").write_text(text.replace(locked.record["md5"], other.record["md5"]))
    prefix.link(tmp_path / "conda.lock")
    ran = site.check(prefix.path)
    print(ran.words)
    said = f"conda's numpyish 1.5 py_0 was installed from another file than is locked: its md5 is {other.record['md5']}"
    assert (ran.code, said in ran.words) == (1, True)


@pytest.mark.skipif(not UV.exists(), reason=f"uv is not installed beside {sys.executable}")
@pytest.mark.parametrize("command", ["install", "sync"])
def test_uv(site: Site, tmp_path: Path, command: str) -> None:
    prefix = site.prefix._replace(path=tmp_path / "prefix")
    prefix.link(site.root / "conda.lock")
    done = subprocess.run(
            [UV, "pip", command, "--no-deps", "-r", "pylock.toml", "--python", prefix.python] if command == "install" else [UV, "pip", command, "pylock.toml", "--python", prefix.python],
            cwd=site.root, env=prefix.environ, capture_output=True, text=True, check=False,
        )
    print(done, prefix.distributions())
    assert 0
