"""Dockerfiles as people write them: which image they start from, and what of it is still known at their end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlpin import image
from mlpin.errors import InputError
from mlpin.image.model import Image
from mlpin.matrix.matrix import Matrix

RULES = Matrix.shipped()
CUDA = "nvidia/cuda:12.4.1-cudnn-runtime-ubuntu22.04"
SLIM = "python:3.11-slim-bookworm"


def read(tmp_path: Path, text: str, stage: str = "") -> Image:
    (tmp_path / "Dockerfile").write_text(text, encoding="utf-8")
    name = f"Dockerfile{stage}"
    return image.read(tmp_path / name, name, RULES)


def known(found: Image) -> dict[str, Any]:
    """What is known of it; texts for lists of one."""
    facts = {key: getattr(found, key) for key in ("glibc", "libc", "cuda", "cudnn", "nvcc", "machine")}
    facts["python"] = " ".join(found.pythons)
    facts["packages"] = " ".join(map("==".join, found.packages))
    return {key: value for key, value in facts.items() if value and not (key == "libc" and found.glibc)}


ON_CUDA = {"glibc": "2.35", "cuda": "12.4.1", "cudnn": "9", "nvcc": "no"}
ON_SLIM = {"glibc": "2.36", "python": "3.11"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (CUDA, ON_CUDA),
        (f"docker.io/{CUDA}", ON_CUDA),
        (f"registry.example:5000/dockerhub/{CUDA}", ON_CUDA),
        (f"{CUDA}@sha256:{'0' * 64}", ON_CUDA),
        (f"nvcr.io/{CUDA}", ON_CUDA),
        ("nvidia/cuda:11.8.0-cudnn8-devel-rockylinux8", {"glibc": "2.28", "cuda": "11.8.0", "cudnn": "8", "nvcc": "yes"}),
        ("nvidia/cuda:12.2.0-base-ubi9", {"glibc": "2.34", "cuda": "12.2.0", "nvcc": "no"}),
        ("nvidia/cuda:14.0.0-cudnn-devel-ubuntu26.04", {"cuda": "14.0.0", "nvcc": "yes"}),
        (f"nvidia/cuda@sha256:{'0' * 64}", {}),
        ("nvidia/cuda:latest", {}),
        ("nvidia/cuda", {}),
        (SLIM, ON_SLIM),
        (f"docker.io/library/{SLIM}", ON_SLIM),
        (f"public.ecr.aws/docker/library/{SLIM}", ON_SLIM),
        (f"registry.example/{SLIM}", {}),  # anybody's
        (f"somebody/{SLIM}", {}),
        ("python:3.12.4", {"python": "3.12.4"}),  # on which Debian?
        ("python:3.12-slim", {"python": "3.12"}),
        ("python:3", {}),
        ("python:latest", {}),
        ("python:3.11-alpine3.19", {"python": "3.11", "libc": "musl"}),
        ("alpine", {"libc": "musl"}),
        ("ubuntu:22.04", {"glibc": "2.35"}),
        ("ubuntu:jammy-20240111", {"glibc": "2.35"}),
        ("ubuntu:latest", {}),
        ("debian:12", {"glibc": "2.36"}),
        ("debian:bookworm-20240110-slim", {"glibc": "2.36"}),
        ("rockylinux:9.3", {"glibc": "2.34"}),
        ("amazonlinux:2023", {"glibc": "2.34"}),
        ("centos:centos7.9.2009", {"glibc": "2.17"}),
        ("pytorch/pytorch:2.5.1-cuda12.4-cudnn9-runtime",
         {"cuda": "12.4", "cudnn": "9", "nvcc": "no", "python": "3.11", "packages": "torch==2.5.1"}),
        ("pytorch/pytorch:2.4.0-cuda12.4-cudnn9-devel",
         {"cuda": "12.4", "cudnn": "9", "nvcc": "yes", "packages": "torch==2.4.0"}),
        ("tensorflow/tensorflow:2.16.1-gpu", {"packages": "tensorflow==2.16.1"}),
        ("tensorflow/tensorflow:latest-gpu", {}),
        ("nvcr.io/nvidia/pytorch:24.05-py3", {"cuda": "12.4", "python": "3.10"}),
        ("nvidia/pytorch:24.05-py3", {}),
        ("rocm/pytorch:rocm6.1_ubuntu22.04_py3.10_pytorch_2.1.2",
         {"glibc": "2.35", "python": "3.10", "packages": "torch==2.1.2"}),
        ("ghcr.io/astral-sh/uv:python3.12-bookworm-slim", {"glibc": "2.36", "python": "3.12"}),
        ("mambaorg/micromamba:1.5.8-jammy-cuda-12.1.1", {"glibc": "2.35", "cuda": "12.1.1"}),
        ("continuumio/miniconda3", {}),
        ("scratch", {}),
        ("what/ever:1.0", {}),
    ],
)  # fmt: skip
def test_what_a_name_says(tmp_path: Path, name: str, expected: dict[str, str]) -> None:
    found = read(tmp_path, f"FROM {name}\n")
    assert known(found) == expected
    assert bool(found.notes) == (not expected and name != "ubuntu:latest")


@pytest.mark.parametrize(
    ("text", "expected", "line"),
    [
        (f"ARG BASE={CUDA}\nFROM ${{BASE}}\n", ON_CUDA, 2),
        ("ARG V=12.4.1\nARG T=${V}-cudnn-runtime\nFROM nvidia/cuda:$T-ubuntu22.04\n", ON_CUDA, 3),
        ("FROM nvidia/cuda:${V:-12.4.1}-cudnn-runtime-ubuntu22.04\n", ON_CUDA, 1),
        ("ARG D=x\nFROM python:3.11-slim${D:+-bookworm}\n", ON_SLIM, 2),
        ('ARG V="3.11"\nFROM "python:${V}-slim-bookworm" AS base\n', ON_SLIM, 2),
        (f"FROM --platform=linux/arm64/v8 {SLIM}\n", {**ON_SLIM, "machine": "aarch64"}, 1),
        (f"FROM --platform=$BUILDPLATFORM {SLIM}\n", ON_SLIM, 1),
        (f"# syntax=docker/dockerfile:1\n\n# hello\nfrom \\\n  # a remark in between\n\n  {SLIM} as x\n", ON_SLIM, 4),
        (f"# escape=`\nFROM `\n{SLIM}\nRUN dir C:\\\nRUN echo\n", ON_SLIM, 2),
        (f"\ufeffFROM {SLIM}\r\nRUN echo\r\n", ON_SLIM, 1),
        (f"FROM golang:1 AS b\nRUN make\nFROM {SLIM} AS run\nCOPY --from=b /app/bin /app\nFROM run\nUSER me\n", ON_SLIM, 3),
        (f"FROM {SLIM} AS A\nFROM a\n", ON_SLIM, 1),
        ("ARG\tV=3.11\nFROM\t \tpython:${V}-slim-bookworm\tAS\ta\nFROM\ta\n", ON_SLIM, 2),
        (f"FROM {SLIM}\nRUN\tdpkg -i cuda.deb\nLABEL a=b\x0cFROM x\n", ON_SLIM, 1),
        # Forms of variables.
        ("ARG V=v3.11\nFROM python:${V#v}-slim-bookworm\n", ON_SLIM, 2),
        ("ARG V=3.11.4\nFROM python:${V%.*}-slim-bookworm\n", ON_SLIM, 2),
        ("ARG V=3.11-a-b\nFROM python:${V%%-*}-slim-bookworm\n", ON_SLIM, 2),
        ("ARG V=x/y/python\nFROM ${V##*/}:3.11-slim-bookworm\n", ON_SLIM, 2),
        ("ARG V=3_11\nFROM python:${V/_/.}-slim-bookworm\n", ON_SLIM, 2),
        ("ARG V=12_4_1\nFROM nvidia/cuda:${V//_/.}-cudnn-runtime-ubuntu22.04\n", ON_CUDA, 2),
        (f"FROM ${{A:-${{B:-${{C:-{SLIM}}}}}}}\n", ON_SLIM, 1),
        ("ARG V=v3.11\nFROM python:${W-${V#v}}-slim${V:+-bookworm}${W+x}\n", ON_SLIM, 2),
        ("ARG V=3.11\nFROM python:${V:?which}-slim-bookworm\n", ON_SLIM, 2),
        (f"FROM {SLIM}\nRUN <<EOF\nFROM ubuntu:22.04\nEOF\nRUN echo $((1<<X))\n", ON_SLIM, 1),
        (f"FROM {SLIM}\nRUN cat <<-'A' <<B\n\tx\n\tA\nFROM y\nB\n", ON_SLIM, 1),
        (f"FROM {SLIM}\nRUN cat <<EOF\nnever ends\n", ON_SLIM, 1),
    ],
)  # fmt: skip
def test_how_it_is_written(tmp_path: Path, text: str, expected: dict[str, str], line: int) -> None:
    found = read(tmp_path, text)
    assert (known(found), found.line, found.notes) == (expected, line, ())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ARG BASE\nFROM ${BASE}\n", "depends on `BASE`, which has no value"),
        ("FROM python:${V}-slim\n", "depends on `V`"),
        ("ARG V=3.11\nFROM python:${V^^}\n", "`python:${V^^}` has `${V…}` in it, a form that is not understood"),
        ("ARG V=3.11\nFROM python:${V/.*/}\n", "has `${V…}` in it"),
        ("ARG V=3.11\nFROM python:${V/x}\n", "has `${V…}` in it"),
        ("FROM python:$(uname)\n", "has `$` in it"),
        ("FROM python:${V?which}\n", "depends on `V`"),
        ("ARG V=\nFROM python:${V:?which}\n", "depends on `V`"),
        ("FROM ${A:-${B:-${C}}}\n", "depends on `C`"),
        ("FROM ${V" + ":-${V" * 20 + "}" * 21 + "\n", "a form that is not understood"),
        (f"FROM {'x' * 2000}$V\n", "is too long for a name"),
        ("ARG A=xx\n" + "ARG A=$A$A\n" * 60 + "FROM $A\n", "depends on `A`"),
        ("FROM python:3.11\nARG V=1\nFROM x:$V\n", "depends on `V`"),  # an ARG of a stage is none of a FROM
        ("FROM scratch\nADD rootfs.tar /\n", "starts from `scratch`"),
    ],
)
def test_a_base_that_is_not_known_is_said(tmp_path: Path, text: str, said: str) -> None:
    found = read(tmp_path, text)
    assert (known(found), len(found.notes)) == ({}, 1)
    assert said in found.notes[0]


STAGES = f"FROM {SLIM} AS build\nRUN true\nFROM {CUDA} AS run\nFROM build\n"


@pytest.mark.parametrize(("stage", "expected"), [("", ON_SLIM), ("#run", ON_CUDA), ("#RUN", ON_CUDA), ("#1", ON_CUDA)])
def test_a_stage_by_its_name(tmp_path: Path, stage: str, expected: dict[str, str]) -> None:
    assert known(read(tmp_path, STAGES, stage)) == expected


@pytest.mark.parametrize(
    ("run", "lost"),
    [
        # What people do all the time, and what leaves the Python as it is.
        ("apt-get update && apt-get install -y --no-install-recommends git curl python3-dev libgl1", ""),
        ("pip install --no-cache-dir -r requirements.txt", ""),
        ("pip install uv && uv pip install --system -r pylock.toml", ""),
        ("python -m venv /opt/venv && /opt/venv/bin/pip install -U pip", ""),
        ("conda install -y -c conda-forge ffmpeg", ""),
        # What may bring another one.
        ("apt-get install -y software-properties-common && add-apt-repository ppa:deadsnakes/ppa", "python"),
        ("apt-get install -y \\\n    git \\\n    python3.12 python3.12-venv", "python"),
        ('["apt-get", "install", "python3.12"]', "python"),
        ("--mount=type=cache,target=/root/.cache/uv uv sync --locked", "python"),
        ("uv venv --python 3.12", "python"),
        ("conda create -n work python=3.9", "python"),
        ("conda env update -n base -f environment.yml", "python"),
        ("mamba install -y python=3.9 numpy", "python"),
        ("curl -LO https://repo.anaconda.com/miniconda/Miniconda3-latest-Linux-x86_64.sh", "python"),
        ("wget https://www.python.org/ftp/python/3.12.1/Python-3.12.1.tgz", "python"),
        ("pyenv install 3.12", "python"),
        ("pip install pdm && pdm python install 3.12", "python"),
        ("hatch python install 3.12", "python"),
        ("pip install -q hatch; hatch env create", "python"),
        ("/home/linuxbrew/.linuxbrew/bin/brew install python@3.12", "python"),
        ("poetry python install 3.12", "python"),
        ("mise use -g python@3.12", "python"),
        ("asdf install python 3.12.1", "python"),
        ("rye fetch 3.12", "python"),
        ("nix-env -iA nixpkgs.python312", "python"),
        ("bash /install_python.sh", "python"),
        ("chmod +x ./scripts/python-setup.sh && ./scripts/python-setup.sh", "python"),
        ("/usr/local/bin/install-python 3.12", "python"),
        ("python -m pip install hatch pdm poetry && poetry install", ""),
        ("python setup.sh && brew install ffmpeg", ""),
        # Another release of Debian has another glibc, and does not touch the image's own Python.
        ("echo 'deb https://deb.example sid main' > /etc/apt/sources.list.d/sid.list && apt-get upgrade", "glibc"),
        ("<<EOF\nset -e\npyenv install 3.12\nEOF", "python"),
    ],
)
def test_a_run_that_may_bring_another_python(tmp_path: Path, run: str, lost: str) -> None:
    found = known(read(tmp_path, f"FROM {SLIM}\nRUN {run}\n"))
    assert found == {key: value for key, value in ON_SLIM.items() if key != lost}


@pytest.mark.parametrize(
    ("run", "lost"),
    [
        ("apt-get install -y cuda-toolkit-12-6", {"cuda", "nvcc"}),
        ("apt-get install -y libcudnn9-cuda-12=9.3.0.75-1", {"cudnn", "cuda", "nvcc"}),
        ("apt-get install -y --allow-change-held-packages libcudnn8", {"cudnn"}),
        ("apt-get -y dist-upgrade", {"glibc"}),
        ("sed -i s/jammy/noble/g /etc/apt/sources.list && apt-get update && apt-get -y upgrade", {"glibc"}),
        ("apt full-upgrade -y", {"glibc"}),
        ("rm -f /etc/apt/sources.list.d/docker.list", set()),
        ("ln -s /usr/lib/libfoo.so /usr/lib/libbar.so", set()),
    ],
)
def test_a_run_that_may_bring_another_cuda(tmp_path: Path, run: str, lost: set[str]) -> None:
    found = known(read(tmp_path, f"FROM {CUDA}\nRUN {run}\n"))
    assert found == {key: value for key, value in ON_CUDA.items() if key not in lost}


@pytest.mark.parametrize(
    ("run", "python"),
    [
        ("apt-get install -y python3 python3-pip", "3.10"),
        ("apt install python3-venv && python3 -m venv /venv", "3.10"),
        ("apt-get install -y python3.11", ""),
        ("apt-get install -y python3 && pyenv install 3.11", ""),
        ("apt-get install -y git", ""),
        ("sed -i s/jammy/noble/g /etc/apt/sources.list && apt-get install -y python3", ""),
        ("apt-get install -y python3 && do-release-upgrade", ""),
        ("echo\nCOPY sources.list /etc/apt/\nRUN apt-get install -y python3", ""),
    ],
)
def test_the_python_of_the_distribution(tmp_path: Path, run: str, python: str) -> None:
    found = read(tmp_path, f"FROM {CUDA}\nRUN {run}\n")
    assert " ".join(found.pythons) == python
    assert not (python and found.for_python)


@pytest.mark.parametrize(
    ("source", "copy", "kept"),
    [
        (SLIM, "/opt/venv /opt/venv", True),
        (SLIM, "/usr/local /usr/local", True),
        ("python:3.12-slim-bookworm", "/opt/venv /opt/venv", False),
        ("python:3.12-slim-bookworm", "/usr/local/ /usr/local/", False),
        ("node:20", "/app/dist /app/dist", True),
        ("continuumio/miniconda3", "/opt/conda /opt/conda", False),
        ("ghcr.io/astral-sh/uv:latest", "/uv /uvx /bin/", True),
    ],
)
def test_files_of_another_image(tmp_path: Path, source: str, copy: str, kept: bool) -> None:
    staged = f"FROM {source} AS b\nFROM {SLIM}\nCOPY --chown=me --from=b {copy}\n"
    direct = f"FROM {SLIM}\nCOPY --from={source} {copy}\n"
    for text in (staged, direct):
        assert bool(read(tmp_path, text).pythons) is kept


@pytest.mark.parametrize(
    ("base", "run", "lost"),
    [
        ("rockylinux:9.3", "curl -o /etc/yum.repos.d/other.repo https://files.example/other.repo && dnf upgrade", True),
        ("rockylinux:9.3", "dnf install -y git", False),
        ("alpine:3.19", "sed -i s/3.19/edge/ /etc/apk/repositories && apk upgrade", False),  # it stays musl
    ],
)
def test_another_release_of_a_distribution(tmp_path: Path, base: str, run: str, lost: bool) -> None:
    found = read(tmp_path, f"FROM {base}\nRUN {run}\n")
    assert bool(found.libc) is not lost
    assert found.system.startswith(base.partition(":")[0])


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("user:pa55w0rd@reg.example/python:3.9-slim", "****@reg.example/python:3.9-slim"),
        ("https://user:pa55w0rd@reg.example/python:3.9-slim", "https://****@reg.example/python:3.9-slim"),
        ("pa55w0rd@reg.example:5000/a/b", "****@reg.example:5000/a/b"),
        ("user:pa55w0rd@x@reg.example/a@sha256:00ff", "****@reg.example/a@sha256:00ff"),
        ("user:pa55w0rd@${REG}", "****@${REG}"),
        ("user:pa55w0rd@reg.example/a:${V}", "****@reg.example/a:${V}"),
        ("what/ever:1@sha256:00ff", "what/ever:1@sha256:00ff"),
        ("what/ever:1@${IMAGE_DIGEST}", "what/ever:1@${IMAGE_DIGEST}"),
    ],
)
def test_credentials_are_not_kept(tmp_path: Path, name: str, shown: str) -> None:
    text = f"FROM {name}\n"
    for found in (read(tmp_path, text), read(tmp_path, f"ARG A={name}\nFROM $A\n" if "$" not in name else text)):
        assert found.subject == f"the base image `{shown}`"
        assert len(found.notes) == 1
        assert "pa55w0rd" not in str(found)


ALPHAFOLD = """
ARG CUDA=12.2.2
FROM nvidia/cuda:${CUDA}-cudnn8-runtime-ubuntu20.04
ARG CUDA
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y \\
      cuda-command-line-tools-$(cut -f1,2 -d- <<< ${CUDA//./-}) \\
      git hmmer
RUN wget -q -P /tmp https://repo.anaconda.com/miniconda/Miniconda3-latest-Linux-x86_64.sh
RUN echo $'#!/bin/bash\\n\\
ldconfig\\n\\
python /app/run.py "$@"' > /app/run.sh
"""
TRANSFORMERS = """
FROM nvidia/cuda:12.1.0-cudnn8-devel-ubuntu22.04
RUN apt update
RUN apt install -y git libsndfile1-dev espeak-ng python3 python3-pip ffmpeg
ARG CUDA='cu121'
RUN [ ${#PYTORCH} -gt 0 ] && VERSION='torch=='$PYTORCH'.*' ||  VERSION='torch'; python3 -m pip install -U $VERSION
RUN cd transformers && python3 setup.py develop
"""
MMDETECTION = """
ARG PYTORCH="1.9.0"
ARG CUDA="11.1"
ARG CUDNN="8"

FROM pytorch/pytorch:${PYTORCH}-cuda${CUDA}-cudnn${CUDNN}-devel
ENV CMAKE_PREFIX_PATH="$(dirname $(which conda))/../"
RUN pip install mmcv-full==1.3.8
RUN conda clean --all
"""
VLLM = """
ARG CUDA_VERSION=12.4.1
FROM nvidia/cuda:${CUDA_VERSION}-devel-ubuntu22.04 AS base
ARG PYTHON_VERSION=3
RUN apt-get update -y && apt-get install -y python${PYTHON_VERSION} python${PYTHON_VERSION}-dev python3-pip
RUN ldconfig /usr/local/cuda-$(echo $CUDA_VERSION | cut -d. -f1,2)/compat/
FROM base AS build
RUN --mount=type=cache,target=/root/.cache/pip \\
    if [ "$USE_SCCACHE" = "1" ]; then \\
        echo "Installing sccache..."; \\
    fi
FROM base as dev
"""
TGI = """
FROM lukemathwalker/cargo-chef:latest-rust-1.71 AS chef
FROM chef AS builder
FROM nvidia/cuda:12.1.0-devel-ubuntu20.04 as pytorch-install
RUN curl -fsSL -v -o ~/mambaforge.sh -O  "https://files.example/Mambaforge.sh"
FROM nvidia/cuda:12.1.0-base-ubuntu20.04 as base
COPY --from=pytorch-install /opt/conda /opt/conda
COPY --from=builder /usr/src/target/release/router /usr/local/bin/router
FROM base as sagemaker
FROM base
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ALPHAFOLD, {"glibc": "2.31", "cudnn": "8"}),
        (TRANSFORMERS, {"glibc": "2.35", "cuda": "12.1.0", "cudnn": "8", "nvcc": "yes", "python": "3.10"}),
        (MMDETECTION, {"cuda": "11.1", "cudnn": "8", "nvcc": "yes", "python": "3.7", "packages": "torch==1.9.0"}),
        (VLLM, {"glibc": "2.35", "cuda": "12.4.1", "nvcc": "yes"}),
        (TGI, {"glibc": "2.31", "cuda": "12.1.0", "nvcc": "no"}),
    ],
)
def test_as_well_known_projects_write_them(tmp_path: Path, text: str, expected: dict[str, str]) -> None:
    """Distilled from the Dockerfiles of alphafold, transformers, mmdetection, vLLM, text-generation-inference."""
    found = read(tmp_path, text)
    assert (known(found), found.notes) == (expected, ())


def test_a_framework_that_is_installed_again_is_not_the_image_s(tmp_path: Path) -> None:
    text = "FROM pytorch/pytorch:2.5.1-cuda12.4-cudnn9-runtime\nRUN pip uninstall -y torch torchvision\n"
    assert read(tmp_path, text).packages == ()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "there is no FROM in it"),
        (b"hello\n", "there is no FROM in it"),
        (b"FROM x\0", "is no text"),
        (b"\x7fELF\0\0", "is no text"),
        (b"#" * (5 << 20), "too large"),
        (None, "there is no such file"),
    ],
)
def test_what_is_no_dockerfile(tmp_path: Path, data: bytes | None, said: str) -> None:
    if data is not None:
        (tmp_path / "Dockerfile").write_bytes(data)
    with pytest.raises(InputError) as caught:
        image.read(tmp_path / "Dockerfile", "Dockerfile", RULES)
    assert said in caught.value.message
    assert caught.value.where == "Dockerfile"


def test_a_stage_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no stage `test`") as caught:
        read(tmp_path, STAGES, "#test")
    assert caught.value.hint == "it has `build`, `run`"


@pytest.mark.parametrize(
    "text",
    [
        "FROM\n", "FROM --platform=\n", "FROM a AS\n", "ARG\nFROM x\n", "ARG A='x\nFROM $A\n", "FROM ${\n", "FROM ${A\n",
        "FROM x\nRUN\nCOPY\nCOPY --from=\nCOPY --from=7 a b\nADD --from=x\n", "FROM x\\", "FROM x AS x\nFROM x AS x\nFROM x\n",
        "FROM x\nRUN " + "apt install " * 50_000, "FROM x\nRUN " + "conda " * 100_000, "FROM ${A:-" * 500, "\\\n" * 5000,
        "".join(f"FROM s{n} AS s{n + 1}\nCOPY --from=s{n} / /\nCOPY --from={n} / /\n" for n in range(60)),
        "ARG A=${A}\nFROM $A\n", "ARG A=" + "${A:-" * 400_000 + "}" * 400_000 + "\nFROM $A\n", "FROM " + "${A:-}" * 500_000,
        "FROM x\nRUN " + "brew " * 100_000 + "python" * 100_000, "FROM \ud7ff\ufffd\n", "FROM x\nRUN <<a <<b <<c\n",
    ],
)  # fmt: skip
def test_odd_ones_are_read_or_refused_and_quickly(tmp_path: Path, text: str) -> None:
    try:
        read(tmp_path, text)
    except InputError as error:
        assert error.where == "Dockerfile"
