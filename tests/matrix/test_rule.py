"""Which GPU runs which code: the cubin rule of the CUDA C++ Programming Guide."""

from __future__ import annotations

import pytest

from mlpin.matrix.rule import Rule, any_of, arch, serves

# Lists of real builds of torch for Linux x86_64.
CU117 = ("sm_37", "sm_50", "sm_60", "sm_70", "sm_75", "sm_80", "sm_86")
CU121 = ("sm_50", "sm_60", "sm_70", "sm_75", "sm_80", "sm_86", "sm_90")
CU126 = ("sm_50", "sm_60", "sm_70", "sm_75", "sm_80", "sm_86", "sm_90")
CU128 = ("sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120+PTX")

P100, P40, V100, XAVIER, T4, A100, A10, ORIN, ADA, H100 = (6, 0), (6, 1), (7, 0), (7, 2), (7, 5), (8, 0), (8, 6), (8, 7), (8, 9), (9, 0)  # fmt: skip
B200, B300, THOR, RTX5090, GB10, LATER = (10, 0), (10, 3), (11, 0), (12, 0), (12, 1), (13, 0)


@pytest.mark.parametrize(
    ("kernels", "gpu", "runs"),
    [
        # the same major version, the same or a later minor one
        (CU117, ADA, True),  # RTX 4090 on sm_86
        (("sm_86",), ADA, True),
        (("sm_86",), A100, False),  # not backwards
        (("sm_89",), A10, False),
        (("sm_80",), A10, True),
        (("sm_60",), P40, True),
        (("sm_61",), P100, False),
        (("sm_70",), XAVIER, True),
        (("sm_70",), T4, True),
        (("sm_75",), V100, False),
        (("sm_37",), (3, 5), False),
        (("sm_80", "sm_86"), ORIN, True),
        (("sm_89", "sm_90"), ORIN, False),
        (("sm_120",), GB10, True),
        (("sm_100",), B300, True),
        # never another major version
        (CU117, H100, False),
        (("sm_86",), H100, False),
        (("sm_90",), B200, False),
        (("sm_100",), THOR, False),
        (("sm_100",), RTX5090, False),
        (("sm_120",), B200, False),
        (CU126, RTX5090, False),
        (CU126, GB10, False),
        (CU126, B200, False),
        (CU121, P40, True),
        (CU128, P40, False),
        (CU128, V100, False),
        (CU128, T4, True),
        (CU128, B300, True),
        (CU128, THOR, False),
        (CU128, GB10, True),
        # PTX: this one and everything later
        (("sm_90+PTX",), B200, True),
        (("sm_90+PTX",), GB10, True),
        (("compute_80",), A10, True),
        (("compute_80",), H100, True),
        (("compute_80",), T4, False),
        (("compute_90",), H100, True),
        (CU128, LATER, True),
        (CU126, LATER, False),
        # code for one architecture alone
        (("sm_90a",), H100, True),
        (("sm_90a",), B200, False),
        (("sm_100a",), B300, False),
        (("sm_90a+PTX",), B200, False),
        (("compute_90a",), B200, False),
        # code for one family
        (("sm_100f",), B200, True),
        (("sm_100f",), B300, True),
        (("sm_100f",), RTX5090, False),
        # nothing that is known
        ((), H100, False),
        (("gfx90a",), H100, False),
    ],
)
def test_serves(kernels: tuple[str, ...], gpu: tuple[int, int], runs: bool) -> None:
    assert serves(kernels, gpu) is runs


@pytest.mark.parametrize("kernels", [("compute_100f",), ("sm_100f+PTX",)])
def test_ptx_of_a_family_is_not_for_other_families(kernels: tuple[str, ...]) -> None:
    assert serves(kernels, B300)
    assert not serves(kernels, RTX5090)


def test_one_that_serves_is_enough_in_any_order() -> None:
    for kernels in (CU128, CU128[::-1]):
        assert all(serves(kernels, gpu) for gpu in (T4, A100, A10, ADA, H100, B200, RTX5090))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("sm_90", (9, 0, "", True, False)),
        ("SM_90", (9, 0, "", True, False)),
        ("sm_90a", (9, 0, "a", True, False)),
        ("sm_100f", (10, 0, "f", True, False)),
        ("sm_120+PTX", (12, 0, "", True, True)),
        ("compute_70", (7, 0, "", False, True)),
        ("sm_9", None),
        ("9.0", None),
        ("sm_90 ", None),
        ("", None),
    ],
)
def test_names_of_architectures(text: str, wanted: object) -> None:
    assert arch(text) == wanted


def test_patterns() -> None:
    assert any_of((), "cu124")
    assert any_of(("cu11*", "cu12*"), "cu124")
    assert not any_of(("cu12*",), "cu118")
    assert not any_of(("cu12*",), "")
    assert any_of(("cu11[1-9]",), "cu118")
    assert not any_of(("cu11[1-9]",), "cu110")


def test_which_side_of_a_rule_is_the_target_s() -> None:
    assert Rule("a", "torch", "needs", "broken", other="driver").of_target
    assert Rule("a", "torch", "kernels", "broken", kernels=("sm_90",)).of_target
    assert not Rule("a", "torch", "needs", "broken", other="numpy").of_target
