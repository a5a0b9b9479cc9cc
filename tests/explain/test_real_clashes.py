"""Clashes that projects really run into, on what the indexes said of them: the right lines, and repairs that work.

What is right is written down here by hand. Where a case has several smallest clashes, each of them is.
"""

from __future__ import annotations

import gzip
import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import pytest
from packaging.requirements import Requirement

from mlpin.report import explained_data
from tests.explain.snapshots import CASES, CLASHES, Snapshot, path
from tests.projects import Project, Ran

SCHEMA = json.loads(Path(explained_data.__file__).with_name("explain.schema.json").read_text())

SCREEN = 25
"""Lines that a terminal shows at once."""

Premise = tuple[str, str, str]
"""Its kind, its place, what it says."""
Change = tuple[str, str, str]
"""The file and line, what stands there, and what is to stand there."""


class Right(NamedTuple):
    """What an explanation of a case has to say."""

    clashes: tuple[set[Premise], ...]
    """The smallest sets of premises that cannot hold together."""
    links: tuple[str, ...]
    """Steps of the reason, as patterns."""
    first: tuple[Change, ...]
    """What the best repair changes."""
    offered: tuple[Mapping[str, str], ...] = ()
    """By package, the specifiers that the lines of further repairs have."""
    rules: tuple[str, ...] = ()
    """The rules of the matrix that are premises."""


def line(file: str, text: str) -> Premise:
    return ("constraint" if file.startswith("constraints") else "requirement", file, text)


def fact(place: str, text: str) -> Premise:
    return ("target", place, text)


RIGHT = {
    "torch-torchvision": Right(
        ({line("requirements.txt:2", "torch==2.4.0"), line("requirements.txt:3", "torchvision==0.20.0")},),
        (r"torchvision 0\.20\.0 needs torch==2\.5\.0",),
        (("requirements.txt:3", "torchvision==0.20.0", "torchvision==0.19.0"),),
        ({"torch": "==2.5.0"},),
    ),
    "vllm-torch-transformers": Right(
        (
            {line("requirements.txt:1", "transformers==4.40.0"), line("requirements.txt:3", "vllm==0.8.5")},
            {line("requirements.txt:2", "torch==2.5.1"), line("requirements.txt:3", "vllm==0.8.5")},
        ),
        (r"vllm 0\.8\.5 needs (transformers>=4\.51\.1|torch==2\.6\.0)",),
        (("requirements.txt:3", "vllm==0.8.5", "vllm==0.2.5"),),
        ({"torch": "==2.6.0", "transformers": ">=4.51.1,<5"},),
    ),
    "tensorflow-numpy": Right(
        ({line("pyproject.toml:6", "tensorflow==2.15.0"), line("pyproject.toml:7", "numpy>=2")},),
        (r"tensorflow 2\.15\.0 needs numpy>=1\.23\.5,<2\.0\.0",),
        (("pyproject.toml:6", "tensorflow==2.15.0", "tensorflow==2.18.0"),),
        ({"numpy": "==1.26.4"},),
    ),
    "xformers-torch": Right(
        ({line("requirements.txt:1", "xformers==0.0.26.post1"), line("requirements.txt:2", "torch==2.4.1")},),
        (r"xformers 0\.0\.26\.post1 needs torch==2\.3\.0",),
        (("requirements.txt:1", "xformers==0.0.26.post1", "xformers==0.0.28"),),
        ({"torch": "==2.3.0"},),
    ),
    "jax-cudnn": Right(
        (
            {
                line("requirements.txt:2", "jax[cuda12]==0.4.35"),
                line("constraints.txt:2", "nvidia-cudnn-cu12==8.9.7.29"),
            },
        ),
        (
            r"jax\[cuda12\] 0\.4\.35 needs jax-cuda12-plugin\[with-cuda\]>=0\.4\.34,<=0\.4\.35",
            r"jax-cuda12-plugin\[with-cuda\] 0\.4\.34 and 0\.4\.35 need nvidia-cudnn-cu12>=9\.1,<10\.0",
        ),
        (("requirements.txt:2", "jax[cuda12]==0.4.35", "jax[cuda12]==0.4.28"),),
        ({"nvidia-cudnn-cu12": ">=9.1,<10"},),
    ),
    "tensorflow-python": Right(
        ({line("pyproject.toml:5", "tensorflow==2.15.0"), fact("pyproject.toml:8", "Python 3.13")},),
        (r"tensorflow 2\.15\.0: its wheels are for Python 3\.9, 3\.10, 3\.11, the target has 3\.13",),
        (("pyproject.toml:5", "tensorflow==2.15.0", "tensorflow==2.20.0"),),
        ({"python": "==3.11"},),
    ),
    "gpu-too-new": Right(
        (
            {line("requirements.txt:1", "torch==2.4.0"), fact("mlpin.toml:3", "GPU RTX 5090")},
            {line("requirements.txt:2", "torchvision==0.19.0"), fact("mlpin.toml:3", "GPU RTX 5090")},
        ),
        (r"torch 2\.4\.0.* no code for RTX 5090: only for sm_50, .*, sm_90",),
        (
            ("requirements.txt:1", "torch==2.4.0", "torch==2.7.0"),
            ("requirements.txt:2", "torchvision==0.19.0", "torchvision==0.22.0"),
        ),
        rules=("torch-cu121-cu124-linux",),
    ),
    "gpu-too-old": Right(
        ({line("requirements.txt:1", "torch==2.12.0"), fact("--gpu", "GPU V100")},),
        (r"torch 2\.12\.0 is built for CUDA 13\.0, which compiles no code for V100",),
        (("requirements.txt:1", "torch==2.12.0", "torch==2.12.1"),),
        ({"torch": "==2.11.0"},),
    ),
    "driver-too-old": Right(
        ({line("requirements.txt:1", "torch==2.8.0"), fact("mlpin.toml:3", "driver 470.82")},),
        (r"torch 2\.8\.0 is built for CUDA 12\.8, which needs driver 525\.60\.13; the target has 470\.82",),
        (("requirements.txt:1", "torch==2.8.0", "torch==2.7.1"),),
        ({"driver": "==525.60.13"},),
    ),
    "flash-attn-torch": Right(
        ({line("requirements.txt:1", "torch==2.9.1"), line("requirements.txt:2", "flash-attn==2.8.0.post2")},),
        (
            r"flash-attn 2\.8\.0\.post2, \d+ builds, each for one torch of 2\.4, 2\.5, 2\.6, 2\.7, with CUDA 12",
            r"flash-attn 2\.8\.0\.post2 is a source archive; its wheels are for torch 2\.4, 2\.5, 2\.6, 2\.7",
        ),
        (("requirements.txt:2", "flash-attn==2.8.0.post2", "flash-attn==2.8.1"),),
        ({"torch": "==2.7.1"},),
        rules=("flash-attn-label",),
    ),
}

AGAIN = [
    # 150 packages, solved some twenty times.
    pytest.param(name, marks=[pytest.mark.long] if name.startswith("vllm") else [])
    for name in RIGHT
]
"""The cases, for what is asked a second time."""

Asked = Callable[..., Ran]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], list[str]]]:
    """By case, the options that make mlpin ask its snapshot, and keep what it said for the next test of the case."""
    with ExitStack() as stack:
        known: dict[str, list[str]] = {}

        def options(name: str) -> list[str]:
            if name not in known:
                server = stack.enter_context(Snapshot.of(name))
                known[name] = [*server.options, "--cache-dir", str(tmp_path_factory.mktemp(name))]
            return known[name]

        yield options


@pytest.fixture
def ask(served: Callable[[str], list[str]], project: Project, monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Runs a command in the project of a case."""
    # Whatever lies elsewhere (wheels on release pages, which the matrix knows) cannot be reached.
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")

    def run(name: str, command: str, *words: str) -> Ran:
        for file, text in CASES[name].files.items():
            project.write(file, text)
        return project.run(command, *words, *CASES[name].options, *served(name))

    return run


@pytest.mark.parametrize("name", RIGHT)
def test_the_lines_that_clash_the_reason_and_the_repairs(name: str, ask: Asked) -> None:
    right = RIGHT[name]
    ran = ask(name, "explain", "--format", "json")
    assert ran.code == 1, ran.words
    found = json.loads(ran.out)
    jsonschema.validate(found, SCHEMA)
    assert found["status"] == "conflict"
    assert found["minimal"]
    premises = [one for one in found["clash"] if one["role"] == "premise"]
    said = {(one["kind"], one["place"], one["text"]) for one in premises if one["kind"] != "rule"}
    assert said in right.clashes
    assert tuple(one["about"] for one in premises if one["kind"] == "rule") == right.rules
    for one in premises:
        if one["file"]:
            assert one["place"] == f"{one['file']}:{one['line']}"
    links = [one["text"] for one in found["clash"] if one["role"] == "link"]
    for pattern in right.links:
        assert any(re.match(pattern, text) for text in links), (pattern, links)
    assert found["finished"]
    assert changes(found["repairs"][0]) == [changed(name, *change) for change in right.first]
    for wanted in right.offered:
        assert any(offers(repair, wanted) for repair in found["repairs"]), wanted


def changes(repair: Mapping[str, Any]) -> list[Change]:
    return [(edit["place"], edit["old"], edit["new"]) for edit in repair["edits"]]


def changed(name: str, place: str, old: str, new: str) -> Change:
    """A change as a report has it: of the whole line."""
    file, _, number = place.rpartition(":")
    text = CASES[name].files[file].splitlines()[int(number) - 1].strip()
    return place, text, text.replace(old, new)


def offers(repair: Mapping[str, Any], wanted: Mapping[str, str]) -> bool:
    """Whether a repair moves just these packages or facts, to what the specifiers allow."""
    found = {move["name"]: move["new"] or "" for move in repair["cost"]}
    return found.keys() == wanted.keys() and all(
        Requirement(f"{key}{wanted[key]}").specifier.contains(value) for key, value in found.items()
    )


@pytest.mark.parametrize("name", AGAIN)
def test_the_report_fits_on_a_screen(name: str, ask: Asked) -> None:
    ran = ask(name, "explain")
    assert ran.code == 1, ran.words
    lines = ran.out.splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) <= SCREEN
    assert lines[0].startswith("Conflict: ")


@pytest.mark.parametrize("name", AGAIN)
def test_the_first_repair_is_written_and_locks(name: str, ask: Asked, project: Project) -> None:
    ran = ask(name, "explain", "--apply", "1")
    assert ran.code == 0, ran.words
    expected = dict(CASES[name].files)
    for place, old, new in RIGHT[name].first:
        file = place.rpartition(":")[0]
        expected[file] = expected[file].replace(old, new)
    assert {file: (project.root / file).read_text() for file in expected} == expected
    locked = project.versions()
    for requirement in requirements(expected):
        assert requirement.specifier.contains(locked[requirement.name]), requirement


def requirements(files: Mapping[str, str]) -> Iterator[Requirement]:
    """The lines of a project's files, comments left out."""
    for file, text in files.items():
        if file == "pyproject.toml":
            yield from map(Requirement, tomllib.loads(text)["project"]["dependencies"])
        elif file == "requirements.txt":
            lines = (one.partition("#")[0].strip() for one in text.splitlines())
            yield from (Requirement(one) for one in lines if one and not one.startswith("-"))


def test_what_is_no_conflict_is_told_by_the_lock(ask: Asked, project: Project) -> None:
    """onnxruntime and onnxruntime-gpu have the same files: pip installs both, so the matrix only warns."""
    ran = ask("onnxruntime-both", "explain", "--format", "json")
    assert ran.code == 0
    assert json.loads(ran.out)["outcome"] == "solvable"
    ran = ask("onnxruntime-both", "lock")
    assert ran.code == 0
    assert project.versions().keys() >= {"onnxruntime", "onnxruntime-gpu"}
    assert "onnxruntime 1.20.1: untested: may not work with onnxruntime-gpu 1.20.0" in ran.words
    assert "[onnxruntime-same-files]" in ran.words


def test_each_case_has_a_small_snapshot_without_any_host() -> None:
    assert RIGHT.keys() | {"onnxruntime-both"} == CASES.keys()
    assert {file.name for file in CLASHES.iterdir()} == {path(name).name for name in CASES}
    assert sum(file.stat().st_size for file in CLASHES.iterdir()) < 600_000
    for file in CLASHES.iterdir():
        # A dependency's own address (`name @ https://…`) would be none of the index's.
        assert b"://" not in gzip.decompress(file.read_bytes())
