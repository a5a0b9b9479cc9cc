"""Core metadata as it is really published."""

from __future__ import annotations

import pytest

from mlpin.candidate import Dependency, Metadata
from mlpin.errors import BadDistribution
from mlpin.index import metadata
from tests.wheels import headers


def parse(text: str, project: str = "a-b", version: str = "1.0") -> Metadata:
    return metadata.parse(text, "a_b-1.0-py3-none-any.whl", project, version, "wheel")


def test_the_fields_that_resolving_needs() -> None:
    found = parse(
        headers(
            "A.b",
            "1.0.0",
            ["c>=1", 'd[x]<2; extra == "Fast"', 'e; python_version < "3.9"'],
            extras=["Fast", "big_one"],
            requires_python=">=3.8, <4",
        ),
        version="1.0.0",
    )
    assert (found.name, found.version, found.requires_python, found.extras) == (
        "a-b",
        "1.0.0",
        ">=3.8, <4",
        ("big-one", "fast"),
    )
    assert [(one.name, one.extras, one.specifier, one.extra, one.mentions_extra) for one in found.dependencies] == [
        ("c", (), ">=1", "", False),
        ("d", ("x",), "<2", "fast", False),
        ("e", (), "", "", False),
    ]
    assert found.dependencies[2].marker == 'python_version < "3.9"'


def test_what_stands_below_the_headers_is_no_header() -> None:
    text = "Metadata-Version: 2.1\nName: a-b\nVersion: 1.0\n\nRequires-Dist: c\nName: other\n"
    assert parse(text).dependencies == ()


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_are_folded_and_end_in_either_way(end: str) -> None:
    text = end.join(
        [
            "Metadata-Version: 2.1",
            "name: a-b",
            "VERSION:1.0",
            "Description: long",
            "  Requires-Dist: none",
            "\tmore",
            "Requires-Dist: c",
            "    >=1",
            "",
            "",
        ]
    )
    assert [one.name for one in parse(text).dependencies] == ["c"]
    assert parse(text).dependencies[0].specifier == ">=1"


@pytest.mark.parametrize(
    ("line", "specifier"),
    [
        ("c >=1.*", ">=1"),
        ("c (>=1.2.*)", ">=1.2"),
        ("c >=1 <2", "<2,>=1"),
        ("c (>=1.0,)", ">=1.0"),
        ("c >=1.0,", ">=1.0"),
        ("c >=1.0<2", "<2,>=1.0"),
        ("c>=1.0,; python_version > '3'", ">=1.0"),
        ("c !=1.*,>=1", "!=1.*,>=1"),
        ("c (==1.0)", "==1.0"),
        ("c === 1.0-special", "===1.0-special"),
    ],
)
def test_what_old_tools_wrote_is_mended(line: str, specifier: str) -> None:
    found = metadata.dependency(line)
    assert (found.name, found.specifier, found.text) == ("c", specifier, line)


@pytest.mark.parametrize(
    "line", ["", "c @", "c >", ">=1", "c; nonsense == 1", "c ==1.0.*.*", "c[x", "c >=1; extra ==", "c >= one"]
)
def test_what_cannot_be_mended_is_refused_with_the_line(line: str) -> None:
    with pytest.raises(BadDistribution, match="cannot be read") as caught:
        parse(f"Name: a-b\nVersion: 1.0\nRequires-Dist: {line}\n")
    assert caught.value.where == "a_b-1.0-py3-none-any.whl"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no name or version"),
        ("Name: a-b\n", "no name or version"),
        ("Version: 1.0\n", "no name or version"),
        ("Name: a-b\nVersion: one\n", "no name or version"),
        ("Name: c\nVersion: 1.0\n", "`c`"),
        ("Name: a-b\nVersion: 1.1\n", "says version 1.1"),
        ("Name: a-b\nVersion: 1.0+local\n", "says version 1.0+local"),
    ],
)
def test_metadata_of_something_else_is_refused(text: str, words: str) -> None:
    with pytest.raises(BadDistribution) as caught:
        parse(text)
    assert words in str(caught.value)


def test_names_and_versions_are_compared_normalised() -> None:
    assert parse("Name: A__B\nVersion: v1.0\n").name == "a-b"


def stored() -> bytes:
    return metadata.dump(
        Metadata(
            "a",
            "1.0",
            ">=3",
            (Dependency("b", ("x",), ">=1", "", "m", "e", True, "line"), Dependency("c")),
            ("e",),
            "assumed",
        )
    )


def test_what_is_stored_is_what_is_read() -> None:
    found = metadata.load(stored())
    assert found is not None
    assert metadata.dump(found) == stored()
    assert found.dependencies[0] == Dependency("b", ("x",), ">=1", "", "m", "e", True, "line")


def test_cut_off_anywhere_it_is_nothing() -> None:
    data = stored()
    assert [size for size in range(len(data)) if metadata.load(data[:size]) is not None] == []
    assert metadata.load(bytes(len(data))) is None
    for other in (b"{}", b"5", b"[]", b"null", data.replace(b"[1,", b"[99,", 1)):
        assert metadata.load(other) is None
