"""Inline script metadata (PEP 723)."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlpin.settings import IndexPin

from .builders import names, reading, refused

NAME = "train.py"


def test_a_block(tmp_path: Path) -> None:
    found = reading(
        tmp_path,
        '#!/usr/bin/env python\r\n# /// script\r\n# requires-python = ">=3.11"\r\n# dependencies = [\r\n#   "numpy",'
        "\r\n"
        '#   "torch", # x\r\n# ]\r\n#\r\n# [tool.mlpin]\r\n# python = "3.11"\r\n'
        '# [tool.uv.sources]\r\n# torch = {index = "cu"}\r\n# ///\r\nimport numpy\r\n',
        NAME,
    )
    assert (found.kind, found.requires_python, names(found.requirements)) == ("script", ">=3.11", ["numpy", "torch"])
    assert [one.origin.line for one in found.requirements] == [5, 6]
    assert found.layers[0].python == ("3.11",)
    assert found.layers[1].pins == {"torch": (IndexPin("cu"),)}


def test_other_blocks_do_not_count(tmp_path: Path) -> None:
    found = reading(tmp_path, "# /// other\n# x\n# ///\n\n# /// script\n# dependencies = []\n# ///\n", NAME)
    assert found.requirements == ()


@pytest.mark.parametrize(
    ("text", "where", "word"),
    [
        ("import numpy\n", "train.py", "no inline metadata"),
        ("x = 1\n# /// script\n# dependencies = []\n", "train.py:2", "PEP 723"),
        ("# /// script\n# a = 1\n# ///\n\n# /// script\n# ///\n# ///\n", "train.py:5", "more than one"),
        ("# /// script\n# dependencies = [\n# ///\n", "train.py:2", "TOML"),
        ('\n# /// script\n# dependencies = [\n#  "a",\n#  "b=1"]\n# ///\n', "train.py:5", "requirement"),
        ("# /// script\n# dependencies = 1\n# ///\n", "train.py:2", "list"),
        ("# /// script\n# dependencys = []\n# ///\n", "train.py:2", "dependencys"),
        ('# /// script\n#\n# requires-python = "x"\n# ///\n', "train.py:3", "Python"),
    ],
)
def test_broken_scripts(tmp_path: Path, text: str, where: str, word: str) -> None:
    error = refused(tmp_path, text, NAME)
    assert word in error.message
    assert error.where == where
