"""Pipenv's `Pipfile`."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlpin.requirement import PathSource, UrlSource, VcsSource
from mlpin.settings import IndexPin

from .builders import brief, names, reading, refused

NAME = "Pipfile"


def test_a_pipfile(tmp_path: Path) -> None:
    found = reading(
        tmp_path,
        '[[source]]\nname = "main"\nurl = "https://${USER}:$PASS@index.example/simple"\nverify_ssl = false\n'
        '[[source]]\nname = "cu"\nurl = "https://cu.example/simple"\nverify_ssl = true\n'
        '[packages]\nNumpy = "*"\ntorch = {version = ">=2,<3", index = "cu", extras = ["b", "a"]}\n'
        'win = {version = "*", sys_platform = "== \'win32\'", markers = "python_version < \'3.12\'"}\n'
        'vcs = {git = "https://h.example/a.git", ref = "v1", editable = true}\npath = {path = "./x", editable = true}\n'
        'file = {file = "https://h.example/file-1.zip"}\n'
        '[dev-packages]\npytest = "*"\n[docs]\nsphinx = "==4"\n[requires]\npython_version = "3.10"\n'
        '[scripts]\nx = "y"\n[pipenv]\nallow_prereleases = true\n',
        NAME,
        environ={"USER": "me", "PASS": "s3cret"},
    )
    assert [brief(one) for one in found.requirements] == [
        "numpy",
        "torch[a,b]<3,>=2",
        'win ; sys_platform == "win32" and python_version < "3.12"',
        "vcs",
        "path",
        "file",
    ]
    assert [one.origin.line for one in found.requirements] == [10, 11, 12, 13, 14, 15]
    assert [one.source for one in found.requirements[3:]] == [
        VcsSource("git", "https://h.example/a.git", "v1"),
        PathSource((tmp_path / "x").as_posix(), editable=True),
        UrlSource("https://h.example/file-1.zip"),
    ]
    assert {name: names(listed) for name, listed in found.groups.items()} == {
        "dev-packages": ["pytest"],
        "docs": ["sphinx"],
    }
    assert found.requires_python == "==3.10.*"
    (layer,) = found.layers
    assert layer.index_url is not None
    assert (layer.index_url.url, layer.index_url.default) == ("https://me:s3cret@index.example/simple", True)
    assert [(one.name, one.explicit) for one in layer.extra_indexes or ()] == [("cu", True)]
    assert layer.pins == {"torch": (IndexPin("cu"),)}
    assert (layer.trusted_hosts, layer.prerelease) == (("index.example",), "allow")


@pytest.mark.parametrize(
    ("text", "where", "word"),
    [
        ("[requires]\npython_version = '3'\n", "Pipfile", "no dependencies"),
        ("[packages]\na = '1.0'\n", "Pipfile:2", "operator"),
        ("[packages]\na = '=1.0'\n", "Pipfile:2", "specifier"),
        ("[packages]\na = 1\n", "Pipfile:2", "version"),
        ("[packages]\na = {vers = '1'}\n", "Pipfile:2", "vers"),
        ("[packages]\na = {version = '*', sys_platform = 'win32'}\n", "Pipfile:2", "marker"),
        ("[packages]\na = {version = '*', index = 'x'}\n", "Pipfile:2", "`x`"),
        ("[packages]\n[[source]]\nname = 'x'\n", "Pipfile:2", "url"),
        ("x = 1\n[packages]\n", "Pipfile:1", "table"),
    ],
)
def test_broken_files(tmp_path: Path, text: str, where: str, word: str) -> None:
    error = refused(tmp_path, text, NAME)
    assert word in error.message
    assert error.where == where
