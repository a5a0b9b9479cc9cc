"""Edits of one line: read again, the manifest says exactly what was asked for, and no other byte has changed."""

from __future__ import annotations

import re
import shutil
import tempfile
import tomllib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from mlpin.errors import InputError
from mlpin.manifest import Manifest, edits, read
from mlpin.manifest.source_text import decoded
from mlpin.requirement import Declared, Origin

from .builders import brief, context, reading, written
from .test_any_text import WORDS

SHARED = Path(__file__).parents[2].parent / "shared" / "manifests"
CODED = (".txt", ".in", ".py")


def everything(manifest: Manifest) -> list[Declared]:
    """All that a manifest asks for: requirements, extras, groups, constraints and overrides."""
    listed = [*manifest.requirements, *manifest.constraints]
    for name in manifest.extras:
        listed += manifest.extras[name]
    for name in manifest.groups:
        listed += manifest.groups[name]
    for layer in manifest.layers:
        listed += (*(layer.constraints or ()), *(layer.overrides or ()))
    return listed


def text_of(path: Path, data: bytes) -> str:
    return decoded(data, path.name, declared_coding=path.suffix in CODED)


def applied(
    path: Path,
    root: Path,
    target: Declared,
    specifier: str,
    extras: Sequence[str] | None = None,
    environ: dict[str, str] | None = None,
) -> edits.Change | None:
    """The edit of `target` in the file at `path`, after the file was written, read again, compared and put back."""
    data = path.read_bytes()
    before = everything(read(path, context(root, environ=environ)))
    file = root / target.origin.file
    content = file.read_bytes()
    text = text_of(file, content)
    assert edits.encoded(text, content, declared_coding=file.suffix in CODED) == content
    change = edits.respecified(text, target.origin.line, target, specifier, extras=extras)
    if change is None:
        return None
    shifted = change.text.count("\n") - text.count("\n")
    file.write_bytes(edits.encoded(change.text, content, declared_coding=file.suffix in CODED))
    after = everything(read(path, context(root, environ=environ)))
    file.write_bytes(content)
    assert data == path.read_bytes()
    assert len(before) == len(after)
    for old, new in zip(before, after, strict=True):
        assert plain(new) == (asked(old, specifier, extras) if same(old, target) else plain(old))
        assert new.origin.place == old.origin.place or (shifted and old.origin.line > target.origin.line)
    only_that_line(text, change)
    return change


def same(one: Declared, target: Declared) -> bool:
    """Whether both stand for one string; the table of sources may have made two of it."""
    return (one.name, one.extras, one.specifier, one.origin) == (
        target.name,
        target.extras,
        target.specifier,
        target.origin,
    )


def plain(one: Declared) -> Declared:
    return one._replace(origin=one.origin._replace(text="", line=0))


def asked(one: Declared, specifier: str, extras: Sequence[str] | None) -> Declared:
    wanted = plain(one)._replace(specifier=str(SpecifierSet(specifier)))
    return wanted if extras is None else wanted._replace(extras=tuple(sorted(extras)))


def only_that_line(text: str, change: edits.Change) -> None:
    """Whatever lies before and after what was replaced is as it was, and what was replaced is a specifier."""
    start = alike(text, change.text)
    end = alike(text[start:][::-1], change.text[start:][::-1])
    gone = text[start : len(text) - end]
    assert not set(gone) & set("#;'\""), gone
    lines = text.split("\n")
    if not change.old:
        assert change.new.split("\n") == [line.strip() for line in change.text.split("\n")][change.line - 1 :][:1]
        return
    assert lines[change.line - 1].strip() == change.old.split("\n")[0].strip()
    assert change.new.split("\n")[0].strip() in change.text.split("\n")[change.line - 1]


def alike(one: str, other: str) -> int:
    """How long both begin alike."""
    shorter = min(len(one), len(other))
    return next((at for at in range(shorter) if one[at] != other[at]), shorter)


def edited(
    directory: Path,
    content: str | bytes,
    package: str,
    specifier: str,
    name: str = "requirements.txt",
    *,
    extras: Sequence[str] | None = None,
    others: dict[str, str] | None = None,
    environ: dict[str, str] | None = None,
    at: int = 0,
) -> tuple[str, str] | None:
    """Old and new lines of the edit of the `at`-th requirement that is called `package`."""
    written(directory, {**(others or {}), name: content})
    path = directory / name
    found = [one for one in everything(read(path, context(directory, environ=environ))) if one.name == package]
    change = applied(path, directory, found[at], specifier, extras, environ)
    return (change.old, change.new) if change else None


# conda packages


@pytest.mark.parametrize(
    ("old", "specifier", "new"),
    [
        ("numpy=1.26  # why", "numpy=2.1", "numpy=2.1  # why"),
        ("numpy  >=1.20,<2", "numpy >=2,<3", "numpy >=2,<3"),
        ("numpy", "numpy>=2", "numpy>=2"),
        ("'conda-forge::numpy = 1.2'", "conda-forge::numpy=2.1", "'conda-forge::numpy =2.1'"),
        ("numpy 1.2", "numpy", "numpy"),
        ("numpy=1.26=py311_0", "numpy=1.26", "numpy=1.26"),
        ("numpy[version='>=1']", "numpy==2.1", None),
        ("numpy=1", "pandas=2", None),
    ],
)
def test_a_conda_package(old: str, specifier: str, new: str | None, tmp_path: Path) -> None:
    yml = f"dependencies:\n- python\n- {old}\n- pip:\n  - numpy\n"
    toml = f'[tool.mlpin.conda]\ndependencies = ["python",\n"{old.partition(" #")[0].strip(chr(39))}"]\n'
    for name, content in (("environment.yml", yml), ("pyproject.toml", toml)):
        if name == "pyproject.toml" and new:
            new = new.partition("  #")[0].strip("'")
        numpy = next(one for one in reading(tmp_path, content, name).requirements if one.conda and one.name == "numpy")
        change = edits.respecified(content, 3, numpy, specifier)
        assert (change and change.new.strip('-" ],')) == new
        if change:
            after = reading(tmp_path, change.text, name).requirements
            assert [one.name for one in after] == [one.name for one in reading(tmp_path, content, name).requirements]


# Requirements files


@pytest.mark.parametrize(
    ("line", "specifier", "new"),
    [
        ("torch==2.0", ">=2.1,<3", "torch>=2.1,<3"),
        ("torch==2.0", "", "torch"),
        ("torch", "==2.1", "torch==2.1"),
        ("torch  # why", "==2.1", "torch==2.1  # why"),
        ("  torch", "==2.1", "torch==2.1"),
        ("torch ; python_version < '4'", "==2.1", "torch==2.1 ; python_version < '4'"),
        ("torch>=2;python_version<'4'# no comment", "", None),
        ("torch >= 1.0, <2.0 # torch==2", "<3,>=2", "torch >= 2, < 3 # torch==2"),
        ("torch >=1.0, <2.0", "", "torch"),
        ("Torch_Vision[ A , b ]==1 ; python_version<'4'", "==2", "Torch_Vision[ A , b ]==2 ; python_version<'4'"),
        ("torch (>=2.0)", ">=2.1", "torch (>=2.1)"),
        ("torch (>=2.0, <3) ; os_name=='x'", "", "torch ; os_name=='x'"),
        ("torch==2.0+cu118", "==2.1+cu121", "torch==2.1+cu121"),
        ("torch==2.*,!=2.1", "!=2.1,==2.*", "torch==2.*,!=2.1"),
        ("torch~=2.0 --config-settings=a=b", "~=2.1", "torch~=2.1 --config-settings=a=b"),
        ("torch===2.0", "==2.1", "torch==2.1"),
        ("torch>=2 ;", "", "torch ;"),
    ],
)
def test_lines(line: str, specifier: str, new: str | None, tmp_path: Path) -> None:
    content = f"# torch==2.0\nnumpy==1\n{line}\n\nscipy\n"
    package = "torch-vision" if line.startswith("Torch_") else "torch"
    if new is None:
        with pytest.raises(InputError):
            reading(tmp_path, content)
        return
    assert edited(tmp_path, content, package, specifier) == (line.strip(), new)


def test_the_same_meaning_keeps_the_words_of_the_author(tmp_path: Path) -> None:
    assert edited(tmp_path, "torch<3,>= 2", "torch", ">=2,<3") == ("torch<3,>= 2", "torch<3,>= 2")


@pytest.mark.parametrize(
    ("line", "extras", "new"),
    [
        ("jax[cuda12]==0.4", ["cuda11"], "jax[cuda11]>=0.5"),
        ("jax [a, b] >=0.4  # x", ["b", "c"], "jax[b, c] >=0.5  # x"),
        ("jax[a]", [], "jax>=0.5"),
        ("jax", ["a"], "jax[a]>=0.5"),
        ("jax ; os_name=='x'", ["a", "b"], "jax[a,b]>=0.5 ; os_name=='x'"),
        ("jax[A_b]", ["a-b"], "jax[A_b]>=0.5"),
    ],
)
def test_extras(line: str, extras: list[str], new: str, tmp_path: Path) -> None:
    assert edited(tmp_path, line, "jax", ">=0.5", extras=extras) == (line, new)


@pytest.mark.parametrize(
    "line",
    [
        f"torch==2.0 --hash=sha256:{'0' * 64}",
        f"torch==2.0 \\\n    --hash=sha256:{'0' * 64} \\\n    --hash=sha256:{'1' * 64}",
        "torch @ https://example.org/torch-2.0-py3-none-any.whl",
        "torch@https://example.org/torch-2.0-py3-none-any.whl",
        "https://example.org/torch-2.0-py3-none-any.whl",
        "git+https://example.org/torch#egg=torch",
        "./torch-2.0-py3-none-any.whl",
        "torch==${VERSION}",
        "torch${BOUND}",
        "torch>=1.9${MORE}",
        "torch>=1.9 ${MORE}",
        "${NAME}==2.0",
    ],
)
def test_what_is_not_edited(line: str, tmp_path: Path) -> None:
    environ = {"VERSION": "2.0", "BOUND": "==2.0", "NAME": "torch", "MORE": ",<3"}
    others = {"torch-2.0-py3-none-any.whl": ""}
    assert edited(tmp_path, f"numpy\n{line}\nscipy", "torch", "==2.1", environ=environ, others=others) is None


@pytest.mark.parametrize("specifier", ["2.1", "^2.1", "==2.1; os_name=='x'", "==2.1 # x", ">=2\nnumpy", "]", '"'])
def test_what_is_no_specifier(specifier: str, tmp_path: Path) -> None:
    for name, content in FORMATS.items():
        if not (specifier in {"2.1", "^2.1"} and "poetry" in content):
            listed = everything(reading(tmp_path, content, name.split()[0], others={"constraints.txt": ""}))
            one = next(one for one in listed if one.name == "torch")
            assert edits.respecified(content, one.origin.line, one, specifier) is None


def test_a_variable_elsewhere_on_the_line_stays(tmp_path: Path) -> None:
    line = 'torch==2.0 ; sys_platform == "${SYSTEM}"'
    assert edited(tmp_path, line, "torch", "==2.1", environ={"SYSTEM": "linux"}) == (line, line.replace("2.0", "2.1"))


def test_continued_lines(tmp_path: Path) -> None:
    content = "numpy\\\n  ==1.0\ntorch>=2.0,\\\r\n  <2.2 \\\r\n  ; os_name == 'posix'\nscipy[a]\\\n\n"
    assert edited(tmp_path, content, "torch", ">=2.1,<3") == (
        "torch>=2.0,\\\r\n  <2.2 \\",
        "torch>=2.1,<3 \\",
    )
    assert edited(tmp_path, content, "numpy", "") == ("numpy\\\n  ==1.0", "numpy")
    assert edited(tmp_path, content, "numpy", "==2") == ("numpy\\\n  ==1.0", "numpy\\\n  ==2")
    assert edited(tmp_path, content, "scipy", "==2") == ("scipy[a]\\", "scipy[a]==2\\")


def test_constraints_of_another_file(tmp_path: Path) -> None:
    others = {"c/more.txt": "\ufeff# x\r\ntorch[x]<2 ; os_name=='y' # z"}
    assert edited(tmp_path, "-c c/more.txt\ntorch", "torch", "<3", others=others, at=1) == (
        "torch[x]<2 ; os_name=='y' # z",
        "torch[x]<3 ; os_name=='y' # z",
    )


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32-be", "latin-1", "utf-8"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", ["", "\n"])
def test_encodings_and_line_ends(encoding: str, end: str, last: str, tmp_path: Path) -> None:
    coding = "# -*- coding: latin-1 -*-" if encoding == "latin-1" else "# é"
    text = f"{coding}\nnumpy==1 # é\ntorch==2.0 # é{last}".replace("\n", end)
    mark = "\ufeff" if encoding == "utf-32-be" else ""
    written(tmp_path, {"requirements.txt": (mark + text).encode(encoding)})
    path = tmp_path / "requirements.txt"
    if end == "\r" and encoding == "latin-1":
        pytest.skip("pip finds the encoding on lines that end in \\n")
    (target,) = [one for one in reading(tmp_path, path.read_bytes()).requirements if one.name == "torch"]
    if end == "\r":
        data = path.read_bytes()
        change = edits.respecified(text_of(path, data), 3, target, "==2.1")
        assert change
        assert change.text == text.replace("2.0", "2.1")
        return
    change = applied(path, tmp_path, target, "==2.1")
    assert change
    assert change.line == 3
    assert change.text == text.replace("2.0", "2.1")


def test_lines_that_are_not_there(tmp_path: Path) -> None:
    (torch,) = reading(tmp_path, "torch==2.0").requirements
    for text, line in [
        ("torch==2.0", 0),
        ("torch==2.0", 2),
        ("numpy", 1),
        ("torch==2", 1),
        ("", 1),
        ("#torch==2.0", 1),
    ]:
        assert edits.respecified(text, line, torch, "==2.1") is None


# Every format, with the line of torch and the same line after the edit to `==2.1`

FORMATS = {
    "requirements.in": "numpy\ntorch==2.0  # torch\n",
    "pyproject.toml": """
[project]  # torch
name = "mine"
version = "1"
dependencies = [
  "numpy",  # "torch==2.0"
  'torch==2.0;python_version<"4"',  # why
]
""",
    "pyproject.toml on one line": """
[project]
name = "mine"
version = "1"
dependencies = ["torch==2.0", "torchvision==2.0", "torch-xla[a]==2.0"]  # "torch==2.0"
""",
    "pyproject.toml with extras and groups": r'''
project.name = "mine"
project.version = "1"
project.dependencies = []
project.optional-dependencies = {torch = ["numpy", "torch==2.0; python_version < \"4\""], b = ["scipy"]}
[dependency-groups]
dev = [{include-group = "x"}, "scipy==2.0"]
x = ["""pandas""", "torchvision"]
''',
    "pyproject.toml with constraints": """
[project]
name = "mine"
version = "1"
dependencies = []
[tool.mlpin]
constraints = ["torch==2.0"]
""",
    "pyproject.toml with overrides": """
[project]
name = "mine"
version = "1"
dependencies = []
[tool.mlpin]
overrides = ["numpy<2", "torch==2.0"]
[tool.uv]
constraint-dependencies = ["numpy"]
""",
    "pyproject.toml with uv": """
[project]
name = "mine"
version = "1"
dependencies = []
[tool.uv]
dev-dependencies = ["numpy"]
constraint-dependencies = [ "torch==2.0" ] # x
sources.numpy = {git = "https://example.org/numpy"}
""",
    "pyproject.toml with sources": """
[project]
name = "mine"
version = "1"
dependencies = ["torch==2.0"]
[tool.uv.sources]
torch = {git = "https://example.org/torch", marker = "os_name == 'nt'"}
""",
    "pyproject.toml of poetry": """
[tool.poetry.dependencies]
python = "^3.10"
Torch = "==2.0"  # torch
numpy = "*"
""",
    "pyproject.toml of poetry, in tables": """
[tool.poetry]
dependencies.numpy = ">=1 <2"
[tool.poetry.group.dev.dependencies]
torch = { version = '==2.0', extras = ["a"], python = "<4" }
[tool.poetry.group.more.dependencies.scipy]
version = "1"
""",
    "pyproject.toml of poetry, one table each": """
[tool.poetry.dependencies.torch]
extras = ["a"]  # torch
version = "==2.0"
""",
    "pyproject.toml of poetry, in a list": """
[tool.poetry.dependencies]
torch = [
  {version = "==2.0", platform = "linux"},
  {version = "==1.9", platform = "darwin"}, # x
]
""",
    "pyproject.toml of poetry, in a list on one line": """
[tool.poetry.dependencies]
torch = [{version = "==2.0", platform = "linux"}, {version = "==1.9", platform = "darwin"}] # x
""",
    "mlpin.toml": """
dependencies = ["numpy", "torch==2.0"]
driver = "525.60.13"
""",
    "Pipfile": """
[[source]]
url = "https://example.org/simple"
verify_ssl = true
name = "main"
[packages]
torch = "==2.0"
numpy = "*"
[dev-packages]
torchvision = {version = "==2.0", index = "main"}
""",
    "Pipfile with tables": """
[packages.torch]
version = "==2.0"
extras = ["a"]
[dev-packages]
numpy = {version = "==2.0"}
""",
    "setup.cfg": """
[metadata]
name = mine
[options]
install_requires =
    numpy
    # torch==2.0
    torch==2.0 ; python_version < "4"  # why
[options.extras_require]
a = scipy
""",
    "setup.cfg on one line": """
[options]
install_requires = numpy; torch==2.0; torchvision==2.0
""",
    "setup.cfg with extras": """
[options.extras_require]
torch:
  numpy
x : torch==2.0
""",
    "environment.yml": """
name: mine  # torch==2.0
dependencies:
  - python=3.10
  - pip
  - pip:
      - -c constraints.txt
      - "numpy"
      - torch==2.0  # why
""",
    "environment.yaml quoted": """
dependencies:
- pip:
  - 'torch==2.0 ; os_name == "posix"'
""",
    "environment.yml in brackets": """
dependencies: [python=3.10, pip, {pip: [numpy, torch==2.0, "torchvision==2.0"]}]
""",
    "train.py": '''#!/usr/bin/env python
# /// script
# dependencies = [
#   "numpy",
#
#   "torch==2.0",  # why
# ]
# [tool.uv]
# constraint-dependencies = ["numpy"]
# ///
"""torch==2.0"""
import torch  # "torch==2.0"
''',
    "valid_toml.py": """# /// script
# dependencies = ["torch==2.0"]
# ///
x = "torch==2.0"
""",
}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("last", ["", "\n"])
@pytest.mark.parametrize("name", FORMATS)
def test_every_format(name: str, end: str, mark: str, last: str, tmp_path: Path) -> None:
    content = (mark + FORMATS[name].removesuffix("\n") + last).replace("\n", end).encode()
    if mark and name == "train.py":
        content = content.replace(b"#!/usr/bin/env python\r\n", b"").replace(b"#!/usr/bin/env python\n", b"")
    path, others = tmp_path / name.split(maxsplit=1)[0], {"constraints.txt": "numpy"}
    written(tmp_path, {**others, path.name: content})
    listed = everything(read(path, context(tmp_path)))
    assert any(one.name == "torch" and one.specifier == "==2.0" for one in listed)
    for one in dict.fromkeys(one for one in listed if not one.conda):
        for specifier in ("==2.1", "", ">=1,<3", "!=2.1.*"):
            comma_in_yaml = "," in specifier and "in brackets" in name and one.name != "torchvision"
            change = applied(path, tmp_path, one, specifier)
            assert bool(change) != comma_in_yaml, brief(one)
            if one.specifier == "==2.0" and specifier == "==2.1" and change:
                assert change.new.replace("2.1", "2.0") == change.old


def test_the_right_one_of_a_line(tmp_path: Path) -> None:
    for name, old in [
        ("pyproject.toml", 'dependencies = ["torch==2.0; os_name==\'nt\'", "torch[a]==2.0", "torch==2.0"]'),
        ("pyproject.toml", 'dependencies = ["torch==2.0", "torchvision==2.0","torch==2.0; os_name==\'nt\'"]'),
    ]:
        content = f'[project]\nname = "mine"\nversion = "1"\n{old}\n'
        for position, one in enumerate(reading(tmp_path, content, name).requirements):
            change = applied(tmp_path / name, tmp_path, one, "==2.1")
            assert change
            parts = old.split("2.0")
            parts[position : position + 2] = ["2.1".join(parts[position : position + 2])]
            assert change.new == "2.0".join(parts)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("pyproject.toml", '[project]\nname = "mine"\nversion = "1"\ndependencies = ["torch", "torch"]'),
        ("setup.cfg", "[options]\ninstall_requires = torch; torch"),
        ("environment.yml", "dependencies: [pip, {pip: [torch, torch]}]"),
        ("environment.yml", "dependencies:\n- pip:\n  - |\n    torch"),
        ("environment.yml", "dependencies:\n- pip:\n  - &a torch\n  - *a"),
        ("environment.yml", "dependencies:\n- pip:\n  - torch\n    >=1"),
        ("pyproject.toml", '[project]\nname = "mine"\nversion = "1"\ndependencies = ["\\u0074orch"]'),
        ("pyproject.toml", '[tool.poetry.dependencies]\ntorch = {git = "https://example.org/torch"}'),
        ("Pipfile", '[packages]\ntorch = {git = "https://example.org/torch"}'),
        ("Pipfile", '[packages]\ntorch = {file = "https://example.org/torch.zip"}'),
    ],
)
def test_what_cannot_be_told_apart_or_stands_elsewhere(name: str, content: str, tmp_path: Path) -> None:
    assert edited(tmp_path, content, "torch", ">=2", name) is None


# Poetry and Pipenv


@pytest.mark.parametrize(
    ("old", "specifier", "new"),
    [
        ('"^2.1"', ">=2.2,<3", '"^2.2"'),
        ('"^2.1"', "^3", '"^3"'),
        ('"^2.1"', ">=2.2,<4", '">=2.2,<4"'),
        ('"^2.1"', "", '"*"'),
        ('"~2.1"', ">=2.2,<2.3", '"~2.2"'),
        ('"2.1"', "==2.2", '"2.2"'),
        ('"2.*"', "==3.*", '"3.*"'),
        ('"*"', "==2.2", '"==2.2"'),
        ('">= 2.1, < 3"', "<4,>=3", '">= 3, < 4"'),
        ('">=2.1 <3"', ">=3,<4", '">=3,<4"'),
        ("'~2.1 || ~2.2'", ">=2.2,<2.4", "'>=2.2,<2.4'"),
        ('{version = "^2.1", optional = true}', "", '{version = "*", optional = true}'),
        ('{extras = ["a"]}', ">=2", '{extras = ["a"], version = ">=2"}'),
        (
            '{ platform = "linux", python = "<4" } # x',
            "^2",
            '{ platform = "linux", python = "<4", version = "^2" } # x',
        ),
    ],
)
def test_poetry(old: str, specifier: str, new: str, tmp_path: Path) -> None:
    content = f"[tool.poetry.dependencies]\npython = '^3.10'\ntorch = {old}\nnumpy = '*'\n"
    (torch,) = [
        one
        for one in everything(reading(tmp_path, f"{content}[tool.poetry.extras]\nx = ['torch']", "pyproject.toml"))[1:]
        if one.name == "torch"
    ]
    written(tmp_path, {"pyproject.toml": content + "[tool.poetry.extras]\nx = ['torch']"})
    change = edits.respecified(content, 3, torch, specifier)
    assert change
    assert change[:3] == (3, f"torch = {old}", f"torch = {new}")
    assert change.text == content.replace(old, new)
    if not specifier.startswith("^"):
        assert applied(tmp_path / "pyproject.toml", tmp_path, torch, specifier)


@pytest.mark.parametrize(
    ("old", "extras", "new"),
    [
        ('"^2.1"', ["a", "b"], '{ version = "^2.2", extras = ["a", "b"] }'),
        ('{version = "^2.1", extras = ["x"]} # y', ["a"], '{version = "^2.2", extras = ["a"]} # y'),
        ('{version = "^2.1", extras = ["x"]} # y', ["x"], '{version = "^2.2", extras = ["x"]} # y'),
        ('{version = "^2.1"}', ["a"], '{version = "^2.2", extras = ["a"]}'),
        ('{extras = ["x"], version = "^2.1"}', [], '{extras = [], version = "^2.2"}'),
    ],
)
def test_extras_of_poetry(old: str, extras: list[str], new: str, tmp_path: Path) -> None:
    content = f"[tool.poetry.dependencies]\ntorch = {old}\n"
    (torch,) = reading(tmp_path, content, "pyproject.toml").requirements
    change = edits.respecified(content, 2, torch, "^2.2", extras=extras)
    assert change
    assert change.new == f"torch = {new}"
    (after,) = reading(tmp_path, change.text, "pyproject.toml").requirements
    assert brief(after) == brief(after._replace(extras=tuple(extras), specifier="<3,>=2.2"))


def test_a_version_that_is_missing_below_a_header(tmp_path: Path) -> None:
    content = "[tool.poetry.dependencies.torch]\r\n  extras = ['a'] # b\r\n[tool.poetry.dependencies.numpy]\r\n"
    (torch, _) = reading(tmp_path, content, "pyproject.toml").requirements
    change = applied(tmp_path / "pyproject.toml", tmp_path, torch, "==2.1")
    assert change
    assert change.text == content.replace("# b\r\n", '# b\r\n  version = "==2.1"\r\n')
    assert change[:3] == (3, "", 'version = "==2.1"')


def test_pipenv_has_no_caret(tmp_path: Path) -> None:
    (torch,) = reading(tmp_path, "[packages]\ntorch = '*'", "Pipfile").requirements
    assert edits.respecified("[packages]\ntorch = '*'", 2, torch, "^2") is None


# Python


@pytest.mark.parametrize(
    ("name", "content", "new"),
    [
        ("pyproject.toml", '[project]\nname="a"\ndependencies=[]\nrequires-python = ">=3.8" # x', ">=3.9,<4"),
        ("pyproject.toml", '[project]\nname="a"\ndependencies=[]\nrequires-python = ">= 3.8, < 4"', ">= 3.9, < 4"),
        ("mlpin.toml", "dependencies=[]\nrequires-python = '>=3.8'", ">=3.9,<4"),
        ("x.py", "# /// script\r\n# dependencies=[]\r\n# requires-python = '>=3.8'\r\n# ///\r\nx", ">=3.9,<4"),
        ("pyproject.toml", '[tool.poetry.dependencies]\nnumpy = "*"\npython = "^3.8"', "^3.9"),
        ("pyproject.toml", '[tool.poetry.dependencies]\nnumpy = "*"\npython = {version = ">=3.8"}', ">=3.9,<4"),
        ("Pipfile", '[packages]\n[requires]\npython_version = "3.8"', ">=3.9,<4"),
        ("setup.cfg", "[options]\npython_requires = >=3.8\ninstall_requires =\n  numpy\n", ">=3.9,<4"),
        ("setup.cfg", "[options]\npython_requires =\n  >=3.8, <4\ninstall_requires =\n  numpy\n", ">=3.9, <4"),
        ("environment.yml", "dependencies:\n- python=3.8 # x\n- pip:\n  - numpy\n", ">=3.9,<4"),
        ("environment.yml", "dependencies:\n- 'conda-forge::python >=3.8,<4'\n- pip:\n  - numpy\n", ">=3.9,<4"),
    ],
)
def test_requires_python(name: str, content: str, new: str, tmp_path: Path) -> None:
    before = reading(tmp_path, content, name)
    assert before.requires_python_origin
    line = before.requires_python_origin.line
    change = edits.requires_python(content, line, "<4,>=3.9")
    assert change
    after = reading(tmp_path, change.text, name)
    assert after.requires_python == "<4,>=3.9"
    assert [one for one in everything(after) if not one.conda] == [one for one in everything(before) if not one.conda]
    assert new in change.new
    assert change.new in change.text
    assert change.old in content
    assert change.line == line
    assert edits.requires_python(content, 1, ">=3.9") is None
    assert edits.requires_python(content, line, "3.9") is None


@pytest.mark.parametrize(
    ("name", "content", "specifier", "new"),
    [
        ("Pipfile", '[packages]\n[requires]\npython_version = "3.8"', "==3.9.*", 'python_version = "3.9"'),
        (
            "Pipfile",
            '[packages]\n[requires]\npython_full_version = "3.8.1"',
            "==3.9.2",
            'python_full_version = "3.9.2"',
        ),
        ("Pipfile", '[packages]\n[requires]\npython_version = "3.8"', "==3.9.1", 'python_version = "==3.9.1"'),
        ("environment.yml", "dependencies:\n- pip\n- python=3.8=x_cpython\n- pip: [x]", "==3.9.*", "- python=3.9"),
        ("environment.yml", "dependencies:\n- pip\n- python 3.8.*\n- pip: [x]", "==3.9.*", "- python =3.9"),
        ("pyproject.toml", '[tool.poetry.dependencies]\n\npython = "3.8"', "==3.9.*", 'python = "3.9.*"'),
    ],
)
def test_one_version_of_python(name: str, content: str, specifier: str, new: str, tmp_path: Path) -> None:
    change = edits.requires_python(content, 3, specifier)
    assert change
    assert change.new == new
    assert reading(tmp_path, change.text, name).requires_python == specifier


def test_python_without_a_version() -> None:
    for text in (
        "[tool.poetry.dependencies.python]\nx = 1",
        "[tool.poetry.dependencies]\npython = [3]",
        "[requires]\n",
    ):
        assert not any(edits.requires_python(text, line, ">=3.9") for line in (1, 2))
    torch = Declared("torch", Origin("manifest"))
    assert edits.respecified("[packages]\ntorch = {version = 1}", 2, torch, ">=3.9") is None


# Keys of TOML


@pytest.mark.parametrize(
    ("table", "before", "old", "new", "after"),
    [
        ("", 'driver = "1" # x\n[a]', 'driver = "1" # x', 'driver = "525" # x', None),
        ("", "driver='1'", "driver='1'", "driver='525'", None),
        ("", "x = 1\n[a]\n", "", 'driver = "525"', 'x = 1\ndriver = "525"\n[a]\n'),
        ("", "x = [\n1,\n]", "", 'driver = "525"', 'x = [\n1,\n]\ndriver = "525"'),
        ("", "", "", 'driver = "525"', 'driver = "525"\n'),
        ("", "[a]\nx = 1", "", 'driver = "525"', 'driver = "525"\n[a]\nx = 1'),
        ("tool.mlpin", "[tool.mlpin]\ndriver = 1.0 # x", "driver = 1.0 # x", 'driver = "525" # x', None),
        ("tool.mlpin", "[tool.mlpin] # x\n\n[b]\n", "", 'driver = "525"', '[tool.mlpin] # x\ndriver = "525"\n\n[b]\n'),
        (
            "tool.mlpin",
            '[tool.mlpin]\n  cuda = "12" # x\n# y\n[b]\nx = 1\n',
            "",
            'driver = "525"',
            '[tool.mlpin]\n  cuda = "12" # x\n  driver = "525"\n# y\n[b]\nx = 1\n',
        ),
        ("tool.mlpin", "a = 1\n", "", '[tool.mlpin]\ndriver = "525"', 'a = 1\n\n[tool.mlpin]\ndriver = "525"\n'),
        ("tool.mlpin", "[a]", "", '[tool.mlpin]\ndriver = "525"', '[a]\n\n[tool.mlpin]\ndriver = "525"'),
        ("tool.mlpin", "", "", '[tool.mlpin]\ndriver = "525"', '[tool.mlpin]\ndriver = "525"\n'),
        (
            "tool.mlpin",
            "[tool.mlpin.targets.x]\na = 1\n",
            "",
            '[tool.mlpin]\ndriver = "525"',
            '[tool.mlpin.targets.x]\na = 1\n\n[tool.mlpin]\ndriver = "525"\n',
        ),
        (
            "tool.mlpin",
            '[tool.mlpin.targets.x]\na = """\n[tool.mlpin]\n"""\n[tool . "mlpin"]#\n[z]',
            "",
            'driver = "525"',
            '[tool.mlpin.targets.x]\na = """\n[tool.mlpin]\n"""\n[tool . "mlpin"]#\ndriver = "525"\n[z]',
        ),
        ("tool.mlpin", '[tool]\nmlpin . cuda = "1"', "", 'mlpin . driver = "525"', None),
        ("tool.mlpin", 'tool."mlpin".cuda = "1"\n', "", 'tool."mlpin".driver = "525"', None),
        (
            "tool.mlpin",
            "[tool]\nmlpin = {a = 1 } # x",
            "mlpin = {a = 1 } # x",
            'mlpin = {a = 1, driver = "525" } # x',
            None,
        ),
        ("tool.mlpin", "[tool]\nmlpin = {}", "mlpin = {}", 'mlpin = { driver = "525" }', None),
        (
            "tool.mlpin.targets.x",
            '[tool.mlpin]\ntargets.x = {driver = "1", y = "1"}',
            'targets.x = {driver = "1", y = "1"}',
            'targets.x = {driver = "525", y = "1"}',
            None,
        ),
        ("tool.mlpin.targets.x", "[tool.mlpin]\n[tool.mlpin.targets.x]\n", "", 'driver = "525"', None),
        ("tool.mlpin", '# /// script\n# dependencies = []\n# ///\nx = "', "", '# [tool.mlpin]\n# driver = "525"', None),
        ("tool.mlpin", "# /// script\n# [tool.mlpin]\n#\n# ///\nx = '", "", '# driver = "525"', None),
        (
            "tool.mlpin",
            "# /// script\n# [tool]\n# mlpin.driver = '1'\n# ///",
            "# mlpin.driver = '1'",
            "# mlpin.driver = '525'",
            None,
        ),
        ("tool.mlpin", "# /// script\n# [tool]\n#   mlpin.a = '1'\n# ///", "", '#   mlpin.driver = "525"', None),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_field_is_set(table: str, before: str, old: str, new: str, after: str | None, end: str) -> None:
    steps = tuple(table.split(".")) if table else ()
    text = before.replace("\n", end)
    change = edits.field_set(text, steps, "driver", "525")
    assert change
    assert (change.old, change.new.replace("\r\n", "\n")) == (old, new)
    if after is not None:
        assert change.text == after.replace("\n", end if "\n" in before else "\n")
    lines = change.text.split("\n")
    assert lines[change.line - 1].strip() == new.split("\n", maxsplit=1)[0]
    rest = [*lines[: change.line - 1], *lines[change.line + new.count("\n") :]]
    assert [line for line in rest if line.strip()] == [
        line for line in text.split("\n") if line.strip() and line.strip() != old
    ] or not text.endswith("\n")
    data = fields(change.text)
    for step in steps:
        data = data[step]
    assert data["driver"] == "525"
    again = edits.field_set(change.text, steps, "driver", "530")
    assert again
    assert again.text == change.text.replace("525", "530")
    dropped = edits.field_dropped(again.text, steps, "driver")
    assert dropped
    if not old and not new.endswith("}") and "[" not in new and before:
        assert dropped.text == text
        assert (dropped.line, dropped.old, dropped.new) == (change.line, again.new, "")


def fields(text: str) -> dict:
    if text.startswith("# ///"):
        text = "\n".join(line[2:] for line in text.replace("\r", "").split("\n# ///")[0].split("\n")[1:])
    return tomllib.loads(text)


def test_an_item_of_a_list() -> None:
    text = 'python = ["3.9", # x\n  "3.10"]\n'
    change = edits.field_set(text, (), "python", "3.11", "3.9")
    assert change == (1, 'python = ["3.9", # x', 'python = ["3.11", # x', text.replace("3.9", "3.11"))
    change = edits.field_set(text, (), "python", "3.11", "3.10")
    assert change == (2, '"3.10"]', '"3.11"]', text.replace("3.10", "3.11"))
    assert edits.field_set(text, (), "python", "3.11", "3.8") is None
    whole = edits.field_set(text, (), "python", "3.11")
    assert whole
    assert whole.text == 'python = "3.11"\n'
    assert whole[:3] == (1, 'python = ["3.9", # x\n  "3.10"]', 'python = "3.11"')


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        ("a = 1\nb = 2 # x\nc = 3\n", "a = 1\nc = 3\n", 2),
        ("a = 1\n\n  b = [\n2,\n] # x", "a = 1\n", 3),
        ("b = 2\nc = 3", "c = 3", 1),
        ("b = 2\n", "", 1),
        ("b = 2", "", 1),
        ("\nb = 2\n", "\n", 2),
        ("a = {b = 2, c = 3}", "a = {c = 3}", 1),
        ("a = {c = 3 , b = 2 }", "a = {c = 3 }", 1),
        ("a = {b = 2}", "a = {}", 1),
        ("x = '''\nb = 1'''\n[a]\nb = 2\nc = 3", "x = '''\nb = 1'''\n[a]\nc = 3", 4),
        ("# /// script\n# b = 2\n#\n# ///\nx", "# /// script\n#\n# ///\nx", 2),
        ("# /// script\n# a = 2\n# b = 3\n# ///\nx", "# /// script\n# a = 2\n# ///\nx", 3),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_field_is_dropped(before: str, after: str, line: int, end: str) -> None:
    table = ("a",) if "a = {" in before or "[a]" in before else ()
    change = edits.field_dropped(before.replace("\n", end), table, "b")
    assert change
    assert change.text == after.replace("\n", end)
    assert change.line == line
    assert "b = " in change.old
    assert change.new == (after if "a = {" in before else "")


def test_fields_that_cannot_be_changed() -> None:
    assert edits.field_dropped("a = 1", (), "b") is None
    assert edits.field_dropped("a = 1", ("a",), "b") is None
    assert edits.field_dropped("torch==2", (), "b") is None
    assert edits.field_set("torch==2", (), "b", "1") is None
    assert edits.field_set("a = 1", ("a",), "b", "1") is None
    assert edits.field_set("[[a]]\nx = 1", ("a",), "b", "1") is None
    assert edits.field_set("[a.b]\nx = 1", ("a",), "b", "1") is None
    for value in ('1"\nx = "2', '"', "\\"):
        assert edits.field_set("a = '1'\nb = \"1\"", (), "b", value) is None


# Any manifest

NAMES = ("torch", "Torch.Vision", "numpy", "jax_cuda", "a1")
OPERATORS = ("==", ">=", "<", "!=", "<=", ">", "~=")


@st.composite
def lines(draw: st.DrawFn) -> list[str]:
    """Requirements as people write them."""
    blank = st.sampled_from(["", "", " ", "  "])
    found = []
    for name in draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4)):
        extras = draw(st.sampled_from(["", "", "[x]", "[x, Y_z]", " [ x,y ]"]))
        clauses = [
            f"{operator}{draw(blank)}{draw(st.sampled_from(['1.0', '2', '2.1.0', '0.4rc1'])) if operator != '~=' else '1.2'}"
            for operator in draw(st.lists(st.sampled_from(OPERATORS), max_size=3, unique=True))
        ]
        written = draw(blank) + f"{draw(blank)},{draw(blank)}".join(clauses)
        if clauses and draw(st.booleans()) and draw(st.booleans()):
            written = f" ({written.strip()})"
        marker = draw(
            st.sampled_from(["", "", " ; os_name == 'posix'", "; python_version >= '3' and extra == 'torch'"])
        )
        found.append(f"{name}{extras}{written.rstrip()}{marker}")
    return found


def rendered(form: str, listed: list[str]) -> str:
    quoted = [f'"{one}"' for one in listed]
    if form == "pyproject.toml":
        return f'[project]\nname = "mine"\ndependencies = [{",".join(quoted)}]  # {quoted[0]}\n'
    if form == "mlpin.toml":
        return 'cuda = "12.4"\ndependencies = [  # x\n' + "".join(f"\t{one} , # {one}\n" for one in quoted) + "]\n"
    if form == "setup.cfg":
        return "[options]\ninstall_requires=\n" + "".join(f"  {one} # {one}\n" for one in listed)
    if form == "environment.yml":
        return "dependencies:\n- pip:\n" + "".join(f"  - {one} # {one}\n" for one in quoted)
    if form == "train.py":
        return "# /// script\n# dependencies = [\n" + "".join(f"#  {one}, # x\n" for one in quoted) + "# ]\n# ///\n"
    return "# a\n-i https://example.org\n" + "".join(f"{one}  # {one}\n\n" for one in listed)


@settings(max_examples=80, deadline=None)
@given(
    form=st.sampled_from(
        ["pyproject.toml", "mlpin.toml", "setup.cfg", "environment.yml", "train.py", "requirements.txt"]
    ),
    listed=lines(),
    end=st.sampled_from(["\n", "\r\n"]),
    mark=st.sampled_from(["", "\ufeff"]),
    specifier=st.sampled_from(["==9.9.9", "", ">=1,<2", "<2,>=1,!=1.5", "~=3.0", "==1.*", "==2.0+cu118"]),
    extras=st.sampled_from([None, None, [], ["x"], ["q", "r"]]),
)
def test_any_manifest(
    form: str, listed: list[str], end: str, mark: str, specifier: str, extras: list[str] | None
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        manifest = reading(root, (mark + rendered(form, listed)).replace("\n", end).encode(), form)
        for one in manifest.requirements:
            change = applied(root / form, root, one, specifier, extras)
            alone = sum(same(one, other) for other in manifest.requirements) == 1
            assert change or not alone


@settings(max_examples=60, deadline=None)
@given(text=st.lists(st.sampled_from(WORDS), max_size=25).map("".join), table=st.sampled_from([(), ("tool", "mlpin")]))
def test_any_text(text: str, table: tuple[str, ...]) -> None:
    """Whatever is asked of it, the answer is a change or None."""
    numpy = Declared("numpy", Origin("manifest"))
    changes = [edits.field_set(text, table, "driver", "525"), edits.field_dropped(text, table, "driver")]
    for line in range(text.count("\n") + 2):
        changes += [edits.respecified(text, line, numpy, "==1"), edits.requires_python(text, line, "==3.*")]
    for change in filter(None, changes):
        assert change.text != text
        assert change.old != change.new


def without_conda_packages(text: str) -> str:
    """An environment of which the pip section is left."""
    begins = text.find("- pip:")
    return re.sub(r"(?m)^(\s+- (?!pip:))", r"#\1", text[:begins]) + text[begins:]


@pytest.mark.long
@pytest.mark.skipif(not SHARED.is_dir(), reason="the collection ../shared/manifests is not here")
def test_every_requirement_of_the_shared_manifests(tmp_path: Path) -> None:
    """Each is given another version; only those are passed over whose version stands in a URL or a path."""
    root = tmp_path / "manifests"
    shutil.copytree(SHARED, root)
    done: Counter[str] = Counter()
    passed_over = 0
    for path in sorted(root.rglob("*.*")):
        if path.suffix in (".yml", ".yaml") and "- pip:" in path.read_text():
            path.write_text(without_conda_packages(path.read_text()))
        elif path.suffix not in (".txt", ".toml"):
            continue
        for one in dict.fromkeys(everything(read(path, context(root)))):
            if applied(path, root, one, "==9.9.9"):
                done[path.suffix] += 1
            else:
                assert one.source is not None
                assert not one.specifier
                passed_over += 1
    assert done[".txt"] > 400
    assert done[".toml"] > 200
    assert done[".yml"] + done[".yaml"] > 15
    assert passed_over < done.total() / 20
