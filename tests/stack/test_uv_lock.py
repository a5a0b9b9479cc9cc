"""`uv.lock`: the walk through the graph. That it agrees with `uv export` was checked against uv's own locks."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlpin.stack import Where

from . import samples
from .builders import pins, reading, refused, skipped

HEAD = 'version = 1\nrequires-python = ">=3.10"\n'
REGISTRY = '{ registry = "https://index.example/simple" }'


def package(name: str, version: str = "1.0", *, source: str = REGISTRY, rest: str = "") -> str:
    stated = f'version = "{version}"\n' if version else ""
    return f'\n[[package]]\nname = "{name}"\n{stated}source = {source}\n{rest}'


def test_a_lock(tmp_path: Path) -> None:
    found = reading(tmp_path, samples.UV, "uv.lock")
    assert (found.kind, found.python, found.platform) == ("uv.lock", "", "")
    assert pins(found) == [
        "numpy==1.26.4",
        "pysocks==1.7.1",
        "pytest==8.0.0",
        "requests==2.31.0",
        "seaborn==0.13.2",
        "torch==2.2.0+cpu",
    ]
    assert skipped(found) == ["0: extra gpu of demo"]
    assert found.packages[-1].files == ("torch-2.2.0+cpu-cp311-cp311-linux_x86_64.whl",)
    assert found.packages[-1].line == samples.UV.split("\n").index('version = "2.2.0+cpu"') - 1


def test_the_target_chooses(tmp_path: Path) -> None:
    found = reading(tmp_path, samples.UV, "uv.lock", Where("3.12", "windows-amd64"))
    assert {"numpy==2.1.0", "colorama==0.4.6"} <= set(pins(found))
    assert "numpy==1.26.4" not in pins(found)


def test_members_of_a_workspace(tmp_path: Path) -> None:
    text = HEAD + '[manifest]\nmembers = ["app", "lib"]\n'
    text += package("app", "", source='{ editable = "." }', rest='dependencies = [{ name = "lib", extra = ["x"] }]\n')
    text += package(
        "lib",
        "0.3",
        source='{ editable = "lib" }',
        rest='dependencies = [{ name = "other" }]\n[package.optional-dependencies]\nx = [{ name = "b" }]\n',
    )
    text += package("b") + package("other", "", source='{ directory = "../other" }') + package("left")
    found = reading(tmp_path, text, "uv.lock")
    assert pins(found) == ["lib==0.3", "b==1.0", "other=="]
    assert [(one.text, one.reason) for one in found.skipped] == [("other", "editable, without a version of its own")]


def test_a_script(tmp_path: Path) -> None:
    text = (
        HEAD
        + '[manifest]\nrequirements = [{ name = "a", extras = ["x"] }, { name = "c", marker = "os_name == \'nt\'" }]\n'
    )
    text += package("a", rest='[package.optional-dependencies]\nx = [{ name = "b" }]\n') + package("b") + package("c")
    found = reading(tmp_path, text, "run.py.lock")
    assert pins(found) == ["a==1.0", "b==1.0"]


def test_groups_in_conflict(tmp_path: Path) -> None:
    text = HEAD + 'conflicts = [[{ package = "app", group = "old" }, { package = "app", group = "new" }]]\n'
    groups = (
        '[package.dev-dependencies]\nold = [{ name = "a", version = "1.0" }]\nnew = [{ name = "a", version = "2.0" }]\n'
    )
    text += package("app", source='{ virtual = "." }', rest=groups) + package("a", "1.0") + package("a", "2.0")
    found = reading(tmp_path, text, "uv.lock")
    assert pins(found) == ["a==2.0"]
    assert (
        found.skipped[0].reason
        == "the project declares it in conflict with group new of app, which is looked at instead"
    )


def test_a_cycle_ends(tmp_path: Path) -> None:
    text = HEAD + package("app", source='{ virtual = "." }', rest='dependencies = [{ name = "a" }]\n')
    text += package("a", rest='dependencies = [{ name = "b" }]\n') + package(
        "b", rest='dependencies = [{ name = "a" }]\n'
    )
    assert pins(reading(tmp_path, text, "uv.lock")) == ["a==1.0", "b==1.0"]


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("version = 2\n", "uv.lock"),
        ("version = 1\npackage = 1\n", "uv.lock"),
        ('version = 1\nrequires-python = "x"\n', "uv.lock"),
        (HEAD + package("a", rest='dependencies = [{ name = "b", marker = "x" }]\n'), "uv.lock:4"),
        (HEAD + package("a", rest="wheels = [1]\n"), "uv.lock:4"),
        (HEAD + package("a b"), "uv.lock:4"),
        (HEAD + 'conflicts = [{ package = "a" }]\n', "uv.lock"),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, where: str) -> None:
    assert refused(tmp_path, text, "uv.lock").where == where
