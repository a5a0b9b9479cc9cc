"""PEP 751, by mlpin and by others."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlpin.settings import TargetSettings
from mlpin.stack import Where

from . import samples
from .builders import pins, reading, refused, skipped

PACKAGE = '\n[[packages]]\nname = "a"\nversion = "1"\n'


def test_a_lock_of_mlpin(tmp_path: Path) -> None:
    found = reading(tmp_path, samples.PYLOCK, "pylock.gpu.toml")
    assert (found.kind, found.python, found.platform) == ("pylock", "3.11", "linux-x86_64")
    assert found.target == TargetSettings(python=("3.11",), platform="linux-x86_64", glibc="2.28")
    assert pins(found) == [
        "torch==2.2.0+cu118",
        "pytest==8.0.0",
        "bitsandbytes==0.43.0",
        "local==1.5",
        "tool==",
        "demo==",
    ]
    assert skipped(found) == ["40: tool", "44: demo"]
    assert found.packages[0].line == 10
    assert found.packages[0].files == ("torch-2.2.0+cu118-cp311-cp311-linux_x86_64.whl",)


def test_the_target_counts_more_than_what_the_lock_states(tmp_path: Path) -> None:
    found = reading(tmp_path, samples.PYLOCK, "pylock.toml", Where("3.11", "windows-amd64"))
    assert "colorama==0.4.6" in pins(found)
    assert found.packages[1].files == ("colorama-0.4.6.tar.gz",)


@pytest.mark.parametrize(
    ("environments", "python", "platform"),
    [
        ("python_full_version == '3.12.1' and sys_platform == 'darwin' and platform_machine == 'arm64'", "3.12.1", "macos-arm64"),
        ("sys_platform == 'win32' and platform_machine == 'AMD64'", "", "windows-amd64"),
        ("python_version >= '3.12'", "", ""),
        ("sys_platform == 'freebsd' and python_version == '3.12'", "3.12", ""),
    ],
)  # fmt: skip
def test_what_the_environments_state(tmp_path: Path, environments: str, python: str, platform: str) -> None:
    text = f'lock-version = "1.0"\nenvironments = ["{environments}"]\ncreated-by = "x"\n{PACKAGE}'
    found = reading(tmp_path, text, "pylock.toml")
    assert (found.python, found.platform, found.target) == (python, platform, None)


@pytest.mark.parametrize(
    ("where", "marker", "holds"),
    [
        (Where(), "python_version == '3.12' and platform_machine == 'aarch64'", True),
        (Where("3.11"), "python_version == '3.11' and platform_machine == 'aarch64'", True),
        (Where(platform="windows-amd64"), "python_version == '3.12' and sys_platform == 'win32'", True),
        (Where("3.11", "windows-amd64"), "python_version == '3.12' or sys_platform == 'linux'", False),
    ],
)
def test_what_is_not_said_is_what_the_lock_states(tmp_path: Path, where: Where, marker: str, holds: bool) -> None:
    stated = "python_version == '3.12' and sys_platform == 'linux' and platform_machine == 'aarch64'"
    text = f'lock-version = "1.0"\nenvironments = ["{stated}"]\ncreated-by = "x"\n{PACKAGE}marker = "{marker}"\n'
    assert pins(reading(tmp_path, text, "pylock.toml", where)) == ["a==1"] * holds


def test_without_a_target_the_lowest_python_counts(tmp_path: Path) -> None:
    text = f'lock-version = "1.0"\nrequires-python = ">=3.9.2,<3.14"\ncreated-by = "uv"\n{PACKAGE}'
    text += "marker = \"python_full_version == '3.9.2' and sys_platform == 'linux'\"\n"
    assert pins(reading(tmp_path, text, "pylock.toml")) == ["a==1"]


def test_what_is_refused(tmp_path: Path) -> None:
    assert "1.0 of PEP 751" in refused(tmp_path, 'lock-version = "2.0"', "pylock.toml").message
    assert "no lock-version" in refused(tmp_path, "", "pylock.toml").message
    broken = f'lock-version = "1.0"\ncreated-by = "x"\n{PACKAGE}marker = "nonsense"\n'
    assert refused(tmp_path, broken, "pylock.toml").where == "pylock.toml:4"
    assert refused(tmp_path, broken.replace('"nonsense"', "1"), "pylock.toml").where == "pylock.toml:4"
    assert refused(tmp_path, 'lock-version = "1.0"\n[[packages]]\nname = 1\n', "pylock.toml").where == "pylock.toml:2"
    assert refused(tmp_path, 'lock-version = "1.0"\n[[packages]\n', "pylock.toml").where == "pylock.toml:2"
    wrong = samples.PYLOCK.replace('platform = "linux-x86_64"', 'platform = "amiga"')
    assert "amiga" in refused(tmp_path, wrong, "pylock.toml").message


def test_conda_packages_of_a_lock_of_mlpin(tmp_path: Path) -> None:
    text = f'lock-version = "1.0"\ncreated-by = "mlpin"\n{PACKAGE}'
    text += '[[tool.mlpin.conda]]\nname = "numpy"\nversion = "1.26.4"\nbuild = "py311h1_0"\n'
    found = reading(tmp_path, text, "pylock.toml")
    assert [(one.ecosystem, one.name, one.build) for one in found.packages] == [
        ("pypi", "a", ""),
        ("conda", "numpy", "py311h1_0"),
    ]
