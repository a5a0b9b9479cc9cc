"""conda-lock's unified format."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlpin.stack import Where

from . import samples
from .builders import pins, reading, refused


def test_a_lock(tmp_path: Path) -> None:
    found = reading(tmp_path, samples.CONDA_LOCK, "gpu.conda-lock.yml")
    assert (found.kind, found.python, found.platform) == ("conda-lock", "3.11.6", "linux-x86_64")
    assert pins(found) == ["python=3.11.6=hab00c5b_0_cpython", "cuda-version=11.8=h70ddcb2_2", "flash-attn==2.5.0"]
    assert [one.line for one in found.packages] == [15, 26, 46]
    assert found.packages[2].files == ("flash_attn-2.5.0.tar.gz",)


def test_the_target_chooses(tmp_path: Path) -> None:
    found = reading(tmp_path, samples.CONDA_LOCK, "conda-lock.yml", Where("3.11", "macos-14-arm64"))
    assert (pins(found), found.platform) == (["python=3.11.6=h47c9636_0_cpython"], "macos-arm64")
    error = refused(tmp_path, samples.CONDA_LOCK, "conda-lock.yml", Where("3.11", "linux-aarch64"))
    assert (error.message, error.hint) == ("has no packages for linux-aarch64", "it has them for linux-64, osx-arm64")


def test_a_lock_for_one_other_platform(tmp_path: Path) -> None:
    text = samples.CONDA_LOCK.replace("linux-64", "win-64")
    assert reading(tmp_path, text, "conda-lock.yml").platform == "windows-amd64"


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("version: 1\n", "version: 2\n", ""),
        ("manager: pip", "manager: npm", ":46"),
        ("name: flash-attn", "name: [1]", ":46"),
        ("version: '11.8'", "version: a b", ":26"),
        ("  platforms:\n", "  platforms: 1\n  x:\n", ""),
    ],
)
def test_what_is_refused(tmp_path: Path, old: str, new: str, where: str) -> None:
    assert refused(tmp_path, samples.CONDA_LOCK.replace(old, new), "conda-lock.yml").where == f"conda-lock.yml{where}"
