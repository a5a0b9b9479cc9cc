"""`setup.cfg` as setuptools reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from .builders import brief, names, reading, refused

NAME = "setup.cfg"


def test_lists(tmp_path: Path) -> None:
    found = reading(
        tmp_path,
        "[metadata]\nname = My_P\nversion = attr: p.__version__\n\n[options]\npython_requires = >=3.9\n"
        "install-requires =\n    numpy>=1.2 ; python_version < '3.12'\n    # no\n\n    torch  # yes\n"
        "[options.extras_require]\nall = my-p[x]\nx =\n    scipy\n[tool:x]\ny = 100%\n",
        NAME,
    )
    assert (found.project, found.version, found.requires_python) == ("my-p", "", ">=3.9")
    assert [(brief(one), one.origin.line) for one in found.requirements] == [
        ('numpy>=1.2 ; python_version < "3.12"', 8),
        ("torch", 11),
    ]
    assert {name: names(listed) for name, listed in found.extras.items()} == {"all": ["scipy"], "x": ["scipy"]}


def test_one_line_is_divided_at_semicolons(tmp_path: Path) -> None:
    assert names(reading(tmp_path, "[options]\ninstall_requires = a; b>1 ;c\n", NAME).requirements) == ["a", "b", "c"]


def test_a_file_directive(tmp_path: Path) -> None:
    found = reading(
        tmp_path, "[options]\ninstall_requires = file: a.txt, b.txt\n", NAME, others={"a.txt": "x", "b.txt": "\ny"}
    )
    assert [one.origin.place for one in found.requirements] == ["a.txt:1", "b.txt:2"]


@pytest.mark.parametrize(
    ("text", "where", "word"),
    [
        ("[metadata]\nname = a\n", "setup.cfg", "no dependencies"),
        ("[options]\ninstall_requires = attr: a.b\n", "setup.cfg:2", "nothing is run"),
        ("[options]\ninstall_requires = file: gone.txt\n", "setup.cfg:2", "gone.txt"),
        ("[options]\ninstall_requires =\n  a\n  b=1\n", "setup.cfg:4", "requirement"),
        ("a = 1\n", "setup.cfg:1", "section"),
        ("[a]\nb\n = c\n", "setup.cfg:2", "parsing errors"),
        ("[options]\na = 1\na = 2\n", "setup.cfg:3", "already exists"),
        ("[options]\npython_requires = x\ninstall_requires = a\n", "setup.cfg:2", "Python"),
    ],
)
def test_broken_files(tmp_path: Path, text: str, where: str, word: str) -> None:
    error = refused(tmp_path, text, NAME)
    assert word in error.message
    assert error.where == where
