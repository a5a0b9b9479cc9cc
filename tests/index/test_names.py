"""What file names state; names come from an index and are not to be trusted."""

from __future__ import annotations

import pytest

from mlpin.index.names import FileName, normalised_version, read


@pytest.mark.parametrize(
    ("filename", "project", "stated"),
    [
        ("a_b-1.0-py3-none-any.whl", "a-b", FileName("a-b", "1.0", "py3-none-any")),
        ("A.B-1.00-py2.py3-none-any.whl", "a-b", FileName("a-b", "1.0", "py2.py3-none-any")),
        (
            "a-1.0-2fix-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
            "a",
            FileName("a", "1.0", "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64", "2fix"),
        ),
        (
            "torch-2.4.0+cu124-cp311-cp311-linux_x86_64.whl",
            "torch",
            FileName("torch", "2.4.0+cu124", "cp311-cp311-linux_x86_64"),
        ),
        (
            "torch-2.4.0_cu124-cp311-cp311-linux_x86_64.whl",
            "torch",
            FileName("torch", "2.4.0+cu124", "cp311-cp311-linux_x86_64"),
        ),
        ("a-1!2.0rc1.post2.dev3-py3-none-any.whl", "a", FileName("a", "1!2.0rc1.post2.dev3", "py3-none-any")),
        ("a_b-1.0.tar.gz", "a-b", FileName("a-b", "1.0")),
        ("a-b-1.0.zip", "a-b", FileName("a-b", "1.0")),
        ("a.b-1.0-1.tar.bz2", "a-b", FileName("a-b", "1.0.post1")),
        ("a-2-3.0.tar.gz", "a-2", FileName("a-2", "3.0")),
        ("a-2-3.0.tgz", "", FileName("a-2", "3.0")),
    ],
)
def test_what_a_name_states(filename: str, project: str, stated: FileName) -> None:
    assert read(filename, project) == stated


@pytest.mark.parametrize(
    ("filename", "project", "reason"),
    [
        ("a-1.0.exe", "a", "neither"),
        ("a-1.0.egg", "a", "neither"),
        ("", "a", "neither"),
        ("a-1.0-any.whl", "a", "PEP 427"),
        ("a-1.0-1-2-py3-none-any.whl", "a", "PEP 427"),
        ("b-1.0-py3-none-any.whl", "a", "another project, b"),
        ("a-one-py3-none-any.whl", "a", "`one` is not a version"),
        ("a-1.0-py3-none-any/../x.whl", "a", "PEP 425"),
        ("a-1.0-py3--any.whl", "a", "PEP 425"),
        ("a-1.0-1/../../etc-py3-none-any.whl", "a", "PEP 427"),
        ("a-1.0-fix-py3-none-any.whl", "a", "PEP 427"),
        ("../a-1.0.tar.gz", "a", "not a file of a"),
        ("b-1.0.tar.gz", "a", "not a file of a"),
        ("a-latest.tar.gz", "a", "`latest` is not a version"),
        ("1.0.tar.gz", "", "PEP 625"),
        ("-1.0.tar.gz", "", "PEP 625"),
        ("a-" + "9" * 6000 + "-py3-none-any.whl", "a", "not a version"),
        ("a-" + "9" * 6000 + ".tar.gz", "a", "not a version"),
    ],
)
def test_what_is_refused(filename: str, project: str, reason: str) -> None:
    found = read(filename, project)
    assert isinstance(found, str)
    assert reason in found


def test_a_version_that_is_none() -> None:
    assert normalised_version("1.0.0-RC.1") == "1.0.0rc1"
    assert normalised_version("2004d") is None
    assert normalised_version("9" * 6000) is None
