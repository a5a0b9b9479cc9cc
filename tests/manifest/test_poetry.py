"""Poetry's tables and its language of versions."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from mlpin.manifest import Manifest, poetry_versions
from mlpin.requirement import PathSource, UrlSource, VcsSource
from mlpin.settings import IndexPin

from .builders import brief, names, reading, refused

NAME = "pyproject.toml"


def poetry(directory: Path, text: str) -> Manifest:
    return reading(directory, text, NAME)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("^1.2.3", ">=1.2.3,<2"),
        ("^0.2.3", ">=0.2.3,<0.3"),
        ("^0.0.3", ">=0.0.3,<0.0.4"),
        ("^0.0", ">=0.0,<0.1"),
        ("^0", ">=0,<1"),
        ("^1.2b1", ">=1.2b1,<2"),
        ("~1.2.3", ">=1.2.3,<1.3"),
        ("~1.2", ">=1.2,<1.3"),
        ("~1", ">=1,<2"),
        ("~=1.2", "~=1.2"),
        ("1.2.*", "==1.2.*"),
        ("1.x", "==1.*"),
        ("!=1.2.*", "!=1.2.*"),
        ("*", ""),
        ("1.2.3", "==1.2.3"),
        ("=1.2", "==1.2"),
        (">=1.0 <2.0", ">=1.0,<2.0"),
        (">= 1.0, != 1.5", ">=1.0,!=1.5"),
        ("^1.0 || ^2.0", ">=1.0,<3"),
        ("^2.0 | ^1.0", ">=1.0,<3"),
        (">=1.5 || ^1.0", ">=1.0"),
        ("* || ^1", ""),
        ("2.7.0+cu128", "==2.7.0+cu128"),
    ],
)
def test_versions(text: str, expected: str) -> None:
    assert poetry_versions.specifier(text) == expected


@pytest.mark.parametrize("text", ["^1.0 || ^3.0", "1.0 || 2.0", "nonsense", "^", ">=1 and <2"])
def test_versions_that_cannot_be_written(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        poetry_versions.specifier(text)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=3), st.lists(st.integers(0, 4), min_size=3, max_size=3))
def test_a_caret_keeps_the_first_number_that_is_not_zero(base: list[int], tried: list[int]) -> None:
    text = ".".join(map(str, base))
    version = Version(".".join(map(str, tried)))
    fixed = next((position for position, number in enumerate(base) if number), len(base) - 1)
    expected = version >= Version(text) and tried[: fixed + 1] == base[: fixed + 1]
    assert (version in SpecifierSet(poetry_versions.specifier(f"^{text}"))) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("^3.8", ">=3.8,<4"),
        ("3.10", "==3.10.*"),
        ("~2.7 || ^3.6", ">=3.6,<4"),
        (">=3.8,<3.9 || >=3.9,<3.12", ">=3.8,<3.12"),
    ],
)
def test_python(text: str, expected: str) -> None:
    assert poetry_versions.requires_python(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (">=3.8,<3.10", 'python_version >= "3.8" and python_version < "3.10"'),
        ("~3.9 || 3.11.*", 'python_version >= "3.9" and python_version < "3.10" or python_version == "3.11"'),
        (">=3.8.1", 'python_full_version >= "3.8.1"'),
        ("*", ""),
    ],
)
def test_python_markers(text: str, expected: str) -> None:
    assert poetry_versions.python_marker(text) == expected


def test_tables(tmp_path: Path) -> None:
    found = poetry(
        tmp_path,
        '[tool.poetry]\nname = "My_P"\nversion = "0.1"\n[tool.poetry.dependencies]\npython = ">=3.9,<3.12"\n'
        'numpy = "^1.2"\n'
        'torch = [\n  {version = "2.1.0", platform = "linux"},\n'
        '  {version = "2.0", markers = "sys_platform == \'darwin\'", python = "<3.11"},\n]\n'
        'a = {git = "https://h.example/a.git", branch = "main"}\nb = {path = "../b", develop = true}\n'
        'c = {url = "https://h.example/c-1.zip"}\n'
        'scipy = {version = "^1", optional = true, extras = ["X_y"]}\nlost = {version = "*", optional = true}\n'
        '[tool.poetry.extras]\nFull = ["scipy", "numpy"]\n'
        '[tool.poetry.dev-dependencies]\npytest = "*"\n[tool.poetry.group.dev.dependencies]\nruff = "*"\n'
        '[tool.poetry.group.docs]\noptional = true\ninclude-groups = ["dev"]\n'
        '[tool.poetry.group.docs.dependencies]\nsphinx = ">=4"\n',
    )
    assert (found.project, found.version, found.requires_python) == ("my-p", "0.1", "<3.12,>=3.9")
    assert [brief(one) for one in found.requirements] == [
        "numpy<2,>=1.2",
        'torch==2.1.0 ; sys_platform == "linux"',
        'torch==2.0 ; python_version < "3.11" and sys_platform == "darwin"',
        "a",
        "b",
        "c",
    ]
    assert [one.origin.line for one in found.requirements] == [6, 8, 9, 11, 12, 13]
    assert [one.source for one in found.requirements[3:]] == [
        VcsSource("git", "https://h.example/a.git", "main"),
        PathSource((tmp_path.parent / "b").as_posix(), editable=True),
        UrlSource("https://h.example/c-1.zip"),
    ]
    assert [brief(one) for one in found.extras["full"]] == ["scipy[x-y]<2,>=1", "numpy<2,>=1.2"]
    assert {name: names(listed) for name, listed in found.groups.items()} == {
        "dev": ["pytest", "ruff"],
        "docs": ["sphinx", "pytest", "ruff"],
    }
    assert found.default_groups == ("dev",)
    assert ["lost" in note.message for note in found.notes] == [True]


def test_sources(tmp_path: Path) -> None:
    found = poetry(
        tmp_path,
        '[tool.poetry.dependencies]\ntorch = {version = "*", source = "cu"}\n'
        '[[tool.poetry.source]]\nname = "main"\nurl = "https://main.example/simple"\n'
        '[[tool.poetry.source]]\nname = "cu"\nurl = "https://cu.example/simple"\npriority = "explicit"\n'
        '[[tool.poetry.source]]\nname = "more"\nurl = "https://more.example/simple"\npriority = "supplemental"\n',
    )
    (layer,) = found.layers
    assert layer.pins == {"torch": (IndexPin("cu"),)}
    assert layer.index_url is not None
    assert (layer.index_url.name, layer.index_url.default) == ("more", True)
    assert [(one.name, one.explicit) for one in layer.extra_indexes or ()] == [("main", False), ("cu", True)]


def test_poetry_beside_project(tmp_path: Path) -> None:
    found = poetry(
        tmp_path,
        '[project]\nname = "p"\ndependencies = ["a>=1", "b"]\n[tool.poetry.dependencies]\npython = "^3.9"\n'
        'a = {git = "https://h.example/a.git"}\nc = "*"\n',
    )
    assert [(brief(one), one.source is not None) for one in found.requirements] == [("a>=1", True), ("b", False)]
    assert ["`c`" in note.message for note in found.notes] == [True]


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ('a = "^1 || ^3"', "||"),
        ('a = "nonsense"', "nonsense"),
        ("a = 3", "version"),
        ('a = {versoin = "1"}', "versoin"),
        ('a = {version = "1", markers = "x"}', "marker"),
        ('python = "^3.6 || ^3.9"\na = {git = "https://h.example/"}', "repository"),
        ('python = "~3.6 || ~3.9"', "gap"),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, line: str, word: str) -> None:
    error = refused(tmp_path, f"[tool.poetry.dependencies]\n\n{line}\n", NAME)
    assert word in error.message
    assert error.where in ("pyproject.toml:3", "pyproject.toml:4")
