"""conda's `environment.yml`: channels, conda packages, the pip section, and what conda-lock adds."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from mlpin.manifest import Manifest
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
    assert [(one.name, one.conda, one.origin.line) for one in found.requirements[:2]] == [
        ("python", "python=3.10", 4),
        ("pip", "conda-forge::pip=24", 5),
    ]
    assert [(brief(one), one.origin.place) for one in found.requirements[2:]] == [
        ("numpy>=1.2", "environment.yml:7"),
        ("scipy", "more.txt:1"),
        ("", "environment.yml:10"),
        ('torch==2.0 ; sys_platform == "linux"', "environment.yml:11"),
    ]
    assert found.requirements[4].source == PathSource(tmp_path.as_posix(), editable=True)
    assert found.layers[0].extra_indexes is not None
    assert found.layers[0].channels == ("conda-forge",)
    assert [path.name for path in found.inputs] == [NAME, "more.txt"]
    assert found.notes == ()


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
        ("python 3.10.2 h12_0", "==3.10.2.*"),
        ("python>=3.10,<3.11.0a0", "<3.11.0a0,>=3.10"),
        ("python=3.9|3.10", ""),
        ("python[version='>=3.9']", ""),
        ("python=*", ""),
        ("python=3.10\n- python<3.11", "<3.11,==3.10.*"),
        ("conda-forge::python=3.11", "==3.11.*"),
    ],
)
def test_python(tmp_path: Path, spec: str, expected: str) -> None:
    found = reading(tmp_path, f"dependencies:\n- {spec}\n- pip:\n  - numpy\n", NAME)
    assert found.requires_python == expected


@pytest.mark.parametrize(
    ("line", "name", "spec"),
    [
        ("numpy=1.26", "numpy", "numpy=1.26"),
        ("numpy==1.26.4=py311h64a7726_0", "numpy", "numpy==1.26.4=py311h64a7726_0"),
        ("numpy>=1.20, <2", "numpy", "numpy>=1.20,<2"),
        ("numpy = 1.2 = py3_0", "numpy", "numpy=1.2=py3_0"),
        ("numpy 1.2.* *mkl*", "numpy", "numpy 1.2.* *mkl*"),
        ("PyYAML", "pyyaml", "PyYAML"),
        ("_libgcc_mutex=0.1=main", "_libgcc_mutex", "_libgcc_mutex=0.1=main"),
        ("conda-forge::cudnn", "cudnn", "conda-forge::cudnn"),
        ("pytorch[version='>=2.1',build='*cuda*']", "pytorch", "pytorch[version='>=2.1',build='*cuda*']"),
        ("'pytorch=2.1=*cuda*'  # [linux]", "pytorch", "pytorch=2.1=*cuda*"),
        ('"mkl<2024.1 # [linux]"', "mkl", "mkl<2024.1"),
    ],
)
def test_conda_packages(tmp_path: Path, line: str, name: str, spec: str) -> None:
    found = reading(tmp_path, f"dependencies:\n  - pip\n  - {line}\n", NAME)
    one = found.requirements[1]
    assert (one.name, one.conda, one.origin.place) == (name, spec, "environment.yml:3")
    assert (one.specifier, one.marker, one.source) == ("", "", None)
    assert one.origin.text in line


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("torch==2.1+cu121", "only wheels have", "`pytorch=2.1`"),
        ("-e .", "option of pip", "below `- pip:`"),
        ("git+https://git.example/a", "as PyPI has them", "below `- pip:`"),
        ("numpy; python_version<'3'", "as PyPI has them", "below `- pip:`"),
        ("numpy @ https://files.example/numpy.whl", "as PyPI has them", "below `- pip:`"),
        ("ray[tune]", "extras", "write `ray`"),
        ("https://conda.example/ours", "is a URL", "`channels`"),
        ("https://me:s3cret@conda.example/ours::numpy", "password", "`channels`"),
        ("https://conda.example/t/s3cret/ours::numpy", "password", "`channels`"),
        ("conda-forge:numpy", "one colon", "`conda-forge::numpy`"),
        ("'numpy: 1.2'", "not a requirement", "`numpy=1.2`"),
        ("numpy>=1.2 <2", "blank between", "comma"),
        ("numpy===1.2", "operator", "=="),
        ("numpy=>1.2", "operator", ">="),
        ("numpy^1.2", "caret", ">=1.2,<2"),
        ("'*'", "one package", ""),
        ("numpy>=", "MatchSpec", ""),
        ("numpy 1 2 3", "MatchSpec", ""),
    ],
)
def test_what_is_no_conda_package(tmp_path: Path, line: str, message: str, hint: str) -> None:
    error = refused(tmp_path, f"dependencies:\n- pip\n- {line}\n", NAME)
    assert error.where == "environment.yml:3"
    assert message in error.message
    assert hint in (error.hint or "")
    assert "s3cret" not in f"{error}{error.hint}"


def test_channels(tmp_path: Path) -> None:
    found = reading(
        tmp_path,
        "channels:\n- ours/label/dev\n- https://$USER:${TOKEN}@conda.example/c/\n- ./local\n- defaults\n- nodefaults\n"
        "- ours/label/dev\ndependencies:\n- ./local::numpy\n",
        NAME,
        environ={"USER": "me", "TOKEN": "s3cret"},
    )
    local = (tmp_path / "local").as_posix()
    assert found.layers[0].channels == ("ours/label/dev", "https://me:s3cret@conda.example/c", local, "defaults")
    assert found.requirements[0].conda == f"{local}::numpy"
    for text in ("", "channels:\n"):
        assert reading(tmp_path, f"{text}dependencies: [numpy]\n", NAME).layers == ()
    assert reading(tmp_path, "channels: [nodefaults]\ndependencies: [numpy]\n", NAME).layers[0].channels == ()


def test_variables_and_other_keys(tmp_path: Path) -> None:
    found = reading(
        tmp_path,
        "name: a\nprefix: /opt/a\ncategory: dev\nvariables:\n  TF_FORCE: yes\n  CONDA_OVERRIDE_CUDA: '12.4'\n"
        "  CONDA_OVERRIDE_GLIBC: 2.28\n  CONDA_OVERRIDE_ARCHSPEC: skylake\ndependencies: [numpy]\nother: 1\n",
        NAME,
    )
    virtual = (("__cuda", "12.4"), ("__glibc", "2.28"), ("__archspec", "1=skylake"))
    assert found.layers[0].virtual_packages == virtual
    assert [(note.origin.line, "TF_FORCE" in note.message) for note in found.notes] == [(5, True), (10, False)]


def test_platforms(tmp_path: Path) -> None:
    def of(platforms: str) -> Manifest:
        return reading(tmp_path, f"platforms: [{platforms}]\ndependencies: [numpy]\n", NAME)

    assert of("osx-arm64").layers[0].platform == "macos-arm64"
    several = of("linux-64, win-64, linux-ppc64le")
    assert {name: one.platform for name, one in several.targets.items()} == {
        "linux-64": "linux-x86_64",
        "win-64": "windows-amd64",
    }
    assert "linux-ppc64le" in several.notes[0].message
    assert several.layers == ()


@pytest.mark.parametrize(
    ("text", "where", "word"),
    [
        ("", "environment.yml", "empty"),
        ("- a\n", "environment.yml:1", "mapping"),
        ("name: a\n", "environment.yml", "no dependencies"),
        ("dependencies: []\n", "environment.yml", "no dependencies"),
        ("dependencies:\n", "environment.yml:1", "list"),
        ("dependencies:\n  - numpy: 1.2\n", "environment.yml:2", "installer"),
        ("channels: {a: b}\n", "environment.yml:1", "list"),
        ("channels:\n- [a]\n", "environment.yml:2", "words"),
        ("channels:\n- a\n- ftp://me:s3cret@x/\n", "environment.yml:3", "neither"),
        ("channels:\n- https://$NO_TOKEN@x/c\n", "environment.yml:2", "not set"),
        ("channels:\n- two words\n", "environment.yml:2", "not a channel"),
        ("variables: [a]\n", "environment.yml:1", "mapping"),
        ("variables:\n  CONDA_OVERRIDE_CUDA: new\n", "environment.yml:2", "cannot be"),
        ("platforms: [win-32]\n", "environment.yml:1", "platform"),
        ("dependencies:\n- ''\n", "environment.yml:2", "empty"),
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
        ("dependencies:\n- pip:\n  - ~\n", "environment.yml:3", "word for nothing"),
        ("dependencies:\n- numpy\n- null\n", "environment.yml:3", "word for nothing"),
        ("dependencies:\n- ~\n", "environment.yml:2", "word for nothing"),
        ("dependencies:\n- a\n- !!python/object:os.system x\n", "environment.yml:3", "`!!python/object:os.system`"),
        ("channels:\n- !own x\n", "environment.yml:2", "`!own`"),
        ("dependancies:\n- numpy\n", "environment.yml", "`dependancies` (did you mean `dependencies`?)"),
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
    assert names(found.requirements) == ["pip", "numpy"]


def test_a_list_that_holds_itself(tmp_path: Path) -> None:
    assert refused(tmp_path, "dependencies: &a\n- *a\n", NAME).where == "environment.yml:1"


def test_what_costs_too_much(tmp_path: Path) -> None:
    assert "more than 10000" in refused(tmp_path, f"dependencies: [&a numpy{', *a' * 10_000}]\n", NAME).message
    for word in ("a" * 5000, "a://" * 2000, "1 " * 3000, "<" * 5000):
        assert "longer than" in refused(tmp_path, f"dependencies:\n- '{word}'\n", NAME).message


def test_too_large(tmp_path: Path) -> None:
    assert "larger" in refused(tmp_path, "#" * 600_000, NAME).message
