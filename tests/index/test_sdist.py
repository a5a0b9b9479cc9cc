"""What a source archive says of itself without being run."""

from __future__ import annotations

import gzip
import io
import random
import tarfile

import pytest

from mlpin.candidate import Metadata
from mlpin.errors import BadDistribution
from mlpin.index import sdist as sdists
from mlpin.index.sdist import metadata_of, project_metadata, requires_txt
from tests.wheels import Built, headers, sdist, tarred

PROJECT = '[project]\nname = "a.b"\nversion = "1.0"\nrequires-python = ">=3.8"\n'


def read(built: Built, version: str = "1.0") -> Metadata:
    return metadata_of(built.data, built.filename, "a-b", version)


def lines(found: Metadata) -> list[str]:
    return [one.text for one in found.dependencies]


@pytest.mark.parametrize("form", ["tar.gz", "zip"])
def test_static_fields_of_pkg_info_count_first(form: str) -> None:
    built = sdist("a-b", "1.0", ["c>=1"], files={"pyproject.toml": PROJECT + 'dependencies = ["other"]'}, form=form)
    found = read(built)
    assert (lines(found), found.origin) == (["c>=1"], "sdist")


def test_no_requirements_in_static_metadata_means_none() -> None:
    found = read(sdist("a-b", "1.0", files={"a_b.egg-info/requires.txt": "c"}))
    assert (lines(found), found.origin) == ([], "sdist")


@pytest.mark.parametrize("field", ["Requires-Dist", "requires-python"])
def test_a_static_project_table_counts_where_pkg_info_is_dynamic(field: str) -> None:
    info = headers("a-b", "1.0", metadata_version="2.2", dynamic=[field])
    toml = PROJECT + 'dependencies = ["c>=1"]\noptional-dependencies = { Fast = ["d; python_version < \'4\'"] }'
    found = read(sdist("a-b", "1.0", pkg_info=info, files={"pyproject.toml": toml}))
    assert (found.name, found.version, found.requires_python, found.extras, found.origin) == (
        "a-b",
        "1.0",
        ">=3.8",
        ("fast",),
        "sdist",
    )
    assert [(one.name, one.extra, one.marker) for one in found.dependencies] == [
        ("c", "", ""),
        ("d", "fast", 'python_version < "4"'),
    ]


def test_a_dynamic_version_is_that_of_the_file_name() -> None:
    toml = '[project]\nname = "a-b"\ndynamic = ["version"]\ndependencies = ["c"]'
    found = read(sdist("a-b", "1.0", pkg_info="", files={"pyproject.toml": toml}))
    assert (found.version, lines(found)) == ("1.0", ["c"])


@pytest.mark.parametrize("path", ["a_b.egg-info/requires.txt", "src/a_b.egg-info/requires.txt"])
def test_what_setuptools_left_is_assumed(path: str) -> None:
    text = "c>=1\n\n[fast]\nd\n\n[:python_version < '3.9']\ne>=2\n\n[fast:sys_platform == 'linux']\nf ; python_version > '3'\n# a comment\n"
    built = sdist(
        "a-b", "1.0", pkg_info=headers("a-b", "1.0", extras=["fast"], requires_python=">=3.7"), files={path: text}
    )
    found = read(built)
    assert (found.origin, found.requires_python, found.extras) == ("assumed", ">=3.7", ("fast",))
    assert [(one.name, one.extra, one.marker) for one in found.dependencies] == [
        ("c", "", ""),
        ("d", "fast", ""),
        ("e", "", 'python_version < "3.9"'),
        ("f", "fast", 'python_version > "3" and sys_platform == "linux"'),
    ]


def test_sections_of_requires_txt() -> None:
    assert requires_txt("a\n[x]\nb\n[]\nc\n[y:z == '1']\nd; e == '2' or f == '3'\n") == [
        "a",
        'b ; extra == "x"',
        "c",
        "d ; (e == '2' or f == '3') and (z == '1') and extra == \"y\"",
    ]


def test_old_metadata_with_requirements_is_assumed() -> None:
    found = read(sdist("a-b", "1.0", pkg_info=headers("a-b", "1.0", ["c"])))
    assert (lines(found), found.origin) == (["c"], "assumed")


@pytest.mark.parametrize(
    "built",
    [
        sdist("a-b", "1.0", pkg_info=headers("a-b", "1.0"), files={"setup.py": "setup(install_requires=['c'])"}),
        sdist("a-b", "1.0", pkg_info=headers("a-b", "1.0", metadata_version="2.2", dynamic=["Requires-Dist"])),
        sdist(
            "a-b", "1.0", pkg_info="", files={"pyproject.toml": '[project]\nname = "a-b"\ndynamic = ["dependencies"]'}
        ),
        sdist("a-b", "1.0", pkg_info="", files={"pyproject.toml": "[build-system]\nrequires = []"}),
        sdist("a-b", "1.0", pkg_info="", files={"pyproject.toml": "not TOML"}),
        sdist("a-b", "1.0", pkg_info=""),
    ],
)
def test_what_only_a_build_would_know_names_the_way_out(built: Built) -> None:
    with pytest.raises(BadDistribution, match="only by building") as caught:
        read(built)
    assert caught.value.where == built.filename
    assert "[tool.mlpin.metadata]" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "built",
    [
        sdist("a-b", "1.0", pkg_info=headers("c", "1.0", metadata_version="2.2")),
        sdist("a-b", "1.0", pkg_info=headers("a-b", "1.1", metadata_version="2.2")),
        sdist("a-b", "1.0", pkg_info="", files={"pyproject.toml": '[project]\nname = "c"\nversion = "1.0"'}),
        sdist("a-b", "1.0", pkg_info="", files={"pyproject.toml": '[project]\nname = "a-b"\nversion = "1.1"'}),
    ],
)
def test_another_name_or_version_inside_is_refused(built: Built) -> None:
    with pytest.raises(BadDistribution, match=r"metadata|pyproject\.toml is that of"):
        read(built)


@pytest.mark.parametrize(
    "table",
    [
        "dependencies = 5",
        'dependencies = "c"',
        "dependencies = [1, 2]",
        "optional-dependencies = []",
        'optional-dependencies = { fast = "c" }',
        "optional-dependencies = { fast = 5 }",
        "dynamic = [[1]]",
        'dynamic = "version"',
        "requires-python = []",
    ],
)
def test_a_project_table_of_other_types_is_none(table: str) -> None:
    assert project_metadata(f'[project]\nname = "a-b"\nversion = "1.0"\n{table}', "x") is None


# -- hostile archives


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE])
def test_only_files_are_read(kind: bytes) -> None:
    data = tarred(
        {
            "a_b-1.0/PKG-INFO": link("a_b-1.0/PKG-INFO", "/etc/passwd", kind),
            "a_b-1.0/pyproject.toml": (PROJECT + 'dependencies = ["c"]').encode(),
        }
    )
    assert lines(metadata_of(data, "a_b-1.0.tar.gz", "a-b", "1.0")) == ["c"]


@pytest.mark.parametrize(
    "path",
    [
        "../PKG-INFO",
        "/PKG-INFO",
        "a_b-1.0/../PKG-INFO",
        "a_b-1.0/x/PKG-INFO",
        "PKG-INFO",
        "./PKG-INFO",
        "a_b-1.0//PKG-INFO",
    ],
)
def test_paths_that_lead_elsewhere_are_not_read(path: str) -> None:
    info = headers("a-b", "1.0", ["evil"], metadata_version="2.2").encode()
    good = headers("a-b", "1.0", ["good"], metadata_version="2.2").encode()
    data = tarred({path: info, "a_b-1.0/PKG-INFO": good})
    assert lines(metadata_of(data, "a_b-1.0.tar.gz", "a-b", "1.0")) == ["good"]


def test_what_unpacks_to_more_than_can_be_true_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sdists, "MAX_ARCHIVE", 1 << 20)
    data = tarred({"a_b-1.0/big": bytes(2 << 20), "a_b-1.0/PKG-INFO": b""})
    with pytest.raises(BadDistribution, match="more than can be true"):
        metadata_of(data, "a_b-1.0.tar.gz", "a-b", "1.0")


def test_a_header_that_claims_a_gigabyte_is_not_read() -> None:
    """A pax header is read whole into memory by tarfile, so its size is looked at before."""
    info = tarfile.TarInfo("./PaxHeaders/x")
    info.type, info.size = tarfile.XHDTYPE, 1 << 30
    data = gzip.compress(info.tobuf() + bytes(64 << 20), 1)
    with pytest.raises(BadDistribution):
        metadata_of(data, "a_b-1.0.tar.gz", "a-b", "1.0")


def test_a_metadata_file_too_large_to_be_true_is_passed_over() -> None:
    data = tarred(
        {
            "a_b-1.0/PKG-INFO": b"x" * (sdists.MAX_MEMBER + 1),
            "a_b-1.0/pyproject.toml": (PROJECT + 'dependencies = ["c"]').encode(),
        }
    )
    assert lines(metadata_of(data, "a_b-1.0.tar.gz", "a-b", "1.0")) == ["c"]


@pytest.mark.parametrize("form", ["tar.gz", "zip", "tar.xz", "tar.bz2", "tgz"])
def test_what_is_no_archive(form: str) -> None:
    for data in (b"", b"<html>", bytes(2_000), b"PK\x05\x06"):
        with pytest.raises(BadDistribution):
            metadata_of(data, f"a_b-1.0.{form}", "a-b", "1.0")


@pytest.mark.parametrize("form", ["gz", "xz", "bz2"])
def test_truncated_or_altered_it_is_refused_or_the_same(form: str) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=f"w:{form}") as archive:
        text = headers("a-b", "1.0", ["c"], metadata_version="2.2").encode()
        info = tarfile.TarInfo("a_b-1.0/PKG-INFO")
        info.size = len(text)
        archive.addfile(info, io.BytesIO(text))
        noise = tarfile.TarInfo("a_b-1.0/noise")
        noise.size = 500
        archive.addfile(noise, io.BytesIO(random.Random(2).randbytes(500)))
    whole = buffer.getvalue()
    dice = random.Random(1)
    for at in range(len(whole)):
        altered = bytearray(whole)
        altered[at] ^= 1 << dice.randrange(8)
        for data in (whole[:at], bytes(altered)):
            try:
                metadata_of(data, f"a_b-1.0.tar.{form}", "a-b", "1.0")
            except BadDistribution:
                continue


def test_a_metadata_version_that_is_none() -> None:
    info = headers("a-b", "1.0", ["c"], metadata_version="2\N{ONE DOT LEADER}2")
    assert read(sdist("a-b", "1.0", pkg_info=info)).origin == "assumed"
    info = headers("a-b", "1.0", ["c"], metadata_version="2.²")
    assert read(sdist("a-b", "1.0", pkg_info=info)).origin == "assumed"
