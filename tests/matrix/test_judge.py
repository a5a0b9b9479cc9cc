"""What the matrix has against an exact set: the verbs, the conditions, and what nobody said."""

from __future__ import annotations

import itertools

import pytest

from mlpin.matrix.judge import Facts, Finding, Package, asked_of_label, holding, judge, label_of
from mlpin.matrix.labels import Built, built
from mlpin.matrix.matrix import Matrix
from mlpin.matrix.packed import Packed, pack
from mlpin.matrix.read import read

ORIGIN = 'severity = "declared"\nsource = "s"\nevidence = "reported"\ndate = 2026-11-21\n'
LINES = """
[[line]]
label = "cu118"
accelerator = "cuda"
cuda = "11.8"
path = "cu118"
family = "pytorch"
source = "s"
evidence = "reported"
date = 2026-11-21
[[line]]
label = "cu124"
accelerator = "cuda"
cuda = "12.4"
path = "cu124"
family = "pytorch"
source = "s"
evidence = "reported"
date = 2026-11-21
[[default]]
package = "torch"
versions = ">=2.5,<2.7"
line = "cu124"
platforms = ["linux-x86_64"]
source = "s"
evidence = "reported"
date = 2026-11-21
[[default]]
package = "torch"
line = "cpu"
platforms = ["windows-amd64", "macos-*"]
source = "s"
evidence = "reported"
date = 2026-11-21
[[abi]]
package = "torch"
versions = "<2.7"
cxx11 = false
line = ["cu124", "cu118", "cpu"]
platforms = ["linux-x86_64"]
source = "s"
evidence = "reported"
date = 2026-11-21
[[abi]]
package = "torch"
versions = "<2.8"
cxx11 = true
line = ["cu126"]
platforms = ["linux-x86_64"]
source = "s"
evidence = "reported"
date = 2026-11-21
"""
LINUX = Facts(accelerator="cuda", python="3.11")


def matrix(*rules: str, tables: str = "") -> Matrix:
    """A matrix of these rules, `rules` without what all have in common."""
    text = "".join(f'[[rule]]\nid = "r{number}"\n{rule}\n{ORIGIN}' for number, rule in enumerate(rules))
    found, mistakes = read(text + tables, "test.toml")
    assert not mistakes, [str(mistake) for mistake in mistakes]
    return Matrix(Packed(pack(found)))


def against(known: Matrix, *packages: str | Package, facts: Facts = LINUX) -> list[tuple[str, ...]]:
    """The findings in short: the id, then NAME VERSION of both sides."""
    stack = [one if isinstance(one, Package) else Package(*one.split("==")) for one in packages]
    return [
        (finding.rule.id, *(" ".join(package) for package in finding.packages))
        for finding in judge(known, stack, facts)
    ]


BROKEN = [("r0", "a 1.0", "b 1.5")]


# -- verbs


@pytest.mark.parametrize(
    ("statement", "other", "holds"),
    [
        ('needs = ">=2"', "b==2.0", True),
        ('needs = ">=2"', "b==1.5", False),
        ('fails = ">=2"', "b==2.0", False),
        ('fails = ">=2"', "b==1.5", True),
        ('fails = ""', "b==1.5", False),  # never both
        ('needs = "==2.*"', "b==2.0rc1", True),
        ('fails = "<2"', "b==2.0.dev1", True),  # neither below 2 nor above it (PEP 440)
        ('fails = ">=2"', "b==2.0.dev1", True),
        ('fails = "<2.0.dev0"', "b==2.0.dev1", True),
        ('fails = ">=2.0.dev0"', "b==2.0.dev1", False),
        ('needs = "==2.5.*"', "b==2.5.1+cu124", True),
        ('needs = "<=2.5.1"', "b==2.5.1+cu124", True),
        ('needs = [["==1.*", ">=2"], ["==2.*", ">=3"]]', "b==2.0", True),
        ('needs = [["==1.*", ">=2"], ["==2.*", ">=3"]]', "b==1.0", False),
        ('fails = [["==2.*", ">=2"]]', "b==2.0", True),  # a is in no row
        ('needs = "same"', "b==1.0.0", True),
        ('needs = "same"', "b==1", True),
        ('needs = "same"', "b==1.0+cu124", True),
        ('needs = "same"', "b==1.0.1", False),
    ],
)
def test_needs_and_fails(statement: str, other: str, holds: bool) -> None:
    known = matrix(f'package = "a"\nwith = "b"\n{statement}')
    assert (against(known, "a==1.0", other) == []) is holds


def test_the_other_side_is_never_asked_for() -> None:
    known = matrix('package = "a"\nwith = "b"\nneeds = ">=2"')
    assert against(known, "a==1.0") == []
    assert against(known, "b==1.5") == []


def test_a_release_in_no_row_is_unknown() -> None:
    rule = 'package = "a"\nwith = "b"\nneeds = [["==1.*", ">=2"]]'
    assert against(matrix(rule), "a==1.0", "b==1.5") == BROKEN
    for other in ("0.9", "2.0"):
        assert against(matrix(rule), f"a=={other}", "b==1.5") == []
    known = matrix('package = "a"\nwith = "b"\nneeds = ">=2"\nversions = "<1"')
    assert against(known, "a==1.0", "b==1.5") == []


def test_a_release_in_two_rows_must_keep_both() -> None:
    known = matrix('package = "a"\nwith = "b"\nneeds = [["", ">=1"], ["==1.*", ">=2"]]')
    assert [finding.wanted for finding in judge(known, [Package("a", "1.0"), Package("b", "0.5")], LINUX)] == [
        ">=1",
        ">=2",
    ]
    assert against(known, "a==1.0", "b==2") == []


def test_versions_that_are_none_are_left_alone() -> None:
    known = matrix('package = "a"\nwith = "b"\nneeds = ">=2"')
    assert against(known, "a==what", "b==1.5") == []
    assert against(known, "a==1.0", "b==what") == []


def test_a_list_of_others_is_a_rule_for_each() -> None:
    known = matrix('package = "a"\nwith = ["b", "c"]\nfails = ""')
    assert against(known, "a==1", "b==1", "c==2") == [("r0", "a 1", "b 1"), ("r0", "a 1", "c 2")]


# -- facts of the target


@pytest.mark.parametrize(
    ("other", "needs", "facts", "holds"),
    [
        ("driver", ">=525.60.13", Facts(driver="525.60.13"), True),
        ("driver", ">=525.60.13", Facts(driver="550.54"), True),
        ("driver", ">=525.60.13", Facts(driver="470.256.02"), False),
        ("python", ">=3.12", Facts(python="3.11"), False),
        ("python", ">=3.12", Facts(python="3.12"), True),
        ("glibc", ">=2.28", Facts(glibc="2.17"), False),
        ("glibc", ">=2.28", Facts(glibc="2.35"), True),
        ("cuda", ">=12", Facts(cuda="11.8"), False),
        ("cudnn", ">=9", Facts(cudnn="8.9"), False),
        ("gpu", ">=8.0", Facts(gpus=(("T4", "7.5"),)), False),
        ("gpu", ">=8.0", Facts(gpus=(("A100", "8.0"),)), True),
        ("gpu", ">=8.0", Facts(gpus=(("B200", "10.0"),)), True),  # as versions, not as decimals
    ],
)
def test_facts(other: str, needs: str, facts: Facts, holds: bool) -> None:
    known = matrix(f'package = "a"\nwith = "{other}"\nneeds = "{needs}"')
    assert (against(known, "a==1", facts=facts) == []) is holds
    turned = matrix(f'package = "a"\nwith = "{other}"\nfails = "{needs}"')
    assert (against(turned, "a==1", facts=facts) == []) is not holds


@pytest.mark.parametrize("other", ["driver", "python", "glibc", "cuda", "cudnn", "gpu"])
@pytest.mark.parametrize("verb", ["needs", "fails"])
def test_facts_that_nobody_said_leave_rules_alone(other: str, verb: str) -> None:
    known = matrix(f'package = "a"\nwith = "{other}"\n{verb} = ">=1"')
    assert against(known, "a==1", facts=Facts()) == []
    assert holding(known, [Package("a", "1")], Facts()) == {}


def test_all_gpus_must_be_served_and_each_that_is_not_is_named() -> None:
    gpus = (("A100", "8.0"), ("T4", "7.5"), ("sm_70", "7.0"), ("MI300X", "gfx942"))
    known = matrix('package = "a"\nkernels = ["sm_80"]')
    wanted = [("r0", "a 1", "gpu T4 (sm_75)"), ("r0", "a 1", "gpu sm_70")]
    assert against(known, "a==1", facts=Facts(gpus=gpus)) == wanted
    known = matrix('package = "a"\nwith = "gpu"\nneeds = ">=8.0"')
    assert against(known, "a==1", facts=Facts(gpus=gpus)) == wanted


def test_kernels_without_a_gpu_say_nothing() -> None:
    assert against(matrix('package = "a"\nkernels = ["sm_80"]'), "a==1") == []


# -- conditions


@pytest.mark.parametrize(
    ("condition", "facts", "speaks"),
    [
        ('platforms = ["linux-x86_64"]', Facts(), True),
        ('platforms = ["linux-*"]', Facts(platform="linux-aarch64"), True),
        ('platforms = ["windows-*", "linux-aarch64"]', Facts(), False),
        ('python = ">=3.12"', Facts(python="3.12"), True),
        ('python = ">=3.12"', Facts(python="3.11"), False),
        ('python = ">=3.12"', Facts(), False),  # nobody said
        ('accelerator = "cuda"', Facts(accelerator="cuda"), True),
        ('accelerator = "cuda"', Facts(driver="550.54"), True),  # who names a driver means to use it
        ('accelerator = "cuda"', Facts(gpus=(("A100", "8.0"),)), True),
        ('accelerator = "cuda"', Facts(), False),
        ('accelerator = "cuda"', Facts(accelerator="cpu", driver="550.54"), False),
        ('accelerator = "cpu"', Facts(accelerator="cpu"), True),
        ('accelerator = "cpu"', Facts(), False),
        ('accelerator = "rocm"', Facts(accelerator="cuda"), False),
    ],
)
def test_conditions(condition: str, facts: Facts, speaks: bool) -> None:
    known = matrix(f'package = "a"\nwith = "b"\nneeds = ">=2"\n{condition}')
    assert (against(known, "a==1.0", "b==1.5", facts=facts) == BROKEN) is speaks


def test_a_gpu_of_amd_does_not_mean_cuda() -> None:
    assert not Facts(gpus=(("MI300X", "gfx942"),)).uses_cuda


@pytest.mark.parametrize(
    ("version", "platform", "speaks"),
    [
        ("2.6.0+cu124", "linux-x86_64", True),
        ("2.6.0", "linux-x86_64", True),  # what the package index is known to carry
        ("2.6.0", "windows-amd64", False),
        ("2.6.0", "macos-arm64", False),
        ("2.9.0", "linux-x86_64", False),  # not known
        ("2.6.0+cu118", "linux-x86_64", False),
        ("2.6.0+cpu", "linux-x86_64", False),
        ("2.6.0a0+ecf3bae40a.nv25.01", "linux-x86_64", False),
    ],
)
def test_the_build_line_of_a_release(version: str, platform: str, speaks: bool) -> None:
    known = matrix('package = "torch"\nwith = "b"\nneeds = ">=2"\nline = ["cu12*"]', tables=LINES)
    facts = Facts(platform=platform)
    assert bool(against(known, f"torch=={version}", "b==1", facts=facts)) is speaks


def test_what_a_release_without_a_label_is() -> None:
    known = matrix(tables=LINES)
    assert label_of(known, "torch", "2.6.0", "linux-x86_64") == Built("cu124", "12.4")
    assert label_of(known, "torch", "2.6.0", "windows-amd64") == Built("cpu")
    assert label_of(known, "torch", "2.6.0a0+nv25.01", "linux-x86_64") == Built()
    assert label_of(known, "torchvision", "0.21.0", "linux-x86_64") == Built()


# -- wheels only


NVIDIA = "2.6.0a0+ecf3bae40a.nv25.01"


def test_wheels_only_is_not_about_conda_source_builds_and_containers() -> None:
    known = matrix('package = "torch"\nwith = "numpy"\nfails = ">=2"\nwheels-only = true')
    assert len(against(known, "torch==2.2.0", "numpy==2.0")) == 1
    assert len(against(known, "torch==2.2.0+cu121", "numpy==2.0")) == 1
    assert against(known, Package("torch", "2.2.0", wheel=False), "numpy==2.0") == []
    assert against(known, "torch==2.2.0", Package("numpy", "2.0", wheel=False)) == []
    assert against(known, f"torch=={NVIDIA}", "numpy==2.0") == []
    assert against(known, "torch==2.2.0", "numpy==2.0+computecanada") == []


def test_other_rules_are_about_every_build() -> None:
    known = matrix('package = "torch"\nwith = "numpy"\nfails = ">=2"')
    assert len(against(known, Package("torch", "2.2.0", wheel=False), "numpy==2.0")) == 1
    assert len(against(known, f"torch=={NVIDIA}", "numpy==2.0")) == 1


def test_wheels_only_with_a_fact() -> None:
    known = matrix('package = "torch"\nwith = "driver"\nneeds = ">=525"\nwheels-only = true')
    old = Facts(driver="470.82")
    assert len(against(known, "torch==2.6.0", facts=old)) == 1
    assert against(known, Package("torch", "2.6.0", wheel=False), facts=old) == []
    assert against(known, f"torch=={NVIDIA}", facts=old) == []


def test_unless_both_are_the_same_release() -> None:
    known = matrix('package = "a"\nwith = "b"\nfails = ""\nunless-same-version = true')
    assert against(known, "a==1.2", "b==1.2.0") == []
    assert len(against(known, "a==1.2", "b==1.2.1")) == 1


# -- labels


@pytest.mark.parametrize(
    ("mine", "torch", "reason"),
    [
        ("2.8.3+cu12torch2.6cxx11abiFALSE", "2.6.0+cu124", ""),
        ("2.8.3+cu12torch2.6cxx11abiFALSE", "2.6.0", ""),
        ("2.8.3+cu12torch2.6cxx11abiTRUE", "2.6.0+cu124", "a build of torch with the new C++ ABI"),
        ("2.8.3+cu12torch2.6cxx11abiTRUE", "2.6.0+cu126", ""),
        ("2.8.3+cu12torch2.6cxx11abiFALSE", "2.6.0+cu126", "a build of torch with the old C++ ABI"),
        ("2.8.3+cu12torch2.6cxx11abiTRUE", "2.9.0+cu128", "torch 2.6"),
        ("2.8.3+cu12torch2.4cxx11abiFALSE", "2.6.0", "torch 2.4"),
        ("2.8.3+cu12torch2.6cxx11abiFALSE", "2.6.0+cu118", "a build of torch for CUDA 12"),
        ("2.8.3+cu12torch2.6cxx11abiFALSE", "2.6.0+cpu", "a build of torch for CUDA 12"),
        ("0.29.0+cu121", "2.6.0+cu124", ""),  # the same major version
        ("2.1.2+pt25cu118", "2.5.0", "a build of torch for CUDA 11"),
        ("2.8.3", "2.6.0", ""),  # built here: it fits what it was built with
        ("2.8.3+cu12torch2.6cxx11abiTRUE", NVIDIA, ""),  # nobody knows
        ("2.8.3+cu12torch2.7cxx11abiTRUE", "2.7.0+rocm6.3", ""),
    ],
)
def test_labels(mine: str, torch: str, reason: str) -> None:
    known = matrix('package = "ext"\nwith = "torch"\nneeds = "label"', tables=LINES)
    found = judge(known, [Package("ext", mine), Package("torch", torch)], LINUX)
    assert [finding.wanted for finding in found] == ([reason] if reason else [])
    conda = [Package("ext", mine), Package("torch", torch, wheel=False)]
    assert judge(known, conda, LINUX) == []


def test_what_a_label_asks_in_words() -> None:
    assert asked_of_label(built("2.8.3+cu12torch2.4cxx11abiTRUE")) == "torch 2.4, CUDA 12, the new C++ ABI"
    assert asked_of_label(Built()) == ""


# -- the list of findings


def test_findings_come_worst_first_and_the_same_each_time() -> None:
    rules = [
        'package = "a"\nwith = "b"\nfails = ""',
        'package = "c"\nwith = ["a", "b"]\nfails = ""',
        'package = "b"\nwith = "python"\nneeds = ">=4"',
        'package = "b"\nkernels = ["sm_90"]',
    ]
    text = "".join(
        f'[[rule]]\nid = "r{number}"\n{rule}\nsymptom = "s"\n{ORIGIN.replace("declared", severity)}'
        for number, (rule, severity) in enumerate(
            zip(rules, ("untested", "declared", "broken", "declared"), strict=True)
        )
    )
    known = Matrix(Packed(pack(read(text, "x")[0])))
    facts = Facts(python="3.11", gpus=(("T4", "7.5"), ("A100", "8.0")))
    stack = [Package("a", "1"), Package("b", "1"), Package("c", "1"), Package("b", "1")]
    orders = {
        tuple((finding.rule.id, finding.packages) for finding in judge(known, order, facts))
        for order in itertools.permutations(stack)
    }
    assert orders == {
        (
            ("r2", (("b", "1"), ("python", "3.11"))),
            ("r3", (("b", "1"), ("gpu", "A100 (sm_80)"))),
            ("r3", (("b", "1"), ("gpu", "T4 (sm_75)"))),
            ("r1", (("c", "1"), ("a", "1"))),
            ("r1", (("c", "1"), ("b", "1"))),
            ("r0", (("a", "1"), ("b", "1"))),
        )
    }


def test_the_same_finding_is_told_once() -> None:
    known = matrix('package = "a"\nwith = "b"\nneeds = ">=2"')
    stack = [Package("a", "1"), Package("a", "1"), Package("b", "1")]
    found = judge(known, stack, LINUX)
    assert len(found) == 1
    assert isinstance(found[0], Finding)


def test_rules_that_hold_are_named() -> None:
    known = matrix(
        'package = "a"\nwith = "b"\nneeds = ">=2"',
        'package = "a"\nwith = "c"\nfails = "<1"',
        'package = "a"\nwith = "driver"\nneeds = ">=525"',
        'package = "a"\nwith = "python"\nneeds = ">=3.12"',
        'package = "a"\nwith = "z"\nneeds = ">=1"',
        'package = "a"\nkernels = ["sm_90"]',
        'package = "a"\nwith = "b"\nneeds = ">=9"\nversions = ">=9"',
    )
    stack = [Package("a", "1"), Package("b", "2"), Package("c", "1")]
    assert holding(known, stack, Facts(python="3.11", driver="550.54")) == {"a": ["r0", "r1", "r2"]}
    assert holding(known, stack, Facts(python="3.12", gpus=(("H100", "9.0"),))) == {"a": ["r0", "r1", "r3", "r5"]}
    assert holding(known, stack[1:], Facts(python="3.11")) == {}
