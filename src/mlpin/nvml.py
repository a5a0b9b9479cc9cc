"""NVIDIA's driver and GPUs: what its management library (NVML) says, else `nvidia-smi`, else /proc.

Needs no package of NVIDIA's and no framework. A driver that is absent, broken or silent is a note, never an error.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    from ctypes import CDLL

_Known = TypeVar("_Known")

PATIENCE = 20.0
"""Seconds that a driver is given: eight GPUs that nobody keeps awake take more than ten to answer."""

LIBRARY = "nvml.dll" if sys.platform == "win32" else "libnvidia-ml.so.1"
# Where the loader does not always look: WSL, GKE's driver installer, NixOS.
_PLACES = ("usr/lib/wsl/lib", "usr/local/nvidia/lib64", "run/opengl-driver/lib")
_FUNCTION_NOT_FOUND = 13
_REASONS = {
    9: "the NVIDIA driver is not loaded: no GPU, or a container started without GPUs (--gpus all)",
    18: "the NVIDIA driver in the kernel and its library are of two versions: reboot after an update of the driver",
}
"""The ordinary ways in which starting fails, by code of `nvmlReturn_t`."""

# Drivers from 610 on say `KMD Version` and `CUDA UMD Version`.
_CUDA_IN_BANNER = re.compile(r"CUDA (?:UMD )?Version\s*:\s*(\d+\.\d+)")
_DRIVER_IN_BANNER = re.compile(r"(?:Driver|KMD) Version\s*:\s*(\d+(?:\.\d+)+)")
_KERNEL_MODULE = re.compile(r"Kernel Module\s+(?:for \S+\s+)?(\d+(?:\.\d+)+)")
_NOT_A_FIELD = re.compile(r'Field "([\w.]+)" is not a valid field')


class Gpu(NamedTuple):
    """One NVIDIA GPU. What is not known is empty or None."""

    name: str
    """As the driver says it: `NVIDIA H100 80GB HBM3`."""
    capability: str = ""
    """The compute capability: `9.0`."""
    memory: int | None = None
    """In bytes."""


class Nvidia(NamedTuple):
    """What one source knows of NVIDIA's driver and GPUs."""

    driver: str = ""
    cuda: str = ""
    gpus: tuple[Gpu, ...] = ()
    notes: tuple[str, ...] = ()


class Ran(NamedTuple):
    """What a program did."""

    code: int
    out: str
    err: str


Run = Callable[[Sequence[str], Mapping[str, str], float], Ran]
"""Runs a program in an environment for some seconds at most. Raises `TimeoutError` and `OSError`."""


class Surroundings(NamedTuple):
    """Through what a machine is looked at."""

    environ: Mapping[str, str]
    root: Path
    run: Run
    load: Callable[[Path], CDLL]
    patience: float
    container: bool


def detect(around: Surroundings) -> Nvidia:
    """What the first source that answers says, with notes on those that did not."""
    notes: list[str] = []
    found = _first(around, notes)
    return found._replace(notes=(*notes, *found.notes))


def _first(around: Surroundings, notes: list[str]) -> Nvidia:
    absent = asked = False
    try:
        return _with_gpus(answer(around.load(around.root), around.patience), notes)
    except FileNotFoundError:
        absent = True
    except TimeoutError:
        asked = True
        notes.append(f"the NVIDIA driver did not answer within {around.patience:g} s")
    except NvmlError as error:
        asked = True
        notes.append(str(error))
    except (OSError, ImportError) as error:
        notes.append(f"{LIBRARY} cannot be used: {error}")
    # nvidia-smi asks the same library: where that hangs or fails, so does it.
    found = Nvidia() if asked else nvidia_smi(around, notes)
    if found.driver or found.gpus:
        return _with_gpus(found, notes)
    found = kernel_driver(around.root)
    if found.driver or found.gpus:
        notes.append("only /proc/driver/nvidia speaks of the GPUs: it does not know what CUDA and kernels they run")
    elif absent:
        notes.append(_absence(around))
    return found


def _with_gpus(found: Nvidia, notes: list[str]) -> Nvidia:
    if not found.gpus:
        notes.append("the NVIDIA driver is here, but shows no GPU")
    return found


def _absence(around: Surroundings) -> str:
    why = "no NVIDIA driver"
    if around.container:
        why += ", or a container started without GPUs (docker: --gpus all, podman: --device nvidia.com/gpu=all)"
    on_bus = any(
        read(device / "vendor").strip() == "0x10de" and read(device / "class").startswith("0x03")
        for device in (around.root / "sys/bus/pci/devices").glob("*")
    )
    return f"{LIBRARY} is not here: {why}" + ("; there is an NVIDIA GPU on the PCI bus" if on_bus else "")


class NvmlError(Exception):
    """A function of the library that did not do its work. `code` is an `nvmlReturn_t`."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def load(root: Path = Path("/")) -> CDLL:
    """The library of this machine, or of what lies under another root.

    Raises `FileNotFoundError` where there is none, `OSError` where it cannot be loaded.
    """
    import ctypes

    places = [str(path) for place in _PLACES if os.path.exists(path := root / place / LIBRARY)]
    if str(root) == root.anchor:
        places.insert(0, LIBRARY)
    trouble = None
    for place in places:
        try:
            return ctypes.CDLL(place)
        except FileNotFoundError:
            continue
        except OSError as error:
            if LIBRARY not in str(error) or "No such file" not in str(error):
                trouble = trouble or error
    raise trouble or FileNotFoundError(LIBRARY)


def answer(library: CDLL, patience: float) -> Nvidia:
    """What the library says within `patience` seconds. Raises `TimeoutError`, `OSError` and `NvmlError`."""
    from threading import Thread

    answers: list[Nvidia | OSError | NvmlError] = []

    def work() -> None:
        try:
            answers.append(ask(library))
        except (OSError, NvmlError) as error:
            answers.append(error)

    # A driver that hangs does not return from its calls: they are left behind with their thread.
    thread = Thread(target=work, daemon=True)
    thread.start()
    thread.join(patience)
    if not answers:
        raise TimeoutError
    if isinstance(answers[0], Nvidia):
        return answers[0]
    raise answers[0]


def ask(library: CDLL) -> Nvidia:
    """What the library says. Raises `NvmlError` if it cannot start; what else fails is a note."""
    import ctypes

    notes: list[str] = []

    def known(what: str, question: Callable[[], _Known], unknown: _Known) -> _Known:
        try:
            return question()
        except NvmlError as error:
            notes.append(f"{what}: {error}")
            return unknown

    def text(function: str, size: int, *leading: Any) -> str:
        buffer = ctypes.create_string_buffer(size)
        _call(library, function, *leading, buffer, ctypes.c_uint(size))
        return buffer.value.decode("utf-8", "replace").strip()

    def integer(function: str) -> int:
        value = ctypes.c_int()
        _call(library, function, ctypes.byref(value))
        return value.value

    def capability(handle: Any) -> str:
        major, minor = ctypes.c_int(), ctypes.c_int()
        pair = ctypes.byref(major), ctypes.byref(minor)
        _call(library, "nvmlDeviceGetCudaComputeCapability", handle, *pair)
        return f"{major.value}.{minor.value}"

    def memory(handle: Any) -> int | None:
        total_free_used = (ctypes.c_ulonglong * 3)()
        _call(library, "nvmlDeviceGetMemoryInfo", handle, ctypes.byref(total_free_used))
        return int(total_free_used[0])

    def gpu(index: int) -> Gpu | None:
        handle = ctypes.c_void_p()
        _call(library, "nvmlDeviceGetHandleByIndex_v2", ctypes.c_uint(index), ctypes.byref(handle))
        return Gpu(
            known(f"the name of GPU {index}", lambda: text("nvmlDeviceGetName", 96, handle), ""),
            known(f"the compute capability of GPU {index}", lambda: capability(handle), ""),
            known(f"the memory of GPU {index}", lambda: memory(handle), None),
        )

    _start(library)
    driver = known("the version of the NVIDIA driver", lambda: text("nvmlSystemGetDriverVersion", 80), "")
    cuda = known("the CUDA that the driver supports", lambda: integer("nvmlSystemGetCudaDriverVersion_v2"), 0)
    count = known("the number of GPUs", lambda: integer("nvmlDeviceGetCount_v2"), 0)
    gpus = [known(f"GPU {index}", partial(gpu, index), None) for index in range(count)]
    try:
        _call(library, "nvmlShutdown")
    except NvmlError as error:
        notes.append(f"closing the NVIDIA driver's library: {error}")
    version = f"{cuda // 1000}.{cuda % 1000 // 10}" if cuda > 0 else ""
    return Nvidia(driver, version, tuple(found for found in gpus if found), tuple(notes))


def _start(library: CDLL) -> None:
    try:
        _call(library, "nvmlInit_v2")
    except NvmlError as error:
        why = _REASONS.get(error.code, f"the NVIDIA driver cannot be asked: {error}")
        raise NvmlError(error.code, why) from None


def _call(library: CDLL, function: str, *arguments: Any) -> None:
    """Calls a function of the library. Raises `NvmlError` unless it says that it succeeded."""
    try:
        call = getattr(library, function)
    except AttributeError:
        raise NvmlError(_FUNCTION_NOT_FOUND, f"this driver has no {function}") from None
    if code := int(call(*arguments)):
        raise NvmlError(code, f"{_reason(library, code)} ({function}: {code})")


def _reason(library: CDLL, code: int) -> str:
    import ctypes

    try:
        describe = library.nvmlErrorString
    except AttributeError:
        return "an error"
    describe.restype = ctypes.c_char_p
    return (describe(code) or b"an error").decode("utf-8", "replace")


def nvidia_smi(around: Surroundings, notes: list[str]) -> Nvidia:
    """What `nvidia-smi` prints; empty where it is not there or fails."""
    program = _program("nvidia-smi", around.environ, around.root)
    if not program:
        return Nvidia()
    fields = ["name", "compute_cap", "driver_version", "memory.total"]
    try:
        while True:
            query = [program, "--query-gpu=" + ",".join(fields), "--format=csv,noheader"]
            ran = around.run(query, around.environ, around.patience)
            unknown = _NOT_A_FIELD.search(ran.out + ran.err)
            if ran.code == 0 or not unknown or unknown[1] not in fields[1:]:
                break
            fields.remove(unknown[1])  # compute_cap came with driver 510
        rows = [
            dict(zip(fields, _cells(line.rsplit(",", len(fields) - 1)), strict=True))
            for line in ran.out.splitlines()
            if line.count(",") >= len(fields) - 1
        ]
        if ran.code:
            said = (ran.out.strip() or ran.err.strip() or f"exit status {ran.code}").splitlines()
            notes.append(f"nvidia-smi: {said[-1] if rows else said[0]}")
        banner = around.run([program], around.environ, around.patience).out if rows else ""
    except TimeoutError:
        notes.append(f"nvidia-smi did not answer within {around.patience:g} s")
        return Nvidia()
    except OSError as error:
        notes.append(f"nvidia-smi cannot be run: {error}")
        return Nvidia()
    driver = next((row["driver_version"] for row in rows if row.get("driver_version")), "")
    if not driver and (match := _DRIVER_IN_BANNER.search(banner)):
        driver = match[1]
    cuda = _CUDA_IN_BANNER.search(banner)
    gpus = [Gpu(row.get("name", ""), row.get("compute_cap", ""), _bytes(row.get("memory.total", ""))) for row in rows]
    return Nvidia(driver, cuda[1] if cuda else "", tuple(gpus))


def _cells(cells: Sequence[str]) -> list[str]:
    """The values of a line; those in brackets (`[N/A]`, `[Unknown Error]`) say that there is none."""
    return ["" if cell.startswith("[") or cell == "N/A" else cell for cell in map(str.strip, cells)]


def _bytes(text: str) -> int | None:
    match = re.fullmatch(r"(\d+) MiB", text)
    return int(match[1]) << 20 if match else None


def _program(name: str, environ: Mapping[str, str], root: Path) -> str:
    """Where a program lies; `shutil.which` costs more than all else here together."""
    name += ".exe" if sys.platform == "win32" else ""
    for directory in (*environ.get("PATH", "").split(os.pathsep), str(root / "usr/lib/wsl/lib")):
        path = os.path.join(directory, name)
        if directory and os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return ""


def kernel_driver(root: Path) -> Nvidia:
    """What the kernel's driver says of itself without being asked."""
    place = root / "proc/driver/nvidia"
    version = _KERNEL_MODULE.search(read(place / "version"))
    models = [
        re.search(r"^Model:[ \t]*(.*?)[ \t]*$", read(path), re.MULTILINE)
        for path in sorted(place.glob("gpus/*/information"))
    ]
    gpus = (Gpu("" if model[1] == "Unknown" else model[1]) for model in models if model)
    return Nvidia(version[1] if version else "", gpus=tuple(gpus))


def read(path: Path) -> str:
    """The text of a file; empty where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def run_program(arguments: Sequence[str], environ: Mapping[str, str], patience: float) -> Ran:
    """Runs a program to its end, or leaves it behind. Raises `TimeoutError` and `OSError`."""
    import subprocess

    pipe = subprocess.PIPE
    process = subprocess.Popen(
        arguments,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=pipe,
        stderr=pipe,
        encoding="utf-8",
        errors="replace",
    )
    try:
        out, err = process.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        process.kill()
        # What hangs in the kernel is not ended by a kill: nothing may wait for it, as `subprocess.run` would.
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.5)
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()
        raise TimeoutError from None
    return Ran(process.returncode, out, err)
