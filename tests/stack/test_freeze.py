"""`pip freeze` and pinned requirements files."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlpin import stack
from mlpin.stack import Where

from . import samples
from .builders import pins, reading, refused, skipped


def test_a_freeze(tmp_path: Path) -> None:
    found = reading(tmp_path, samples.FREEZE, "freeze.txt")
    assert (found.source, found.kind, found.python, found.platform) == ("freeze.txt", "freeze", "", "")
    assert pins(found) == [
        "certifi==",
        "demo==0.1.0",
        "tool==",
        "numpy==1.26.4",
        "flash-attn==",
        "torch==2.2.0+cu118",
        "torchvision==0.17.0+cu118",
    ]
    assert [one.line for one in found.packages] == [1, 3, 4, 5, 6, 7, 8]
    assert found.packages[5].files == ("torch-2.2.0+cu118-cp310-cp310-linux_x86_64.whl",)
    assert [(one.line, one.reason) for one in found.skipped] == [
        (1, "does not say which version it is; `pip list --format=freeze` does"),
        (4, "editable, and its version is not stated"),
        (6, "from a repository, and its version is not stated"),
    ]


def test_a_requirements_file(tmp_path: Path) -> None:
    found = reading(tmp_path, samples.REQUIREMENTS, "requirements.txt")
    assert found.kind == "requirements"
    assert pins(found) == ["torch==2.1.0"]
    assert skipped(found) == ["8: numpy>=1.2"]


def test_markers_hold_for_the_target(tmp_path: Path) -> None:
    on = Where("3.10", "windows-amd64")
    assert pins(reading(tmp_path, samples.REQUIREMENTS, "r.txt", on)) == [
        "torch==2.1.0",
        "colorama==0.4.6",
        "tomli==2.0.1",
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a==1.0", ["a==1.0"]),
        ("A_b.C ==1.0.post1", ["a-b-c==1.0.post1"]),
        ("a===1.0", ["a==1.0"]),
        ("a>=1,==1.5", ["a==1.5"]),
        ("a==1.0+cu118", ["a==1.0+cu118"]),
        ("a==1!2.0rc1", ["a==1!2.0rc1"]),
        ("./wheels/torch-2.2.0+cu118-cp310-cp310-linux_x86_64.whl", ["torch==2.2.0+cu118"]),
        ("a @ file:///x/a-1.0.tar.gz", ["a==1.0"]),
        ("https://h.example/x/a-1.0-py3-none-any.whl#sha256=" + "0" * 64, ["a==1.0"]),
        ("a==1.0 --hash=sha256:" + "0" * 64, ["a==1.0"]),
        ("a==1.0 # b==2", ["a==1.0"]),
    ],
)
def test_what_is_exact(tmp_path: Path, line: str, expected: list[str]) -> None:
    found = reading(tmp_path, line, "r.txt")
    assert (pins(found), found.skipped) == (expected, ())


@pytest.mark.parametrize("line", ["a", "a==1.*", "a>=1", "a~=1.0", "a!=1", "-e /home/me/x", "./dir"])
def test_what_is_not(tmp_path: Path, line: str) -> None:
    found = reading(tmp_path, line, "r.txt")
    assert (found.packages, skipped(found)) == ((), [f"1: {line}"])


def test_a_version_that_is_none(tmp_path: Path) -> None:
    found = reading(tmp_path, "pytz===2004d-x\n", "r.txt")
    assert (pins(found), [one.reason for one in found.skipped]) == (
        ["pytz=="],
        ["`2004d-x` is not a version (PEP 440)"],
    )


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_windows_writes_marks_and_carriage_returns(tmp_path: Path, encoding: str) -> None:
    found = reading(tmp_path, "a==1\r\nb==2\r\n".encode(encoding), "freeze.txt")
    assert ([(one.name, one.line) for one in found.packages], found.kind) == ([("a", 1), ("b", 2)], "freeze")


def test_other_files_are_followed(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "base.txt").write_text("# base\na==1\nb>=1\n", encoding="utf-8")
    (tmp_path / "pins.txt").write_text("c==3\nunused==1\nd<2\n", encoding="utf-8")
    found = reading(tmp_path, "-r more/base.txt\n-c pins.txt\nc\nd\na==1\n", "r.txt")
    assert found.kind == "requirements"
    assert [(one.name, one.version, one.line) for one in found.packages] == [("a", "1", 0), ("c", "3", 3)]
    assert found.skipped[0].line == 0
    assert found.skipped[0].text.startswith("b>=1 (")
    assert found.skipped[0].text.endswith("base.txt:3)")
    assert skipped(found)[1:] == ["4: d"]


def test_nothing_is_fetched_and_no_secret_is_shown(tmp_path: Path) -> None:
    found = reading(tmp_path, "-r https://me:secret@host.example/r.txt\na==1\n", "r.txt")
    assert pins(found) == ["a==1"]
    assert skipped(found) == ["0: https://****@host.example/r.txt"]


def test_standard_input_has_no_files_beside_it() -> None:
    found = stack.read_text("-r other.txt\n-cpins.txt\na==1\n")
    assert (found.source, pins(found)) == ("standard input", ["a==1"])
    assert skipped(found) == ["1: -r other.txt", "2: -cpins.txt"]


def test_what_is_no_requirement_names_its_line(tmp_path: Path) -> None:
    assert refused(tmp_path, "a==1\nwhat is this\n", "r.txt").where == "r.txt:2"
    assert refused(tmp_path, 'a==1 ; python_version ~= "x"\n', "r.txt").where == "r.txt:1"
    assert refused(tmp_path, "-r missing.txt\n", "r.txt").where == "r.txt:1"


def test_an_empty_environment(tmp_path: Path) -> None:
    assert reading(tmp_path, "", "freeze.txt").packages == ()
