"""What is taken of small channels, one behaviour of conda's each: order, channels, virtual packages, constrains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pytest

from mlpin.conda.record import CondaRecord
from mlpin.outcome import Conflict, Outcome, Resolution
from mlpin.resolver.policy import Policy
from mlpin.resolver.solve import solve
from mlpin.resolver.view import View
from mlpin.target import Target, parse_platform
from tests.resolver.catalogs import DictCatalog
from tests.resolver.conda_problems import lines

CHANNELS = ("first", "second")
MACHINE = ("__archspec", "__cuda", "__glibc", "__linux", "__unix")


def of(shown: str, *depends: str, on: str = "first", constrains: Sequence[str] = (), **more: Any) -> CondaRecord:
    """A record from `name version build`; its build number is what stands after the last `_`, if that is a number."""
    name, version, build = shown.split()
    last = build.rpartition("_")[2]
    subdir = "noarch" if more.get("noarch") else "linux-64"
    file = f"{name}-{version}-{build}.conda"
    return CondaRecord(
        *(name, version, build, int(last) if last.isdigit() else 0, on, subdir, file, f"https://conda.example/{file}"),
        *(depends, tuple(constrains)),
        md5="0" * 32,
        position=CHANNELS.index(on),
        **more,
    )


class Channel(DictCatalog):
    """The records of all channels, and no index."""

    def __init__(self, records: Sequence[CondaRecord]) -> None:
        super().__init__({})
        self._all = records

    def records(self, channels: Sequence[str], subdir: str, names: Sequence[str]) -> dict[str, list[CondaRecord]]:
        assert (tuple(channels), subdir) == (CHANNELS, "linux-64")
        return {name: [one for one in self._all if one.name == name] for name in names}


class Case(NamedTuple):
    what: str
    records: Sequence[CondaRecord]
    specs: Sequence[str]
    taken: str
    """Empty: there is no solution."""
    virtual: Mapping[str, str] = {}
    priority: str = "strict"


def asked(case: Case) -> Outcome:
    machine = {**dict.fromkeys(MACHINE, ""), **case.virtual}
    target = Target(
        "", "3.11", parse_platform("linux-x86_64"), waived=frozenset({"python"}), virtual=tuple(machine.items())
    )
    view = View(target, Channel(case.records), Policy(channels=CHANNELS, channel_priority=case.priority))
    return solve(view, view.roots(lines(case.specs)))


TORCH = (
    of("torch 2.0 cuda12_200", "__cuda", "cuda-version >=12,<13"),
    of("torch 2.0 cuda11_200", "__cuda", "cuda-version >=11.8,<12"),
    of("torch 2.0 cpu_100"),
    of("cuda-version 12.4 h_0", constrains=["__cuda >=12"]),
    of("cuda-version 12.9 h_0", constrains=["__cuda >=12"]),
    of("cuda-version 11.8 h_0", constrains=["__cuda >=11"]),
)
ABI = (
    of("python 3.10.1 h_0", "python_abi 3.10.* *_cp310"),
    of("python 3.12.1 h_0", "python_abi 3.12.* *_cp312"),
    of("python_abi 3.10 1_cp310", constrains=["python 3.10.*"]),
    of("python_abi 3.12 1_cp312", constrains=["python 3.12.*"]),
    of("lib 2.0 py310_0", "python >=3.10,<3.11.0a0"),
    of("lib 1.0 py312_0", "python >=3.12,<3.13.0a0"),
)
TWO = (of("x 1.0 h_0"), of("x 2.0 h_0", on="second"))
MUTEX = (
    of("mutex 1.0 mkl_0"),
    of("mutex 1.0 open_0"),
    of("np 1.0 mkl_0", "mutex 1.0 mkl*"),
    of("np 1.0 open_1", "mutex 1.0 open*"),
    of("sp 1.0 mkl_0", "mutex 1.0 mkl*"),
)

CASES = (
    Case("the newest version", [of("x 1.9 h_0"), of("x 1.10 h_0"), of("x 1.10rc1 h_0")], ["x"], "x 1.10 h_0"),
    Case("a bound keeps pre-releases out", [of("x 1.5 h_0"), of("x 2.0rc1 h_0")], ["x <2.0a0"], "x 1.5 h_0"),
    Case("then the highest build number", [of("x 1 h_0"), of("x 1 h_10"), of("x 1 k_9")], ["x"], "x 1 h_10"),
    Case(
        "then the builds whose dependencies are newer",
        [of("x 1 a_0", "y 1.*"), of("x 1 b_0", "y 2.*"), of("y 1 h_0"), of("y 2 h_0")],
        ["x"],
        "x 1 b_0, y 2 h_0",
    ),
    Case(
        "then the latest",
        [of("x 1 a_0", timestamp=10**12), of("x 1 b_0", timestamp=16 * 10**11), of("x 1 c_0")],
        ["x"],
        "x 1 b_0",
    ),
    Case(
        "track_features go last, whatever the version",
        [of("x 2 debug_0", track_features=("debug",)), of("x 1 h_0")],
        ["x"],
        "x 1 h_0",
    ),
    Case(
        "and are taken where nothing else is left",
        [of("x 2 debug_0", track_features=("debug",)), of("x 1 h_0")],
        ["x >1"],
        "x 2 debug_0",
    ),
    Case("noarch is looked through too", [of("x 1 h_0"), of("x 2 py_0", noarch="python")], ["x"], "x 2 py_0"),
    Case("an older version whose dependencies exist", [of("x 2 h_0", "nowhere"), of("x 1 h_0")], ["x"], "x 1 h_0"),
    Case(
        "circles",
        [of("pip 1 h_0", "setuptools"), of("setuptools 1 h_0", "pip")],
        ["pip"],
        "pip 1 h_0, setuptools 1 h_0",
    ),
    Case("strict: the first channel with the name", TWO, ["x"], "x 1.0 h_0"),
    Case("strict: no other, even if that is all", TWO, ["x >=2"], ""),
    Case("strict: unless the user says the channel", TWO, ["second::x"], "x 2.0 h_0"),
    Case("flexible: the first channel", TWO, ["x"], "x 1.0 h_0", priority="flexible"),
    Case("flexible: another one where it must be", TWO, ["x >=2"], "x 2.0 h_0", priority="flexible"),
    Case("disabled: the newest of all channels", TWO, ["x"], "x 2.0 h_0", priority="disabled"),
    Case(
        "disabled: of one version the first channel's",
        [of("x 1 h_0"), of("x 1 h_5", on="second")],
        ["x"],
        "x 1 h_0",
        priority="disabled",
    ),
    Case(
        "constrains hold for what is there",
        [of("x 1 h_0", constrains=["y <2"]), of("y 1 h_0"), of("y 2 h_0")],
        ["x", "y"],
        "x 1 h_0, y 1 h_0",
    ),
    Case("constrains bring nothing in", [of("x 1 h_0", constrains=["y <2"]), of("y 1 h_0")], ["x"], "x 1 h_0"),
    Case(
        "the first line's newest, with an older Python",
        ABI,
        ["lib", "python"],
        "lib 2.0 py310_0, python 3.10.1 h_0, python_abi 3.10 1_cp310",
    ),
    Case(
        "an older lib for a newer Python",
        ABI,
        ["lib", "python 3.12.*"],
        "lib 1.0 py312_0, python 3.12.1 h_0, python_abi 3.12 1_cp312",
    ),
    Case("builds of one mutex", MUTEX, ["np", "sp"], "mutex 1.0 mkl_0, np 1.0 mkl_0, sp 1.0 mkl_0"),
    Case("builds of two", MUTEX, ["np 1.0 open_1", "sp"], ""),
    Case("a driver for CUDA 12", TORCH, ["torch"], "cuda-version 12.9 h_0, torch 2.0 cuda12_200", {"__cuda": "12.4"}),
    Case("a driver for CUDA 11", TORCH, ["torch"], "cuda-version 11.8 h_0, torch 2.0 cuda11_200", {"__cuda": "11.8"}),
    Case("a driver for CUDA 10", TORCH, ["torch"], "torch 2.0 cpu_100", {"__cuda": "10.2"}),
    Case("no driver", TORCH, ["torch"], "torch 2.0 cpu_100"),
    Case("no driver for what needs one", TORCH, ["torch=*=cuda*"], ""),
    Case(
        "an old glibc",
        [of("x 2 h_0", "__glibc >=2.28,<3.0.a0"), of("x 1 h_0", "__glibc >=2.17")],
        ["x"],
        "x 1 h_0",
        {"__glibc": "2.17"},
    ),
    Case(
        "the build of a virtual package",
        [of("x 1 v3_1", "__archspec * x86_64_v3"), of("x 1 v1_0")],
        ["x"],
        "x 1 v1_0",
        {"__archspec": "1=x86_64"},
    ),
)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.what.replace(" ", "-")) for case in CASES])
def test_what_is_taken(case: Case) -> None:
    outcome = asked(case)
    if case.taken:
        assert isinstance(outcome, Resolution), outcome
        assert ", ".join(sorted(record.shown for record in outcome.conda.values())) == case.taken
    else:
        assert isinstance(outcome, Conflict), outcome


@pytest.mark.parametrize("case", [pytest.param(case, id=case.what.replace(" ", "-")) for case in CASES])
def test_the_order_of_a_channel_does_not_matter(case: Case) -> None:
    turned = asked(case._replace(records=case.records[::-1]))
    assert str(getattr(turned, "conda", None)) == str(getattr(asked(case), "conda", None))
