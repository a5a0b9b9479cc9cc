"""What this machine is: Python, C library, processor, driver and GPUs, and what could not be found out.

Nothing here raises: what is odd is a note. The environment, the root of the file system and how programs are run are
handed in. What NVIDIA's driver says is `nvml`'s; what it means for a lock is not known here.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mlpin import host, nvml
from mlpin.errors import InputError
from mlpin.nvml import PATIENCE, Gpu, Nvidia, Run, Surroundings, read, run_program

if TYPE_CHECKING:
    from ctypes import CDLL

_FEATURES = frozenset({"avx", "avx2", "avx512f", "f16c", "fma", "neon", "sve"})
_FEATURE_NAMES = {"asimd": "neon", "avx1.0": "avx"}
_CONTAINER_VARIABLES = ("container", "KUBERNETES_SERVICE_HOST", "APPTAINER_CONTAINER", "SINGULARITY_CONTAINER")
_CONTAINER_PATHS = (".dockerenv", "run/.containerenv", ".singularity.d")
_CONTAINER_CGROUP = re.compile(r"[/:-](?:docker|lxc|kubepods|libpod|crio|cri-containerd)[/.-](?!service)")


class Machine(NamedTuple):
    """A machine as it was found. What is not known is empty."""

    python: str
    platform: str
    """As mlpin names it: `linux-x86_64`."""
    glibc: str
    """`2.35`; empty where there is none."""
    libc: str
    """`glibc 2.35`, `musl 1.2.4`."""
    cpu: str
    cpu_features: tuple[str, ...]
    """Those that wheels are built for, sorted."""
    driver: str
    """NVIDIA's: `550.54.15`."""
    cuda: str
    """The highest version that the driver supports, or what CONDA_OVERRIDE_CUDA says."""
    gpus: tuple[Gpu, ...]
    amd: tuple[str, ...]
    """gfx targets, each once, sorted."""
    container: bool
    notes: tuple[str, ...]
    overrides: tuple[str, ...]
    """The CONDA_OVERRIDE_* variables that were heeded."""


def detect(
    environ: Mapping[str, str],
    root: Path = Path("/"),
    run: Run = run_program,
    load: Callable[[Path], CDLL] = nvml.load,
    patience: float = PATIENCE,
) -> Machine:
    """This machine; `root` is where its /proc, /sys, /dev and /run lie."""
    around = Surroundings(environ, root, run, load, patience, _is_container(environ, root))
    notes: list[str] = []
    platform = _platform(notes)
    libc, glibc = _libc(around, notes)
    cpu, features = _processor(platform, around)
    nvidia = Nvidia() if sys.platform == "darwin" else nvml.detect(around)
    notes += nvidia.notes
    if nvidia.driver and "microsoft" in read(root / "proc/sys/kernel/osrelease").lower():
        notes.append("this is WSL: the driver is that of Windows, whose versions are numbered by themselves")
    if "CUDA_VISIBLE_DEVICES" in environ:
        visible = environ["CUDA_VISIBLE_DEVICES"]
        notes.append(f"CUDA_VISIBLE_DEVICES is set ({visible!r}): programs see those GPUs only, here stand all")
    amd = _amd(root, notes)
    overrides, cuda, glibc = _overridden(environ, nvidia.cuda, glibc, notes)
    return Machine(
        python=".".join(map(str, sys.version_info[:3])),
        platform=platform,
        glibc=glibc,
        libc=libc,
        cpu=cpu,
        cpu_features=features,
        driver=nvidia.driver,
        cuda=cuda,
        gpus=nvidia.gpus,
        amd=amd,
        container=around.container,
        notes=tuple(notes),
        overrides=overrides,
    )


def as_target(machine: Machine, runs: Callable[[str], str] | None = None) -> dict[str, Any]:
    """The machine as the fields of a table `[tool.mlpin.targets.NAME]`, without what is not known.

    `runs` tells what code a GPU of a name runs, as far as mlpin knows it: any other goes by what its driver says.
    """
    accelerator = _accelerator(machine)
    table: dict[str, Any] = {
        "python": ".".join(machine.python.split(".")[:2]),
        "platform": machine.platform,
        "glibc": machine.glibc if machine.platform.startswith("linux-") else "",
        "accelerator": accelerator,
    }
    if accelerator == "cuda":
        overridden = "CONDA_OVERRIDE_CUDA" in machine.overrides
        table["driver"] = f"CUDA {_two_parts(machine.cuda)}" if overridden else machine.driver
        table["gpus"] = sorted({_name(gpu, runs) for gpu in machine.gpus} - {""})
    elif accelerator == "rocm":
        table["gpus"] = list(machine.amd)
    return {key: value for key, value in table.items() if value}


def as_toml(target: Mapping[str, Any], name: str) -> str:
    """The table of a target called `name`, ready to be pasted."""
    import tomli_w

    return tomli_w.dumps({"tool": {"mlpin": {"targets": {name: target}}}})


def as_json(machine: Machine) -> str:
    """The machine as JSON: always the same keys."""
    import json

    value = machine._asdict() | {"gpus": [gpu._asdict() for gpu in machine.gpus]}
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _accelerator(machine: Machine) -> str:
    if machine.cuda if "CONDA_OVERRIDE_CUDA" in machine.overrides else machine.gpus:
        return "cuda"
    if machine.amd:
        return "rocm"
    return "metal" if machine.platform.startswith("macos-") and machine.platform.endswith("-arm64") else "cpu"


def _name(gpu: Gpu, runs: Callable[[str], str] | None) -> str:
    """The product's name where it says what the driver says, else the compute capability; empty: neither is known."""
    architecture = f"sm_{gpu.capability.replace('.', '')}" if gpu.capability else ""
    if runs is None:
        return gpu.name or architecture
    known = runs(gpu.name) if gpu.name else ""
    return gpu.name if known and known == (gpu.capability or known) else architecture


def _two_parts(version: str) -> str:
    """`12.4` of `12.4.1`, `12.0` of `12`."""
    return ".".join(f"{version}.0".split(".")[:2])


def _is_container(environ: Mapping[str, str], root: Path) -> bool:
    return (
        any(os.path.exists(root / path) for path in _CONTAINER_PATHS)
        or any(environ.get(name) for name in _CONTAINER_VARIABLES)
        or read(root / "run/systemd/container").strip() not in {"", "wsl"}
        or bool(_CONTAINER_CGROUP.search(read(root / "proc/1/cgroup")))
    )


def _platform(notes: list[str]) -> str:
    try:
        return host.platform()
    except InputError as error:
        notes.append(error.message)
        return ""


def _libc(around: Surroundings, notes: list[str]) -> tuple[str, str]:
    """(`glibc 2.35`, `2.35`)."""
    if sys.platform != "linux":
        return "", ""
    with suppress(AttributeError, ValueError, OSError):
        found = os.confstr("CS_GNU_LIBC_VERSION") or ""
        if version := re.match(r"glibc (\d+\.\d+)", found):
            return found, version[1]
    musl = _musl(around)
    if musl:
        notes.append(f"the C library is {musl}: wheels for glibc (manylinux) do not run here")
    else:
        notes.append("the C library is neither glibc nor musl")
    return musl, ""


def _musl(around: Surroundings) -> str:
    """`musl 1.2.4`; musl's loader says it when it is run with nothing to load."""
    for loader in sorted((around.root / "lib").glob("ld-musl-*.so.1")):
        with suppress(OSError):
            ran = around.run([str(loader)], around.environ, around.patience)
            version = re.search(r"^Version (\d+(?:\.\d+)*)", ran.err + ran.out, re.MULTILINE)
            return f"musl {version[1]}" if version else "musl"
    return ""


def _processor(platform: str, around: Surroundings) -> tuple[str, tuple[str, ...]]:
    """The processor's model and features."""
    if platform.startswith("windows-"):
        return around.environ.get("PROCESSOR_IDENTIFIER", ""), ()
    if platform.startswith("macos-"):
        keys = ("machdep.cpu.brand_string", "machdep.cpu.features", "machdep.cpu.leaf7_features")
        try:
            lines = around.run(["sysctl", "-n", *keys], around.environ, around.patience).out.splitlines()
        except OSError:
            lines = []
        words = ["neon"] if platform.endswith("-arm64") else " ".join(lines[1:]).split()
        return (lines[0].strip() if lines else ""), _features(words)
    return _cpuinfo(around.root / "proc/cpuinfo")


def _cpuinfo(path: Path) -> tuple[str, tuple[str, ...]]:
    """The model and features of the first processor. The others take the kernel a while on a large machine."""
    said: dict[str, str] = {}
    with suppress(OSError), path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if not line.strip():
                break
            key, _, value = line.partition(":")
            said[key.strip()] = value.strip()
    model = said.get("model name", "")
    if not model and "CPU part" in said:
        model = f"implementer {said.get('CPU implementer', '?')}, part {said['CPU part']}"
    return model, _features((said.get("flags") or said.get("Features") or "").split())


def _features(words: Sequence[str]) -> tuple[str, ...]:
    found = {_FEATURE_NAMES.get(word.lower(), word.lower()) for word in words}
    return tuple(sorted(word for word in found if word in _FEATURES or word.startswith("amx_")))


def _amd(root: Path, notes: list[str]) -> tuple[str, ...]:
    """The gfx targets of the GPUs that AMD's compute driver knows."""
    found = set()
    for node in (root / "sys/class/kfd/kfd/topology/nodes").glob("*/properties"):
        number = re.search(r"^gfx_target_version (\d+)$", read(node), re.MULTILINE)
        if number and int(number[1]):
            major, minor, stepping = int(number[1]) // 10000, int(number[1]) // 100 % 100, int(number[1]) % 100
            found.add(f"gfx{major}{minor:x}{stepping:x}")
    if found and not os.path.exists(root / "dev/kfd"):
        notes.append("/dev/kfd is not here: AMD GPUs cannot be used (docker: --device /dev/kfd --device /dev/dri)")
    return tuple(sorted(found))


def _overridden(
    environ: Mapping[str, str], cuda: str, glibc: str, notes: list[str]
) -> tuple[tuple[str, ...], str, str]:
    """The variables that were heeded, CUDA and glibc; as conda takes them, an empty one says that there is none."""
    heeded = []

    def override(name: str, pattern: str, found: str) -> str:
        value = environ.get(name)
        if value is None:
            return found
        value = value.strip()
        if value and not re.fullmatch(pattern, value):
            notes.append(f"{name} is not heeded: {value!r} is no version")
            return found
        heeded.append(name)
        if value != found:
            notes.append(f"{name} is set: {value or 'none'} instead of {found or 'none'}")
        return value

    cuda = override("CONDA_OVERRIDE_CUDA", r"\d+(\.\d+)*", cuda)
    if sys.platform == "linux":
        glibc = override("CONDA_OVERRIDE_GLIBC", r"\d+\.\d+", glibc)
    if archspec := environ.get("CONDA_OVERRIDE_ARCHSPEC"):
        heeded.append("CONDA_OVERRIDE_ARCHSPEC")
        notes.append(f"CONDA_OVERRIDE_ARCHSPEC is set: conda takes the processor for {archspec!r}")
    return tuple(heeded), cuda, glibc
