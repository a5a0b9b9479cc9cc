"""Build labels as real files have them."""

from __future__ import annotations

import pytest

from mlpin.matrix.labels import Built, built, cuda_of, is_vendor_build


@pytest.mark.parametrize(
    ("version", "wanted"),
    [
        ("2.6.0", Built()),
        ("2.6.0+cu124", Built("cu124", "12.4")),
        ("2.6.0+cpu", Built("cpu")),
        ("2.6.0+rocm6.2.4", Built("rocm6.2.4")),
        ("0.2.7+rocm561", Built("rocm561")),
        ("2.8.3+cu12torch2.4cxx11abiTRUE", Built("cu12", "12", "2.4", cxx11=True)),
        ("2.5.5+cu118torch2.2cxx11abifalse", Built("cu118", "11.8", "2.2", cxx11=False)),
        ("2.1.2+pt24cu121", Built("cu121", "12.1", "2.4")),
        ("1.6.3+pt20cpu", Built("cpu", "", "2.0")),
        ("0.21.5+torch2100cu128", Built("cu128", "12.8", "2.10")),
        ("0.20.1+torch260cu126", Built("cu126", "12.6", "2.6")),
        ("0.4.11+cuda11.cudnn86", Built("cu11", "11")),
        ("0.1.65+cuda112", Built("cu112", "11.2")),
        ("0.3.2+cu128.torch2.8.0", Built("cu128", "12.8", "2.8")),
    ],
)
def test_what_a_label_says(version: str, wanted: Built) -> None:
    assert built(version) == wanted


@pytest.mark.parametrize(
    ("version", "wanted"),
    [
        ("2.6.0a0+ecf3bae40a.nv25.01", True),
        ("2.2.5+cu12torch25.09cxx11abitrue", True),
        ("1.10.0+computecanada", True),
        ("2.6.0+cu124", False),
        ("2.6.0", False),
    ],
)
def test_builds_that_are_nobodys_line(version: str, wanted: bool) -> None:
    assert is_vendor_build(version) is wanted


@pytest.mark.parametrize(("line", "cuda"), [("cu118", "11.8"), ("cu12", "12"), ("cpu", ""), ("cu130", "13.0")])
def test_cuda_of_a_line(line: str, cuda: str) -> None:
    assert cuda_of(line) == cuda
