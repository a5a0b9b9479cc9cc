"""Targets: names, markers and tags, held against what `packaging` says of the machine at hand."""

from __future__ import annotations

import platform
import sys

import pytest
from packaging import tags
from packaging.markers import Marker, default_environment
from packaging.version import Version

from mlpin.errors import InputError
from mlpin.target import Platform, Target, parse_glibc, parse_platform, python_minor

on_linux = pytest.mark.skipif(
    not (
        sys.platform == "linux"
        and platform.machine() in {"x86_64", "aarch64"}
        and platform.libc_ver()[0] == "glibc"
        and sys.implementation.name == "cpython"
        and "t" not in sys.abiflags
    ),
    reason="the host is no CPython on Linux with glibc",
)


def here() -> Target:
    glibc = ".".join(platform.libc_ver()[1].split(".")[:2])
    return Target("", platform.python_version(), parse_platform(f"linux-{platform.machine()}", glibc))


@on_linux
def test_tags_are_those_of_the_host() -> None:
    assert set(here().tags) == {str(tag) for tag in tags.sys_tags()}


@on_linux
def test_ranks_follow_the_order_of_the_host() -> None:
    # But for `linux_x86_64`, which packaging puts first: it is for what was built on this very machine.
    target = here()
    known = dict.fromkeys(str(tag) for tag in tags.sys_tags() if not tag.platform.startswith("linux_"))
    ranks = [target.tags[tag] for tag in known]
    assert ranks == sorted(ranks)


@on_linux
def test_markers_are_those_of_the_host() -> None:
    expected = dict(default_environment()) | {"platform_release": "", "platform_version": ""}
    assert here().markers == expected


@pytest.mark.parametrize(
    "name", ["linux-x86_64", "linux-aarch64", "macos-14-arm64", "macos-13-x86_64", "windows-amd64"]
)
def test_a_name_is_its_own_spelling(name: str) -> None:
    assert parse_platform(name).name == name


@pytest.mark.parametrize(
    ("alias", "meant"),
    [
        ("linux", Platform("linux", "x86_64", (2, 28))),
        ("linux-amd64", Platform("linux", "x86_64", (2, 28))),
        ("linux-arm64", Platform("linux", "aarch64", (2, 28))),
        ("x86_64-unknown-linux-gnu", Platform("linux", "x86_64", (2, 28))),
        ("x86_64-manylinux2014", Platform("linux", "x86_64", (2, 17))),
        ("x86_64-manylinux_2_31", Platform("linux", "x86_64", (2, 31))),
        ("manylinux2014_aarch64", Platform("linux", "aarch64", (2, 17))),
        ("manylinux_2_28_x86_64", Platform("linux", "x86_64", (2, 28))),
        ("macos", Platform("macos", "arm64", (14, 0))),
        ("macos-arm64", Platform("macos", "arm64", (14, 0))),
        ("macos-aarch64", Platform("macos", "arm64", (14, 0))),
        ("macos-15.2-arm64", Platform("macos", "arm64", (15, 2))),
        ("x86_64-apple-darwin", Platform("macos", "x86_64", (13, 0))),
        ("win_amd64", Platform("windows", "AMD64")),
        ("windows-x86_64", Platform("windows", "AMD64")),
    ],
)
def test_aliases(alias: str, meant: Platform) -> None:
    assert parse_platform(alias) == meant


def test_glibc_overrides_the_floor() -> None:
    assert parse_platform("linux-x86_64", "2.35").glibc == "2.35"
    assert parse_platform("manylinux2014_x86_64", "2.35").glibc == "2.35"
    assert parse_platform("windows").glibc == ""


@pytest.mark.parametrize(
    ("name", "glibc"),
    [
        ("solaris", None),
        ("linux", "new"),
        ("linux", "2"),
        ("linux-5.10-x86_64", None),
        ("windows-arm64", None),
        ("windows-11-amd64", None),
        ("macos", "2.28"),
        ("windows", "2.28"),
        ("linux-riscv64", None),
        ("", None),
    ],
)
def test_what_is_no_platform(name: str, glibc: str | None) -> None:
    with pytest.raises(InputError) as caught:
        parse_platform(name, glibc)
    assert caught.value.hint


@pytest.mark.parametrize("text", ["3", "2.7", "3.x", "3.11.", "3.11.4.1", "three", ""])
def test_what_is_no_python(text: str) -> None:
    with pytest.raises(InputError):
        python_minor(text)


def test_glibc_text() -> None:
    assert parse_glibc("2.28") == (2, 28)


def test_a_minor_version_stands_for_its_patch_releases() -> None:
    any_patch = Target("", "3.11", parse_platform("linux"))
    assert Version("3.11.0") in any_patch.pythons
    assert Version("3.11.9") in any_patch.pythons
    assert any_patch.markers["python_full_version"] == "3.11.0"
    assert Target("", "3.11.4", parse_platform("linux")).pythons == (Version("3.11.4"),)


@pytest.mark.parametrize("python", ["3.11", "3.11.4"])
@pytest.mark.parametrize("name", ["linux-x86_64", "linux-aarch64", "macos-14-arm64", "windows-amd64"])
def test_the_environment_of_the_lock_holds_on_the_target_alone(python: str, name: str) -> None:
    target = Target("", python, parse_platform(name))
    marker = Marker(target.environment)
    assert marker.evaluate(target.markers)
    others = [parse_platform(other) for other in ("linux-x86_64", "linux-aarch64", "macos-14-arm64", "windows-amd64")]
    for other in others:
        if other != target.platform:
            assert not marker.evaluate(Target("", python, other).markers)
    assert not marker.evaluate(Target("", "3.12", target.platform).markers)


@pytest.mark.parametrize(
    ("name", "tag", "fits"),
    [
        ("linux-x86_64", "cp311-cp311-manylinux_2_28_x86_64", True),
        ("linux-x86_64", "cp311-cp311-manylinux_2_31_x86_64", False),
        ("linux-x86_64", "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64", True),
        ("linux-x86_64", "cp311-cp311-manylinux1_x86_64", True),
        ("linux-aarch64", "cp311-cp311-manylinux1_x86_64", False),
        ("linux-x86_64", "cp311-cp311-musllinux_1_2_x86_64", False),
        ("linux-x86_64", "cp311-cp311t-manylinux_2_17_x86_64", False),
        ("linux-x86_64", "cp38-abi3-linux_x86_64", True),
        ("linux-x86_64", "cp312-abi3-linux_x86_64", False),
        ("linux-x86_64", "py2.py3-none-any", True),
        ("linux-x86_64", "py2-none-any", False),
        ("macos-14-arm64", "cp311-cp311-macosx_11_0_universal2", True),
        ("macos-14-arm64", "cp311-cp311-macosx_15_0_arm64", False),
        ("macos-14-arm64", "cp311-cp311-macosx_11_0_x86_64", False),
        ("macos-13-x86_64", "cp311-cp311-macosx_10_9_x86_64", True),
        ("windows-amd64", "cp311-cp311-win_amd64", True),
        ("windows-amd64", "cp311-cp311-win32", False),
    ],
)
def test_which_wheels_fit(name: str, tag: str, fits: bool) -> None:
    assert (Target("", "3.11", parse_platform(name)).rank(tag) is not None) == fits


def test_the_best_tag_of_a_set_counts() -> None:
    target = Target("", "3.11", parse_platform("linux-x86_64"))
    alone = target.rank("cp311-cp311-manylinux_2_28_x86_64")
    assert target.rank("cp310.cp311-cp311-manylinux_2_17_x86_64.manylinux_2_28_x86_64") == alone
    assert alone is not None
    older = target.rank("cp311-cp311-manylinux_2_17_x86_64")
    anything = target.rank("py3-none-any")
    assert older is not None
    assert anything is not None
    assert alone < older < anything
