"""The machine: a library in C stands in for NVIDIA's, a script for nvidia-smi, text files for /proc and /sys."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from mlpin import machine, nvml
from mlpin.machine import Machine, as_json, as_target, as_toml, detect
from mlpin.nvml import Gpu, Ran, Surroundings

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the fixtures are those of Linux")

COMPILER = shutil.which("cc") or shutil.which("gcc")
needs_compiler = pytest.mark.skipif(not COMPILER, reason="no C compiler")

# Two GPUs: the first is whole, the second does not say its memory, as those that share the machine's.
FAKE_NVML = r"""
#include <stdio.h>
#include <unistd.h>
#ifndef INIT
#define INIT 0
#endif
#ifndef COUNT
#define COUNT 2
#endif
#ifndef LOST
#define LOST -1
#endif
#ifndef HANG
#define HANG 0
#endif
static int started, gpus[2] = {0, 1};
struct memory { unsigned long long total, free, used; };
int nvmlInit_v2(void) { if (HANG) sleep(HANG); if (!INIT) started = 1; return INIT; }
int nvmlShutdown(void) { if (!started) return 1; started = 0; return 0; }
const char *nvmlErrorString(int code) { return code == 15 ? "GPU is lost" : code == 3 ? "Not Supported" : "Unknown Error"; }
static int say(char *to, unsigned size, const char *text) {
    if (!started) return 1;
    return snprintf(to, size, "%s", text) < (int)size ? 0 : 7;
}
int nvmlSystemGetDriverVersion(char *to, unsigned size) { return say(to, size, "550.54.15"); }
#ifndef OLD
int nvmlSystemGetCudaDriverVersion_v2(int *version) { *version = 12040; return !started; }
#endif
int nvmlDeviceGetCount_v2(unsigned *count) { *count = COUNT; return !started; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) {
    if ((int)index == LOST) return 15;
    *device = &gpus[index];
    return !started;
}
int nvmlDeviceGetName(int *gpu, char *to, unsigned size) {
    return say(to, size, *gpu ? "NVIDIA GB10" : "NVIDIA H100 80GB HBM3");
}
int nvmlDeviceGetCudaComputeCapability(int *gpu, int *major, int *minor) {
    *major = *gpu ? 12 : 9; *minor = *gpu;
    return !started;
}
int nvmlDeviceGetMemoryInfo(int *gpu, struct memory *memory) {
    if (*gpu) return 3;
    memory->total = 85520809984ULL; memory->free = 1; memory->used = 2;
    return !started;
}
"""

SMI = """#!/bin/sh
case "$1" in
  *compute_cap*) {capability} ;;
  --query*) printf 'NVIDIA A100-SXM4-40GB, 470.82.01, 40536 MiB\\nTesla T4, 470.82.01, [N/A]\\n' ;;
  *) echo '| NVIDIA-SMI 470.82.01    Driver Version: 470.82.01    CUDA Version: 11.4     |' ;;
esac
"""

NVRM = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  565.57.01  Release Build  (dvs-builder@U16)\n"
OLD_NVRM = (
    "NVRM version: NVIDIA UNIX x86_64 Kernel Module  440.33.01  Wed Nov 13 00:00:22 UTC 2019\nGCC version:  9.3\n"
)
INFORMATION = "Model: \t\t NVIDIA GeForce RTX 4090\nIRQ:   \t\t 185\nGPU UUID: \t GPU-00000000\nBus Type: \t PCIe\n"
H100 = Gpu("NVIDIA H100 80GB HBM3", "9.0", 85520809984)
GB10 = Gpu("NVIDIA GB10", "12.1")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    path = tmp_path / "root"
    path.mkdir()
    return path


def put(path: Path, text: str, *, program: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    if program:
        path.chmod(0o755)
    return path


def fake_library(root: Path, *definitions: str) -> None:
    """Puts a library where WSL has it."""
    library = root / "usr/lib/wsl/lib" / nvml.LIBRARY
    source = put(root.parent / "nvml.c", FAKE_NVML)
    library.parent.mkdir(parents=True)
    flags = [f"-D{definition}" for definition in definitions]
    subprocess.run([COMPILER or "cc", "-shared", "-fPIC", *flags, "-o", library, source], check=True)


def fake_smi(root: Path, text: str) -> dict[str, str]:
    """Puts an nvidia-smi into a directory of its own; the environment in which it is found."""
    program = put(root.parent / "bin/nvidia-smi", text, program=True)
    return {"PATH": f"{program.parent}:{os.environ.get('PATH', '')}"}


def around(root: Path, patience: float = 5.0) -> Surroundings:
    return Surroundings({}, root, nvml.run_program, nvml.load, patience, container=False)


# The real machine.


def test_this_machine_is_described() -> None:
    found = detect(os.environ)
    assert found.python == ".".join(map(str, sys.version_info[:3]))
    assert found.platform.startswith("linux-")
    assert found.libc.startswith(("glibc ", "musl "))
    assert found.cpu or not Path("/proc/cpuinfo").exists()
    assert json.loads(as_json(found))["platform"] == found.platform
    assert found.gpus or found.notes


def test_nothing_heavy_is_loaded_where_there_is_no_gpu(root: Path) -> None:
    script = (
        "import sys, pathlib\nfrom mlpin.machine import detect\n"
        f"detect({{}}, pathlib.Path({str(root)!r}))\nprint(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"subprocess", "shutil", "threading", "json", "tomli_w", "torch", "pynvml"}


# NVML.


@needs_compiler
def test_the_library_is_asked_through_its_c_interface(root: Path) -> None:
    fake_library(root)
    found = detect({}, root)
    assert (found.driver, found.cuda, found.gpus) == ("550.54.15", "12.4", (H100, GB10))
    assert found.notes == ("the memory of GPU 1: Not Supported (nvmlDeviceGetMemoryInfo: 3)",)


@needs_compiler
def test_a_gpu_that_is_lost_is_a_note_and_the_others_stand(root: Path) -> None:
    fake_library(root, "LOST=1")
    found = detect({}, root)
    assert found.gpus == (H100,)
    assert found.notes == ("GPU 1: GPU is lost (nvmlDeviceGetHandleByIndex_v2: 15)",)


@needs_compiler
def test_an_old_library_lacks_functions(root: Path) -> None:
    fake_library(root, "OLD", "COUNT=1")
    found = detect({}, root)
    assert (found.driver, found.cuda, found.gpus) == ("550.54.15", "", (H100,))
    assert found.notes == ("the CUDA that the driver supports: this driver has no nvmlSystemGetCudaDriverVersion_v2",)


@needs_compiler
def test_a_driver_without_gpus_says_so(root: Path) -> None:
    fake_library(root, "COUNT=0")
    found = detect({}, root)
    assert (found.driver, found.gpus) == ("550.54.15", ())
    assert found.notes == ("the NVIDIA driver is here, but shows no GPU",)
    assert as_target(found)["accelerator"] == "cpu"


@needs_compiler
@pytest.mark.parametrize(
    ("code", "said"),
    [
        (9, "the NVIDIA driver is not loaded"),
        (18, "the NVIDIA driver in the kernel and its library are of two versions: reboot"),
        (999, "the NVIDIA driver cannot be asked: Unknown Error (nvmlInit_v2: 999)"),
    ],
)
def test_a_library_that_does_not_start_says_why(root: Path, code: int, said: str) -> None:
    fake_library(root, f"INIT={code}")
    # nvidia-smi would fail likewise: it is not run.
    environ = fake_smi(root, f"#!/bin/sh\ntouch {root}/was-run\n")
    found = detect(environ, root)
    assert len(found.notes) == 1
    assert found.notes[0].startswith(said)
    assert not (root / "was-run").exists()


@needs_compiler
def test_versions_that_differ_leave_what_the_kernel_says(root: Path) -> None:
    fake_library(root, "INIT=18")
    put(root / "proc/driver/nvidia/version", NVRM)
    put(root / "proc/driver/nvidia/gpus/0000:01:00.0/information", INFORMATION)
    found = detect({}, root)
    assert (found.driver, found.cuda, found.gpus) == ("565.57.01", "", (Gpu("NVIDIA GeForce RTX 4090"),))
    assert "two versions" in found.notes[0]
    assert "only /proc/driver/nvidia" in found.notes[1]


@needs_compiler
def test_a_driver_that_hangs_is_left_behind(root: Path) -> None:
    fake_library(root, "HANG=30")
    put(root / "proc/driver/nvidia/version", NVRM)
    began = time.monotonic()
    found = detect({}, root, patience=0.2)
    assert time.monotonic() - began < 10
    assert found.driver == "565.57.01"
    assert found.notes[0] == "the NVIDIA driver did not answer within 0.2 s"


@needs_compiler
def test_a_library_that_is_not_nvml(root: Path) -> None:
    source = put(root.parent / "other.c", "int other(void) { return 0; }")
    library = root / "usr/lib/wsl/lib" / nvml.LIBRARY
    library.parent.mkdir(parents=True)
    subprocess.run([COMPILER or "cc", "-shared", "-fPIC", "-o", library, source], check=True)
    assert detect({}, root).notes == ("the NVIDIA driver cannot be asked: this driver has no nvmlInit_v2",)


def test_a_library_that_cannot_be_loaded(root: Path) -> None:
    put(root / "usr/lib/wsl/lib" / nvml.LIBRARY, "no ELF")
    (note,) = detect({}, root).notes
    assert note.startswith(f"{nvml.LIBRARY} cannot be used: ")


def test_a_python_without_ctypes(root: Path) -> None:
    def load(_: Path) -> object:
        raise ModuleNotFoundError("No module named '_ctypes'")

    found = detect({}, root, load=load)  # type: ignore[arg-type]
    assert found.notes == (f"{nvml.LIBRARY} cannot be used: No module named '_ctypes'",)


# nvidia-smi.


def test_nvidia_smi_is_asked_where_there_is_no_library(root: Path) -> None:
    environ = fake_smi(root, SMI.format(capability="printf 'NVIDIA L4, 8.9, 550.54.15, 23034 MiB\\n'"))
    found = detect(environ, root)
    assert found.gpus == (Gpu("NVIDIA L4", "8.9", 23034 << 20),)
    assert (found.driver, found.cuda, found.notes) == ("550.54.15", "11.4", ())


def test_an_old_nvidia_smi_does_not_know_compute_capabilities(root: Path) -> None:
    refusal = "echo 'Field \"compute_cap\" is not a valid field to query.'; exit 2"
    found = detect(fake_smi(root, SMI.format(capability=refusal)), root)
    assert found.gpus == (Gpu("NVIDIA A100-SXM4-40GB", "", 40536 << 20), Gpu("Tesla T4"))
    assert (found.driver, found.cuda, found.notes) == ("470.82.01", "11.4", ())


def test_a_new_nvidia_smi_has_other_words(root: Path) -> None:
    found = detect(
        fake_smi(
            root,
            """#!/bin/sh
            case "$1" in
              *driver_version*) echo 'Field "driver_version" is not a valid field to query.'; exit 2 ;;
              --query*) echo 'NVIDIA B200, 10.0, 183359 MiB' ;;
              *) echo '| NVIDIA-SMI 610.43.02        KMD Version: 610.43.02     CUDA UMD Version: 13.3     |' ;;
            esac
            """,
        ),
        root,
    )
    assert (found.driver, found.cuda) == ("610.43.02", "13.3")
    assert found.gpus == (Gpu("NVIDIA B200", "10.0", 183359 << 20),)


def test_nvidia_smi_that_fails_is_a_note(root: Path) -> None:
    said = "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."
    found = detect(fake_smi(root, f'#!/bin/sh\necho "{said}"\nexit 9\n'), root)
    assert found.notes[0] == f"nvidia-smi: {said}"
    assert nvml.LIBRARY in found.notes[1]


def test_what_nvidia_smi_knew_before_it_failed_stands(root: Path) -> None:
    text = """#!/bin/sh
    case "$1" in
      --query*) echo 'NVIDIA L4, 8.9, 550.54.15, 23034 MiB'; echo 'Unable to determine the device handle'; exit 15 ;;
    esac
    """
    found = detect(fake_smi(root, text), root)
    assert [gpu.name for gpu in found.gpus] == ["NVIDIA L4"]
    assert found.notes == ("nvidia-smi: Unable to determine the device handle",)


def test_nvidia_smi_that_hangs_is_left_behind(root: Path) -> None:
    put(root / "proc/driver/nvidia/version", OLD_NVRM)
    began = time.monotonic()
    found = detect(fake_smi(root, "#!/bin/sh\nexec sleep 20\n"), root, patience=0.2)
    assert time.monotonic() - began < 10
    assert found.driver == "440.33.01"
    assert found.notes[0] == "nvidia-smi did not answer within 0.2 s"


def test_nvidia_smi_that_cannot_be_run(root: Path) -> None:
    found = detect(fake_smi(root, "#!/no/such/interpreter\n"), root)
    assert found.notes[0].startswith("nvidia-smi cannot be run: ")


# /proc, /sys and what stands in for a GPU.


@pytest.mark.parametrize(("text", "driver"), [(NVRM, "565.57.01"), (OLD_NVRM, "440.33.01"), ("what?", "")])
def test_the_kernel_says_its_drivers_version(root: Path, text: str, driver: str) -> None:
    put(root / "proc/driver/nvidia/version", text)
    assert detect({}, root).driver == driver


def test_a_gpu_without_its_model(root: Path) -> None:
    put(root / "proc/driver/nvidia/version", NVRM)
    put(root / "proc/driver/nvidia/gpus/0000:01:00.0/information", "Model: \t\t Unknown\nIRQ: 0\n")
    assert detect({}, root).gpus == (Gpu(""),)


def test_the_absence_of_nvidia_is_explained(root: Path) -> None:
    assert detect({}, root).notes == (f"{nvml.LIBRARY} is not here: no NVIDIA driver",)
    put(root / "sys/bus/pci/devices/0000:01:00.0/vendor", "0x10de\n")
    put(root / "sys/bus/pci/devices/0000:01:00.0/class", "0x030200\n")
    put(root / ".dockerenv", "")
    found = detect({}, root)
    assert found.container
    (note,) = found.notes
    assert "or a container started without GPUs (docker: --gpus all" in note
    assert note.endswith("; there is an NVIDIA GPU on the PCI bus")


def test_an_nvidia_sound_device_is_no_gpu(root: Path) -> None:
    put(root / "sys/bus/pci/devices/0000:01:00.1/vendor", "0x10de\n")
    put(root / "sys/bus/pci/devices/0000:01:00.1/class", "0x040300\n")
    assert "PCI" not in detect({}, root).notes[0]


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (90010, "gfx90a"),
        (90402, "gfx942"),
        (90006, "gfx906"),
        (110000, "gfx1100"),
        (100306, "gfx1036"),
        (120001, "gfx1201"),
    ],
)
def test_amd_gpus_are_named_by_target(root: Path, number: int, name: str) -> None:
    nodes = root / "sys/class/kfd/kfd/topology/nodes"
    put(nodes / "0/properties", "cpu_cores_count 64\nsimd_count 0\ngfx_target_version 0\n")
    for node in "12":
        put(nodes / node / "properties", f"cpu_cores_count 0\nsimd_count 440\ngfx_target_version {number}\n")
    put(root / "dev/kfd", "")
    found = detect({}, root)
    assert found.amd == (name,)
    assert len(found.notes) == 1
    assert as_target(found)["accelerator"] == "rocm"
    assert as_target(found)["gpus"] == [name]


def test_amd_gpus_without_their_device(root: Path) -> None:
    put(root / "sys/class/kfd/kfd/topology/nodes/1/properties", "gfx_target_version 90010\n")
    assert detect({}, root).notes[-1].startswith("/dev/kfd is not here")


# The processor.


def test_a_processor_of_intels(root: Path) -> None:
    one = "processor\t: 0\nmodel name\t: Intel(R) Xeon(R) Platinum 8480+\nflags\t\t: fpu avx fma f16c avx2 avx512f amx_tile amx_int8 sse\n"
    put(root / "proc/cpuinfo", f"{one}\n{one.replace('8480+', '9999')}")
    found = detect({}, root)
    assert found.cpu == "Intel(R) Xeon(R) Platinum 8480+"
    assert found.cpu_features == ("amx_int8", "amx_tile", "avx", "avx2", "avx512f", "f16c", "fma")


def test_a_processor_of_arms(root: Path) -> None:
    put(root / "proc/cpuinfo", "processor\t: 0\nFeatures\t: fp asimd sve\nCPU implementer\t: 0x41\nCPU part\t: 0xd4f\n")
    found = detect({}, root)
    assert (found.cpu, found.cpu_features) == ("implementer 0x41, part 0xd4f", ("neon", "sve"))


def sysctl(out: str) -> Callable[..., Ran]:
    return lambda *_: Ran(0, out, "")


def test_processors_of_apples_and_windows(root: Path) -> None:
    # No such machine is at hand: these are the words of sysctl and of the environment there.
    apple = around(root)._replace(run=sysctl("Apple M3 Max\n"))
    assert machine._processor("macos-15-arm64", apple) == ("Apple M3 Max", ("neon",))
    intel = around(root)._replace(run=sysctl("Intel(R) Core(TM) i7\nFPU SSE4.2 AVX1.0 FMA F16C\nAVX2 BMI2\n"))
    assert machine._processor("macos-13-x86_64", intel) == ("Intel(R) Core(TM) i7", ("avx", "avx2", "f16c", "fma"))
    windows = around(root)._replace(environ={"PROCESSOR_IDENTIFIER": "AMD64 Family 25"})
    assert machine._processor("windows-amd64", windows) == ("AMD64 Family 25", ())


def test_musl_says_its_version_on_standard_error(root: Path) -> None:
    loader = "#!/bin/sh\nprintf 'musl libc (x86_64)\\nVersion 1.2.4\\nDynamic Program Loader\\n' >&2\nexit 1\n"
    assert not machine._musl(around(root))
    put(root / "lib/ld-musl-x86_64.so.1", loader, program=True)
    assert machine._musl(around(root)) == "musl 1.2.4"


# Containers and the environment.


@pytest.mark.parametrize(
    ("path", "text", "contained"),
    [
        (".dockerenv", "", True),
        ("run/.containerenv", "", True),
        ("run/systemd/container", "podman\n", True),
        ("run/systemd/container", "wsl\n", False),
        ("proc/1/cgroup", "12:cpu:/docker/0123456789ab\n", True),
        ("proc/1/cgroup", "0::/kubepods.slice/kubepods-besteffort.slice/cri-containerd-01.scope\n", True),
        ("proc/1/cgroup", "0::/machine.slice/libpod-01.scope\n", True),
        ("proc/1/cgroup", "0::/lxc.payload.name\n", True),
        ("proc/1/cgroup", "0::/system.slice/docker.service\n", False),
        ("proc/1/cgroup", "0::/init.scope\n", False),
        ("proc/1/cgroup", "0::/\n", False),
    ],
)
def test_containers_are_known_by_what_they_leave(root: Path, path: str, text: str, contained: bool) -> None:
    put(root / path, text)
    assert detect({}, root).container is contained


def test_containers_are_known_by_the_environment(root: Path) -> None:
    assert detect({"APPTAINER_CONTAINER": "/image.sif"}, root).container
    assert not detect({"container": ""}, root).container


@needs_compiler
def test_wsl_shows_the_driver_of_windows(root: Path) -> None:
    fake_library(root, "COUNT=1")
    put(root / "proc/sys/kernel/osrelease", "5.15.167.4-microsoft-standard-WSL2\n")
    assert "this is WSL" in detect({}, root).notes[0]


@needs_compiler
def test_visible_devices_do_not_change_the_machine(root: Path) -> None:
    fake_library(root, "COUNT=1")
    found = detect({"CUDA_VISIBLE_DEVICES": ""}, root)
    assert found.gpus == (H100,)
    assert found.notes == ("CUDA_VISIBLE_DEVICES is set (''): programs see those GPUs only, here stand all",)


@needs_compiler
def test_conda_overrides_replace_what_was_found(root: Path) -> None:
    fake_library(root, "COUNT=1")
    environ = {"CONDA_OVERRIDE_CUDA": "11.8", "CONDA_OVERRIDE_GLIBC": "2.17", "CONDA_OVERRIDE_ARCHSPEC": "x86_64_v3"}
    found = detect(environ, root)
    assert (found.cuda, found.glibc, found.driver) == ("11.8", "2.17", "550.54.15")
    assert found.overrides == ("CONDA_OVERRIDE_CUDA", "CONDA_OVERRIDE_GLIBC", "CONDA_OVERRIDE_ARCHSPEC")
    assert "CONDA_OVERRIDE_CUDA is set: 11.8 instead of 12.4" in found.notes
    assert "CONDA_OVERRIDE_ARCHSPEC is set: conda takes the processor for 'x86_64_v3'" in found.notes
    assert (as_target(found)["accelerator"], as_target(found)["glibc"]) == ("cuda", "2.17")


@needs_compiler
def test_an_empty_override_says_that_there_is_no_cuda(root: Path) -> None:
    fake_library(root, "COUNT=1")
    found = detect({"CONDA_OVERRIDE_CUDA": "", "CONDA_OVERRIDE_GLIBC": "", "CONDA_OVERRIDE_ARCHSPEC": ""}, root)
    assert (found.cuda, found.glibc, found.gpus) == ("", "", (H100,))
    assert found.overrides == ("CONDA_OVERRIDE_CUDA", "CONDA_OVERRIDE_GLIBC")
    target = as_target(found)
    assert target["accelerator"] == "cpu"
    assert not target.keys() & {"driver", "gpus", "glibc"}


def test_a_machine_without_gpus_may_be_said_to_have_cuda(root: Path) -> None:
    target = as_target(detect({"CONDA_OVERRIDE_CUDA": "12.4"}, root))
    assert (target["accelerator"], target["driver"]) == ("cuda", "CUDA 12.4")
    assert "gpus" not in target
    for said, driver in (("12", "CUDA 12.0"), ("12.4.1", "CUDA 12.4")):
        assert as_target(detect({"CONDA_OVERRIDE_CUDA": said}, root))["driver"] == driver


def test_an_override_that_is_no_version_is_not_heeded(root: Path) -> None:
    found = detect({"CONDA_OVERRIDE_CUDA": "latest", "CONDA_OVERRIDE_GLIBC": "two"}, root)
    assert (found.cuda, found.overrides) == ("", ())
    assert "CONDA_OVERRIDE_CUDA is not heeded: 'latest' is no version" in found.notes


# What is made of it.

KNOWN = Machine(
    python="3.11.7",
    platform="linux-x86_64",
    glibc="2.35",
    libc="glibc 2.35",
    cpu="AMD EPYC 7763",
    cpu_features=("avx", "avx2"),
    driver="550.54.15",
    cuda="12.4",
    gpus=(H100, H100, Gpu("", "8.9"), Gpu("", "")),
    amd=(),
    container=False,
    notes=("a note",),
    overrides=(),
)


def test_a_machine_as_a_target() -> None:
    assert as_target(KNOWN) == {
        "python": "3.11",
        "platform": "linux-x86_64",
        "glibc": "2.35",
        "accelerator": "cuda",
        "driver": "550.54.15",
        "gpus": ["NVIDIA H100 80GB HBM3", "sm_89"],
    }


def test_a_mac_as_a_target() -> None:
    mac = KNOWN._replace(platform="macos-15-arm64", glibc="", driver="", cuda="", gpus=())
    assert as_target(mac) == {"python": "3.11", "platform": "macos-15-arm64", "accelerator": "metal"}
    assert as_target(mac._replace(platform="macos-13-x86_64"))["accelerator"] == "cpu"


def test_a_table_to_paste() -> None:
    text = as_toml(as_target(KNOWN._replace(gpus=(Gpu('a "quoted" name'),))), "train")
    assert text.startswith("[tool.mlpin.targets.train]\n")
    assert tomllib.loads(text)["tool"]["mlpin"]["targets"]["train"]["gpus"] == ['a "quoted" name']


def test_json_has_always_the_same_keys(root: Path) -> None:
    text = as_json(KNOWN)
    assert text.endswith("}\n")
    value = json.loads(text)
    assert value["gpus"][0] == {"name": "NVIDIA H100 80GB HBM3", "capability": "9.0", "memory": 85520809984}
    assert list(value) == list(Machine._fields) == list(json.loads(as_json(detect({}, root))))
