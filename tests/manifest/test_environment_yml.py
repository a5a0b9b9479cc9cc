"""The pip section of conda's `environment.yml`; conda packages are refused by line."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from mlpin.requirement import PathSource

from .builders import brief, names, reading, refused

NAME = "environment.yml"


def test_the_pip_section(tmp_path: Path) -> None:
    found = reading(
        tmp_path,
        "name: ml\nchannels: [conda-forge]\ndependencies:\n  - python=3.10\n  - conda-forge::pip=24\n  - pip:\n"
        "    - numpy>=1.2  # why\n    - -r more.txt\n    - --extra-index-url https://index.example/simple\n"
        "    - -e .\n    - 'torch==2.0 ; sys_platform == \"linux\"'\n",
        NAME,
        others={"more.txt": "scipy"},
    )
    assert (found.kind, found.requires_python) == ("environment", "==3.10.*")
    assert found.requires_python_origin is not None
    assert found.requires_python_origin.line == 4
    assert [(brief(one), one.origin.place) for one in found.requirements] == [
        ("numpy>=1.2", "environment.yml:7"),
        ("scipy", "more.txt:1"),
        ("", "environment.yml:10"),
        ('torch==2.0 ; sys_platform == "linux"', "environment.yml:11"),
    ]
    assert found.requirements[2].source == PathSource(tmp_path.as_posix(), editable=True)
    assert found.layers[0].extra_indexes is not None
    assert [path.name for path in found.inputs] == [NAME, "more.txt"]
    assert [note.origin.line for note in found.notes] == [2]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("python", ""),
        ("python=3", "==3.*"),
        ("python==3.8.5", "==3.8.5"),
        ("python=3.8.5", "==3.8.5.*"),
        ("python >=3.9,<3.12", "<3.12,>=3.9"),
        ("python 3.10.*", "==3.10.*"),
        ("python=3.10.2=h12_0", "==3.10.2.*"),
        ("conda-forge::python=3.11", "==3.11.*"),
    ],
)
def test_python(tmp_path: Path, spec: str, expected: str) -> None:
    found = reading(tmp_path, f"dependencies:\n- {spec}\n- pip:\n  - numpy\n", NAME)
    assert found.requires_python == expected


def test_conda_packages(tmp_path: Path) -> None:
    lines = "\n".join(f"  - package{number}=1" for number in range(7))
    error = refused(tmp_path, f"dependencies:\n  - python\n{lines}\n  - pip:\n    - numpy\n", NAME)
    assert error.where == "environment.yml:3"
    assert "`package0=1`" in error.message
    assert "2 more" in error.message
    assert error.notes[1] == "environment.yml:4: package1=1"
    assert error.hint is not None


@pytest.mark.parametrize(
    ("text", "where", "word"),
    [
        ("", "environment.yml", "empty"),
        ("- a\n", "environment.yml:1", "mapping"),
        ("name: a\n", "environment.yml", "no pip section"),
        ("dependencies:\n  - python=3.10\n", "environment.yml", "no pip section"),
        ("dependencies:\n  numpy: 1\n", "environment.yml:2", "list"),
        ("dependencies: numpy\n", "environment.yml:1", "list"),
        ("name: a\nname: b\n", "environment.yml:2", "second time"),
        ("dependencies:\n- pip:\n  - a\n  pip:\n  - b\n", "environment.yml:4", "second time"),
        ("dependencies:\n\t- pip\n", "environment.yml:2", "YAML"),
        ("dependencies: [\n", "environment.yml:2", "YAML"),
        ("a: 1\n---\nb: 2\n", "environment.yml:2", "YAML"),
        ("dependencies:\n- npm:\n  - a\n", "environment.yml:2", "npm"),
        ("dependencies:\n- pip:\n  - a: b\n", "environment.yml:3", "one piece"),
        ("dependencies:\n- pip: numpy\n", "environment.yml:2", "list"),
        ("dependencies:\n- pip:\n", "environment.yml:2", "empty"),
        ("dependencies:\n- pip:\n  - numpy=1\n", "environment.yml:3", "not a requirement"),
        ("dependencies:\n- python=3.9|3.10\n- pip: []\n", "environment.yml:2", "Python version"),
        ("dependencies:\n- [[a]]\n", "environment.yml:2", "mapping"),
        ("a: \x07\n", "environment.yml:1", "character"),
        ("[" * 5000, "environment.yml", "nested"),
    ],
)
def test_broken_files(tmp_path: Path, text: str, where: str, word: str) -> None:
    error = refused(tmp_path, text, NAME)
    assert word in error.message
    assert error.where == where


def test_aliases_cost_nothing(tmp_path: Path) -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 60))
    start = time.monotonic()
    error = refused(tmp_path, f"{bomb}dependencies: *a59\n", NAME)
    assert time.monotonic() - start < 5
    assert error.where is not None
    found = reading(tmp_path, "dependencies:\n- pip: &a\n  - numpy\n- pip\n", NAME)
    assert names(found.requirements) == ["numpy"]


def test_a_list_that_holds_itself(tmp_path: Path) -> None:
    assert refused(tmp_path, "dependencies: &a\n- *a\n", NAME).where == "environment.yml:1"


def test_too_large(tmp_path: Path) -> None:
    assert "larger" in refused(tmp_path, "#" * 600_000, NAME).message
