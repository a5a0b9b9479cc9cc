"""Requirements of conda recipes, where they are plain."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from mlpin.manifest import find

from .builders import reading, refused, written

OLD = """{% set name = "ours" %}
{% set version = "1.2.3" %}
{%- set python_min = '3.10' -%}

package:
  name: {{ name|lower }}
  version: {{ version }}

source:
  url: https://files.example/{{ name }}-{{ version }}.tar.gz
  sha256: {{ sha }}

build:
  skip: true  # [py<39]
  script: {{ PYTHON }} -m pip install . -vv

requirements:
  build:
    - {{ compiler('c') }}
  host:
    - python
    - pip
  run:
    - python >={{ python_min }},<3.13
    - libours =={{ version }}
    - numpy >=1.20, <2
    - pywin32  # [win]
    - tomli  # [py<311]
    - cudnn  # [linux and not aarch64]
    - readline  # [unix or win]
  run_constrained:
    - scipy >=1.9
"""
NEW = """context:
  version: 1.2.3
requirements:
  host: [python, "${{ pin_subpackage('ours') }}"]
  run:
    - python >=3.10
    - libours ==${{ version }}
    - if: linux
      then: [cudnn, nccl]
      else: mkl
    - if: not win and x86_64
      then: readline
"""


def test_meta_yaml(tmp_path: Path) -> None:
    found = reading(tmp_path, OLD, "meta.yaml")
    assert (found.kind, found.requires_python) == ("recipe", "<3.13,>=3.10")
    assert [(one.conda, one.marker, one.origin.line) for one in found.requirements] == [
        ("python >=3.10,<3.13", "", 24),
        ("libours ==1.2.3", "", 25),
        ("numpy >=1.20,<2", "", 26),
        ("pywin32", 'sys_platform == "win32"', 27),
        ("tomli", 'python_version < "3.11"', 28),
        ("cudnn", 'sys_platform == "linux" and platform_machine != "aarch64"', 29),
        ("readline", 'sys_platform != "win32" or sys_platform == "win32"', 30),
    ]
    assert {name: [one.name for one in listed] for name, listed in found.groups.items()} == {"host": ["python", "pip"]}
    assert [(note.origin.line, note.message.split(":")[0]) for note in found.notes] == [
        (19, "there is no group `build`"),
        (31, "`run_constrained` is not read"),
    ]


def test_recipe_yaml(tmp_path: Path) -> None:
    found = reading(tmp_path, NEW, "recipe.yaml")
    assert [(one.conda, one.marker, one.origin.line) for one in found.requirements] == [
        ("python >=3.10", "", 6),
        ("libours ==1.2.3", "", 7),
        ("cudnn", 'sys_platform == "linux"', 9),
        ("nccl", 'sys_platform == "linux"', 9),
        ("mkl", 'sys_platform != "linux"', 10),
        (
            "readline",
            'sys_platform != "win32" and (platform_machine == "x86_64" or platform_machine == "AMD64")',
            12,
        ),
    ]
    assert found.groups == {}
    assert "host" in found.notes[0].message


@pytest.mark.parametrize(
    ("name", "text", "line", "message", "hint"),
    [
        ("meta.yaml", "- {{ pin_compatible('numpy', max_pin='x.x') }}", 3, "computed when", "conda render"),
        ("meta.yaml", "- python >={{ python_min }}", 3, "computed when", '{% set python_min = "…" %}'),
        ("recipe.yaml", "- python >=${{ python_min }}", 3, "computed when", "context"),
        ("meta.yaml", "{% if x %}", 3, "is code", "conda render"),
        ("meta.yaml", "- a  # [cuda_compiler_version != 'None']", 3, "condition", "linux"),
        ("meta.yaml", "- if: linux\n      then: a", 3, "one piece", ""),
        ("recipe.yaml", "- if: cuda\n      then: a", 3, "condition", "linux"),
        ("recipe.yaml", "- if: linux\n      than: a", 3, "`then`", ""),
        ("recipe.yaml", "- if: linux\n      then:\n        - if: unix\n          then: a", 5, "one piece", ""),
        ("recipe.yaml", "- a b c d", 3, "MatchSpec", ""),
        ("recipe.yaml", "a: b", 3, "list", ""),
        ("recipe.yaml", "[]", 0, "needs to run", "run:"),
    ],
)
def test_what_is_not_plain(tmp_path: Path, name: str, text: str, line: int, message: str, hint: str) -> None:
    error = refused(tmp_path, f"requirements:\n  run:\n    {text}\n", name)
    assert error.where == (f"{name}:{line}" if line else name)
    assert message in error.message
    assert hint in (error.hint or "")


def test_other_files(tmp_path: Path) -> None:
    assert "several outputs" in refused(tmp_path, "outputs: []\n", "meta.yaml").message
    assert "no requirements" in refused(tmp_path, "package: {}\n", "recipe.yaml").message
    bomb = f"a: &a [{', '.join('x' * 900)}]\n"
    conditions = "".join("    - {if: linux, then: *a}\n" for _ in range(900))
    assert "more than" in refused(tmp_path, f"{bomb}requirements:\n  run:\n{conditions}", "recipe.yaml").message


@pytest.mark.parametrize("word", ["{{", "{{ a", "{% ", "{%- set a = ", "# [a ", "# [", "#[a" + " " * 50_000, "}} "])
def test_what_could_cost_much(word: str, tmp_path: Path) -> None:
    start = time.monotonic()
    for name in ("meta.yaml", "recipe.yaml"):
        refused(tmp_path, f"requirements:\n  run:\n    - a b c d {word * (150_000 // len(word))}\n", name)
    assert time.monotonic() - start < 5


def test_a_recipe_is_found_last(tmp_path: Path) -> None:
    written(tmp_path, {"meta.yaml": OLD, "recipe.yaml": "site: 1\n"})
    assert [found.name for found in (find(tmp_path).path, *find(tmp_path).passed_over)] == ["meta.yaml"]
    written(tmp_path, {"setup.cfg": "[options]\ninstall_requires = a"})
    assert find(tmp_path).path.name == "setup.cfg"
