"""Many snapshots: which nodes differ, in what, and the fewest groups that say so."""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from mlpin import snapshot
from mlpin.check.fleet import Fleet, compare
from mlpin.check.nodes import folded, shown
from mlpin.check.snapshots import gather
from mlpin.errors import InputError
from mlpin.hardware import target_of
from mlpin.lock.locked import parsed
from mlpin.machine import Machine
from mlpin.matrix.matrix import Matrix
from mlpin.nvml import Gpu
from mlpin.report import fleet as report
from mlpin.snapshot import Conda, Contents, Installed, Snapshot, as_json

RULES = Matrix.shipped()
H100 = Gpu("NVIDIA H100 80GB HBM3", "9.0", 85520809984)
HOST = Machine(
    "3.11.9", "linux-x86_64", "2.35", "glibc 2.35", "Xeon", ("avx", "avx2"), "550.54.15", "12.4",
    (H100,) * 8, (), False, (), (),
)  # fmt: skip
SAME = {"torch": "2.6.0+cu124", "torchvision": "0.21.0+cu124", "numpy": "1.26.4"}
FILES = "sha256:" + "0" * 64


def node(
    name: str, host: Machine = HOST, /, *, python: str = "3.11.9", conda: Iterable[Conda] = (), **packages: Any
) -> Snapshot:
    """A node with `SAME` and what is said beside it: a version, an `Installed`, or None where it is missing."""
    wanted = {**SAME, **{key.replace("_", "-"): value for key, value in packages.items()}}
    there = [
        one if isinstance(one, Installed) else Installed(key, one, files=FILES, installer="uv")
        for key, one in sorted(wanted.items())
        if one is not None
    ]
    return Snapshot(name, host, Contents(python, tuple(there), tuple(conda)), f"{name}.json")


def nodes(first: int, last: int, *given: Any, **packages: Any) -> list[Snapshot]:
    return [node(f"n{number:02}", *given, **packages) for number in range(first, last + 1)]


def lock_of(more: str = "", **versions: str) -> Any:
    lines = ['lock-version = "1.0"', 'created-by = "mlpin"']
    for name, version in sorted((SAME | {key.replace("_", "-"): one for key, one in versions.items()}).items()):
        lines += [
            "[[packages]]",
            f'name = "{name}"',
            f'version = "{version}"',
            f'wheels = [{{url = "https://index.example/{name}-{version}-py3-none-any.whl", hashes = {{sha256 = "00"}}}}]',
        ]
    lines += ["[tool.mlpin.target]", 'python = "3.11"', 'platform = "linux-x86_64"', more]
    return parsed("\n".join(lines).encode(), Path("pylock.toml"), "pylock.toml")


def against(lock: Any, *snapshots: list[Snapshot], own: Iterable[str] = ()) -> Fleet:
    every = [one for some in snapshots for one in some]
    random.Random(len(every)).shuffle(every)
    return compare(lock, target_of(lock.stated, RULES) if lock else None, every, RULES, own=frozenset(own))


def told(found: Fleet) -> list[str]:
    """Each group in a line: `n[01-03] by driver 535.1: torch 2.0 (the lock has 2.1)`."""
    return [
        f"{','.join(folded(group.nodes))}"
        + (f" {group.fact.after_nodes}" if group.fact else "")
        + ": "
        + ", ".join(f"{one.kind} {one.found}" + (f" ({one.wanted})" if one.wanted else "") for one in group.differences)
        for group in found.groups
    ]


# Names.


@pytest.mark.parametrize(
    ("names", "short"),
    [
        ("node001 node002 node003 node015", "node[001-003,015]"),
        ("n8 n9 n10 n11", "n[8-11]"),
        ("n08 n09 n10 n11", "n[08-11]"),
        ("n1 n01 n001", "n001,n01,n1"),
        ("n0 n1 n00 n01", "n[0-1],n[00-01]"),
        ("n9 n10 n09", "n9,n[09-10]"),
        ("rack1-n01 rack1-n02 rack2-n01 rack2-n02 rack3-n01", "rack[1-2]-n[01-02],rack3-n01"),
        ("gpu1.a.example gpu2.a.example login", "gpu[1-2].a.example,login"),
        ("10.0.0.1 10.0.0.2", "10.0.0.[1-2]"),
        ("7", "7"),
    ],
)  # fmt: skip
def test_names_are_folded(names: str, short: str) -> None:
    assert sorted(folded(names.split())) == sorted(re.split(r",(?![^\[]*\])", short))


def unfolded(piece: str) -> list[str]:
    names = [""]
    for number, part in enumerate(re.split(r"\[([0-9,-]+)\]", piece)):
        values = [part]
        if number % 2:
            ends = [(one.split("-")[0], one.split("-")[-1]) for one in part.split(",")]
            values = [
                str(value).zfill(len(first) if first.startswith("0") else 0)
                for first, last in ends
                for value in range(int(first), int(last) + 1)
            ]
        names = [name + value for name in names for value in values]
    return names


def test_folded_names_are_exactly_the_names() -> None:
    dice = random.Random(5)
    for _ in range(1000):
        forms = ("{}", "{:02}", "{:03}")
        names = {
            dice.choice(("n", "gpu-", "r1-n", ""))
            + dice.choice(forms).format(dice.randrange(130))
            + dice.choice(("", ".a", f"-{dice.randrange(3):02}"))
            for _ in range(dice.randrange(1, 30))
        }
        found = [name for piece in folded(names) for name in unfolded(piece)]
        assert sorted(found) == sorted(names)


def test_a_long_list_of_names_is_cut_short() -> None:
    names = [f"n{number}" for number in range(0, 400, 2)]
    assert len(shown(names, 60).partition(" ")[0]) <= 60
    assert shown(names, 30) == "n[0,2,4,6,8,10,12,14,16,18,20] and 189 more"
    assert shown(["a" * 50, "b"], 30) == f"{'a' * 50} and 1 more"
    assert shown(names, 10_000) == ",".join(folded(names))


# Against one another.


OLD = HOST._replace(driver="535.161.08", cuda="12.2")


def test_nodes_are_told_apart_by_what_most_have() -> None:
    found = against(
        None,
        nodes(1, 20),
        nodes(21, 26, OLD, torch="2.6.0+cu126", torchvision="0.21.0+cu126"),
        nodes(27, 28, numpy=None),
        nodes(29, 30, nvitop="1.3"),
        [node("n31", HOST._replace(gpus=(H100,) * 7), torch="2.5.1", numpy=Installed("numpy", "1.26.4", "commit " + "a" * 40))],
    )  # fmt: skip
    assert told(found) == [
        (
            "n[21-26] with driver 535.161.08: build torch 2.6.0+cu126 (most nodes have 2.6.0+cu124), "
            "build torchvision 0.21.0+cu126 (most nodes have 0.21.0+cu124)"
        ),
        "n[27-28]: missing numpy is missing (most nodes have 1.26.4)",
        "n[29-30]: extra nvitop 1.3 (most nodes do not have it)",
        (
            "n31: source numpy 1.26.4 (commit aaaaaaaaaaaa) (most nodes have 1.26.4), "
            "version torch 2.5.1 (most nodes have 2.6.0+cu124)"
        ),
    ]
    assert (found.alike, len(found.nodes), found.packages) == (20, 31, 4)
    assert [[one.found for one in group.differences] for group in found.notes] == [
        ["CUDA 12.2", "driver 535.161.08"],
        ["7 x NVIDIA H100 80GB HBM3"],
    ]
    assert {one.severity for one in found.drift if one.kind == "host"} == {"note"}


def test_equal_nodes_are_equal_whatever_installs_them() -> None:
    tools = [node("n03", pip="25.0", wheel="0.45", numpy=Installed("numpy", "1.26.4", files=FILES, installer="pip"))]
    found = against(None, nodes(1, 2), tools)
    assert (found.groups, found.notes, found.drift, found.alike) == ((), (), (), 3)


def test_without_a_majority_each_value_is_named() -> None:
    found = against(None, nodes(1, 2), nodes(3, 4, torch="2.7.0"))
    assert told(found) == ["n[01-02]: version torch 2.6.0+cu124", "n[03-04]: version torch 2.7.0"]
    found = against(None, [node(f"n{number}", torch=f"2.{number}") for number in range(9)])
    assert told(found) == ["n[0-8]: version torch in 9 states, none of them on most nodes"]


def test_a_node_is_in_each_group_that_it_belongs_to() -> None:
    found = against(None, nodes(1, 9), nodes(10, 12, torch="2.5.0"), nodes(13, 13, torch="2.5.0", numpy="1.0"))
    assert told(found) == [
        "n[10-13]: version torch 2.5.0 (most nodes have 2.6.0+cu124)",
        "n13: version numpy 1.0 (most nodes have 1.26.4)",
    ]
    assert found.partition == ((("n10", "n11", "n12"), (0,)), (("n13",), (0, 1)))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([HOST._replace(platform="linux-aarch64", cpu="Grace", driver="580.1", cuda="13.0")] * 3, "with linux-aarch64"),
        ([HOST._replace(driver=f"535.{number}") for number in range(3)], "with driver 535.x"),
        ([HOST._replace(gpus=(Gpu("NVIDIA A100", "8.0"),) * count) for count in (4, 8, 8)], "with NVIDIA A100"),
        ([HOST._replace(gpus=(), driver="", cuda="")] * 3, "with no NVIDIA driver"),
        ([HOST._replace(libc="glibc 2.17", glibc="2.17")] * 3, "with glibc 2.17"),
        ([HOST._replace(cpu_features=("avx",))] * 3, "with CPU without avx2"),
        ([HOST._replace(container=True)] * 3, "in a container"),
        ([HOST._replace(driver=one) for one in ("535.1", "525.1", "470.1")], "without driver 550.54.15"),
        ([HOST] * 3, ""),
    ],
)  # fmt: skip
def test_what_nodes_have_in_common_is_said_where_it_is_exact(given: list[Machine], words: str) -> None:
    odd = [node(f"n{number}", host, torch="1.0") for number, host in enumerate(given, 20)]
    [group] = against(None, nodes(1, 9), odd).groups
    assert (group.fact.after_nodes if group.fact else "") == words
    # One node that has the same, and does not differ, makes it wrong; for one node it says nothing.
    [group] = against(None, nodes(1, 9), odd[:2], [node("n30", given[2])]).groups
    assert group.fact is None or words == "with NVIDIA A100" or "535" in words or words.startswith("without")
    [group] = against(None, nodes(1, 9), odd[:1]).groups
    assert group.fact is None


def test_names_and_tools_in_common_come_last() -> None:
    odd = [node(f"gpu-b-{number}", torch="1.0") for number in range(3)]
    [group] = against(None, [node(f"gpu-a-{number}") for number in range(9)], odd).groups
    assert group.fact is not None
    assert group.fact.after_nodes == "named gpu-b-*"
    [group] = against(None, nodes(1, 9), nodes(10, 12, torch="1.0", pip="19.0")).groups
    assert group.fact is not None
    assert group.fact.after_nodes == "with pip 19.0"


def other(name: str, **fields: Any) -> Installed:
    return Installed(name, SAME[name], files="sha256:" + "1" * 64)._replace(**fields)


def test_another_build_of_the_same_version_is_a_warning() -> None:
    found = against(None, nodes(1, 9), nodes(10, 11, numpy=other("numpy")))
    assert told(found) == [
        "n[10-11]: files numpy 1.26.4 in another build (most nodes of the same kind have other files in the same version)"
    ]
    assert {one.severity for one in found.drift} == {"warning"}
    # Other wheels fit other machines, and a snapshot may not know.
    musl = HOST._replace(libc="musl 1.2.4", glibc="")
    for some in (nodes(10, 11, musl, numpy=other("numpy")), nodes(10, 11, numpy=other("numpy", files=""))):
        assert against(None, nodes(1, 9), some).groups == ()
    # What every node has built for itself is no drift.
    own = [node(f"n{number}", numpy=other("numpy", files=f"sha256:{number:064}")) for number in range(9)]
    found = against(None, own)
    assert found.groups == ()
    assert [one.message for one in found.drift] == ["numpy 1.26.4 in 9 builds on 9 nodes (n[0-8])"]


def test_conda_packages_are_compared_and_told_once() -> None:
    mkl = [Conda("mkl", "2024.0", "h1"), Conda("numpy", "1.26.4", "py_0"), Conda("pip", "24.0")]
    new = [Conda("mkl", "2024.0", "h2"), Conda("numpy", "2.0.1", "py_0"), Conda("pip", "25.0")]
    found = against(None, nodes(1, 9, conda=mkl), nodes(10, 11, conda=new, numpy="2.0.1"))
    assert told(found) == [
        ("n[10-11]: build conda's mkl 2024.0 h2 (most nodes have 2024.0 h1), "
        "version numpy 2.0.1 (most nodes have 1.26.4)")
    ]  # fmt: skip


# Against a lock.


def test_the_lock_goes_before_what_most_nodes_have() -> None:
    found = against(
        lock_of(),
        nodes(1, 3),
        nodes(4, 20, torch="2.6.0+cu126", numpy=None, nvitop="1.3", pip="24"),
        [node("n21", numpy=Installed("numpy", "1.26.4", "commit " + "b" * 40, installer="pip"))],
    )
    assert told(found) == [
        (
            "n[04-20] with pip 24: missing numpy is missing (the lock has 1.26.4), extra nvitop 1.3 (the lock does not have it), "
            "build torch 2.6.0+cu126 (the lock has 2.6.0+cu124)"
        ),
        "n21: source numpy 1.26.4 (commit bbbbbbbbbbbb) (the lock has numpy-1.26.4-py3-none-any.whl)",
    ]
    assert found.alike == 3
    [drift] = [one for one in found.drift if one.package == "torch"]
    assert (
        drift.message
        == "torch 2.6.0+cu126 on 17 nodes (n[04-20], exactly the nodes with pip 24); the lock has 2.6.0+cu124"
    )
    assert (drift.check, drift.expected, drift.file, drift.line) == ("fleet", "2.6.0+cu124", "pylock.toml", 7)


def test_conda_packages_against_the_lock() -> None:
    """What a conda package carries is its distribution as well, and not too much."""
    digest = f'hashes = {{ sha256 = "{"ab" * 32}" }}'
    table = f'[[tool.mlpin.conda]]\nchannel = "c"\nsubdir = "noarch"\n{digest}\nurl = "https://c.example/noarch/'
    locked = [("mkl", "2024.0", ""), ("pytorch", "2.5", 'provides = ["extra"]')]
    more = "\n".join(
        f'{table}{name}-{version}-h1.conda"\nname = "{name}"\nversion = "{version}"\nbuild = "h1"\n{rest}'
        for name, version, rest in locked
    )
    good = [Conda("mkl", "2024.0", "h1"), Conda("pytorch", "2.5", "h1")]
    other = [Conda("mkl", "2024.0", "h2"), Conda("pytorch", "2.5", "h1")]
    there = Installed("extra", "2.5", installer="conda")
    found = against(
        lock_of(more), nodes(1, 9, conda=good, extra=there), nodes(10, 11, conda=other, extra=there), nodes(12, 12)
    )
    assert told(found) == [
        "n[10-11]: build conda's mkl 2024.0 h2 (the lock has 2024.0 h1)",
        "n12: missing no conda packages (the lock has some)",
    ]


def test_what_mlpin_needs_is_not_too_much() -> None:
    """Where it is installed beside what is locked, and where it is not."""
    needed = Installed("pyyaml", "6.0", tool=True)
    for lock in (lock_of(), None):
        for another, unlocked in ((node("n4"), False), (node("n4", pyyaml="5.0"), lock is not None)):
            found = against(lock, nodes(1, 3, mlpin="0.1", pyyaml=needed), [another])
            assert [one.package for one in found.drift] == ["pyyaml"] * unlocked
    assert told(against(lock_of(pyyaml="6.1"), nodes(1, 3, mlpin="0.1", pyyaml=needed))) == [
        "n[01-03]: version pyyaml 6.0 (the lock has 6.1)"
    ]


def test_the_project_itself_is_not_too_much() -> None:
    mine = Installed("mine", "0.1", "editable")
    assert against(lock_of(), nodes(1, 3, mine=mine)).groups == ()
    assert against(lock_of(), nodes(1, 3, mine="0.1"), own=["mine"]).groups == ()
    assert against(lock_of(), nodes(1, 3, mine=Installed("mine", "0.1", system=True))).groups == ()
    found = against(lock_of(), nodes(1, 3, mine=mine), nodes(4, 4))
    assert told(found) == ["n04: missing mine is missing (most nodes have 0.1 (editable))"]
    assert [one.severity for one in found.drift] == ["warning"]


@pytest.mark.parametrize(
    ("more", "host", "python", "said"),
    [
        ("", HOST, "3.12.1", "python Python 3.12 (the lock is for Python 3.11)"),
        ("", HOST._replace(platform="linux-aarch64"), "3.11.9", "platform platform linux-aarch64 (the lock needs linux-x86_64)"),
        ('floor = {glibc = "2.28"}', HOST._replace(glibc="2.17", libc="glibc 2.17"), "3.11", "glibc glibc 2.17 (the lock needs glibc 2.28)"),
        ('floor = {glibc = "2.28"}', HOST._replace(glibc="", libc="musl 1.2"), "3.11", "glibc musl 1.2 (the lock needs glibc 2.28)"),
        ('target.accelerator = "cuda"', HOST._replace(gpus=(), driver="", cuda=""), "3.11", "driver no driver (the lock needs one)"),
    ],
)  # fmt: skip
def test_what_the_lock_needs_of_a_node_is_an_error(more: str, host: Machine, python: str, said: str) -> None:
    lock = lock_of(f"[tool.mlpin]\n{more}" if more.startswith("floor") else more.removeprefix("target."))
    found = against(lock, nodes(1, 5), nodes(6, 7, host, python=python))
    assert told(found) == [f"n[06-07]: {said}"]
    assert [one.severity for one in found.drift if one.kind == said.split(maxsplit=1)[0]] == ["error"]


def test_an_old_driver_and_a_gpu_without_code_are_told_once_for_all_nodes() -> None:
    lock = lock_of('accelerator = "cuda"')
    ancient = [HOST._replace(driver=one, cuda="11.4") for one in ("470.57.02", "460.32.03")]
    [group] = against(lock, nodes(1, 5), nodes(6, 7, ancient[0]), nodes(8, 9, ancient[1])).groups
    assert ",".join(folded(group.nodes)) == "n[06-09]"
    assert {one.kind for one in group.differences} == {"driver"}
    assert group.differences[0].found == "driver 460.32.03, 470.57.02"
    [group] = against(lock, nodes(1, 5), nodes(6, 7, HOST._replace(gpus=(Gpu("Tesla K80", "3.7"),)))).groups
    assert {one.found for one in group.differences} == {"GPU Tesla K80 (sm_37)"}
    assert "torch has code for sm_" in group.differences[0].wanted


def test_nodes_without_an_environment() -> None:
    bare = [Snapshot(f"b{number}", HOST, None) for number in range(2)]
    assert told(against(None, nodes(1, 5), bare)) == [
        "b[0-1] named b*: environment no environment (other nodes have one)"
    ]  # fmt: skip
    assert told(against(lock_of(), bare)) == ["b[0-1]: environment no environment (there is a lock)"]
    assert against(None, bare).groups == ()


# Files.


def put(folder: Path, one: Snapshot | str, name: str = "") -> None:
    path = folder / (name or f"{one.name if isinstance(one, Snapshot) else 'x'}.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(one if isinstance(one, str) else as_json(one), encoding="utf-8")


def test_a_directory_is_read_once_and_what_is_no_snapshot_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for one in nodes(1, 30):
        put(tmp_path, one, f"rack{int(one.name[1:]) % 3}/{one.name}.json")
    put(tmp_path, "{", "torn.json")
    put(tmp_path, '{"schema": "mlpin-snapshot/9"}', "rack1/new.json")
    for name, text in ((".hidden.json", "{"), ("notes.txt", "{"), ("rack1/deep/n.json", "{")):
        put(tmp_path, text, name)
    (tmp_path / "folder.json").mkdir()
    os.symlink("loop.json", tmp_path / "loop.json")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.json")
    opened: list[Path] = []
    real = snapshot.read
    monkeypatch.setattr(snapshot, "read", lambda path, shown: (opened.append(path), real(path, shown))[1])
    found = gather(tmp_path, "snaps")
    assert len(opened) == len(set(opened)) == 32
    assert len(found.snapshots) == 30
    assert sorted(error.where or "" for error in found.unreadable) == [
        *("snaps/folder.json", "snaps/loop.json", "snaps/pipe.json", "snaps/rack1/new.json", "snaps/torn.json:1"),
    ]
    result = compare(None, None, found.snapshots, RULES, found.unreadable)
    assert (result.alike, {one.kind for one in result.drift}) == (30, {"unreadable"})
    assert all(one.severity == "error" and one.file.startswith("snaps/") for one in result.drift)
    assert ("snaps/torn.json", 1) in {(one.file, one.line) for one in result.drift}
    # Most packages are the same on most nodes: they are one object, and a thousand nodes fit into little.
    assert len({id(one) for node in found.snapshots if node.environment for one in node.environment.packages}) == 3


def test_a_directory_that_cannot_be_compared(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no snapshots"):
        gather(tmp_path, "snaps")
    with pytest.raises(InputError, match="snaps: cannot be read: No such file"):
        gather(tmp_path / "gone", "snaps")
    put(tmp_path, node("n1"))
    with pytest.raises(InputError, match="Not a directory"):
        gather(tmp_path / "n1.json", "n1.json")


def test_two_snapshots_of_one_name_do_not_stop_the_others(tmp_path: Path) -> None:
    put(tmp_path, node("n1"))
    put(tmp_path, node("n1", torch="1.0"), "rack/old.json")
    put(tmp_path, node("n2"))
    found = gather(tmp_path, "snaps")
    assert [one.file for one in found.snapshots] == ["snaps/n1.json", "snaps/n2.json"]
    [drift] = compare(None, None, found.snapshots, RULES, found.unreadable).drift
    assert (drift.kind, drift.severity, drift.file) == ("unreadable", "error", "snaps/rack/old.json")
    assert drift.message == "the snapshot cannot be compared: it has the same name as snaps/n1.json, `n1`"


# Reports.


def test_the_report_in_each_form() -> None:
    many = {f"package_{number}": "2" for number in range(12)}
    found = against(
        lock_of(**dict.fromkeys(many, "1")),
        nodes(1, 20, **dict.fromkeys(many, "1")),
        nodes(21, 22, OLD, **many),
        nodes(23, 23, **dict.fromkeys(many, "1"), numpy=other("numpy")),
    )._replace(unreadable=(InputError("is not valid JSON: <b>", where="snaps/x.json:1", hint="look"),))
    text = report.text(found)
    assert text.startswith("20 of 23 nodes are as pylock.toml has it, 3 differ\n\nnot compared: snaps/x.json:1: is not")
    assert "\n2 nodes (n[21-22]), exactly the nodes with driver 535.161.08:\n  package-0 2 (the lock has 1)\n" in text
    assert "  and 4 more\n\n1 node (n23):\n  warning: numpy 1.26.4 in another build (most" in text
    assert text.endswith(
        "no drift by itself:\n  2 nodes (n[21-22]): CUDA 12.2 (most: CUDA 12.4), driver 535.161.08 (most:\n"
        "    driver 550.54.15)\n"
    )
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "package-9 2" in report.text(found, verbose=True)
    markdown = report.markdown(found)
    assert markdown.startswith(
        "### 20 of 23 nodes are as pylock.toml has it, 3 differ\n\n- not compared: `snaps/x.json:1`"
    )
    assert "<b>" not in markdown
    value = json.loads(json.dumps(report.data(found)))
    assert (value["nodes"], value["alike"], value["lock"]) == (23, 20, "pylock.toml")
    assert value["groups"][0]["exactly"] == {"about": "driver", "words": "driver 535.161.08"}
    assert (len(value["groups"][0]["differences"]), value["groups"][0]["folded"]) == (12, "n[21-22]")
    assert value["same_groups"] == [
        {"nodes": "n[21-22]", "count": 2, "groups": [0]},
        {"nodes": "n23", "count": 1, "groups": [1]},
    ]


@pytest.mark.parametrize(
    ("lock", "given", "said"),
    [
        (True, nodes(1, 3), "all 3 nodes are as pylock.toml has it"),
        (True, nodes(1, 1), "the one node is as pylock.toml has it"),
        (True, nodes(1, 1, torch="1"), "the one node is not as pylock.toml has it"),
        (True, nodes(1, 2, torch="1"), "none of 2 nodes is as pylock.toml has it"),
        (True, nodes(1, 2) + nodes(3, 3, torch="1"), "2 of 3 nodes are as pylock.toml has it, 1 differs"),
        (False, nodes(1, 2), "all 2 nodes are alike"),
        (False, nodes(1, 1), "1 node, and nothing to compare it with"),
        (False, nodes(1, 1) + nodes(2, 2, torch="1"), "none of 2 nodes is as most of them are"),
        (False, [], "no node could be compared"),
    ],
)
def test_the_first_line(lock: bool, given: list[Snapshot], said: str) -> None:
    assert report.headline(against(lock_of() if lock else None, given)) == said


def test_the_order_of_the_snapshots_changes_nothing() -> None:
    every = [*nodes(1, 9), *nodes(10, 12, OLD, torch="1.0"), *nodes(13, 14, numpy=None), *nodes(15, 16, torch="1.1")]
    first = compare(None, None, every, RULES)
    for seed in range(5):
        random.Random(seed).shuffle(every)
        assert compare(None, None, every, RULES) == first
