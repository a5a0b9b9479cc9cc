"""Lock and environment: real environments that pip and uv make from our lock, disturbed one thing at a time."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from mlpin import cli, snapshot
from mlpin.check import environment, recorded
from mlpin.check.model import Drift
from mlpin.lock import locked
from mlpin.stack import distributions
from mlpin.target import Target, parse_platform
from tests.conftest import hermetic
from tests.index.server import IndexServer
from tests.stack.test_installed import info
from tests.test_installers import HERE, PIP, UV, Venv, _pip_version
from tests.test_snapshot import NODE
from tests.wheels import wheel

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="environments as Linux has them")

BACKEND = """
import os, sys
from local_wheels import wheel
def build_wheel(folder, config_settings=None, metadata_directory=None):
    built = wheel("sub", "7")
    with open(os.path.join(folder, built.filename), "wb") as file:
        file.write(built.data)
    return built.filename
"""
PLAIN = Target("", HERE, parse_platform("linux-x86_64"))
SOME = "../../../bin/app (changed), app.py (gone), app/__init__.py (gone) and 1 more"
HASH = "a" * 64


class Checkout(NamedTuple):
    """A lock, and an environment that was made from it."""

    lock: Path
    env: Path

    @property
    def site(self) -> Path:
        return self.env / "lib" / f"python{HERE}" / "site-packages"

    def drifts(self, **how: Any) -> list[Drift]:
        lock = locked.read(self.lock, "pylock.toml")
        assert lock is not None
        return list(environment.drifts(lock, PLAIN, distributions.read(self.env, "env"), **how))


def kinds(found: list[Drift]) -> list[tuple[str, str]]:
    return [(one.kind, one.package) for one in found]


@pytest.fixture(scope="module", params=["pip", "uv"])
def template(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    if (request.param == "pip" and _pip_version() < PIP) or not UV.exists():
        pytest.skip(f"this {request.param} cannot install a lock")
    root = tmp_path_factory.mktemp(request.param)
    google = b"__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"
    entry = b"[console_scripts]\nNAME=lib:main\n"
    wheels = [
        wheel(
            "app",
            "2.0",
            ["lib>=1"],
            first={"app/__init__.py": b"", "app/data.bin": b"data", "tests/__init__.py": b"app"},
            last={
                "app-2.0.dist-info/entry_points.txt": entry.replace(b"NAME", b"app"),
                "app-2.0.data/scripts/tool": b"#!python\nprint()\n",
                "app-2.0.data/data/share/app.cfg": b"x",
                "app-2.0.data/data/share/app.doc": b"x",
            },
        ),
        wheel("lib", "1.5", first={"tests/__init__.py": b"lib", "LICENSE": b"MIT"}),
        wheel("speed", "2.6.0+cu124", first={"google/__init__.py": google, "google/a.py": b"", "LICENSE": b"BSD"}),
        wheel("gcs", "1.0", first={"google/__init__.py": google, "google/b.py": b""}),
        wheel("windows-only", "1.0"),
    ]
    arch = wheel("arch", "1.0")
    (root / "sub" / "backend").mkdir(parents=True)
    (root / "sub" / "backend" / "local_wheels.py").write_text(
        Path(__file__).parents[1].joinpath("wheels.py").read_text()
    )
    (root / "sub" / "backend" / "local_backend.py").write_text(BACKEND)
    (root / "sub" / "pyproject.toml").write_text(
        '[project]\nname = "sub"\nversion = "7"\n[build-system]\nrequires = []\n'
        'build-backend = "local_backend"\nbackend-path = ["backend"]\n'
    )
    with IndexServer(wheels) as index, IndexServer([arch]) as files, pytest.MonkeyPatch.context() as patch:
        lines = ["app", "speed", "gcs", f"arch @ {files.root}/files/{arch.filename}", "./sub"]
        (root / "requirements.txt").write_text("\n".join(lines))
        environ = hermetic(root)
        for key in set(os.environ) - set(environ):
            patch.delenv(key)
        for key, value in environ.items():
            patch.setenv(key, value)
        patch.chdir(root)
        assert cli.main(["lock", "requirements.txt", "-q", "--python", HERE, "--index-url", index.url]) == 0
        venv = Venv(root / "venv", request.param, environ)
        done = venv.install(root / "pylock.toml", trees=True)
        assert done.returncode == 0, done.stderr
    yield Checkout(root / "pylock.toml", root / "venv")


@pytest.fixture
def made(template: Checkout) -> Iterator[Checkout]:
    """The environment, where it was made, as it was made."""
    spare = template.env.with_name("spare")
    shutil.copytree(template.env, spare, symlinks=True)
    lock = template.lock.read_text()
    yield template
    shutil.rmtree(template.env)
    spare.rename(template.env)
    template.lock.write_text(lock)


def write(path: Path, content: str) -> None:
    """A file of its own: uv links into its cache."""
    path.unlink(missing_ok=True)
    path.write_text(content)


def rewrite(path: Path, interpreter: str) -> None:
    """Another interpreter, and nothing else."""
    write(path, f"#!{interpreter}\n{path.read_text().partition(chr(10))[2]}")


def cut(path: Path) -> None:
    """In the middle of its last line."""
    write(path, path.read_text()[:-5])


def rename(site: Path, old: str, new: str, version: str) -> None:
    """Another version of what is installed."""
    folder = (site / f"{old}.dist-info").rename(site / f"{new}.dist-info")
    text = (folder / "METADATA").read_text()
    write(
        folder / "METADATA",
        "\n".join(
            f"Version: {version}" if "Version: " in line and "Meta" not in line else line for line in text.split("\n")
        ),
    )
    write(folder / "RECORD", (folder / "RECORD").read_text().replace(old, new).replace("METADATA,", "METADATA,,#"))


def direct(made: Checkout, name: str, stated: Mapping[str, Any] | None) -> None:
    path = made.site / f"{name}.dist-info" / "direct_url.json"
    path.unlink(missing_ok=True)
    if stated is not None:
        path.write_text(json.dumps(stated))


DISTURBED: dict[str, tuple[Callable[[Checkout], object], list[tuple[str, str]]]] = {
    "nothing": (lambda it: None, []),
    "uninstalled": (lambda it: shutil.rmtree(it.site / "lib-1.5.dist-info"), [("missing", "lib")]),
    "broken": (lambda it: (it.site / "lib-1.5.dist-info" / "METADATA").unlink(), [("missing", "lib")]),
    "added": (lambda it: info(it.site, "ipdb", "0.13"), [("extra", "ipdb")]),
    "tools": (lambda it: [info(it.site, name, "9") for name in ("pip", "setuptools", "wheel", "uv", "mine")], []),
    "upgraded": (lambda it: rename(it.site, "lib-1.5", "lib-1.6", "1.6"), [("version", "lib")]),
    "same version, other words": (lambda it: rename(it.site, "lib-1.5", "lib-1.5.0", "1.5.0"), []),
    "other build": (lambda it: rename(it.site, "speed-2.6.0+cu124", "speed-2", "2.6.0+cu126"), [("build", "speed")]),
    "no label": (lambda it: rename(it.site, "speed-2.6.0+cu124", "speed-2", "2.6.0"), [("build", "speed")]),
    "a label": (lambda it: rename(it.site, "lib-1.5", "lib-1.5+cpu", "1.5+cpu"), [("build", "lib")]),
    "two versions": (lambda it: info(it.site, "lib", "1.4"), [("duplicate", "lib")]),
    "edited": (lambda it: write(it.site / "app/__init__.py", "x"), [("changed", "app")]),
    "edited, same size": (lambda it: write(it.site / "app/data.bin", "atad"), [("changed", "app")]),
    "gone": (lambda it: (it.site / "lib.py").unlink(), [("changed", "lib")]),
    "a directory": (lambda it: ((it.site / "lib.py").unlink(), (it.site / "lib.py").mkdir()), [("changed", "lib")]),
    "metadata edited": (lambda it: write(it.site / "lib-1.5.dist-info/WHEEL", "x"), [("changed", "lib")]),
    "script edited": (lambda it: write(it.env / "bin/app", "#!/bin/sh\n"), [("changed", "app")]),
    "script gone": (lambda it: (it.env / "bin/tool").unlink(), [("changed", "app")]),
    "data edited": (lambda it: write(it.env / "share/app.cfg", "y"), [("changed", "app")]),
    "scripts left behind": (lambda it: shutil.rmtree(it.env / "bin"), []),
    "scripts rewritten": (lambda it: [rewrite(it.env / "bin" / name, "/new/python") for name in ("app", "tool")], []),
    "script edited, the other rewritten": (
        lambda it: [rewrite(it.env / "bin" / "app", "/new/python"), write(it.env / "bin" / "tool", "cat")],
        [("changed", "app")],
    ),
    "one interpreter": (lambda it: rewrite(it.env / "bin" / "app", "/new/python"), [("changed", "app")]),
    "data tree left behind": (lambda it: shutil.rmtree(it.env / "share"), []),
    "all data edited": (
        lambda it: [write(it.env / "share" / name, "y") for name in ("app.cfg", "app.doc")],
        [("changed", "app")],
    ),
    "all data gone": (
        lambda it: [(it.env / "share" / name).unlink() for name in ("app.cfg", "app.doc")],
        [("changed", "app")],
    ),
    "RECORD gone": (lambda it: (it.site / "lib-1.5.dist-info/RECORD").unlink(), [("changed", "lib")]),
    "RECORD empty": (lambda it: write(it.site / "lib-1.5.dist-info/RECORD", ""), [("changed", "lib")]),
    "RECORD of garbage": (lambda it: write(it.site / "lib-1.5.dist-info/RECORD", "x\0" * 99), [("changed", "lib")]),
    "RECORD cut short": (lambda it: cut(it.site / "lib-1.5.dist-info/RECORD"), [("changed", "lib")]),
    "RECORD of others": (
        lambda it: (
            (it.site / "lib-1.5.dist-info/RECORD").unlink(),
            write(it.site / "lib-1.5.dist-info/INSTALLER", "Poetry"),
        ),
        [],
    ),
    "installer's notes": (lambda it: write(it.site / "lib-1.5.dist-info/INSTALLER", "pdm"), []),
    "compiled": (lambda it: [shutil.rmtree(path) for path in it.site.glob("**/__pycache__")], []),
    "namespace edited": (
        lambda it: write(it.site / "google/__init__.py", "#"),
        [("changed", "gcs"), ("changed", "speed")],
    ),
    "other commit": (
        lambda it: direct(it, "lib-1.5", {"url": "https://x.example/l", "vcs_info": {"commit_id": "abcdef12"}}),
        [("source", "lib")],
    ),
    "a checkout": (lambda it: direct(it, "lib-1.5", {"url": "file:///x", "dir_info": {}}), [("source", "lib")]),
    "from an index": (lambda it: direct(it, "sub-7", None), [("source", "sub")]),
    "other archive": (
        lambda it: direct(it, "arch-1.0", {"url": "https://x.example/a", "archive_info": {"hash": f"sha256={HASH}"}}),
        [("source", "arch")],
    ),
    "archive without a hash": (lambda it: direct(it, "arch-1.0", {"url": "file:///a.whl", "archive_info": {}}), []),
    "other Python": (
        lambda it: (
            write(it.env / "pyvenv.cfg", "version = 3.99.1\n") or (it.site.parent.rename(it.env / "lib/python3.99"))
        ),
        [("python", "")],
    ),
}


@pytest.mark.parametrize("name", DISTURBED)
def test_one_thing_is_disturbed(made: Checkout, name: str) -> None:
    disturb, expected = DISTURBED[name]
    disturb(made)
    found = made.drifts(own=frozenset({"mine"}))
    assert kinds(found) == expected, [one.message for one in found]
    assert {one.severity for one in found} <= {"error"}
    lines = made.lock.read_text().split("\n")
    for one in found:
        assert one.check == "env"
        if one.kind == "extra":
            assert one.place == "env"
        elif one.package:
            assert one.file == "pylock.toml"
            assert lines[one.line - 1 : one.line + 1] == ["[[packages]]", f'name = "{one.package}"']


def test_what_is_said(made: Checkout) -> None:
    shutil.rmtree(made.site / "gcs-1.0.dist-info")
    info(made.site, "ipdb", "0.13")
    rename(made.site, "speed-2.6.0+cu124", "speed-2", "2.6.0+cu126")
    for name in ("app.py", "app/__init__.py", "app/data.bin"):
        (made.site / name).unlink()
    write(made.env / "bin" / "app", "#!")
    direct(made, "lib-1.5", {"url": "https://me:secret@x.example/l", "vcs_info": {"commit_id": "a" * 40}})
    (made.site / "sub-7.dist-info" / "METADATA").unlink()
    assert [one.message for one in made.drifts()] == [
        "gcs 1.0 is in the lock, but not installed",
        f"lib 1.5 was installed from commit {'a' * 12} of https://x.example/l, the lock has lib-1.5-py3-none-any.whl",
        "speed 2.6.0+cu126 is installed, the lock has 2.6.0+cu124",
        "sub is in the lock, but what is installed is broken (sub-7.dist-info: its METADATA is broken)",
        f"4 files of app 2.0 are not as installed: {SOME}",
        "ipdb 0.13 is installed, but not in the lock",
    ]


def test_markers_that_do_not_hold_there(made: Checkout) -> None:
    text = made.lock.read_text()
    name = '[[packages]]\nname = "lib"\nversion = "1.5"'
    for marker, expected in (
        ("sys_platform == 'win32'", []),
        (f"python_full_version >= '{HERE}.0'", [("missing", "lib")]),
        ("'dev' in dependency_groups", []),
        ("nonsense ~ 1", []),
    ):
        made.lock.write_text(text.replace(name, f'{name}\nmarker = "{marker}"'))
        assert kinds(made.drifts()) == []
        hidden = (made.site / "lib-1.5.dist-info").rename(made.site / "hidden")
        assert kinds(made.drifts()) == expected, marker
        hidden.rename(made.site / "lib-1.5.dist-info")


def test_large_files_are_compared_by_their_size(made: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded, "HASHED", 3)
    write(made.site / "app/data.bin", "atad")
    assert made.drifts() == []
    assert kinds(made.drifts(deep=True)) == [("changed", "app")]
    write(made.site / "app/data.bin", "data.")
    assert kinds(made.drifts()) == [("changed", "app")]


def test_an_environment_that_was_moved(made: Checkout, tmp_path: Path) -> None:
    moved = shutil.copytree(made.env, tmp_path / "elsewhere", symlinks=True)
    assert made._replace(env=moved).drifts() == []
    for path in (moved, moved / "bin" / "python", moved / "lib" / f"python{HERE}" / "site-packages"):
        write(moved / "bin" / "tool", "#!")
        assert kinds(made._replace(env=path).drifts()) == [("changed", "app")]


# Environments as only their metadata makes them


class Site:
    """A site-packages directory of a virtual environment, and a lock with what a test says."""

    def __init__(self, root: Path) -> None:
        self.root, self.env = root, root / "env"
        self.site = self.env / "lib" / "python3.11" / "site-packages"
        self.site.mkdir(parents=True)
        self.lines = ['lock-version = "1.0"', 'created-by = "uv"']

    def installs(
        self, name: str, version: str = "1.0", files: Mapping[str, bytes] | None = None, installer: str = "pip"
    ) -> None:
        """`files` by path, with a RECORD; a later one overwrites."""
        info(self.site, name, version, installer=installer)
        rows = []
        for path, data in (files or {}).items():
            (self.site / path).parent.mkdir(parents=True, exist_ok=True)
            (self.site / path).write_bytes(data)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            rows.append(f"{path},sha256={digest},{len(data)}\n")
        self.records(name, rows, version)

    def records(self, name: str, rows: Sequence[str], version: str = "1.0") -> None:
        folder = f"{name}-{version}.dist-info"
        own = [f"{folder}/{file},,\n" for file in ("METADATA", "RECORD")]
        (self.site / folder / "RECORD").write_text("".join([*rows, *own]))

    def locks(self, name: str, version: str = "1.0", rest: str = "") -> None:
        versioned = f'version = "{version}"\n' if version else ""
        self.lines.append(
            f'[[packages]]\nname = "{name}"\n{versioned}{rest or files(f"{name}-{version}-py3-none-any.whl")}'
        )

    def drifts(self, target: Target | None = None, **how: Any) -> list[Drift]:
        lock = locked.parsed("\n".join(self.lines).encode(), self.root / "pylock.toml", "pylock.toml")
        return list(environment.drifts(lock, target, distributions.read(self.env, "env"), **how))

    def said(self, **how: Any) -> list[tuple[str, str, str]]:
        return [(one.kind, one.severity, one.message) for one in self.drifts(**how)]


def files(name: str) -> str:
    """The table of a locked wheel or source archive."""
    table = f'{{url = "https://index.example/{name}", hashes = {{sha256 = "{HASH}"}}}}'
    return f"wheels = [{table}]\n" if name.endswith(".whl") else f"sdist = {table}\n"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_two_that_overwrite_each_other(site: Site) -> None:
    """The one whose file lies there is not known: neither is called changed. Other files are still compared."""
    site.installs("opencv-python", files={"cv2/__init__.py": b"a" * 2000, "cv2/x.so": b"1", "cv2/gui.so": b"1"})
    site.installs("opencv-python-headless", files={"cv2/__init__.py": b"b" * 2000, "cv2/x.so": b"2"})
    site.locks("opencv-python")
    overwritten = (
        "opencv-python 1.0 and opencv-python-headless 1.0 overwrite each other's files: cv2/__init__.py, cv2/x.so"
    )
    extra = ("extra", "error", "opencv-python-headless 1.0 is installed, but not in the lock")
    assert site.said() == [("overwritten", "error", overwritten), extra]
    site.locks("opencv-python-headless")
    assert site.said() == [("overwritten", "warning", overwritten)]
    (site.site / "cv2" / "gui.so").write_bytes(b"3")
    assert [kind for kind, *_ in site.said()] == ["changed", "overwritten"]
    site.lines[2:] = ["packages = []"]
    assert [kind for kind, *_ in site.said()] == ["extra", "extra"]


@pytest.mark.parametrize(
    ("path", "one", "other", "alarm"),
    [
        ("google/__init__.py", b"same", b"same", False),
        ("google/__init__.py", b"__path__ = extend_path(__path__, __name__)", b"declare_namespace(__name__)", False),
        ("google/__init__.py", b"import pkgutil", b"# nothing\n", False),
        ("google/__init__.py", b"", b'"""Google."""\n', False),
        ("google/__init__.py", b"", b"from .real import *", False),
        ("google/__init__.py", b"real" * 1000, b"", True),
        ("tests/__init__.py", b"1", b"2", False),
        ("LICENSE", b"1", b"2", False),
        ("README.md", b"1", b"2", False),
        ("six.py", b"1", b"2", True),
        ("../../../bin/x", b"1", b"2", True),
        ("../../../share/doc/x", b"1", b"2", False),
        ("a/__pycache__/x.pyc", b"1", b"2", False),
    ],
)
def test_files_that_two_have(site: Site, path: str, one: bytes, other: bytes, *, alarm: bool) -> None:
    """Of small files that all packages have, and that may hold nothing, only the last one's is known."""
    for name, data in (("a", one), ("b", other)):
        site.installs(name, files={path: data})
        site.locks(name)
    assert [kind for kind, *_ in site.said()] == ["overwritten"] * alarm
    (site.site / path).write_bytes(one)
    assert [kind for kind, *_ in site.said()] == ["overwritten"] * alarm, "installed in the other order"


def test_tables_that_packages_write_for_themselves(site: Site) -> None:
    site.installs("pycparser", files={"pycparser/lextab.py": b"1", "pycparser/yacctab.py": b"1"})
    site.locks("pycparser")
    for name in ("lextab.py", "yacctab.py"):
        (site.site / "pycparser" / name).write_bytes(b"2")
    assert site.said() == []


LAUNCHER = """#!/old/bin/python
# -*- coding: utf-8 -*-
import re
import sys
from x.cli import main
if __name__ == '__main__':
    sys.argv[0] = re.sub(r'(-script\\.pyw|\\.exe)?$', '', sys.argv[0])
    sys.exit(main())
"""
SHELL = """#!/bin/sh
'''exec' "/a b/bin/python" "$0" "$@"
' '''"""
PLAIN_SCRIPT = "#!/old/bin/python\nimport x.tool\n"


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, ""),
        ({"run": LAUNCHER.replace("/old/bin/", "BIN/"), "tool": PLAIN_SCRIPT.replace("/old/bin/", "BIN/")}, ""),
        ({"run": LAUNCHER.replace("/old/bin/python", "/usr/bin/env python"), "tool": "#!/usr/bin/env python\n"}, ""),
        ({"run": LAUNCHER.replace("#!/old/bin/python", SHELL), "tool": f"{SHELL}\nimport x.tool\n"}, ""),
        ({"run": LAUNCHER.replace("/old/bin/", "BIN/")}, ""),
        ({"run": LAUNCHER.replace("/old/bin/", "/usr/bin/")}, "run"),
        ({"run": LAUNCHER.replace("/old/bin/", "BIN/").replace("x.cli", "y.cli"), "tool": None}, "run tool"),
        ({"run": LAUNCHER.replace("/old/bin/", "BIN/") + "print()\n"}, "run"),
        ({"run": LAUNCHER.replace("/old", "/new") + "print()\n", "tool": "#!/new/bin/python\n"}, ""),
        ({"run": LAUNCHER.replace("/old/bin/", "BIN/") + "print()\n", "tool": "#!/new/bin/python\n"}, "run"),
        ({"run": "rm", "tool": "#!/bin/sh\nrm\n"}, "run tool"),
        ({"binary": "\x7fELF edited"}, "binary"),
        ({"run": None}, "run"),
    ],
)  # fmt: skip
def test_scripts(site: Site, changed: Mapping[str, str | None], expected: str) -> None:
    """Edited, or only given the interpreter of the place where the environment is now."""
    folder = site.env / "bin"
    folder.mkdir()
    (site.env / "pyvenv.cfg").touch()
    (folder / "python").touch()
    scripts = {"run": LAUNCHER.encode(), "tool": PLAIN_SCRIPT.encode(), "binary": b"\x7fELF"}
    site.installs("x", files={f"../../../bin/{name}": data for name, data in scripts.items()})
    (site.site / "x-1.0.dist-info" / "entry_points.txt").write_text("[console_scripts]\nrun = x.cli:main\n")
    site.locks("x")
    for name, text in changed.items():
        (folder / name).unlink()
        if text is not None:
            (folder / name).write_text(text.replace("BIN", str(folder)))
    found = " ".join(one.found for one in site.drifts())
    for how in (" (changed)", " (gone)", "../../../bin/", ","):
        found = found.replace(how, "")
    assert found == expected


@pytest.mark.parametrize("name", ["bin/x", "share/x/x.cfg", "include/site/python3.11/x/x.h"])
def test_the_only_file_outside(site: Site, name: str) -> None:
    """It is missed in an environment; an interpreter that packages were copied to has none of it, nor of its folder."""
    site.installs("x", files={f"../../../{name}": b"\0"})
    site.locks("x")
    (site.env / "bin").mkdir(exist_ok=True)
    (site.env / "bin" / "python3").touch()
    (site.env / "pyvenv.cfg").touch()
    (site.env / name).write_bytes(b"\1")
    assert [one.found for one in site.drifts()] == [f"../../../{name} (changed)"]
    (site.env / name).unlink()
    assert [one.found for one in site.drifts()] == [f"../../../{name} (gone)"]
    (site.env / "pyvenv.cfg").unlink()
    assert site.said() == []
    (site.env / "pyvenv.cfg").touch()
    shutil.rmtree(site.env / name.partition("/")[0])
    assert site.said() == []


@pytest.mark.skipif(not UV.exists(), reason="uv is not installed")
def test_files_that_are_links_into_a_cache(tmp_path: Path, environ: dict[str, str]) -> None:
    built = wheel("lib", "1.0", last={"lib-1.0.data/data/share/x.cfg": b"x"})
    (tmp_path / built.filename).write_bytes(built.data)
    env = Venv(tmp_path / "env", "uv", environ).path
    command = [UV, "pip", "install", "--python", env, "--link-mode", "symlink", "--no-index", "--offline"]
    subprocess.run([*command, tmp_path / built.filename], check=True, env=environ, capture_output=True)
    made = Checkout(tmp_path / "pylock.toml", env)
    table = files(built.filename).replace(HASH, built.sha256)
    made.lock.write_text(f'lock-version = "1.0"\n[[packages]]\nname = "lib"\nversion = "1.0"\n{table}')
    assert (made.site / "lib.py").is_symlink()
    assert made.drifts() == []
    (made.site / "lib.py").write_text("edited in the cache, and so in every environment")
    assert [one.found for one in made.drifts()] == ["lib.py (changed)"]
    (made.site / "lib.py").resolve().unlink()
    assert [one.found for one in made.drifts()] == ["lib.py (gone)"]


def test_certificates_that_a_company_adds(site: Site) -> None:
    """Worth a word, but done on purpose."""
    site.installs("certifi", files={"certifi/cacert.pem": b"1", "certifi/core.py": b"1"})
    site.locks("certifi")
    (site.site / "certifi" / "cacert.pem").write_bytes(b"1, ours")
    message = "1 file of certifi 1.0 is not as installed: certifi/cacert.pem (changed)"
    assert site.said() == [("changed", "note", message)]
    (site.site / "certifi" / "core.py").write_bytes(b"2")
    assert [severity for _, severity, _ in site.said()] == ["error"]


def test_tests_that_were_deleted_to_save_room(site: Site) -> None:
    site.installs("lib", files={"lib/tests/a.py": b"1", "tests/b.py": b"1", "lib/a.py": b"1"})
    site.locks("lib")
    (site.site / "lib/tests/a.py").unlink()
    (site.site / "tests/b.py").unlink()
    assert site.said() == []


def test_a_record_that_leads_out_of_the_environment(site: Site, tmp_path: Path) -> None:
    """Hostile paths are neither read nor missed; a file that is a link (uv's into its cache) is as good as its end."""
    secret = tmp_path / "secret"
    secret.write_text("secret")
    os.mkfifo(site.site / "pipe.py")
    (site.site / "out").symlink_to(tmp_path)
    (site.site / "link.py").symlink_to(secret)
    (site.site / "loop.py").symlink_to("loop.py")
    (site.site / "endless.py").symlink_to("/proc/kmsg")
    site.installs("lib")
    paths = [
        "../../../../secret",
        str(secret),
        "/etc/passwd",
        "/dev/zero",
        "out/secret",
        "link.py",
        "loop.py",
        "endless.py",
        "x" * 999,
    ]
    rows = [f"{path},sha256={'a' * 43},1\n" for path in [*paths, "pipe.py", "../../../../../../../../etc/none"]]
    rows += ["odd.py,whirlpool=abc,\n", "short.py,sha256=abc,\n", "nothing.py,,\n", "folder/,,\n"]
    site.records("lib", rows)
    site.locks("lib")
    (found,) = site.drifts(deep=True)
    assert (found.kind, found.found) == ("changed", "link.py (changed), loop.py (gone), pipe.py (changed)")
    (site.site / "pipe.py").unlink()
    secret.unlink()
    (found,) = site.drifts()
    assert found.found == "link.py (gone), loop.py (gone), out/secret (gone), pipe.py (gone)"


@pytest.mark.parametrize(
    ("tree", "installed", "drift"),
    [
        (f'vcs = {{type = "git", url = "https://g.example/x", commit-id = "{"ab" * 20}"}}', "same", False),
        (f'vcs = {{type = "git", url = "https://g.example/x", commit-id = "{"cd" * 20}"}}', "same", True),
        (f'vcs = {{type = "git", url = "https://g.example/x", commit-id = "{"cd" * 20}"}}', "directory", True),
        (f'vcs = {{type = "git", url = "https://g.example/x", commit-id = "{"cd" * 20}"}}', "index", True),
        (f'vcs = {{type = "git", url = "https://g.example/x", commit-id = "{"cd" * 20}"}}', "built", False),
        (f'vcs = {{type = "git", url = "https://g.example/x", commit-id = "{"cd" * 20}"}}', "conda", False),
        ('directory = {path = "x"}', "directory", False),
        ('directory = {path = "x"}', "built", False),
        ('directory = {path = "x"}', "same", True),
        ('directory = {path = "x"}', "index", True),
        ('directory = {path = "."}', "index", True),
    ],
)
def test_trees(site: Site, tree: str, installed: str, *, drift: bool) -> None:
    stated: dict[str, Any] = {
        "same": {"url": "https://g.example/x", "vcs_info": {"vcs": "git", "commit_id": "ab" * 20}},
        "directory": {"url": "file:///elsewhere/x", "dir_info": {}},
        "built": {"url": "file:///wheels/x-1.0-py3-none-any.whl", "archive_info": {}},
    }
    site.installs("x", installer="conda" if installed == "conda" else "uv")
    if installed in stated:
        (site.site / "x-1.0.dist-info" / "direct_url.json").write_text(json.dumps(stated[installed]))
    site.locks("x", "", f"{tree}\n")
    assert [kind for kind, *_ in site.said()] == ["source"] * drift


@pytest.mark.parametrize(
    ("editable", "folder", "stated", "said"),
    [
        (True, "ed", {"editable": True}, ""),
        (False, "ed", {"editable": False}, ""),
        (True, "ed", {}, "ed 1.0 was installed from the directory ROOT/ed, the lock has the directory ./ed (editable)"),
        (False, "ed", {"editable": True}, "ed 1.0 was installed from the directory ROOT/ed (editable), the lock has the directory ./ed"),
        (False, "other", {}, "ed 1.0 was installed from the directory ROOT/other, the lock has the directory ./ed"),
        (False, "gone", {}, ""),
    ],
)  # fmt: skip
def test_directories(
    site: Site, tmp_path: Path, editable: bool, folder: str, stated: Mapping[str, bool], said: str
) -> None:
    """A copy, on which edits have no effect, and another directory are worth a warning; the project's own is neither."""
    for name in ("ed", "other"):
        (tmp_path / name).mkdir()
    site.installs("ed")
    place = site.site / "ed-1.0.dist-info" / "direct_url.json"
    place.write_text(json.dumps({"url": (tmp_path / folder).as_uri(), "dir_info": stated}))
    site.locks("ed", "", f'directory = {{path = "./ed", editable = {str(editable).lower()}}}\n')
    assert site.said() == ([("source", "warning", said.replace("ROOT", str(tmp_path)))] if said else [])
    site.lines[-1] = site.lines[-1].replace("./ed", ".")
    assert site.said() == []


@pytest.mark.parametrize(
    ("wanted", "file", "found", "drift"),
    [
        ("2.6.0+cu124", "x-2.6.0+cu124-py3-none-any.whl", "2.6.0", ["build"]),
        ("2.7.4+cu12torch2.6cxx11abitrue", "x-1-py3-none-any.whl", "2.7.4", []),
        ("2.7.4+cu12torch2.6cxx11abitrue", "x-1-py3-none-any.whl", "2.7.4+cu12torch2.6cxx11abiTRUE", []),
        ("2.7.4+cu12torch2.6cxx11abitrue", "x-1-py3-none-any.whl", "2.7.4+cu12torch2.5cxx11abiTRUE", ["build"]),
        ("2.7.4", "x-2.7.4.tar.gz", "2.7.4+built.here", []),
        ("2.7.4", "x-2.7.4.tar.gz", "2.7.5+built.here", ["version"]),
        ("not a version", "x-1-py3-none-any.whl", "1.0", []),
    ],
)
def test_labels(site: Site, wanted: str, file: str, found: str, drift: list[str]) -> None:
    """Wheels that were renamed have no label in their metadata; who builds an sdist chooses it himself."""
    site.installs("x", found)
    site.locks("x", wanted, files(file))
    assert [kind for kind, *_ in site.said()] == drift


@pytest.mark.parametrize(
    ("locked_file", "installed", "drift"),
    [
        ("x-1.0-py3-none-any.whl", f"sha256={HASH}", False),
        ("x-1.0-py3-none-any.whl", f"sha256={'b' * 64}", True),
        ("x-1.0-py3-none-any.whl", "sha512=abc", False),
        ("x-1.0.tar.gz", f"sha256={'b' * 64}", False),
    ],
)
def test_archives(site: Site, locked_file: str, installed: str, *, drift: bool) -> None:
    """By their hashes; who has only a source archive builds a wheel of it."""
    site.installs("x")
    stated = {"url": "file:///wheels/x-1.0-py3-none-any.whl", "archive_info": {"hash": installed}}
    (site.site / "x-1.0.dist-info" / "direct_url.json").write_text(json.dumps(stated))
    site.locks("x", rest=files(locked_file))
    assert [kind for kind, *_ in site.said()] == ["source"] * drift


def test_no_secret_is_said(site: Site) -> None:
    site.installs("x")
    site.locks("x", "", 'vcs = {type = "git", url = "https://me:secret@g.example/x", commit-id = "abcdef0"}\n')
    message = "x 1.0 was installed from an index, the lock has commit abcdef0 of https://g.example/x"
    assert site.said() == [("source", "error", message)]


def test_a_conda_prefix(site: Site) -> None:
    """conda's own are compared by their release alone, and never too many."""
    (site.env / "conda-meta").mkdir()
    for name in ("python-3.11.9-h0_0_cpython", "torch-2.6.0-cuda124_0", "libzlib-1.3-h0_0", "old-1.0-0", "bare-1.0-0"):
        (site.env / "conda-meta" / f"{name}.json").write_text('{"subdir": "linux-64"}')
    site.installs("torch", "2.6.0", {"torch.py": b"1"}, installer="conda")
    site.installs("old", "1.0", installer="conda")
    site.installs("tool", "1.0", installer="conda")
    site.installs("piped", "1.0")
    (site.site / "torch.py").write_bytes(b"prefix replaced")
    site.locks("torch", "2.6.0+cu124")
    site.locks("old", "2.0")
    site.locks("bare", "1.0")
    assert [(one.kind, one.package) for one in site.drifts()] == [("version", "old"), ("extra", "piped")]


def test_packages_of_the_system_satisfy_but_are_not_extra(site: Site, tmp_path: Path) -> None:
    base = tmp_path / "base" / "lib" / "python3.11" / "site-packages"
    for name, version in (("numpy", "1.0"), ("torch", "2.0"), ("other", "1.0"), ("old", "1.0")):
        info(base, name, version)
    site.installs("torch", "3.0")
    for name, version in (("numpy", "1.0"), ("torch", "3.0"), ("old", "2.0")):
        site.locks(name, version)
    assert [(one.kind, one.package) for one in site.drifts()] == [("missing", "numpy"), ("missing", "old")]
    (site.env / "pyvenv.cfg").write_text(f"home = {tmp_path / 'base' / 'bin'}\ninclude-system-site-packages = true\n")
    assert [(one.kind, one.package) for one in site.drifts()] == [("version", "old")]


def test_the_project_itself(site: Site, tmp_path: Path) -> None:
    """By its name, or since it was installed from the lock's folder; a lock of uv's has it as a directory."""
    for name in ("mine", "other"):
        site.installs(name)
    stated = {"url": tmp_path.as_uri(), "dir_info": {"editable": True}}
    (site.site / "mine-1.0.dist-info" / "direct_url.json").write_text(json.dumps(stated))
    (tmp_path / "linked.egg-info").mkdir()
    (tmp_path / "linked.egg-info" / "PKG-INFO").write_text("Name: linked\nVersion: 1\n")
    (site.site / "linked.egg-link").write_text(f"{tmp_path}\n.")
    for name in ("absent", "named"):
        site.locks(name, "", 'directory = {path = "."}\n')
    site.installs("named", "2.0", files={"named.py": b""})
    (site.site / "named.py").write_text("x = 1")
    assert kinds(site.drifts(own=frozenset({"named", "absent"}))) == [("extra", "other")]


def test_groups_of_other_tools(site: Site) -> None:
    """Only what is installed by default can be missing; what is installed is compared all the same."""
    site.lines += ['dependency-groups = ["dev", "test"]', 'default-groups = ["dev"]']
    for name in ("dev", "test"):
        site.locks(
            f"for-{name}", "2.0", f"marker = \"'{name}' in dependency_groups\"\n" + files("x-2.0-py3-none-any.whl")
        )
    assert kinds(site.drifts()) == [("missing", "for-dev")]
    for name in ("dev", "test"):
        site.installs(f"for-{name}")
    assert kinds(site.drifts()) == [("version", "for-dev"), ("version", "for-test")]


def test_what_tools_need(site: Site) -> None:
    """Nobody locked it; where somebody did, it is compared."""
    site.lines.append("packages = []")
    for name, needs in (("wheel", "packaging>=24"), ("mlpin", 'cyclonedx[json]; extra == "sbom"'), ("pip", "")):
        lines = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n" + (f"Requires-Dist: {needs}\n" if needs else "")
        info(site.site, name, "1", metadata=lines + "\nRequires-Dist: described\n")
    for name in ("packaging", "cyclonedx", "described"):
        site.installs(name)
    assert kinds(site.drifts()) == [("extra", "described")]
    del site.lines[2:]
    site.locks("packaging", "2.0")
    assert kinds(site.drifts()) == [("version", "packaging"), ("extra", "described")]
    found = snapshot.taken("n", NODE, distributions.read(site.env, "env"))
    assert found.environment is not None
    assert {one.name for one in found.environment.packages if not one.tool} == {"described"}
    read = snapshot.parsed(snapshot.as_json(found), "")
    assert read.environment is not None
    lock = locked.parsed(
        "\n".join([*site.lines[:2], "packages = []"]).encode(), site.root / "pylock.toml", "pylock.toml"
    )
    there = snapshot.as_environment(read.environment)
    assert kinds(list(environment.drifts(lock, None, there))) == [("extra", "described")]


def test_what_a_broken_upgrade_left(site: Site) -> None:
    """Whose files are there is not known, so they are not compared."""
    for version in ("2.0", "1.0"):
        site.installs("lib", version, files={"lib.py": version.encode(), f"new{version}.py": b""})
    (site.site / "new1.0.py").unlink()
    site.locks("lib", "1.0")
    message = "lib is installed in two versions at once, 1.0 and 2.0"
    assert site.said() == [("duplicate", "error", message)]
    site.lines[-1] = site.lines[-1].replace("1.0", "3.0")
    assert [kind for kind, *_ in site.said()] == ["duplicate", "version"]


def test_python_where_only_one_side_says_it(site: Site) -> None:
    site.locks("lib", rest="marker = \"python_version == '3.11'\"\n" + files("lib-1.0-py3-none-any.whl"))
    assert kinds(site.drifts()) == [("missing", "lib")]
    assert kinds(site.drifts(PLAIN.but(python="3.12.4"))) == [("python", ""), ("missing", "lib")]
    assert kinds(site.drifts(PLAIN.but(python="3.11.4"))) == [("missing", "lib")]
