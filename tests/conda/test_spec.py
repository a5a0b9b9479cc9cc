from __future__ import annotations

import time
from typing import Any

import pytest

from mlpin.conda.pattern import pattern
from mlpin.conda.record import CondaRecord
from mlpin.conda.spec import match_spec, version
from mlpin.conda.version_spec import version_spec
from mlpin.errors import InputError

NUMPY = CondaRecord(
    name="numpy",
    version="1.11.3",
    build="py311h64a7726_7",
    build_number=7,
    channel="conda-forge",
    subdir="linux-64",
    filename="numpy-1.11.3-py311h64a7726_7.conda",
    url="https://index.example/conda-forge/linux-64/numpy-1.11.3-py311h64a7726_7.conda",
    track_features=("mkl",),
    license="BSD-3-Clause",
    md5="ab" * 16,
    sha256="cd" * 32,
)


@pytest.mark.parametrize(
    "text",
    [
        "numpy",
        "NumPy",
        "numpy=1.11",
        "numpy =1.11",
        "numpy 1.11.*",
        "numpy 1.11.3",
        "numpy ==1.11.3.0",
        "numpy>=1.9,<2|0.1",
        "numpy >= 1.9 , < 2 py311*",
        "numpy=1.11.3=py311h64a7726_7",
        "numpy[version='^1\\.1[0-9]\\.3$']",
        "numpy 1.*.3",
        "numpy[version='(1.9.*|>=1.11),!=1.11.2']",
        "numpy ~=1.11.1",
        "numpy * *_7",
        "numpy[build='^py3.*_[0-9]$']",
        "numpy[build_number='>=7']",
        "numpy[build_number=7, license='bsd*']",
        "numpy[subdir=linux-64 md5=" + "AB" * 16 + "]",
        "numpy[sha256=" + "cd" * 32 + "]",
        "numpy[fn=numpy-1.11.3-py311h64a7726_7.conda]",
        "numpy[track_features=mkl]",
        "mkl@",
        "num*",
        "^nump.$",
        "* 1.11.3",
        "conda-forge::numpy",
        "conda-forge/linux-64::numpy 1.11.3",
        "conda-*::numpy",
        "*/linux-64::numpy",
        "https://index.example/conda-forge::numpy",
        NUMPY.url,
        "numpy # a comment",
    ],
)
def test_it_asks_for_this_record(text: str) -> None:
    spec = match_spec(text)
    assert spec.matches(NUMPY)
    assert match_spec(str(spec)).matches(NUMPY)


@pytest.mark.parametrize(
    "text",
    [
        "scipy",
        "numpy 1.11",
        "numpy=1.11=*_7",
        "numpy=1.1",
        "numpy>=1.11.4",
        "numpy!=1.11.*",
        "numpy * py310*",
        "numpy * *_7_*",
        "numpy[build_number='<7']",
        "numpy[features=mkl]",
        "numpy[track_features='mkl nomkl']",
        "numpy[license=MIT]",
        "numpy[md5=00]",
        "numpy[subdir=noarch]",
        "pytorch::numpy",
        "defaults::numpy",
        "conda-forge/noarch::numpy",
        "https://other.example/conda-forge::numpy",
        "https://other.example/conda-forge/linux-64/numpy-1.11.3-py311h64a7726_7.conda",
    ],
)
def test_it_asks_for_something_else(text: str) -> None:
    assert not match_spec(text).matches(NUMPY)


@pytest.mark.parametrize(
    ("asked", "channel", "same"),
    [
        ("conda-forge", "https://mirror.example/conda-forge/", True),
        ("conda-forge", "https://mirror.example/not-conda-forge", False),
        ("conda-forge", "file:///srv/conda-forge", True),
        ("defaults", "pkgs/main", True),
        ("defaults", "https://mirror.example/pkgs/r", True),
        ("pkgs/main", "pkgs/r", False),
        ("conda-forge", "/srv/conda-forge", True),
        ("conda-forge", "team/conda-forge", False),
        ("https://user:pass@mirror.example/t/secret/team", "https://mirror.example/team", True),
    ],
)
def test_a_channel_is_known_by_name_and_url(asked: str, channel: str, same: bool) -> None:
    record = NUMPY._replace(channel=channel, url=f"{channel}/linux-64/{NUMPY.filename}")
    assert match_spec(f"{asked}::numpy").matches(record) == same


def test_a_part_of_defaults_is_known_by_where_it_is() -> None:
    record = NUMPY._replace(channel="defaults", url=f"https://mirror.example/pkgs/main/linux-64/{NUMPY.filename}")
    assert match_spec("defaults::numpy").matches(record) and match_spec("pkgs/main::numpy").matches(record)
    assert not match_spec("pkgs/r::numpy").matches(record)


@pytest.mark.parametrize(
    ("text", "exact", "written"),
    [
        ("numpy", False, "numpy"),
        ("numpy=1.11", False, "numpy=1.11"),
        ("numpy 1.11", True, "numpy==1.11"),
        ("numpy=1.11=h1_0", True, "numpy==1.11=h1_0"),
        ("numpy[version='1.11']", True, "numpy==1.11"),
        ("numpy 1.11.*", False, "numpy=1.11"),
        ("numpy 1.11|1.12 h1*", False, "numpy[version='1.11|1.12',build=h1*]"),
        ("https://user:pass@a.example:80/t/secret/team/noarch::b", False, "https://a.example:80/team/noarch::b"),
        ("a * *", False, "a"),
    ],
)
def test_it_is_written_as_conda_writes_it(text: str, exact: bool, written: str) -> None:
    spec = match_spec(text)
    assert (spec.exact, str(spec)) == (exact, written)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\0",
        "a\nb",
        "a b c d",
        ">=1",
        "a>=",
        "a===1",
        "a==",
        "a~=1",
        "a 1<2",
        "a 1..2",
        "a 1,,2",
        "a |1",
        "a [optional",
        "a[b=1]",
        "a[version=]",
        "a[build_number=x]",
        "a (>=1)|2",
        "a[version='(1']",
        "a[version='" + "(" * 500 + "1" + ")" * 500 + "']",
        "a[build='^(b$']",
        "a[build='^(?=b)c$']",
        "a[build='^" + "b" * 300 + "$']",
        "a[extras=[b]]",
        "a[when='b >=1']",
        "a; if b",
        "a if b",
        "-a",
        "a..b",
        "a" * 5000,
        "b-1-0.conda",
        5,
        None,
        [],
    ],
)
def test_what_conda_would_refuse_is_refused(text: Any) -> None:
    with pytest.raises(InputError):
        match_spec(text)


@pytest.mark.parametrize("text", ["a @ https://me:secret@h.example/b", "https://me:secret@h.example/t/secret::a b c d"])
def test_no_credential_is_shown(text: str) -> None:
    with pytest.raises(InputError) as refused:
        match_spec(text)
    assert "secret" not in str(refused.value)


def test_no_pattern_of_an_index_takes_long() -> None:
    subject = "a" * 3000 + "b"
    start = time.monotonic()
    for text in ("^(a+)+$", "^(a|aa)+c$", "^(a*)*(a*)*c$", "*a" * 200 + "c", "*" * 500 + "c"):
        assert not pattern(text)[subject]
    assert time.monotonic() - start < 1


def test_versions_are_in_the_order_of_conda() -> None:
    given = ["1.10", "1.0.2", "1.0.1post.a", "1!0.1", "1.0.1", "1.0.1a", "1.0.1_", "1.0.1dev"]
    ascending = ["1.0.1dev", "1.0.1_", "1.0.1a", "1.0.1", "1.0.1post.a", "1.0.2", "1.10", "1!0.1"]
    assert sorted(given, key=version) == ascending
    assert version("1.1") == version("1.1.0") and hash(version("1.1")) == hash(version("1.1.0"))


def test_letters_at_the_end_of_a_prefix_begin_a_word() -> None:
    assert [given for given in ("2013a", "2013ab", "2013b", "2013") if version_spec("2013a.*")[given]] == [
        "2013a",
        "2013ab",
    ]


def test_a_version_that_is_none_is_only_for_those_who_do_not_ask() -> None:
    odd = NUMPY._replace(version="1.11..x")
    assert match_spec("numpy").matches(odd) and match_spec("numpy *").matches(odd)
    assert not match_spec("numpy >=0").matches(odd) and not match_spec("numpy !=3").matches(odd)
