"""Measures the matrix against ../shared/ground_truth: what it finds of what broke, what it refuses of what runs.

python tests/long/ground_truth.py [-v] [DATA_FILE.toml ...]     (default: all of data/matrix)

`test_ground_truth.py` asserts it; this is the ruler, and the command to work on data with.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mlpin.matrix.judge import Facts, Finding, Package, judge
from mlpin.matrix.matrix import Matrix
from mlpin.matrix.packed import Packed, pack
from mlpin.matrix.read import Source, read
from mlpin.requirement import normalise

ROOT = Path(__file__).parents[2]
DATA = ROOT / "data" / "matrix"
GROUND = ROOT.parent / "shared" / "ground_truth"


class Case(NamedTuple):
    id: str
    packages: tuple[Package, ...]
    facts: Facts
    raw: Any
    confirmed: bool = False
    """Of a stack that runs: whether it is a released image or a thread says so, not a lock that nobody vouches for."""


def matrix_of(paths: list[Path]) -> Matrix:
    joined: dict[str, tuple[Any, ...]] = dict.fromkeys(Source._fields, ())
    for path in paths:
        found, wrong = read(path.read_text(encoding="utf-8"), path.name)
        if wrong:
            sys.exit("\n".join(map(str, wrong)))
        joined = {name: (*values, *getattr(found, name)) for name, values in joined.items()}
    return Matrix(Packed(pack(Source(**joined))))


def platform(system: str | None, machine: str | None) -> str:
    system = (system or "linux").split()[0].lower()
    machine = (machine or "x86_64").lower()
    return {"windows": "windows-amd64", "macos": f"macos-{machine}"}.get(system, f"linux-{machine}")


def cuda(text: Any) -> str:
    """`11.8` of `118`, `11.8`, `12.2 (system)`."""
    text = str(text or "")
    if match := re.match(r"(?:cu)?(\d\d)(\d)$", text):
        return f"{match[1]}.{match[2]}"
    match = re.match(r"\d+(\.\d+)?", text)
    return match[0] if match else ""


def driver(matrix: Matrix, text: Any) -> str:
    text = str(text or "")
    if match := re.match(r"CUDA (\d+\.\d+)", text):
        return matrix.driver_for(match[1])
    return text if re.fullmatch(r"\d+(\.\d+)*", text) else ""


def families() -> dict[str, str]:
    """By the id of each rule, the family that it belongs to: the data file that it stands in."""
    found: dict[str, str] = {}
    for path in sorted(DATA.glob("*.toml")):
        source, wrong = read(path.read_text(encoding="utf-8"), path.name)
        assert not wrong, wrong
        found |= dict.fromkeys((rule.id for rule in source.rules), path.stem)
    return found


def broken(matrix: Matrix) -> Iterator[Case]:
    """What no index's metadata shows and what breaks."""
    for raw in json.loads((GROUND / "broken.json").read_text())["cases"]:
        if raw["visible_in_metadata"] is not False or raw["severity"] != "broken":
            continue
        stack = {normalise(name): version for name, version in raw["stack"].items()}
        if match := re.match(r"([A-Za-z0-9_.]+)-([^-]+)-.*\.whl", raw.get("artifact") or ""):
            stack[normalise(match[1])] = match[2]
        wheel = raw.get("channel") != "conda"
        host = raw.get("host") or {}
        facts = Facts(
            platform(raw["os"], raw["arch"]),
            raw.get("python") or "",
            host.get("glibc") or "",
            "cuda" if raw.get("gpu") or raw.get("cuda") else "",
            driver(matrix, raw.get("driver")),
            ((raw["gpu"], raw["gpu_sm"]),) if raw.get("gpu_sm") else (),
            cuda(raw.get("cuda")),
            host.get("cudnn") or "",
        )
        names = {matrix.aliases.get(name, name) if not wheel else name: version for name, version in stack.items()}
        yield Case(raw["id"], tuple(Package(*item, wheel=wheel) for item in names.items()), facts, raw)


def good(matrix: Matrix) -> Iterator[Case]:
    """Stacks that people run, most of them looked at one by one."""
    for raw in json.loads((GROUND / "good.json").read_text())["cases"]:
        system, _, machine = (raw.get("os_arch") or "linux x86_64").partition(" ")
        manager = raw["manager"]
        facts = Facts(
            platform(system, machine),
            raw.get("python") or "",
            accelerator="cuda" if raw.get("cuda") or raw.get("gpu") else "",
            driver=driver(matrix, raw.get("driver")),
            cuda=cuda(raw.get("cuda")),
        )
        packages = []
        for name, version in raw["packages"].items():
            # Of `conda+pypi` only conda's own names tell; every other one is judged as a wheel, which is the stricter.
            conda = manager == "conda" or (manager == "conda+pypi" and name in matrix.aliases)
            packages.append(_package(matrix, name, version, conda=conda))
        confirmed = raw["grade"] in {"released image", "thread-confirmed, small"}
        yield Case(raw["id"], tuple(packages), facts, raw, confirmed)


def _package(matrix: Matrix, name: str, version: Any, *, conda: bool) -> Package:
    return Package(matrix.aliases.get(name, name) if conda else normalise(name), str(version), not conda)


def readable() -> bool:
    """Whether `stacks` can be read here: it takes the command zstd."""
    return shutil.which("zstd") is not None


def stacks(matrix: Matrix) -> Iterator[Case]:
    """Whole sets from locks and hosted images, all on linux-x86_64."""
    text = subprocess.run(["zstd", "-dc", GROUND / "stacks.json.zst"], capture_output=True, check=True).stdout
    for raw in json.loads(text):
        eco = raw.get("eco") or {}
        packages = tuple(
            _package(matrix, name, version, conda=eco.get(name) == "conda") for name, version in raw["packages"].items()
        )
        facts = Facts(python=raw.get("python") or "", cuda=cuda(raw.get("cuda")))
        yield Case(raw["id"], packages, facts, raw, raw["id"].startswith(("colab:", "smd:", "pangeo:")))


def names_of(cause: str) -> set[str]:
    """What a root cause is called in a finding: a package's name, or the fact's."""
    text = cause.lower()
    if text.startswith("gpu"):
        return {"gpu"}
    if text.startswith("driver"):
        return {"driver"}
    if text.startswith("host glibc"):
        return {"glibc"}
    if text.startswith(("cuda ", "cuda toolkit", "system cuda")):
        return {"cuda"}
    if text.startswith("cudnn") or "cudnn" in text.split("==")[0]:
        return {"cudnn", "nvidia-cudnn-cu11", "nvidia-cudnn-cu12", "torch"}
    match = re.match(r"[a-z0-9_.-]+?(?=-\d|==|$|\s)", text)
    return {normalise(match[0])} if match else {text}


def explains(finding: Finding, causes: list[str]) -> bool:
    named = {name for name, _ in finding.packages} | {
        alias for name, _ in finding.packages for alias in CONDA.get(name, ())
    }
    return all(names_of(cause) & named for cause in causes)


CONDA = {"torch": ("pytorch",), "cuda": ("cudatoolkit",)}


def findings(matrix: Matrix, case: Case) -> list[Finding]:
    """What the matrix calls broken in a case."""
    return [found for found in judge(matrix, case.packages, case.facts) if found.rule.severity == "broken"]


def explaining(matrix: Matrix, case: Case) -> list[Finding]:
    """Those that name both sides of what broke."""
    return [found for found in findings(matrix, case) if explains(found, case.raw["root_cause"])]


def said(case: Case, found: Sequence[Finding]) -> str:
    """A line on a case and what was found in it."""
    rules = "; ".join(
        f"{item.rule.id}: {' with '.join(' '.join(side) for side in item.packages)} ({item.rule.verb} {item.wanted})"
        for item in found
    )
    return f"{case.id}  {rules or 'nothing'}"


def main() -> int:
    words = sys.argv[1:]
    verbose = "-v" in words
    paths = [Path(word) for word in words if word != "-v"] or sorted(DATA.glob("*.toml"))
    matrix = matrix_of(paths)
    cases = list(broken(matrix))
    hit = 0
    for case in cases:
        right = explaining(matrix, case)
        hit += bool(right)
        if verbose or not right:
            print("FOUND " if right else "MISSED", said(case, findings(matrix, case)), case.raw["root_cause"])
    print(f"recall: {hit} of {len(cases)}")
    for title, known in (("good", list(good(matrix))), ("stacks", list(stacks(matrix)) if readable() else [])):
        bad = 0
        for case in known:
            found = findings(matrix, case)
            bad += bool(found)
            if found:
                print("ALARM", title, "(confirmed)" if case.confirmed else "", said(case, found))
        print(f"{title}: {bad} of {len(known)} with a finding of severity broken")
    return 0


if __name__ == "__main__":
    sys.exit(main())
