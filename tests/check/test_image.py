"""A lock against container images: what cannot run there is found, and nothing else is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from mlpin import hardware
from mlpin import image as images
from mlpin.check import image
from mlpin.check.model import Drift
from mlpin.lock.locked import Lock, parsed
from mlpin.matrix.matrix import Matrix

RULES = Matrix.shipped()
TARGET = {"python": "3.11", "platform": "linux-x86_64", "glibc": "2.28"}
GPU = {"accelerator": "cuda", "driver": "550.54"}
SLIM = "python:3.11-slim-bookworm"
CUDA = "nvidia/cuda:{}-cudnn-runtime-ubuntu22.04"

PLAIN = {"idna": "idna-3.7-py3-none-any.whl"}
NUMPY = {"numpy": "numpy-2.1.3-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"}
TORCH = {
    "torch": "torch-2.6.0+cu124-cp311-cp311-manylinux_2_28_x86_64.whl",
    "nvidia-cuda-runtime-cu12": "nvidia_cuda_runtime_cu12-12.4.127-py3-none-manylinux2014_x86_64.whl",
}
OLD_TORCH = {"torch": "torch-2.5.1+cu118-cp311-cp311-linux_x86_64.whl"}
ONNX = {"onnxruntime-gpu": "onnxruntime_gpu-1.20.1-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl"}
NEW_ONNX = {"onnxruntime-gpu": "onnxruntime_gpu-1.31.1-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl"}
FLASH = {"flash-attn": "flash_attn-2.7.99.tar.gz"}


def lock(files: Mapping[str, str], floor: Mapping[str, str] | None = None, **target: Any) -> Lock:
    """A lock of these files, one a package."""
    packages = []
    for name, file in files.items():
        version = file.removesuffix(".tar.gz").split("-")[1]
        entry = {"url": "https://files.example/" + file.replace("+", "%2B"), "hashes": {"sha256": "0" * 64}}
        packages.append(
            {"name": name, "version": version} | ({"sdist": entry} if file.endswith("gz") else {"wheels": [entry]})
        )
    stated = {key: value for key, value in {**TARGET, **target}.items() if value}
    own = {"target": stated, "floor": dict(floor or {})}
    tables = {"lock-version": "1.0", "created-by": "mlpin", "packages": packages, "tool": {"mlpin": own}}
    return parsed(tomli_w.dumps(tables).encode(), Path("pylock.toml"), "pylock.toml")


def drifts(of: Lock, folder: Path, text: str) -> list[Drift]:
    (folder / "Dockerfile").write_text(text, encoding="utf-8")
    found = images.read(folder / "Dockerfile", "Dockerfile", RULES)
    return list(image.drifts(of, hardware.target_of(of.stated, RULES), found, RULES))


@pytest.mark.parametrize(
    ("files", "target", "base"),
    [
        (NUMPY | PLAIN, {}, SLIM),
        (NUMPY, {}, "ubuntu:22.04"),
        (NUMPY, {}, "python:3.11"),
        (NUMPY, {}, "python:3.11.9-slim"),
        (NUMPY, {"python": "3.11.4"}, SLIM),
        (PLAIN, {}, "python:3.11-alpine"),
        (NUMPY, {}, "nvidia/cuda:12.4.1-base-ubuntu22.04"),
        (TORCH, GPU, SLIM),
        (TORCH, GPU, CUDA.format("12.4.1")),
        (TORCH, GPU, CUDA.format("12.1.1").replace("cudnn", "cudnn8")),  # brings its own; the driver runs both
        (TORCH, GPU | {"driver": "535.183"}, CUDA.format("12.4.1")),  # a branch that it lists
        (TORCH, {}, CUDA.format("13.0.1").replace("13", "12", 1)),
        (TORCH, GPU, "pytorch/pytorch:2.6.0-cuda12.4-cudnn9-runtime"),
        (TORCH, GPU, "what/ever:1"),
        (OLD_TORCH, GPU, CUDA.format("11.8.0").replace("cudnn", "cudnn8")),
        (ONNX, GPU, CUDA.format("12.4.1")),
        (NEW_ONNX, GPU | {"driver": "580.82"}, CUDA.format("13.0.1")),
        (ONNX, {}, SLIM),
        (ONNX | TORCH, GPU, CUDA.format("12.4.1")),
        (FLASH | TORCH, GPU, "nvidia/cuda:12.4.1-cudnn-devel-ubuntu22.04"),
        (TORCH, {"accelerator": "cpu"}, "nvidia/cuda:11.8.0-cudnn8-runtime-ubuntu22.04"),
        (NUMPY, {}, f"{SLIM}\nRUN pip install uv && uv pip install --system -r pylock.toml"),
        (NUMPY, {}, "python:3.12-slim-bookworm\nRUN uv sync"),  # uv may fetch the right one
        (NUMPY, {}, "ubuntu:22.04\nRUN apt-get install -y python3.11"),
        (NUMPY, {"python": "3.10"}, "ubuntu:22.04\nRUN apt-get install -y python3-pip"),
        (NUMPY, {"platform": "linux-aarch64"}, SLIM),
    ],
)  # fmt: skip
def test_what_fits_or_is_not_known_is_no_drift(
    tmp_path: Path, files: dict[str, str], target: dict[str, str], base: str
) -> None:
    found = drifts(lock(files, **target), tmp_path, f"FROM {base}\n")
    assert [one for one in found if one.severity != "note"] == []
    assert [one.kind for one in found] == (["unknown"] if base == "what/ever:1" else [])


@pytest.mark.parametrize(
    ("files", "target", "base", "severity", "kind", "said"),
    [
        (PLAIN, {}, "python:3.12-slim", "error", "python", "has Python 3.12, the lock is for 3.11"),
        (PLAIN, {"python": "3.11.4"}, "python:3.11.9", "error", "python", "has Python 3.11.9, the lock is for 3.11.4"),
        (PLAIN, {}, "nvcr.io/nvidia/pytorch:24.05-py3", "error", "python", "has Python 3.10, the lock is for 3.11"),
        (PLAIN, {}, "ubuntu:22.04\nRUN apt install -y python3", "warning", "python", "has no Python but its system's own 3.10"),
        (NUMPY, {}, "python:3.11-alpine", "error", "glibc", "has musl, and numpy has wheels only for glibc in the lock"),
        (TORCH | NUMPY, {}, "alpine:3.19", "error", "glibc",
         "has musl, and numpy, nvidia-cuda-runtime-cu12, torch have wheels only for glibc"),
        (TORCH | NUMPY, {}, "ubuntu:18.04", "error", "glibc", "has glibc 2.27, the locked wheels need 2.28 (torch)"),
        (NUMPY, {"platform": "linux-x86_64"}, f"--platform=linux/arm64 {SLIM}", "error", "platform",
         "is for aarch64, the lock is for x86_64"),
        (PLAIN, {"platform": "macos-14-arm64", "glibc": ""}, SLIM, "error", "platform", "is one of Linux"),
        (ONNX, GPU, CUDA.format("11.8.0").replace("cudnn", "cudnn9"), "error", "cuda",
         "has CUDA 11.8.0, and onnxruntime-gpu 1.20.1 needs CUDA >=12 [onnxruntime-gpu-host-cuda]"),
        (ONNX, GPU, CUDA.format("12.2.2").replace("cudnn", "cudnn8"), "error", "cudnn",
         "has cuDNN 8, and onnxruntime-gpu 1.20.1 needs cuDNN >=9,<10"),
        (TORCH, GPU, "nvidia/cuda:11.8.0-runtime-ubuntu22.04", "warning", "cuda",
         "has CUDA 11.8.0, and the locked wheels bring CUDA 12.4 and do not use it"),
        (TORCH, GPU, "pytorch/pytorch:2.5.1-cuda12.4-cudnn9-runtime", "warning", "version",
         "brings torch 2.5.1, and the lock has 2.6.0+cu124, which replaces it"),
        (TORCH, GPU, "nvcr.io/nvidia/pytorch:25.02-py3", "warning", "version", "brings torch 2.7.0a0+6c54963f75"),
        (TORCH, GPU | {"driver": "545.23"}, CUDA.format("12.4.1"), "warning", "driver",
         "start on drivers of the branch 550 or newer, or of 470, 525, 535; the lock is for 545.23"),
        (ONNX, GPU, "pytorch/pytorch:2.8.0-cuda13.0-cudnn9-runtime", "warning", "driver",
         "needs driver 580.65.06 or newer, the lock is for 550.54"),
        (TORCH, GPU | {"driver": "560.28"}, CUDA.format("13.0.1"), "warning", "driver",
         "start on drivers of the branch 580 or newer, or of 535, 550, 565, 570, 575; the lock is for 560.28"),
        (NEW_ONNX, GPU, CUDA.format("12.4.1"), "warning", "cuda",
         "has CUDA 12.4.1, and onnxruntime-gpu 1.31.1 was tested with CUDA >=13,<14 [onnxruntime-gpu-default-cuda]"),
        (FLASH | TORCH, GPU, "nvidia/cuda:11.8.0-devel-ubuntu22.04", "error", "cuda",
         "has CUDA 11.8.0, and flash-attn 2.7.99 is compiled in it for the CUDA 12.4 of the lock"),
        (FLASH | TORCH, GPU, CUDA.format("12.4.1"), "warning", "nvcc", "has no compiler for CUDA, and flash-attn 2.7.99"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told(
    tmp_path: Path, files: dict[str, str], target: dict[str, str], base: str, severity: str, kind: str, said: str
) -> None:
    found = drifts(lock(files, **target), tmp_path, f"# a remark\nFROM {base}\n")
    (one,) = [drift for drift in found if drift.kind == kind and drift.package in {"", "torch", *FLASH, *ONNX}]
    assert (one.check, one.severity, one.place) == ("image", severity, "Dockerfile:2")
    assert said in one.message
    assert one.message.startswith(("the base image `", "containers of the base", "CUDA "))
    assert one.expected
    assert one.found
    assert one.hint
    # What follows from it at most is a warning.
    assert [drift.kind for drift in found if drift.severity == "error"] == ([kind] if severity == "error" else [])


def test_a_driver_too_old_for_a_cuda_that_nothing_uses(tmp_path: Path) -> None:
    of = lock(OLD_TORCH, **GPU | {"driver": "470.82"})
    found = drifts(of, tmp_path, "FROM pytorch/pytorch:2.3.0-cuda12.1-cudnn8-runtime\n")
    assert [one.kind for one in found] == ["version"]


def test_a_build_of_another_index_may_be_for_another_cuda(tmp_path: Path) -> None:
    of = lock(NEW_ONNX | NUMPY | PLAIN, **GPU)
    of.packages = tuple(
        one._replace(index=f"https://index.example/{'cuda-12' if one.name in ONNX else 'simple'}")
        for one in of.packages
    )
    assert drifts(of, tmp_path, f"FROM {CUDA.format('12.4.1')}\n") == []


@pytest.mark.parametrize(("floor", "kinds"), [("2.36", []), ("2.38", ["glibc"])])
def test_the_floor_of_the_lock_counts(tmp_path: Path, floor: str, kinds: list[str]) -> None:
    found = drifts(lock(NUMPY, floor={"glibc": floor}), tmp_path, f"FROM {SLIM}\n")
    assert [one.kind for one in found] == kinds


def test_a_root_file_system(tmp_path: Path) -> None:
    folder = tmp_path / "rootfs"
    for name in ("usr/bin/python3.10", "usr/local/cuda/lib64/libcudart.so.11.8.89", "lib64/libc.so.6"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("GNU C Library (GNU libc) stable release version 2.26.\n", encoding="utf-8")
    of = lock(ONNX, **GPU)
    found = list(image.drifts(of, hardware.target_of(of.stated, RULES), images.read(folder, "rootfs", RULES), RULES))
    assert [(one.kind, one.severity, one.file, one.line) for one in found] == [
        ("python", "warning", "rootfs", 0), ("glibc", "error", "rootfs", 0), ("cuda", "error", "rootfs", 0),
    ]  # fmt: skip
    assert found[0].message == "the image in `rootfs` has no Python but its system's own 3.10, the lock is for 3.11"


def test_a_lock_of_another_tool(tmp_path: Path) -> None:
    """It says nothing of a target, and has wheels for every machine."""
    wheels = [
        {"url": f"https://files.example/{name}", "hashes": {"sha256": "0" * 64}}
        for name in (
            "numpy-2.1.3-cp311-cp311-macosx_14_0_arm64.whl",
            "numpy-2.1.3-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
            "numpy-2.1.3-cp313-cp313-manylinux_2_28_x86_64.whl",
        )
    ]
    tables = {
        "lock-version": "1.0",
        "created-by": "other",
        "packages": [{"name": "numpy", "version": "2.1.3", "wheels": wheels}],
    }
    of = parsed(tomli_w.dumps(tables).encode(), Path("pylock.toml"), "pylock.toml")
    both = of.packages[0].files[1]._replace(name="numpy-2.1.3-cp311-cp311-musllinux_1_2_x86_64.whl")
    of.packages = (of.packages[0]._replace(files=(*of.packages[0].files, both)),)
    assert drifts(of, tmp_path, "FROM alpine\n") == []
    of.packages = (of.packages[0]._replace(files=of.packages[0].files[:-1]),)
    for base, kinds in ((SLIM, []), ("python:3.9", []), ("ubuntu:18.04", []), ("alpine", ["glibc"])):
        assert [one.kind for one in drifts(of, tmp_path, f"FROM {base}\n")] == kinds
