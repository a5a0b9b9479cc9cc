"""Installed environments: real ones that `venv` makes, and the parts of others."""

from __future__ import annotations

import os
import sys
import venv
from pathlib import Path

import pytest

from mlpin import stack
from mlpin.errors import InputError

from .builders import pins, skipped

posix = pytest.mark.skipif(os.name == "nt", reason="paths of a POSIX environment")


def info(folder: Path, name: str, version: str, *, metadata: str | None = None, installer: str = "pip") -> None:
    path = folder / f"{name}-{version}.dist-info"
    path.mkdir(parents=True)
    (path / "METADATA").write_text(metadata or f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nName: x\n")
    (path / "INSTALLER").write_text(f"{installer}\n")


@pytest.fixture
def made(tmp_path: Path) -> Path:
    venv.create(tmp_path / "env", with_pip=False, symlinks=os.name != "nt")
    return tmp_path / "env"


def packages_of(env: Path) -> Path:
    if os.name == "nt":
        return env / "Lib" / "site-packages"
    return env / "lib" / f"python3.{sys.version_info[1]}" / "site-packages"


def test_a_virtual_environment_by_each_of_its_names(made: Path) -> None:
    info(packages_of(made), "Torch_X", "2.2.0+cu118")
    scripts = made / ("Scripts" if os.name == "nt" else "bin")
    python = next(path for path in scripts.iterdir() if path.name.startswith("python"))
    exact = ".".join(map(str, sys.version_info[:3]))
    minor = "" if os.name == "nt" else ".".join(map(str, sys.version_info[:2]))
    for path, version in ((made, exact), (python, exact), (packages_of(made), minor)):
        found = stack.environment(path)
        assert (found.source, found.kind, found.python) == (str(path), "environment", version)
        assert pins(found) == ["torch-x==2.2.0+cu118"]
    assert stack.read(made, "env") == stack.environment(made)._replace(source="env")
    assert pins(stack.read(python, "env/python")) == ["torch-x==2.2.0+cu118"]


def test_what_is_broken_is_skipped(made: Path) -> None:
    folder = packages_of(made)
    info(folder, "good", "1.0")
    info(folder, "~orch", "2.2.0")
    info(folder, "bad", "2004d-x")
    info(folder, "torn", "1.0", metadata="Metadata-Version: 2.1\n\nName: torn\nVersion: 1.0\n")
    info(folder, "odd", "1.0", metadata="Name: o d d\nVersion: 1.0\n")
    (folder / "empty-1.0.dist-info").mkdir()
    (folder / "file-1.0.dist-info").write_bytes(b"\xff\x00")
    (folder / "old-1.5.egg-info").write_text("Metadata-Version: 1.0\nName: old\nVersion: 1.5\n")
    found = stack.environment(made)
    assert pins(found) == ["good==1.0", "old==1.5"]
    assert skipped(found) == [
        "0: bad-2004d-x.dist-info",
        "0: empty-1.0.dist-info",
        "0: file-1.0.dist-info",
        "0: odd-1.0.dist-info",
        "0: torn-1.0.dist-info",
        "0: ~orch-2.2.0.dist-info",
    ]


@posix
def test_site_packages_of_the_system_come_last(tmp_path: Path, made: Path) -> None:
    base = tmp_path / "base" / "lib" / packages_of(made).parent.name / "site-packages"
    info(base, "numpy", "1.0")
    info(base, "torch", "2.0")
    info(packages_of(made), "numpy", "2.0")
    settings = made / "pyvenv.cfg"
    assert pins(stack.environment(made)) == ["numpy==2.0"]
    text = settings.read_text().replace("include-system-site-packages = false", "include-system-site-packages = true")
    lines = [line for line in text.splitlines() if not line.startswith("home")]
    settings.write_text("\n".join([f"home = {tmp_path / 'base' / 'bin'}", *lines]))
    assert pins(stack.environment(made)) == ["numpy==2.0", "torch==2.0"]


def test_a_conda_prefix(tmp_path: Path) -> None:
    records = tmp_path / "conda-meta"
    records.mkdir()
    (records / "history").write_text("")
    (records / "python-3.11.9-hb806964_0_cpython.json").write_text('{"name": "python", "subdir": "linux-64"}')
    (records / "pytorch-2.2.0-cuda118_1.json").write_text("{}")
    (records / "numpy-1.26.4-py311_0.json").write_text("{}")
    (records / "broken.json").write_text("{")
    folder = tmp_path / "lib" / "python3.11" / "site-packages"
    info(folder, "torch", "2.2.0", installer="conda")
    info(folder, "numpy", "1.26.4")
    info(folder, "timm", "0.9.0")
    found = stack.environment(tmp_path)
    assert (found.python, found.platform) == ("3.11.9", "linux-x86_64")
    assert pins(found) == [
        "numpy=1.26.4=py311_0",
        "python=3.11.9=hb806964_0_cpython",
        "pytorch=2.2.0=cuda118_1",
        "timm==0.9.0",
    ]
    assert skipped(found) == ["0: conda-meta/broken.json"]
    for python in ("bin/python3.11", "python.exe"):
        (tmp_path / python).parent.mkdir(exist_ok=True)
        (tmp_path / python).write_bytes(b"")
        assert stack.environment(tmp_path / python)._replace(source=found.source) == found


@posix
def test_of_several_pythons_the_one_that_is_named(tmp_path: Path) -> None:
    for minor, version in (("9", "1.9"), ("11", "1.11")):
        info(tmp_path / "lib" / f"python3.{minor}" / "site-packages", "a", version)
    (tmp_path / "bin").mkdir()
    for name in ("python3.9", "python3.11"):
        (tmp_path / "bin" / name).write_bytes(b"\x7fELF")
    (tmp_path / "bin" / "python3").symlink_to("python3.9")
    (tmp_path / "python").symlink_to("bin/python3.9")
    assert pins(stack.environment(tmp_path)) == ["a==1.11"]
    for name in ("bin/python3.9", "bin/python3", "python"):
        found = stack.environment(tmp_path / name)
        assert (found.python, pins(found)) == ("3.9", ["a==1.9"])


def test_debian_has_dist_packages(tmp_path: Path) -> None:
    info(tmp_path / "local" / "lib" / "python3.11" / "dist-packages", "a", "2")
    info(tmp_path / "lib" / "python3" / "dist-packages", "a", "1")
    info(tmp_path / "lib" / "python3" / "dist-packages", "b", "1")
    assert pins(stack.environment(tmp_path)) == ["a==2", "b==1"]


def test_what_is_no_environment(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("")
    for path in (tmp_path, tmp_path / "missing", tmp_path / "notes.txt", tmp_path / "nul\0"):
        with pytest.raises(InputError) as caught:
            stack.environment(path)
        assert caught.value.where
