"""Unpacked root file systems: what is found in them, and that nothing outside of them is read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from mlpin import image
from mlpin.errors import InputError
from mlpin.image.model import Image
from mlpin.matrix.matrix import Matrix

RULES = Matrix.shipped()
UBUNTU = 'NAME="Ubuntu"\nVERSION_ID="22.04"\nID=ubuntu\n'
LIBC = "\x7fELF ... GNU C Library (Ubuntu GLIBC 2.35-0ubuntu3.8) stable release version 2.35.\n"
ARM = bytes([0x7F, *b"ELF", 2, 1, 1, *[0] * 9, 3, 0, 183, 0]).decode("latin-1")


def root(base: Path, files: Mapping[str, str]) -> Path:
    """A folder with files in it; `-> place` is a link."""
    folder = base / "rootfs"
    for name, text in {"etc/hostname": "x", **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if text.startswith("-> "):
            path.symlink_to(text[3:])
        else:
            path.write_bytes(text.encode("latin-1"))
    return folder


def read(base: Path, files: Mapping[str, str]) -> Image:
    return image.read(root(base, files), "rootfs", RULES)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"etc/os-release": UBUNTU}, {"system": "ubuntu 22.04", "glibc": "2.35", "libc": "glibc"}),
        ({"usr/lib/os-release": UBUNTU, "etc/os-release": "-> ../usr/lib/os-release"}, {"glibc": "2.35"}),
        ({"lib/x86_64-linux-gnu/libc.so.6": "-> libc-2.31.so", "lib/x86_64-linux-gnu/libc-2.31.so": ""}, {"glibc": "2.31"}),
        ({"usr/lib/x86_64-linux-gnu/libc.so.6": LIBC, "lib": "-> usr/lib", "etc/os-release": "ID=odd\n"}, {"glibc": "2.35"}),
        ({"usr/lib64/libc.so.6": LIBC, "lib64": "-> /usr/lib64"}, {"glibc": "2.35"}),
        ({"lib64/libc.so.6": "no version in it", "etc/os-release": "ID=odd\n"}, {"glibc": "", "libc": ""}),
        ({"lib/ld-musl-x86_64.so.1": "", "etc/os-release": "ID=alpine\nVERSION_ID=3.19.1\n"}, {"libc": "musl"}),
        ({"lib/ld-musl-x86_64.so.1": "", "lib/ld-linux-x86-64.so.2": ""}, {"libc": ""}),
        ({"bin/sh": "-> /usr/bin/dash", "usr/bin/dash": ARM}, {"machine": "aarch64"}),
        ({"usr/local/cuda-12.4/version.json": '{"cuda": {"version": "12.4.1"}}', "usr/local/cuda": "-> cuda-12.4"},
         {"cuda": "12.4.1", "nvcc": "no"}),
        ({"usr/local/cuda/version.txt": "CUDA Version 10.2.89\n"}, {"cuda": "10.2"}),
        ({"usr/local/cuda/version.json": "{", "usr/local/cuda/lib64/libcudart.so.11.8.89": ""}, {"cuda": "11.8"}),
        ({"usr/local/cuda-12.4/targets/x86_64-linux/lib/libcudart.so.12.4.127": "", "usr/local/cuda-12.4/bin/nvcc": "x",
          "usr/local/cuda": "-> /etc/alternatives/cuda", "etc/alternatives/cuda": "-> /usr/local/cuda-12.4"},
         {"cuda": "12.4", "nvcc": "yes"}),
        ({"usr/local/cuda-12.4/version.json": "[]", "usr/local/cuda-11.8/version.json": "[]"}, {"cuda": ""}),
        ({"usr/lib/x86_64-linux-gnu/libcudnn.so.9.1.0": ""}, {"cudnn": "9.1.0"}),
        ({"usr/include/cudnn_version.h": "#define CUDNN_MAJOR 8\n#define CUDNN_MINOR 9\n#define CUDNN_PATCHLEVEL 7\n"},
         {"cudnn": "8.9.7"}),
        ({"usr/bin/python3.10": "x"}, {"pythons": ("3.10",), "for_python": False}),
        ({"usr/local/bin/python3.11": "x", "usr/bin/python3.9": "x"}, {"pythons": ("3.9", "3.11"), "for_python": True}),
        ({"opt/venv/bin/python3.11": "-> /usr/bin/python3.11", "usr/bin/python3.11": "x"}, {"pythons": ("3.11",)}),
        ({"opt/conda/envs/work/bin/python3.12": "x", "opt/conda/bin/python3.11": "x"}, {"pythons": ("3.11", "3.12")}),
        ({"usr/bin/python3.10": "-> /no/where", "usr/bin/python3.11-config": "x"}, {"pythons": ()}),
    ],
)  # fmt: skip
def test_what_is_in_it(tmp_path: Path, files: dict[str, str], expected: dict[str, object]) -> None:
    found = read(tmp_path, files)
    assert {key: getattr(found, key) for key in expected} == expected
    assert bool(found.notes) == ("usr/local/cuda-11.8/version.json" in files)


@pytest.mark.parametrize(
    "link",
    [
        "-> ../../../../outside",
        "-> {outside}",
        "-> ../../../../../../../../../../{outside}",
        "-> loop/../../../../outside",
    ],
)
def test_a_link_that_leads_out_of_it_is_read_inside_of_it(tmp_path: Path, link: str) -> None:
    outside = tmp_path / "outside"
    outside.write_text(UBUNTU, encoding="utf-8")
    target = link.replace("{outside}", str(outside)).replace("//", "/")
    assert read(tmp_path, {"etc/os-release": target}).system == ""


def test_the_same_path_is_found_inside_of_it(tmp_path: Path) -> None:
    files = {"etc/os-release": "-> ../../../../../srv/release", "srv/release": UBUNTU}
    assert read(tmp_path, files).system == "ubuntu 22.04"


def test_loops_pipes_and_folders_are_no_files(tmp_path: Path) -> None:
    folder = root(
        tmp_path, {"etc/os-release": "-> os-release", "usr/lib": "-> lib", "usr/bin/python3.11": "-> python3.11"}
    )
    os.mkfifo(folder / "etc" / "pipe")
    (folder / "lib64").mkdir()
    (folder / "lib64" / "libc.so.6").symlink_to("/etc/pipe")
    (folder / "usr" / "local" / "cuda" / "version.json").mkdir(parents=True)
    found = image.read(folder, "rootfs", RULES)
    assert (found.system, found.libc, found.cuda, found.pythons) == ("", "", "", ())


@pytest.mark.parametrize(
    ("name", "said", "hint"),
    [
        ("Dockerfile", "is no root file system", "name the file: some/Dockerfile"),
        ("x.txt", "has none of etc, usr", None),
    ],
)
def test_a_folder_that_is_none(tmp_path: Path, name: str, said: str, hint: str | None) -> None:
    (tmp_path / name).write_text("FROM x\n", encoding="utf-8")
    with pytest.raises(InputError, match=said) as caught:
        image.read(tmp_path, "some/", RULES)
    assert caught.value.hint == hint
