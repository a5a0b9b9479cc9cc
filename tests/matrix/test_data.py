"""The shipped data itself: what it must never refuse, what it must, and where each statement is from."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from packaging.version import Version

from mlpin.matrix.gpus import find
from mlpin.matrix.judge import Facts, Package, capability, judge
from mlpin.matrix.matrix import Matrix
from mlpin.matrix.ranges import within
from mlpin.matrix.read import read, read_files
from mlpin.matrix.rule import any_of, serves
from mlpin.matrix.tables import Line

FILES = sorted((Path(__file__).parents[2] / "data" / "matrix").glob("*.toml"))
SOURCE, MISTAKES = read_files(FILES)
MATRIX = Matrix.shipped()
PLATFORMS = ("linux-x86_64", "linux-aarch64", "windows-amd64")
TORCHES = [f"1.{minor}.{patch}" for minor in range(8, 14) for patch in (0, 1)] + [
    f"2.{minor}.{patch}" for minor in range(16) for patch in (0, 1)
]


def torch_builds(cuda: str) -> list[tuple[str, str, str]]:
    """(version, platform, line) of every build of torch for a CUDA major version that the matrix knows a line of."""
    found = []
    for line in cuda_lines(cuda):
        for version in TORCHES:
            if within(line.versions, Version(version)):
                found += [
                    (f"{version}+{line.label}", platform, line.label)
                    for platform in line.platforms
                    if platform in PLATFORMS
                ]
    for version in TORCHES:
        for platform in PLATFORMS:
            label = MATRIX.default_line("torch", Version(version), platform)
            if MATRIX.cuda(label).partition(".")[0] == cuda:
                found.append((version, platform, label))
    return found


def cuda_lines(cuda: str) -> list[Line]:
    lines = [line for line in MATRIX.tables.lines if line.family == "pytorch" and line.cuda.partition(".")[0] == cuda]
    assert lines
    return lines


def against(
    *packages: str, severity: tuple[str, ...] = ("broken", "declared", "untested"), **facts: object
) -> list[str]:
    """Ids of the rules that do not hold."""
    stack = [Package(*one.split("==")) for one in packages]
    said = Facts(**facts)  # type: ignore[arg-type]
    return [finding.rule.id for finding in judge(MATRIX, stack, said) if finding.rule.severity in severity]


def gpu(*names: str) -> tuple[tuple[str, str], ...]:
    return tuple(find(MATRIX.gpus, name) for name in names)


# -- where it is from


def test_there_is_no_mistake_in_it() -> None:
    assert [str(mistake) for mistake in MISTAKES] == []


def test_every_rule_has_a_source_and_a_day_that_has_been() -> None:
    for rule in SOURCE.rules:
        assert all(text.strip() for text in rule.source), rule.id
        assert rule.source, rule.id
        day = dt.date.fromisoformat(rule.date)
        assert dt.date(2015, 1, 1) < day <= dt.datetime.now(dt.UTC).date(), rule.id


def test_ids_are_unique_over_all_files() -> None:
    places = defaultdict(list)
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        for name in re.findall(r'^id = "(.*)"', text, re.MULTILINE):
            places[name].append(path.name)
        assert not read(text, path.name)[1]
    assert {name: where for name, where in places.items() if len(where) > 1} == {}
    assert set(places) == {rule.id for rule in SOURCE.rules}


def test_broken_ones_have_a_symptom() -> None:
    assert [rule.id for rule in SOURCE.rules if rule.severity == "broken" and not rule.symptom] == []


def test_a_broken_rule_with_a_fact_of_the_machine_says_where() -> None:
    """A driver, a GPU or a CUDA of the host means nothing where CUDA is not used."""
    loose = [
        rule.id
        for rule in SOURCE.rules
        if rule.severity == "broken" and (rule.verb == "kernels" or rule.other in {"driver", "gpu", "cuda", "cudnn"})
        and rule.accelerator != "cuda" and not re.search(r"cuda|-cu\d|-gpu", rule.package)
    ]  # fmt: skip
    assert loose == []


def test_no_statement_is_made_twice() -> None:
    said = Counter(
        rule._replace(id="", symptom="", remedy="", note="", source=(), date="", evidence="documented")
        for rule in SOURCE.rules
    )
    assert [rule for rule, count in said.items() if count > 1] == []


def test_tables_speak_of_lines_that_exist() -> None:
    labels = {line.label for line in MATRIX.tables.lines}
    families = {family.name for family in MATRIX.tables.families}
    assert {line.family for line in MATRIX.tables.lines} <= families
    assert len(labels) == len(MATRIX.tables.lines)
    for entry in MATRIX.tables.defaults:
        assert entry.line in labels or re.fullmatch(r"cu(9|10)\d|cu1[123]", entry.line), entry
    for line in MATRIX.tables.lines:
        if line.cuda:
            assert line.label == "cu" + line.cuda.replace(".", ""), line


def test_defaults_do_not_contradict_each_other() -> None:
    """A release of torch is one line on a platform, or its line is not known."""
    for version in TORCHES:
        for platform in PLATFORMS:
            lines = {
                entry.line
                for entry in MATRIX.tables.defaults
                if entry.package == "torch"
                and any_of(entry.platforms, platform)
                and within(entry.versions, Version(version))
            }
            assert len(lines) <= 1, (version, platform, lines)


# -- drivers


FLOORS = {("11", "linux"): "450.80.02", ("12", "linux"): "525.60.13", ("13", "linux"): "580.65.06"}
FLOORS |= {("11", "windows"): "452.39", ("12", "windows"): "527.41"}
# What drivers are called: the floor itself, the next release, later branches.
LATER = {
    "11": ["450.80.02", "450.248.02", "455.23.04", "460.32.03", "470.82.01", "470.256.02", "510.47.03", "520.61.05"],
    "12": ["525.60.13", "525.147.05", "530.30.02", "535.54.03", "535.183", "545.23.06", "550.54", "550.54.15", "560.35.03", "570.26"],
    "13": ["580.65.06", "580.82.07", "580.95", "590.44.01", "595.45.04", "610.43.02"],
}  # fmt: skip


def test_the_floors_are_those_of_the_tables() -> None:
    known = {
        (item.cuda, system): getattr(item, system) for item in MATRIX.tables.toolkits for system in ("linux", "windows")
    }
    for (cuda, system), floor in FLOORS.items():
        assert known[cuda, system] == floor
    # None is published for CUDA 13 on Windows: the last drivers that came with CUDA 12 are of the 576 branch.
    assert known["13", "windows"] == "577"


@pytest.mark.parametrize("cuda", ["11", "12", "13"])
def test_a_driver_at_the_floor_or_above_runs_every_build_of_the_major_version(cuda: str) -> None:
    builds = torch_builds(cuda)
    assert len(builds) > 15
    drivers = [driver for major in ("11", "12", "13") if int(major) >= int(cuda) for driver in LATER[major]]
    for version, platform, label in builds:
        floor = FLOORS.get((cuda, platform.partition("-")[0]), "0")
        for driver in (floor, *drivers):
            if label == "cu110" or Version(driver) < Version(floor) or driver == "0":
                continue
            found = against(f"torch=={version}", platform=platform, accelerator="cuda", driver=driver)
            assert found == [], (version, platform, driver)


@pytest.mark.parametrize(("cuda", "system"), sorted(FLOORS))
def test_a_driver_below_the_floor_runs_none_of_them(cuda: str, system: str) -> None:
    floor = FLOORS[cuda, system]
    below = f"{int(floor.partition('.')[0]) - 1}.99"
    for version, platform, _ in torch_builds(cuda):
        if platform.startswith(system):
            assert against(f"torch=={version}", platform=platform, accelerator="cuda", driver=below), (
                version,
                platform,
            )


@pytest.mark.parametrize(
    ("driver", "version", "runs"),
    [
        ("525.60.13", "2.7.0+cu128", True),  # minor-version compatibility
        ("525.60.13", "2.8.0+cu129", True),
        ("525.60.13", "2.9.0+cu130", False),
        ("525.60.13", "2.6.0", True),
        ("470.82.01", "2.4.1+cu118", True),
        ("470.256.02", "2.0.1+cu118", True),
        ("470.82.01", "2.1.0+cu121", False),
        ("470.82.01", "2.3.0", False),  # PyPI's is for CUDA 12.1
        ("450.80.02", "2.7.1+cu118", True),
        ("450.51.06", "2.7.1+cu118", False),
        ("575.51.03", "2.9.0+cu130", False),
        ("580.65.06", "2.9.0+cu130", True),
        ("580.65.06", "2.12.0+cu132", True),
        ("580.65.06", "2.0.1+cu117", True),  # newer drivers run older CUDA
        ("340.108", "2.6.0+cpu", True),
        ("340.108", "2.6.0a0+ecf3bae40a.nv25.01", True),  # a container brings its own libraries
    ],
)
def test_drivers_of_linux(driver: str, version: str, runs: bool) -> None:
    assert (against(f"torch=={version}", accelerator="cuda", driver=driver) == []) is runs


def test_the_driver_means_nothing_on_the_cpu() -> None:
    assert against("torch==2.9.0+cu130", accelerator="cpu", driver="470.82.01") == []
    assert against("torch==2.9.0", platform="macos-arm64", driver="") == []


# -- GPUs

# A line of torch of its time, or later, that serves each: (GPU, torch, line).
SERVED = [
    ("P100", "1.13.1", "cu117"), ("P100", "2.6.0", "cu124"), ("P100", "2.12.0", "cu126"),
    ("Tesla P40", "2.1.0", "cu121"), ("GTX 1080 Ti", "2.10.0", "cu126"),
    ("V100", "1.12.1", "cu113"), ("V100", "2.5.1", "cu121"), ("V100", "2.8.0", "cu128"), ("V100", "2.14.0", "cu126"),
    ("T4", "2.3.1", "cu118"), ("T4", "2.7.1", "cu128"), ("T4", "2.14.0", "cu132"),
    ("A100", "1.12.1", "cu116"), ("A100", "2.4.1", "cu124"), ("A100", "2.13.0", "cu130"),
    ("A10G", "2.2.2", "cu121"), ("RTX 3090", "2.0.1", "cu117"), ("RTX A6000", "2.9.1", "cu128"),
    ("RTX 4090", "2.0.1", "cu118"), ("L4", "2.6.0", "cu124"), ("L40S", "2.12.0", "cu130"),
    ("H100", "2.0.1", "cu118"), ("H100", "2.5.1", "cu124"), ("H200", "2.7.1", "cu128"), ("H100", "2.14.0", "cu132"),
    ("B200", "2.7.1", "cu128"), ("B200", "2.9.0", "cu130"), ("B300", "2.9.0", "cu130"),
    ("RTX 5090", "2.7.1", "cu128"), ("RTX 5090", "2.10.0", "cu130"), ("GB10", "2.9.0", "cu130"),
]  # fmt: skip
REFUSED = [
    ("H100", "1.13.1", "cu117"), ("B200", "2.6.0", "cu124"), ("RTX 5090", "2.6.0", "cu126"),
    ("RTX 5090", "2.5.1", "cu121"), ("RTX 5090", "2.9.0", "cu126"), ("GB10", "2.7.1", "cu126"),
    ("P100", "2.8.0", "cu128"), ("P40", "2.9.0", "cu130"), ("V100", "2.7.1", "cu128"), ("V100", "2.11.0", "cu128"),
    ("V100", "2.9.0", "cu130"), ("P100", "2.10.0", "cu129"), ("K40", "2.1.0", "cu121"), ("V100", "2.15.0", "cu132"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "torch", "line"), SERVED)
def test_a_gpu_that_a_build_serves(name: str, torch: str, line: str) -> None:
    known = MATRIX.line(line)
    assert known is not None
    assert within(known.versions, Version(torch)), "there is no such build"
    assert against(f"torch=={torch}+{line}", severity=("broken", "declared"), accelerator="cuda", gpus=gpu(name)) == []


@pytest.mark.parametrize(("name", "torch", "line"), REFUSED)
def test_a_gpu_that_a_build_has_no_code_for(name: str, torch: str, line: str) -> None:
    assert against(f"torch=={torch}+{line}", severity=("broken",), accelerator="cuda", gpus=gpu(name))


def test_every_gpu_since_pascal_is_served_by_some_build() -> None:
    """By a list that names its code: not for want of one."""
    rules = [rule for rule in MATRIX.rules("torch") if rule.verb == "kernels"]
    for item in MATRIX.gpus:
        level = capability(item.runs)
        if level is not None and level >= (6, 0):
            assert any(serves(rule.kernels, level) for rule in rules), item


def test_lists_of_gpu_code_are_for_builds_that_exist() -> None:
    """One build has one list, and each list speaks of some release of each of its lines."""
    for line in MATRIX.tables.lines:
        for platform in line.platforms:
            for version in TORCHES:
                if line.cuda and within(line.versions, Version(version)):
                    lists = {
                        rule.kernels
                        for rule in MATRIX.rules("torch")
                        if rule.verb == "kernels"
                        and any_of(rule.line, line.label)
                        and any_of(rule.platforms, platform)
                        and within(rule.table[0][0], Version(version))
                    }
                    assert len(lists) <= 1, (version, line.label, platform)
    for rule in MATRIX.rules("torch"):
        for pattern in rule.line if rule.verb == "kernels" else ():
            known = [line for line in MATRIX.tables.lines if any_of((pattern,), line.label)]
            assert any(
                within(line.versions, Version(version)) and within(rule.table[0][0], Version(version))
                for line in known
                for version in TORCHES
            ), (rule.id, pattern)


# -- pairs


@pytest.mark.parametrize(
    ("packages", "found"),
    [
        (("torchvision==0.20.1", "torch==2.5.1"), []),
        (("torchvision==0.20.1", "torch==2.5.0"), []),
        (("torchvision==0.20.1+cu124", "torch==2.5.1+cu124"), []),
        (("torchvision==0.20.1", "torch==2.4.0"), ["torchvision-torch"]),
        (("torchvision==0.21.0", "torch==2.5.1"), ["torchvision-torch"]),
        (("torchvision==0.15.2", "torch==2.0.1"), []),
        (("torchvision==0.15.2", "torch==2.1.0"), ["torchvision-torch-old"]),
        (("torchvision==0.20.1+cu118", "torch==2.5.1+cu124"), ["torchvision-label"]),
        (("torchvision==0.20.1+cu121", "torch==2.5.1+cu124"), []),
        (("torchvision==0.20.1+cu124", "torch==2.5.1+cpu"), ["torchvision-label"]),
        (("torchaudio==2.5.1", "torch==2.5.1"), []),
        (("torchaudio==2.5.1", "torch==2.6.0"), ["torchaudio-torch"]),
        (("torchaudio==2.11.0", "torch==2.13.0"), []),
        (("torchvision==0.20.0a0", "torch==2.5.0a0+872d972e41.nv24.08"), []),
        (("flash-attn==2.7.4.post1+cu12torch2.6cxx11abiFALSE", "torch==2.6.0+cu124"), []),
        (("flash-attn==2.7.4.post1+cu12torch2.6cxx11abiFALSE", "torch==2.6.0"), []),
        (("flash-attn==2.7.4.post1+cu12torch2.6cxx11abiTRUE", "torch==2.6.0+cu124"), ["flash-attn-label"]),
        (("flash-attn==2.7.4.post1+cu12torch2.6cxx11abiTRUE", "torch==2.6.0"), ["flash-attn-label"]),
        (("flash-attn==2.7.4.post1+cu12torch2.6cxx11abiTRUE", "torch==2.6.0+cu126"), []),
        (("flash-attn==2.7.4.post1+cu12torch2.6cxx11abiFALSE", "torch==2.6.0+cu126"), ["flash-attn-label"]),
        (("flash-attn==2.8.3+cu12torch2.8cxx11abiTRUE", "torch==2.8.0"), []),
        (("flash-attn==2.8.3+cu12torch2.8cxx11abiTRUE", "torch==2.9.0"), ["flash-attn-label"]),
        (("flash-attn==2.5.8+cu118torch2.2cxx11abiFALSE", "torch==2.2.2+cu121"), ["flash-attn-label"]),
        (("flash-attn==2.8.3", "torch==2.9.0"), []),
    ],
)
def test_pairs(packages: tuple[str, ...], found: list[str]) -> None:
    assert against(*packages, python="3.11", severity=("broken", "declared")) == found


# Sets that were released for each other and that many have run, each with its Python and CUDA machine.
GOOD = [
    ("3.10", "torch==1.13.1 torchvision==0.14.1 torchaudio==0.13.1 numpy==1.24.4 pytorch-lightning==1.9.5"),
    ("3.10", "torch==2.0.1 torchvision==0.15.2 torchaudio==2.0.2 numpy==1.24.4 transformers==4.31.0 xformers==0.0.20"),
    ("3.10", "torch==2.1.2 torchvision==0.16.2 torchaudio==2.1.2 triton==2.1.0 numpy==1.26.4 xformers==0.0.23.post1 diffusers==0.25.1 transformers==4.36.2 accelerate==0.26.1"),
    ("3.11", "torch==2.3.1 torchvision==0.18.1 torchaudio==2.3.1 triton==2.3.1 numpy==1.26.4 transformers==4.42.4 accelerate==0.32.1 peft==0.11.1 bitsandbytes==0.43.1 trl==0.9.6 datasets==2.20.0"),
    ("3.11", "torch==2.4.0 torchvision==0.19.0 triton==3.0.0 numpy==1.26.4 vllm==0.6.1.post2 transformers==4.44.2 xformers==0.0.27.post2"),
    ("3.11", "torch==2.5.1 torchvision==0.20.1 torchaudio==2.5.1 triton==3.1.0 numpy==2.1.3 transformers==4.47.1 accelerate==1.2.1 deepspeed==0.16.2 datasets==3.2.0"),
    ("3.12", "torch==2.6.0 torchvision==0.21.0 torchaudio==2.6.0 triton==3.2.0 numpy==2.2.3 transformers==4.49.0 accelerate==1.4.0 bitsandbytes==0.45.3 peft==0.14.0 flash-attn==2.7.4.post1"),
    ("3.12", "torch==2.7.1+cu128 torchvision==0.22.1+cu128 torchaudio==2.7.1+cu128 triton==3.3.1 numpy==2.2.6"),
    ("3.12", "torch==2.8.0 torchvision==0.23.0 torchaudio==2.8.0 triton==3.4.0 numpy==2.2.6 transformers==4.56.1 vllm==0.11.0 xformers==0.0.32.post1"),
    ("3.11", "tensorflow==2.15.1 keras==2.15.0 numpy==1.26.4 protobuf==4.25.3 tensorboard==2.15.2"),
    ("3.11", "tensorflow==2.18.0 keras==3.7.0 numpy==2.0.2 protobuf==5.29.2 tensorboard==2.18.0 h5py==3.12.1"),
    ("3.11", "jax==0.4.35 jaxlib==0.4.35 numpy==2.1.3 scipy==1.14.1 flax==0.10.1 optax==0.2.4"),
    ("3.11", "onnxruntime-gpu==1.20.1 numpy==2.1.3 onnx==1.17.0 protobuf==5.29.2"),
    ("3.11", "numpy==1.26.4 pandas==2.2.2 scipy==1.13.1 scikit-learn==1.5.1 matplotlib==3.9.1 numba==0.60.0"),
    ("3.12", "numpy==2.0.2 pandas==2.2.3 scipy==1.14.1 scikit-learn==1.5.2 matplotlib==3.9.2 numba==0.60.0"),
]  # fmt: skip


@pytest.mark.parametrize(("python", "stack"), GOOD, ids=lambda text: text[:28])
def test_nothing_is_said_against_sets_that_run(python: str, stack: str) -> None:
    found = against(
        *stack.split(),
        python=python,
        glibc="2.35",
        accelerator="cuda",
        driver="580.65.06",
        gpus=gpu("A100"),
        severity=("broken", "declared"),
    )
    assert found == []


@pytest.mark.parametrize(
    ("stack", "rule"),
    [
        ("torch==2.2.0 numpy==2.0.0", "numpy"),
        ("deepspeed==0.8.1 torch==2.0.0", "deepspeed-torch-six"),
        ("opencv-python==4.10.0.84 opencv-python-headless==4.10.0.84", ""),
    ],
)
def test_sets_that_break_are_told(stack: str, rule: str) -> None:
    found = against(*stack.split(), python="3.11")
    assert found
    assert any(rule in one for one in found), found
