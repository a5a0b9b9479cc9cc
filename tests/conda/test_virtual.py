"""The virtual packages of a target, and what they are taken from."""

from __future__ import annotations

import pytest

from mlpin.conda.spec import match_spec
from mlpin.conda.virtual import cuda_of, platform_of, subdir, virtual_packages
from mlpin.errors import InputError
from mlpin.matrix.matrix import Matrix
from mlpin.target import Hardware, Target, parse_platform

MATRIX = Matrix.shipped()


def target(platform: str = "linux-x86_64", glibc: str | None = None, **hardware: object) -> Target:
    return Target("", "3.12", parse_platform(platform, glibc), Hardware(**hardware))  # type: ignore[arg-type]


def shown(of: Target, cuda: str = "", *outright: tuple[str, str]) -> str:
    return " ".join(f"{one.name}={one.version}={one.build}" for one in virtual_packages(of, cuda, outright))


@pytest.mark.parametrize(
    ("platform", "glibc", "expected"),
    [
        ("linux-x86_64", "2.28", "__archspec=1=x86_64 __glibc=2.28=0 __linux=4.18=0 __unix=0=0"),
        ("linux-aarch64", "2.39", "__archspec=1=aarch64 __glibc=2.39=0 __linux=4.18=0 __unix=0=0"),
        ("macos-14-arm64", None, "__archspec=1=m1 __osx=14.0=0 __unix=0=0"),
        ("macos-13-x86_64", None, "__archspec=1=x86_64 __osx=13.0=0 __unix=0=0"),
        ("windows-amd64", None, "__archspec=1=x86_64 __win=10.0=0"),
    ],
)
def test_what_a_platform_brings_along(platform: str, glibc: str | None, expected: str) -> None:
    assert shown(target(platform, glibc)) == expected


def test_cuda_and_the_oldest_gpu() -> None:
    gpus = (("H100", "9.0"), ("RTX 4090", "8.9"), ("B200", "10.0"))
    assert "__cuda=12.4=0 __cuda_arch=8.9=0" in shown(target(accelerator="cuda", gpus=gpus), "12.4")
    assert "__cuda_arch" not in shown(target(accelerator="cuda"), "12.4")
    assert "__cuda" not in shown(target(accelerator="rocm", gpus=(("MI300X", "gfx942"),)))


@pytest.mark.parametrize(
    ("outright", "there", "gone"),
    [
        (("__cuda", "12.6"), "__cuda=12.6=0", "12.4"),
        (("__cuda", ""), "__glibc=2.28=0", "__cuda"),
        (("__linux", "6.8"), "__linux=6.8=0", "4.18"),
        (("__archspec", "1=x86_64_v3"), "__archspec=1=x86_64_v3", "x86_64 "),
        (("__win", ""), "__unix=0=0", "__win"),
        (("__of_our_own", "2=b"), "__of_our_own=2=b", "__win"),
    ],
)
def test_what_the_user_says_outright_counts(outright: tuple[str, str], there: str, gone: str) -> None:
    found = shown(target(accelerator="cuda", gpus=(("H100", "9.0"),)), "12.4", outright)
    assert there in found
    assert gone not in found


@pytest.mark.parametrize("text", ["not a version", "1..2", "12.4!", "\x00"])
def test_a_version_that_is_none(text: str) -> None:
    with pytest.raises(InputError, match="virtual package __cuda: "):
        virtual_packages(target(), "", [("__cuda", text)])


@pytest.mark.parametrize(
    ("spec", "platform"),
    [
        ("__glibc >=2.17,<3.0.a0", "linux-x86_64"),
        ("__archspec 1.* x86_64", "linux-x86_64"),
        ("__archspec 1 x86_64", "windows-amd64"),
        ("__osx >=11.0", "macos-14-arm64"),
        ("__unix", "linux-aarch64"),
        ("__win", "windows-amd64"),
        ("__cuda >=11.8", "linux-x86_64"),
    ],
)
def test_what_packages_ask_of_them_matches(spec: str, platform: str) -> None:
    asked = match_spec(spec)
    assert [one for one in virtual_packages(target(platform), "12.4") if one.name == asked.name and asked.matches(one)]


def test_they_have_no_channel_and_no_file() -> None:
    for one in virtual_packages(target(), "12.4"):
        assert (one.channel, one.url, one.filename, one.depends, one.subdir) == ("", "", "", (), "linux-64")


@pytest.mark.parametrize("name", ["linux-64", "linux-aarch64", "osx-64", "osx-arm64", "win-64"])
def test_platforms_there_and_back(name: str) -> None:
    assert subdir(parse_platform(platform_of(name))) == name


def test_a_platform_of_conda_that_mlpin_does_not_lock_for() -> None:
    with pytest.raises(InputError, match="`linux-ppc64le` is not a platform"):
        platform_of("linux-ppc64le")


@pytest.mark.parametrize(
    ("driver", "cuda"),
    [
        ("550.54.14", "12.4"),
        ("550.40", "12.4"),  # the branch counts
        ("552.22", "12.4"),  # Windows numbers the branch 550 on
        ("535", "12.2"),
        ("525.60.13", "12.0"),
        ("470.82", "11.4"),
        ("580.65.06", "13.0"),
        ("100", ""),
    ],
)
def test_the_cuda_of_a_driver(driver: str, cuda: str) -> None:
    assert cuda_of(target(accelerator="cuda", driver=driver), MATRIX) == cuda


def test_a_newer_driver_never_shows_an_older_cuda() -> None:
    found = [cuda_of(target(accelerator="cuda", driver=str(branch)), MATRIX) for branch in range(410, 700)]
    numbers = [[int(part) for part in text.split(".")] for text in found]
    assert numbers == sorted(numbers)


def test_the_cuda_where_no_driver_is_named() -> None:
    newest = cuda_of(target(accelerator="cuda"), MATRIX)
    assert newest == cuda_of(target(accelerator="cuda", driver="999"), MATRIX)
    assert cuda_of(target(accelerator="cuda", cuda="==12.*"), MATRIX) == "12.9"
    assert cuda_of(target(accelerator="cuda", cuda="==11.8"), MATRIX) == "11.8"
    for accelerator in ("", "cpu", "rocm", "metal"):
        assert cuda_of(target(accelerator=accelerator), MATRIX) == ""
