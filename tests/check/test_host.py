"""A lock against machines that are described, not detected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tomli_w

from mlpin import hardware
from mlpin.check import host
from mlpin.lock.locked import Lock, parsed
from mlpin.machine import Machine
from mlpin.matrix.matrix import Matrix
from mlpin.nvml import Gpu

RULES = Matrix.shipped()
HERE = Machine("3.11.4", "linux-x86_64", "2.35", "glibc 2.35", "", (), "", "", (), (), False, (), ())
H100 = Gpu("NVIDIA H100 80GB HBM3", "9.0")
V100 = Gpu("Tesla V100-SXM2-16GB", "7.0")


TARGET = {"python": "3.11", "platform": "linux-x86_64", "glibc": "2.28"}


def lock(*, torch: str = "2.6.0+cu124", floor: dict[str, str] | None = None, **target: Any) -> Lock:
    """A lock with one build of torch."""
    file = f"torch-{torch}-cp311-cp311-manylinux_2_28_x86_64.whl".replace("+", "%2B")
    tables = {
        "lock-version": "1.0",
        "created-by": "mlpin",
        "packages": [
            {
                "name": "torch",
                "version": torch,
                "wheels": [{"url": f"https://files.example/{file}", "hashes": {"sha256": "0" * 64}}],
            }
        ],
        "tool": {
            "mlpin": {
                "target": {key: value for key, value in {**TARGET, **target}.items() if value},
                "floor": {"glibc": "2.28"} if floor is None else floor,
            }
        },
    }
    return parsed(tomli_w.dumps(tables).encode(), Path("pylock.toml"), "pylock.toml")


def found(machine: Machine, of: Lock, pythons: set[str] | None = None) -> list[tuple[str, str]]:
    drift = host.drifts(
        of, hardware.target_of(of.stated, RULES), machine, RULES, {"3.11"} if pythons is None else pythons
    )
    return [(one.kind, one.severity) for one in drift]


CUDA = {"accelerator": "cuda", "driver": "550.54"}


@pytest.mark.parametrize(
    ("changes", "target", "expected"),
    [
        ({}, {}, []),
        ({"platform": "linux-aarch64"}, {}, [("platform", "error")]),
        ({"platform": ""}, {}, []),
        ({"platform": "macos-13-arm64", "glibc": "", "libc": ""}, {}, [("platform", "error")]),
        ({"glibc": "2.17", "libc": "glibc 2.17"}, {}, [("glibc", "error")]),
        ({"glibc": "2.28"}, {}, []),
        ({"glibc": "", "libc": "musl 1.2.4"}, {}, [("glibc", "error")]),
        ({"glibc": "", "libc": ""}, {}, []),
        ({}, CUDA, [("driver", "error")]),
        ({}, {"accelerator": "cpu"}, []),
        ({}, {"accelerator": "rocm"}, [("gpu", "error")]),
        ({"amd": ("gfx90a",)}, {"accelerator": "rocm"}, []),
        ({"driver": "550.54.15", "gpus": (H100,)}, CUDA, []),
        ({"driver": "535.183.01", "gpus": (H100,)}, CUDA, [("driver", "note")]),
        ({"driver": "470.82", "gpus": (H100,)}, CUDA, [("driver", "error"), ("driver", "note")]),
        ({"driver": "470.82", "gpus": (H100,)}, {}, [("driver", "warning")]),
        ({"driver": "470.82", "gpus": (H100,)}, {"accelerator": "cpu"}, []),
        ({"driver": "570.10", "gpus": (Gpu("NVIDIA GeForce RTX 5090", "12.0"),)}, CUDA, [("gpu", "error")]),
        ({"driver": "570.10", "gpus": (V100, H100)}, CUDA, []),
        ({"driver": "570.10", "gpus": (Gpu("", ""),)}, CUDA, []),
    ],
)
def test_what_a_machine_lacks(changes: dict[str, Any], target: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert found(HERE._replace(**changes), lock(**target)) == expected


def test_a_python_of_the_version_must_be_there() -> None:
    assert found(HERE, lock(), {"3.12", "3.9"}) == [("python", "error")]
    (drift,) = host.drifts(lock(), hardware.target_of(lock().stated, RULES), HERE, RULES, {"3.12", "3.9"})
    assert (drift.expected, drift.found) == ("3.11", "3.9, 3.12")
    assert list(host.drifts(lock(), hardware.target_of(lock().stated, RULES), HERE, RULES, None)) == []


def test_an_old_macos() -> None:
    mac = lock(platform="macos-14-arm64", glibc="", floor={})
    apple = HERE._replace(platform="macos-13-arm64", glibc="", libc="")
    assert found(apple, mac) == [("platform", "error")]
    assert found(apple._replace(platform="macos-15-arm64"), mac) == []
