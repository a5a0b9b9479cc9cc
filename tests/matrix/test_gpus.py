"""GPUs by the names that people and drivers give them."""

from __future__ import annotations

import pytest

from mlpin.errors import InputError
from mlpin.matrix.gpus import find
from mlpin.matrix.matrix import Matrix
from mlpin.matrix.tables import Gpu

GPUS = Matrix.shipped().gpus


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        # as people write them
        ("A100", "8.0"), ("a100", "8.0"), (" A100 ", "8.0"), ("A100 80GB", "8.0"), ("A100-80GB", "8.0"),
        ("NVIDIA A100", "8.0"), ("H100", "9.0"), ("h200", "9.0"), ("GH200", "9.0"), ("B200", "10.0"), ("B300", "10.3"),
        ("RTX 4090", "8.9"), ("rtx 4090", "8.9"), ("rtx_4090", "8.9"), ("GeForce RTX 4090", "8.9"), ("RTX 3090", "8.6"),
        ("RTX 4070 Ti SUPER", "8.9"), ("RTX 3080 12GB", "8.6"), ("GTX 1060 6GB", "6.1"), ("GTX 1080 Ti", "6.1"),
        ("RTX 5090", "12.0"), ("DGX Spark", "12.1"), ("GB10", "12.1"), ("Jetson AGX Orin", "8.7"), ("Thor", "11.0"),
        ("T4", "7.5"), ("V100", "7.0"), ("P100", "6.0"), ("P40", "6.1"), ("K80", "3.7"), ("L4", "8.9"), ("L40S", "8.9"),
        ("A10G", "8.6"), ("RTX A6000", "8.6"), ("RTX 6000 Ada", "8.9"), ("Quadro RTX 8000", "7.5"),
        ("TITAN X (Pascal)", "6.1"), ("GTX TITAN X", "5.2"), ("MI300X", "gfx942"), ("Radeon RX 7600", "gfx1102"),
        # as NVML and nvidia-smi have them
        ("NVIDIA A100-SXM4-40GB", "8.0"), ("NVIDIA A100-SXM4-80GB", "8.0"), ("NVIDIA A100-PCIE-40GB", "8.0"),
        ("NVIDIA A100 80GB PCIe", "8.0"), ("NVIDIA A100-SXM4-40GB MIG 1g.5gb", "8.0"), ("A100-SXM4-40GB", "8.0"),
        ("NVIDIA H100 80GB HBM3", "9.0"), ("NVIDIA H100 PCIe", "9.0"), ("NVIDIA H100 NVL", "9.0"), ("NVIDIA H200", "9.0"),
        ("NVIDIA GH200 480GB", "9.0"), ("NVIDIA H100 80GB HBM3 MIG 3g.40gb", "9.0"), ("NVIDIA B200", "10.0"),
        ("NVIDIA GB200", "10.0"), ("NVIDIA GB10", "12.1"), ("NVIDIA GeForce RTX 5090", "12.0"),
        ("NVIDIA GeForce RTX 4090", "8.9"), ("NVIDIA GeForce RTX 4090 Laptop GPU", "8.9"),
        ("NVIDIA GeForce RTX 3060", "8.6"), ("GeForce GTX 1080 Ti", "6.1"), ("NVIDIA GeForce GTX 1050 Ti", "6.1"),
        ("NVIDIA GeForce RTX 2080 Ti", "7.5"), ("Tesla T4", "7.5"), ("Tesla V100-SXM2-16GB", "7.0"),
        ("Tesla V100-SXM2-32GB", "7.0"), ("Tesla V100-PCIE-16GB", "7.0"), ("Tesla P100-PCIE-16GB", "6.0"),
        ("Tesla P40", "6.1"), ("Tesla K80", "3.7"), ("NVIDIA L4", "8.9"), ("NVIDIA L40S", "8.9"), ("NVIDIA A10", "8.6"),
        ("NVIDIA A10G", "8.6"), ("NVIDIA RTX A6000", "8.6"), ("NVIDIA RTX 6000 Ada Generation", "8.9"),
        ("NVIDIA TITAN RTX", "7.5"), ("NVIDIA TITAN V", "7.0"), ("NVIDIA TITAN Xp", "6.1"), ("Quadro P5000", "6.1"),
        ("NVIDIA RTX PRO 6000 Blackwell Workstation Edition", "12.0"), ("AMD Instinct MI250X", "gfx90a"),
    ],
)  # fmt: skip
def test_names(text: str, runs: str) -> None:
    assert find(GPUS, text) == (text.strip(), runs)


@pytest.mark.parametrize(
    ("text", "name", "runs"),
    [
        ("sm_90", "sm_90", "9.0"),
        ("sm_120", "sm_120", "12.0"),
        ("SM_86", "sm_86", "8.6"),
        ("sm_90a", "sm_90", "9.0"),
        ("compute_75", "sm_75", "7.5"),
        ("8.9", "sm_89", "8.9"),
        ("12.1", "sm_121", "12.1"),
        (" 7.0 ", "sm_70", "7.0"),
        ("gfx90a", "gfx90a", "gfx90a"),
        ("gfx1100", "gfx1100", "gfx1100"),
    ],
)
def test_codes_stand_for_themselves(text: str, name: str, runs: str) -> None:
    assert find(GPUS, text) == (name, runs)
    assert find((), text) == (name, runs)


@pytest.mark.parametrize(
    ("text", "near"),
    [("4090", "RTX 4090"), ("RTX 4990", "RTX 4090"), ("RTX4090", "RTX 4090"), ("H1000", "H100")],
)
def test_unknown_ones_give_the_nearest_names(text: str, near: str) -> None:
    with pytest.raises(InputError) as caught:
        find(GPUS, text)
    assert f"`{text}` is no GPU" in caught.value.message
    assert caught.value.hint is not None
    assert near in caught.value.hint
    assert "did you mean" in caught.value.hint
    assert "sm_90" in caught.value.hint


def test_a_short_form_gives_the_name_that_ends_with_it() -> None:
    with pytest.raises(InputError) as caught:
        find(GPUS, "A6000")
    assert "RTX A6000" in str(caught.value.hint)


@pytest.mark.parametrize("text", ["", "abacus 9000 of the old days", "9", "9.0.0", "gfx"])
def test_what_is_like_nothing_that_is_known(text: str) -> None:
    with pytest.raises(InputError) as caught:
        find(GPUS, text)
    assert "sm_90" in str(caught.value.hint)


def test_a_project_s_own_come_after_the_shipped_ones() -> None:
    assert find((*GPUS, Gpu("A100", "1.0"), Gpu("House 1", "9.9")), "A100")[1] == "8.0"
    assert find((*GPUS, Gpu("House 1", "9.9")), "nvidia house 1")[1] == "9.9"


def test_every_name_that_ships_finds_its_own() -> None:
    for gpu in GPUS:
        assert find(GPUS, gpu.name)[1] == gpu.runs


def test_no_name_that_ships_stands_for_two_things() -> None:
    seen: dict[str, str] = {}
    for gpu in GPUS:
        assert seen.setdefault(gpu.name.lower(), gpu.runs) == gpu.runs
