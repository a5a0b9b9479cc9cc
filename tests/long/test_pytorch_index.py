"""Reading PyTorch's indexes, and choosing among them, against the snapshot of ../shared/pytorch-index on loopback.

What is not PyTorch's comes from the default index, through whatever pip is configured with. Whether a build runs on
a machine is judged here from the tables of `data/matrix` alone, by means of this file's own.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from mlpin import opening
from mlpin.candidate import Artifact
from mlpin.index.catalog import Catalog
from mlpin.manifest.model import Context
from mlpin.outcome import Resolution
from mlpin.project import load
from mlpin.resolving import Asker, question
from mlpin.settings import Settings
from tests.projects import Project, Ran

ROOT = Path(__file__).parents[2]
DATA = ROOT / "data" / "matrix"
SHARED = ROOT.parent / "shared" / "pytorch-index"
SERVE = SHARED / "serve.py"

pytestmark = [
    pytest.mark.long,
    pytest.mark.network,
    pytest.mark.skipif(not SERVE.is_file(), reason="the snapshot ../shared/pytorch-index is not here"),
]

CASES = (
    {case["id"]: case for case in json.loads((SHARED / "expected.json").read_text())["cases"]}
    if SERVE.is_file()
    else {}
)


@pytest.fixture(scope="module")
def whl() -> Iterator[str]:
    """The snapshot's URL above its indexes.

    By default it lists every triton on every line, also where no lock file showed it: without a hash. A lock would
    have to compute that from a file which is not there. So only what a lock file showed is listed, and where torch's
    index is pinned triton comes from the default one.
    """
    command = [sys.executable, str(SERVE), "--port", "0", "--quiet", "--no-shared-triton"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().split()[0].rstrip("/")
        finally:
            server.terminate()


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def project(
    cache_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Project:
    for key in set(os.environ):
        if key.startswith(("UV_", "MLPIN_")):
            monkeypatch.delenv(key)
    monkeypatch.setenv("MLPIN_CACHE_DIR", str(cache_dir))
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path, capsys)


def configured(project: Project, requirements: list[str], mlpin: str = "") -> None:
    """The requirements, and mlpin.toml: of this machine's indexes only the default one counts."""
    project.write("requirements.txt", "".join(f"{line}\n" for line in requirements))
    project.write("mlpin.toml", f"extra-index-urls = []\nfind-links = []\n{mlpin}")


# -- reading one index

PLATFORMS = {
    "x86_64-manylinux_2_28": ("linux-x86_64", "--glibc", "2.28"),
    "aarch64-manylinux_2_28": ("linux-aarch64", "--glibc", "2.28"),
    "aarch64-apple-darwin": ("macos-14-arm64",),
    "x86_64-pc-windows-msvc": ("windows-amd64",),
}

OF_TORCH = ("torch", "torchvision", "torchaudio")
FLOATING = {"cuda-bindings", "cuda-pathfinder"}
"""Among the pins: asked for by a range, so what the default index has on the day counts."""

SKIPPED = {
    "17": "triton 3.4.0 for aarch64 is on PyTorch's index only, and the snapshot states no hash for it and holds no file"
}
OTHERWISE = {"15", "21"}
"""A case without a solution, and one whose pair of versions does not run: tests of their own."""


def pinned(
    project: Project, case: Mapping[str, Any], whl: str, *, names: tuple[str, ...] = OF_TORCH, more: str = ""
) -> Ran:
    """Locks a case with its one index pinned for PyTorch's packages."""
    pins = "".join(f'{name} = {{ index = "vendor" }}\n' for name in names)
    index = f'[indexes]\nvendor = {{ url = "{whl}/{case["index"]}" }}\n'
    configured(project, case["requirements"], f"{index}[packages]\n{pins}{more}")
    platform = PLATFORMS[case["platform"]]
    return project.lock("requirements.txt", "--python", case["python"], "--platform", *platform)


@cache
def listed(index: str) -> dict[str, Mapping[str, Any]]:
    """By file name, what the snapshot has in an index."""
    return {row["filename"]: row for row in json.loads((SHARED / "files.json").read_text()) if row["index"] == index}


def wheels(project: Project, name: str) -> list[Mapping[str, Any]]:
    """The wheels of a locked package."""
    return next(package["wheels"] for package in project.tables()["packages"] if package["name"] == name)


def file_name(wheel: Mapping[str, Any]) -> str:
    return str(wheel.get("name") or wheel["url"].rpartition("/")[2].replace("%2B", "+"))


def as_expected(project: Project, case: Mapping[str, Any], whl: str, **other: str) -> None:
    """The lock is what the case expects, but for the versions in `other`."""
    found = project.versions()
    expected = case["pins"] | other
    assert {name: found.get(name) for name in expected.keys() - FLOATING} == {
        name: version for name, version in expected.items() if name not in FLOATING
    }
    assert found.keys() == {*expected, *case["others"]}
    for name in set(OF_TORCH) & found.keys():
        locked = wheels(project, name)
        assert name in other or case["files"][name] in [file_name(wheel) for wheel in locked]
        for wheel in locked:
            row = listed(case["index"])[file_name(wheel)]
            assert wheel["url"] == whl.removesuffix("/whl") + row["url_path"]
            assert wheel["hashes"]["sha256"] == row["sha256"]


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=name, marks=[pytest.mark.skip(reason=SKIPPED[name])] if name in SKIPPED else [])
        for name, case in CASES.items()
        if name not in OTHERWISE
    ],
)
def test_an_index_is_read_as_uv_reads_it(case: Mapping[str, Any], project: Project, whl: str) -> None:
    ran = pinned(project, case, whl)
    assert ran.code == 0, ran.words
    as_expected(project, case, whl)


def test_a_build_of_another_line_is_not_on_the_index(project: Project, whl: str) -> None:
    assert CASES["15"]["outcome"] == "no-solution"
    ran = pinned(project, CASES["15"], whl)
    assert ran.code == 1
    wanted = f"no release of torch is ==2.6.0+cu118; on {whl}/cu126 there are 9 versions, 2.6.0+cu126 to 2.13.0+cu126"
    assert wanted in ran.words
    assert not (project.root / "pylock.toml").exists()


def test_a_file_whose_hash_nobody_can_know_is_not_locked(project: Project, whl: str) -> None:
    """Case 17, with triton from the vendor as well: listed without a hash, and not there to be downloaded."""
    ran = pinned(project, CASES["17"], whl, names=(*OF_TORCH, "triton"))
    assert ran.code == 1
    assert "triton 3.4.0: the index lists it, but answers that it is not there" in ran.words
    assert not (project.root / "pylock.toml").exists()


def test_torchaudio_goes_with_its_torch(project: Project, whl: str) -> None:
    """Case 21: torchaudio 2.11 requires no torch, so that metadata alone pairs it with any; the matrix does not."""
    case = CASES["21"]
    assert case["pins"]["torchaudio"] == "2.11.0+cu128"
    ran = pinned(project, case, whl)
    assert ran.code == 0, ran.words
    as_expected(project, case, whl, torchaudio="2.9.1+cu128")


def test_without_the_rules_torchaudio_drifts(project: Project, whl: str) -> None:
    """The same with those rules switched off: it is they that made the difference."""
    rules = ("torchaudio-torch", "torchaudio-2.11-torch", "torchaudio-label")
    off = "".join(f'"{rule}" = {{ off = true, reason = "to see what it does" }}\n' for rule in rules)
    ran = pinned(project, CASES["21"], whl, more=f"[rules]\n{off}")
    assert ran.code == 0, ran.words
    as_expected(project, CASES["21"], whl)
    assert project.tables()["tool"]["mlpin"]["matrix"]["off"].keys() == set(rules)


# -- what a machine runs, by the tables alone


@cache
def table(name: str) -> list[Mapping[str, Any]]:
    """All entries of a table, of all data files."""
    files = sorted(DATA.glob("*.toml"))
    return [entry for path in files for entry in tomllib.loads(path.read_text()).get(name, [])]


def speaks_of(entry: Mapping[str, Any], line: str) -> bool:
    """Whether an entry about torch is about a build line on linux-x86_64."""
    return (
        entry["package"] == "torch"
        and any(fnmatchcase("linux-x86_64", pattern) for pattern in entry.get("platforms", ["*"]))
        and any(fnmatchcase(line, pattern) for pattern in entry.get("line", ["*"]))
    )


def line_of(torch: Version) -> str:
    """The build line of a release of torch: its label, or what the package index carries."""
    if torch.local:
        return torch.local
    entries = [entry for entry in table("default") if entry["package"] == "torch"]
    return next(
        str(entry["line"])
        for entry in entries
        if "linux-x86_64" in entry["platforms"] and torch in SpecifierSet(entry.get("versions", ""))
    )


def oldest_driver(line: str) -> Version:
    """The oldest driver that runs a line, by minor-version compatibility."""
    cuda = next(entry["cuda"] for entry in table("line") if entry["label"] == line)
    major = cuda.partition(".")[0]
    return Version(next(entry["linux"] for entry in table("toolkit") if entry["cuda"] == major))


def capability(gpu: str) -> tuple[int, int]:
    text = next(entry["capability"] for entry in table("gpu") if gpu in entry["names"])
    major, _, minor = text.partition(".")
    return int(major), int(minor)


def runs(code: list[str], level: tuple[int, int]) -> bool:
    """The cubin rule: code of the same major version for no newer minor one, or PTX for anything older."""
    for text in code:
        match = re.fullmatch(r"sm_(\d+)(\d)(\+PTX)?", text)
        assert match is not None
        made_for = int(match[1]), int(match[2])
        if made_for <= level and (match[3] or made_for[0] == level[0]):
            return True
    return False


def gpu_code(torch: Version) -> list[str] | None:
    """The GPU code in a build of torch; None where no table says."""
    for rule in table("rule"):
        if "kernels" in rule and speaks_of(rule, line_of(torch)) and torch in SpecifierSet(rule.get("versions", "")):
            return list(rule["kernels"])
    return None


def first_driver(gpu: str) -> Version | None:
    """The driver that came with the first CUDA which knows a GPU; None where no table says."""
    level = ".".join(map(str, capability(gpu)))
    cudas = next(entry["cuda"] for entry in table("arch") if entry["capability"] == level)
    first = next(part.removeprefix(">=") for part in cudas.split(",") if part.startswith(">="))
    shipped = [entry.get("shipped-linux") for entry in table("toolkit") if entry["cuda"] == first]
    return Version(shipped[0]) if shipped and shipped[0] else None


@pytest.mark.parametrize(
    ("code", "level", "answer"),
    [
        (["sm_80"], (8, 0), True),
        (["sm_80"], (8, 9), True),
        (["sm_86"], (8, 0), False),
        (["sm_80"], (9, 0), False),
        (["sm_80+PTX"], (12, 0), True),
        (["sm_80+PTX"], (7, 5), False),
        (["sm_50", "sm_90"], (6, 0), False),
    ],
)
def test_the_judge_of_these_tests(code: list[str], level: tuple[int, int], answer: bool) -> None:
    assert runs(code, level) is answer


# -- choosing the build

DRIVERS = ("470.82.01", "525.85.12", "535.104.05", "550.54.14", "570.124.06", "580.95.05")
GPUS = ("Tesla P100", "V100", "T4", "A100", "RTX 4090", "H100", "B200")


def chosen(project: Project, whl: str, *options: str, requirements: tuple[str, ...] = ("torch", "torchvision")) -> Ran:
    """Locks for a machine, the lines of the snapshot being candidates beside the default index.

    That one has newer releases of torch than the tables know of; the newest that they know is the upper bound.
    """
    configured(project, list(requirements), 'constraints = ["torch<2.16"]\n')
    return project.lock(
        "requirements.txt", "--python", "3.11", "--platform", "linux-x86_64", "--pytorch-index-url", whl, *options
    )


def stated(project: Project, name: str) -> dict[str, Any]:
    """What the lock says of a package's choice."""
    found = next(package for package in project.tables()["packages"] if package["name"] == name)
    return dict(found.get("tool", {}).get("mlpin", {}))


@pytest.mark.parametrize(("driver", "gpu"), list(product(DRIVERS, GPUS)))
def test_a_machine_gets_a_build_that_runs_there_or_a_reason(driver: str, gpu: str, project: Project, whl: str) -> None:
    ran = chosen(project, whl, "--driver", driver, "--gpu", gpu)
    if ran.code != 0:
        assert ran.code == 1, ran.words
        assert f"driver {driver}" in ran.words or gpu in ran.words
        assert re.search(r"needs (an NVIDIA )?driver|has no code for|is known to CUDA", ran.words), ran.words
        return
    torch = Version(project.versions()["torch"])
    line = line_of(torch)
    said = stated(project, "torch")
    floor = oldest_driver(line)

    assert Version(driver) >= floor
    code = gpu_code(torch)
    if code is None:
        assert f"torch {torch}: untested: for which GPUs its {line} build has code is not known" in ran.words
    else:
        assert runs(code, capability(gpu))
    first = first_driver(gpu)
    if first is not None and Version(driver) < first:
        assert f"driver {driver}: untested: {gpu} is known to CUDA" in ran.words

    # The choice and its rules stand in the lock.
    assert said["line"] == line
    about_it = {rule["id"]: rule for rule in table("rule") if rule["id"] in said["rules"]}
    assert [rule for rule in about_it.values() if rule.get("with") == "driver"]
    assert bool([rule for rule in about_it.values() if "kernels" in rule]) == (code is not None)
    assert {stated(project, name).get("line", line) for name in ("torchvision", "triton")} == {line}
    mlpin = project.tables()["tool"]["mlpin"]
    assert mlpin["target"]["driver"] == driver
    assert mlpin["target"]["gpus"] == [gpu]
    assert Version(mlpin["floor"]["driver"]) == floor


def test_the_grid_is_no_grid_of_refusals(project: Project, whl: str) -> None:
    """Pairs that many people have, with the line that each gets: the newest torch that runs there, in the newest line."""
    found = {}
    for driver, gpu in (
        ("470.82.01", "A100"),
        ("550.54.14", "H100"),
        ("580.95.05", "V100"),
        ("580.95.05", "H100"),
    ):
        ran = chosen(project, whl, "--driver", driver, "--gpu", gpu, "--upgrade")
        assert ran.code == 0, ran.words
        found[driver, gpu] = stated(project, "torch")["line"]
    assert list(found.values()) == ["cu118", "cu126", "cu126", "cu132"]


def test_every_gpu_of_a_target_counts(project: Project, whl: str) -> None:
    ran = chosen(project, whl, "--driver", "580.95.05", "--gpu", "V100", "--gpu", "H100")
    assert ran.code == 0, ran.words
    code = gpu_code(Version(project.versions()["torch"]))
    assert code is not None
    assert runs(code, capability("V100"))
    assert runs(code, capability("H100"))


def test_one_line_for_all_that_is_built_together(project: Project, whl: str) -> None:
    requirements = ("torch", "torchvision", "torchaudio")
    ran = chosen(project, whl, "--driver", "550.54.14", "--gpu", "A100", requirements=requirements)
    assert ran.code == 0, ran.words
    found = project.versions()
    assert {Version(found[name]).local for name in OF_TORCH} == {stated(project, "torch")["line"]}
    assert [name for name in found if name.startswith("nvidia-") and not name.endswith("-cu12")] == []
    assert [name for name in found if name.startswith("nvidia-")]


@pytest.mark.parametrize("cuda", ["12.*", "==11.8"])
def test_a_wanted_cuda_narrows_the_line(cuda: str, project: Project, whl: str) -> None:
    ran = chosen(project, whl, "--driver", "580.95.05", "--gpu", "A100", "--cuda", cuda)
    assert ran.code == 0, ran.words
    line = stated(project, "torch")["line"]
    version = next(entry["cuda"] for entry in table("line") if entry["label"] == line)
    assert Version(version) in SpecifierSet(cuda if cuda.startswith("=") else f"=={cuda}")


# -- wheels that exist only as release files

LABEL = re.compile(r"\+cu(\d+)torch(\d+\.\d+)cxx11abi(TRUE|FALSE)-(cp\d+)-")


def release_file(version: str, python: str) -> tuple[str, str]:
    """The file of flash-attn's version, label and all, that the tables list, and its sha256 if they know it."""
    found = [
        (file, entry.get("sha256", {}).get(file, ""))
        for entry in table("wheels")
        if entry["package"] == "flash-attn"
        for file in entry["files"]
        if file.startswith(f"flash_attn-{version}-{python}-")
        or file.lower().startswith(f"flash_attn-{version}-{python}-")
        if file.endswith("linux_x86_64.whl")
    ]
    assert len(found) == 1, found
    return found[0]


def fits(file: str, torch: Version) -> None:
    """A wheel is built for this torch: its minor version, its CUDA major version, its C++ ABI."""
    label = LABEL.search(file)
    assert label is not None
    line = line_of(torch)
    cuda = next(entry["cuda"] for entry in table("line") if entry["label"] == line)
    assert label[2] == f"{torch.major}.{torch.minor}"
    assert label[1][:2] == cuda.partition(".")[0]
    abi = next(entry for entry in table("abi") if speaks_of(entry, line) and torch in SpecifierSet(entry["versions"]))
    assert (label[3] == "TRUE") is abi["cxx11"]


def test_flash_attn_lands_on_a_wheel_that_exists(project: Project, whl: str) -> None:
    """A release for which the tables know the hash, so that nothing has to be downloaded."""
    configured(project, ["torch", "torchvision", "flash-attn==2.8.0.post2"])
    options = ("--python", "3.12", "--platform", "linux-x86_64", "--glibc", "2.32")
    options += ("--accelerator", "cuda", "--cuda", "12.*")
    ran = project.lock("requirements.txt", *options, "--pytorch-index-url", whl)
    assert ran.code == 0, ran.words
    found = project.versions()
    file, sha256 = release_file(found["flash-attn"], "cp312")
    assert sha256
    fits(file, Version(found["torch"]))
    locked = wheels(project, "flash-attn")
    assert [(file_name(wheel), wheel["hashes"]["sha256"]) for wheel in locked] == [(file, sha256)]
    assert "flash-attn-label" in stated(project, "flash-attn")["rules"]
    assert Version(found["torch"]).local == Version(found["torchvision"]).local


class Downloaded:
    """A catalog for which every file has been downloaded once, so that its hash is known."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._catalog, name)

    def sha256(self, artifact: Artifact) -> str:
        self.asked.append(artifact.filename)
        return artifact.sha256 or "0" * 64


def test_flash_attn_for_python_3_11_and_cuda_12(project: Project, whl: str) -> None:
    """The newest one that there is. Its hash is stated nowhere and it is not to be had here: up to the resolution."""
    hardware = 'python = "3.11"\nplatform = "linux-x86_64"\naccelerator = "cuda"\ncuda = "12.*"\n'
    configured(project, ["torch", "torchvision", "flash-attn"], f'{hardware}[indexes]\npytorch = "{whl}"\n')
    options = opening.RunOptions(project.root / "requirements.txt", project.root, Settings(), os.environ)
    wanted = load(options.path, options.settings, options.environ, context=Context(options.root, options.environ, str))
    catalog = Downloaded(opening.open_catalog(wanted.settings, options, None, wanted.matrix))
    (plan,) = wanted.plans

    def no_sources() -> Any:
        raise AssertionError("nothing is asked for by a path or a repository")

    outcome, _ = Asker(catalog, no_sources).answer(question(wanted, plan, plan.requirements, {}))
    assert isinstance(outcome, Resolution)
    pins = {key.name: pin for key, pin in outcome.pins.items() if key.kind == "pypi" and not key.extra}
    (wheel,) = pins["flash-attn"].wheels
    file, sha256 = release_file(str(pins["flash-attn"].version), "cp311")
    assert (wheel.filename, wheel.sha256) == (file, sha256)
    assert catalog.asked == [] if sha256 else [file]
    fits(file, pins["torch"].version)
    assert pins["torch"].version.local == pins["torchvision"].version.local
