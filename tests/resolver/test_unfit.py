"""Why files do not fit, in words: each names what is there, what the target has, and what would help."""

from __future__ import annotations

import pytest

from mlpin.errors import InputError
from mlpin.resolver import unfit
from mlpin.target import Target, parse_platform
from tests.resolver.catalogs import Release, artifact

LINUX = Target("", "3.11", parse_platform("linux-x86_64"))
MACOS = Target("", "3.11", parse_platform("macos-13-arm64"))
WINDOWS = Target("", "3.11", parse_platform("windows"))


@pytest.mark.parametrize(
    ("target", "tags", "reason", "remedy"),
    [
        (
            LINUX,
            ["cp311-cp311-manylinux_2_34_x86_64", "cp311-cp311-manylinux_2_31_x86_64"],
            "its wheels need glibc 2.31 or newer, the target has 2.28",
            'glibc = "2.31" in the target',
        ),
        (
            Target("", "3.11", parse_platform("linux-x86_64", "2.12")),
            ["cp39-abi3-manylinux2014_x86_64.manylinux_2_17_x86_64"],
            "its wheels need glibc 2.17 or newer, the target has 2.12",
            'glibc = "2.17" in the target',
        ),
        (LINUX, ["cp311-cp311-musllinux_1_2_x86_64"], "its Linux wheels are for musl only", ""),
        (
            LINUX,
            ["cp310-cp310-manylinux_2_17_x86_64", "cp39-cp39-win_amd64"],
            "its wheels are for Python 3.9, 3.10, the target has 3.11",
            "a target with Python 3.10",
        ),
        (LINUX, ["pp311-pypy311_pp73-manylinux_2_17_x86_64"], "its wheels are for another kind of Python", ""),
        (
            LINUX,
            ["cp311-cp311-win_amd64", "py3-none-macosx_11_0_arm64", "py3-none-manylinux2014_aarch64"],
            "its wheels are for linux-aarch64, macos-arm64, win-amd64; none for linux-x86_64",
            "",
        ),
        (
            MACOS,
            ["cp311-cp311-macosx_15_0_arm64", "cp311-cp311-macosx_14_0_universal2"],
            "its wheels need macOS 14 or newer, the target has 13",
            'platform = "macos-14-arm64"',
        ),
        (MACOS, ["py3-none-macosx_11_0_x86_64"], "its wheels are for macos-x86_64; none for macos-13-arm64", ""),
        (WINDOWS, ["cp311-abi3-manylinux_2_17_x86_64"], "its wheels are for linux-x86_64; none for windows-amd64", ""),
    ],
)
def test_tags(target: Target, tags: list[str], reason: str, remedy: str) -> None:
    assert unfit.tags([artifact(f"p-1.0-{tag}.whl") for tag in tags], target)[:2] == (reason, remedy)


def test_a_source_archive_is_no_wheel() -> None:
    files = [artifact("p-1.0.tar.gz"), artifact("p-1.0-py3-none-win32.whl")]
    assert unfit.tags(files, LINUX)[0] == "its wheels are for win32; none for linux-x86_64"


def test_upload_times_are_compared_in_one_form() -> None:
    assert (
        unfit.uploaded(artifact("p-1.0.tar.gz", Release(uploaded="2024-01-02T03:04:05+00:00")), "")
        < "2024-01-02T03:04:06Z"
    )
    with pytest.raises(InputError) as caught:
        unfit.uploaded(artifact("My_P-1.0-py3-none-any.whl"), "https://index.example/simple/")
    assert caught.value.where == "https://index.example/simple/"
    assert "{ my-p = false }" in str(caught.value.hint)


def test_days() -> None:
    assert unfit.days_between("2024-01-01T00:00:00Z", "2024-01-02T12:00:00.000Z") == 1.5
