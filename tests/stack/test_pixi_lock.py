"""`pixi.lock`, versions 4 to 7."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlpin.stack import Where

from . import samples
from .builders import pins, reading, refused, skipped

URL = "https://conda.example/conda-forge/linux-64"
VERSION_4 = f"""\
version: 4
environments:
  gpu:
    channels:
    - url: https://conda.example/conda-forge/
    packages:
      linux-64:
      - conda: {URL}/bzip2-1.0.8-hd590300_5.conda
      - pypi: https://files.example/requests-2.31.0-py3-none-any.whl
      - pypi: ./app
packages:
- kind: conda
  name: bzip2
  version: 1.0.8
  build: hd590300_5
  subdir: linux-64
  url: {URL}/bzip2-1.0.8-hd590300_5.conda
- kind: pypi
  name: requests
  version: 2.31.0
  url: https://files.example/requests-2.31.0-py3-none-any.whl
- kind: pypi
  name: app
  version: '0.10'
  path: ./app
  editable: true
"""
VERSION_7 = f"""\
version: 7
platforms:
- name: gpu
  subdir: linux-64
  virtual-packages:
  - __cuda=12.0
- name: win-64
environments:
  default:
    channels: []
    packages:
      gpu:
      - conda_source: tool[12345678] @ git+https://host.example/tool.git?tag=v1#abc
      - conda_source: other[12345678] @ ./other
      - conda: {URL}/bzip2-1.0.8-hd590300_5.conda
      win-64: []
packages:
- conda_source: tool[12345678] @ git+https://host.example/tool.git?tag=v1#abc
  version: 1.0.0
  build: h0
- conda: {URL}/bzip2-1.0.8-hd590300_5.conda
"""


def test_a_lock(tmp_path: Path) -> None:
    found = reading(tmp_path, samples.PIXI, "pixi.lock")
    assert (found.kind, found.python, found.platform) == ("pixi.lock", "3.11.9", "linux-x86_64")
    assert pins(found) == [
        "python=3.11.9=hb806964_0_cpython",
        "pytorch=2.2.0=cuda118_py311h_1",
        "tzdata=2024a=h0c530f3_0",
        "tool=1.10=h1_0",
        "torchmetrics==1.3.0",
        "my-app==0.1.0",
    ]
    assert [one.line for one in found.packages] == [10, 11, 12, 13, 15, 18]
    assert found.packages[4].files == ("torchmetrics-1.3.0-py3-none-any.whl",)
    assert skipped(found) == ["0: environment docs"]


def test_the_target_chooses(tmp_path: Path) -> None:
    found = reading(tmp_path, samples.PIXI, "pixi.lock", Where("3.11", "macos-14-arm64"))
    assert (pins(found), found.platform, found.python) == (["tzdata=2024a=h0c530f3_0"], "macos-arm64", "")
    error = refused(tmp_path, samples.PIXI, "pixi.lock", Where("3.11", "windows-amd64"))
    assert (error.message, error.hint) == ("has no packages for win-64", "it has them for linux-64, osx-arm64")


def test_version_4(tmp_path: Path) -> None:
    found = reading(tmp_path, VERSION_4, "pixi.lock")
    assert pins(found) == ["bzip2=1.0.8=hd590300_5", "requests==2.31.0", "app==0.10"]


def test_version_7(tmp_path: Path) -> None:
    found = reading(tmp_path, VERSION_7, "pixi.lock")
    assert (pins(found), found.platform) == (["tool=1.0.0=h0", "other==", "bzip2=1.0.8=hd590300_5"], "linux-x86_64")
    assert [(one.text, one.reason) for one in found.skipped] == [
        ("other", "built from source, and its version is not stated")
    ]


def test_without_a_target_the_only_platform(tmp_path: Path) -> None:
    text = "version: 6\nenvironments:\n  default:\n    packages:\n      osx-64:\n      - conda: https://h/osx-64/a-1-0.conda\n"
    found = reading(tmp_path, text, "pixi.lock")
    assert (pins(found), found.platform) == (["a=1=0"], "macos-x86_64")


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("version: 3\n", "pixi.lock"),
        ("version: 6\n", "pixi.lock"),
        ("- 1\n", "pixi.lock"),
        ("version: 6\nenvironments:\n  default: []\n", "pixi.lock"),
        ("version: 6\nenvironments:\n  default:\n    packages:\n      linux-64:\n      - x: y\n", "pixi.lock:6"),
        ("version: 6\nenvironments:\n  default:\n    packages:\n      linux-64:\n      - conda: [y]\n", "pixi.lock:6"),
        ("version: 6\nversion: [\n", "pixi.lock:3"),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, where: str) -> None:
    assert refused(tmp_path, text, "pixi.lock").where == where
