"""What differs between two locks and what it means: each from the smallest pair of locks that has it."""

from __future__ import annotations

from typing import Any

import pytest

from mlpin.lock.difference import Detail, Difference, remaining
from mlpin.lock.meaning import Download
from mlpin.report.diffed import changes
from tests.lock.locks import FLOOR, TARGET, conda, differing, package, text

A = package("a")
TORCH = package("torch", "2.6.0+cu124")
OTHER = "cd" * 32
SIMPLE, MIRROR = "https://index.example/simple", "https://mirror.example/simple"
CU124, CU126 = "https://index.example/whl/cu124", "https://index.example/whl/cu126"
COMMITS = ("1" * 40, "2" * 40)


def vcs(commit: str, url: str = "https://user:secret@code.example/a.git") -> dict[str, Any]:
    return package("a", "1.0", version=None, index=None, vcs={"type": "git", "url": url, "commit-id": commit})


def wheels(*names: str) -> list[dict[str, Any]]:
    return [
        {"name": f"a-1.0-{name}.whl", "url": "https://files.example/a", "hashes": {"sha256": name}} for name in names
    ]


@pytest.mark.parametrize("by", ["mlpin", "uv"])
def test_the_same_lock_differs_in_nothing(by: str) -> None:
    one = text(A, TORCH, vcs(COMMITS[0]), by=by, environments=["sys_platform == 'linux'"])
    assert differing(one, one) == Difference()
    assert not differing(one, one).any


@pytest.mark.parametrize(
    ("old", "new", "kind", "details"),
    [
        (None, A, "added", ()),
        (A, None, "removed", ()),
        (A, package("a", "1.1"), "up", ()),
        (package("a", "1.10"), package("a", "1.9"), "down", ()),
        (package("a", "1!1.0"), package("a", "2.0"), "down", ()),
        (package("a", "one"), package("a", "two"), "changed", ()),
        (package("a", "2.6+cu124"), package("a", "2.6.0+cu126"), "build", ()),
        (package("a", "2.6.0"), package("a", "2.6.0+cu126"), "build", ()),
        (A, package("a", index=CU124), "source", (Detail("index", "https://index.example/simple", CU124),)),
        (vcs(COMMITS[0]), vcs(COMMITS[1]), "source", (Detail("commit", "1" * 12, "2" * 12),)),
        (
            vcs(COMMITS[0]),
            vcs(COMMITS[0], "https://x:hidden@other.example/a.git"),
            "source",
            (Detail("source", f"https://code.example/a.git at {'1' * 12}", f"https://other.example/a.git at {'1' * 12}"),),
        ),
        (
            package("a", directory={"path": "a"}),
            package("a", directory={"path": "b", "editable": True}),
            "source",
            (Detail("source", "a", "b, editable"),),
        ),
        (
            A,
            package("a", directory={"path": "a"}),
            "source",
            (Detail("source", "https://index.example/simple", "a"),),
        ),
        (
            package("a", index=None, archive={"url": "https://u:p@files.example/a.zip?token=t", "hashes": {}}),
            package("a", index=None, archive={"path": "a.zip", "hashes": {}}),
            "source",
            (Detail("source", "https://files.example/a.zip?token=****", "a.zip"),),
        ),
        (A, package("a", marker="os_name == 'nt'"), "marker", (Detail("marker", "", "os_name == 'nt'"),)),
        (
            package("a", wheels=wheels("x", "y")),
            package("a", wheels=wheels("y", "z")),
            "files",
            (Detail("file", "a-1.0-x.whl", ""), Detail("file", "", "a-1.0-z.whl")),
        ),
    ],
)  # fmt: skip
def test_a_package(
    old: dict[str, Any] | None, new: dict[str, Any] | None, kind: str, details: tuple[Detail, ...]
) -> None:
    found = differing(text(*filter(None, [old]), by="uv"), text(*filter(None, [new]), by="uv"))
    (change,) = found.changes
    assert (change.kind, change.name, change.marker, change.details) == (kind, "a", "", details)
    assert not found.alarms


@pytest.mark.parametrize(
    "new",
    [
        package("a", index=None),
        package("a", index="https://user:secret@index.example/simple/"),
        package("A", "1.0", file="a-1.0-py3-none-any.whl"),
        package("a", sha256=("ab" * 32).upper()),
        package("a", size=5),
        package("a", index="https://index.example/simple", dependencies=[{"name": "b"}]),
    ],
)
def test_what_is_no_difference(new: dict[str, Any]) -> None:
    """What one lock does not state, how the same is written, and edges, which follow from the packages."""
    found = differing(text(A, by="uv"), text(new, by="uv"))
    assert (found.changes, found.alarms) == ((), ())


def test_several_packages_of_a_name_are_told_apart_by_their_markers() -> None:
    linux, windows = "sys_platform == 'linux'", "sys_platform == 'win32'"
    old = text(package("a", "1.0", marker=linux), package("a", "2.0", marker=windows), by="uv")
    new = text(package("a", "2.0", marker=windows), package("a", "1.1", marker=linux), by="uv")
    assert [(one.kind, one.old, one.new, one.marker) for one in differing(old, new).changes] == [
        ("up", "1.0", "1.1", linux)
    ]
    gone = differing(old, text(package("a", "2.0", marker=windows), by="uv"))
    assert [(one.kind, one.old, one.marker) for one in gone.changes] == [("removed", "1.0", linux)]


@pytest.mark.parametrize("line", ["", "cu124"])
def test_other_bytes_under_an_old_name_are_an_alarm(line: str) -> None:
    found = differing(text(package("a", line=line)), text(package("a", line=line, sha256=OTHER)))
    (alarm,) = found.alarms
    assert alarm[:6] == ("a", "1.0", "a-1.0-py3-none-any.whl", "sha256", "ab" * 32, OTHER)
    assert alarm.indexes is None
    assert [(one.kind, one.details) for one in found.changes] == [("files", (Detail("file", alarm.file, alarm.file),))]


def test_a_hash_of_another_algorithm_is_no_alarm() -> None:
    def hashed(**hashes: str) -> str:
        return text(package("a", wheels=[{**wheels("x")[0], "hashes": hashes}]))

    assert differing(hashed(sha256="1"), hashed(sha512="2")).alarms == ()
    assert [one.algorithm for one in differing(hashed(sha256="1", md5="1"), hashed(sha256="1", md5="2")).alarms] == [
        "md5"
    ]


def test_a_file_is_one_alarm_by_its_best_hash() -> None:
    def hashed(value: str) -> str:
        hashes = {"md5": value, "sha256": value, "sha512": value}
        return text(package("a", wheels=[{**wheels("x")[0], "hashes": hashes}]))

    assert [one.algorithm for one in differing(hashed("1"), hashed("2")).alarms] == ["sha256"]


@pytest.mark.parametrize(
    ("name", "old", "new", "lines", "alarms"),
    [
        ("a", SIMPLE, MIRROR, ("", ""), 1),
        ("a", SIMPLE, MIRROR, ("cu124", "cu124"), 1),
        ("a", SIMPLE, MIRROR, ("cu124", "cu126"), 0),
        ("a", CU124, CU126, ("", ""), 0),
        ("a", CU124, f"{MIRROR}/cu126/?token=t", ("", ""), 0),
        ("a", CU124, f"{MIRROR}/cu124", ("", ""), 1),
        ("a", SIMPLE, CU126, ("", ""), 1),
        ("triton", SIMPLE, CU126, ("", ""), 0),
        ("triton", SIMPLE, MIRROR, ("", ""), 1),
    ],
)
def test_another_index_is_named_and_another_line_explains_it(
    name: str, old: str, new: str, lines: tuple[str, str], alarms: int
) -> None:
    """PyTorch's indexes per CUDA carry the same file name with other bytes; what the rest does explains nothing."""
    found = differing(
        text(TORCH, package(name, line=lines[0], index=old)),
        text(package("torch", "2.6.0+cu126"), package(name, line=lines[1], index=new, sha256=OTHER)),
    )
    assert [one.package for one in found.alarms] == [name] * alarms
    assert all(one.indexes and one.indexes[0] == old for one in found.alarms)
    (change,) = (one for one in found.changes if one.name == name)
    assert Detail("file", f"{name}-1.0-py3-none-any.whl", f"{name}-1.0-py3-none-any.whl") in change.details


def test_another_line_explains_nothing_on_the_same_index() -> None:
    old = text(TORCH, package("nvidia-x", index=CU124))
    new = text(package("torch", "2.6.0+cu126"), package("nvidia-x", index=CU124, sha256=OTHER))
    assert len(differing(old, new).alarms) == 1


def test_a_package_index_and_a_line_of_the_same_lock() -> None:
    """Nothing says that the build changed."""
    old, new = package("triton"), package("triton", index=CU124, sha256=OTHER)
    assert len(differing(text(TORCH, old), text(TORCH, new)).alarms) == 1


@pytest.mark.parametrize("file", ["a-1.0-py3-none-any.whl", "a-1.0.zip"])
def test_a_file_that_was_asked_for_at_its_place(file: str) -> None:
    def direct(place: str, sha256: str = "1") -> dict[str, Any]:
        url = f"https://ci.example/{place}/{file}"
        return package("a", index=None, archive={"url": url, "hashes": {"sha256": sha256}})

    for old, new, detail in (
        (direct("1"), direct("2", "2"), (f"https://ci.example/1/{file}", f"https://ci.example/2/{file}")),
        (package("a"), direct("1", "ab" * 32), (SIMPLE, f"https://ci.example/1/{file}")),
        (package("a", index=None), direct("1"), ("an index", f"https://ci.example/1/{file}")),
    ):
        found = differing(text(old, by="uv"), text(new, by="uv"))
        assert [(one.kind, one.details) for one in found.changes] == [("source", (Detail("source", *detail),))]
        assert not found.alarms
    assert len(differing(text(direct("1")), text(direct("1", "2"))).alarms) == 1


@pytest.mark.parametrize(
    ("old", "new", "details"),
    [
        ({"sha256": "ab"}, {"sha256": "AB"}, ()),
        ({"sha256": "ab", "md5": "1"}, {"md5": "1"}, (Detail("hash", "sha256", "md5"),)),
        ({"sha256": "ab", "sha512": "1"}, {}, (Detail("hash", "sha256, sha512", ""),)),
        ({"sha256": "ab", "sha512": "1"}, {"sha512": "1"}, ()),
        ({"sha256": "ab"}, {"sha512": "1"}, (Detail("hash", "sha256", "sha512"),)),
        ({"md5": "1"}, {"sha256": "ab"}, ()),
        ({"md5": "1"}, {}, ()),
    ],
)
@pytest.mark.parametrize("size", [None, 5])
def test_hashes_that_are_written_otherwise_or_lost(
    old: dict[str, str], new: dict[str, str], details: tuple[Detail, ...], size: int | None
) -> None:
    def hashed(hashes: dict[str, str]) -> str:
        one = {**wheels("py3-none-any")[0], "hashes": hashes, **({"size": size} if size else {})}
        return text(package("a", wheels=[one]), package("b", size=7))

    found = differing(hashed(old), hashed(new))
    assert tuple(one for change in found.changes for one in change.details) == details
    assert not found.alarms
    assert found.any == bool(details)


def test_what_remains_where_versions_were_told() -> None:
    old = text(TORCH, A, package("gone"), package("b", index=CU124), package("c"))
    new = text(package("torch", "2.7.0+cu124"), package("a", index=CU124), package("b", "2", index=CU126), package("c"))
    left = remaining(differing(old, new), {"torch", "gone", "b"})
    assert [(one.kind, one.name, one.old, one.new, one.details) for one in left] == [
        ("source", "b", "2", "2", (Detail("index", CU124, CU126),)),
        ("source", "a", "1.0", "1.0", (Detail("index", SIMPLE, CU124),)),
    ]


def test_one_archive_of_a_branch() -> None:
    """The same name of another version, or from elsewhere, is no surprise; of the same it is."""

    def archive(version: str, sha256: str, host: str = "code.example") -> str:
        table = {"url": f"https://{host}/main.zip", "hashes": {"sha256": sha256}}
        return text(package("a", version, index=None, archive=table))

    assert differing(archive("1", "1"), archive("1", "2", "other.example")).alarms == ()

    assert differing(archive("1", "1"), archive("2", "2")).alarms == ()
    assert len(differing(archive("1", "1"), archive("1", "2")).alarms) == 1


def stated(**more: Any) -> str:
    return text(A, target=TARGET | more)


@pytest.mark.parametrize(
    ("old", "new", "kind", "before", "after"),
    [
        (text(TORCH), text(package("torch", "2.6.0+cu126")), "cuda", "cu124", "cu126"),
        (text(package("torch", line="cu124")), text(package("torch", line="cpu")), "cuda", "cu124", "cpu"),
        (text(package("x", "1.0+cu124")), text(package("x", "1.0+cu126")), "cuda", "cu124", "cu126"),
        (text(package("torch", "2.5.1")), text(package("torch", "2.6.0+cpu")), "cuda", "cu124", "cpu"),
        (
            text(package("nvidia-cudnn-cu12", "9.1.0.70")),
            text(package("nvidia-cudnn-cu13", "9.20.0.48")),
            "cudnn",
            "9.1.0.70",
            "9.20.0.48",
        ),
        (text(A), text(A, package("nvidia-cudnn-cu12", "9.1.0.70")), "cudnn", "", "9.1.0.70"),
        (text(A), text(A, floor=FLOOR | {"driver": "580.65.06"}), "driver", "525.60.13", "580.65.06"),
        (text(A), text(A, floor={"gpus": FLOOR["gpus"], "glibc": "2.28"}), "driver", "525.60.13", ""),
        (text(A), text(A, floor=FLOOR | {"glibc": "2.34"}), "glibc", "2.28", "2.34"),
        (text(A), text(A, requires_python=">=3.11"), "requires-python", "", ">=3.11"),
        (stated(), stated(python="3.12"), "python", "3.11", "3.12"),
        (stated(), stated(platform="linux-aarch64"), "platform", "linux-x86_64", "linux-aarch64"),
        (stated(), stated(glibc="2.34"), "target-glibc", "2.28", "2.34"),
        (stated(), stated(accelerator="cuda"), "accelerator", "", "cuda"),
        (stated(driver="550.54"), stated(driver="580.65"), "target-driver", "550.54", "580.65"),
        (stated(gpus=["A100"]), stated(gpus=["A100", "H100"]), "target-gpus", "A100", "A100 and H100"),
        (stated(cuda="==12.*"), stated(cuda="==13.*"), "target-cuda", "==12.*", "==13.*"),
        (
            text(*(package("torch", f"2.6.0+{line}", marker=line) for line in ("cu126", "cpu", "cu118"))),
            text(TORCH),
            "cuda",
            "cpu and cu118 and cu126",
            "cu124",
        ),
        (
            text(*(package(f"nvidia-cudnn-cu1{major}", f"9.{major}") for major in "321")),
            text(*(package(f"nvidia-cudnn-cu1{major}", "9.1") for major in "321")),
            "cudnn",
            "9.1 and 9.2 and 9.3",
            "9.1",
        ),
        (
            text(A, by="uv", environments=["os_name == 'nt'"]),
            text(A, by="uv", environments=["os_name == 'posix'"]),
            "environments",
            "os_name == 'nt'",
            "os_name == 'posix'",
        ),
    ],
)  # fmt: skip
def test_what_it_means(old: str, new: str, kind: str, before: str, after: str) -> None:
    forth, back = differing(old, new), differing(new, old)
    assert [(one.kind, one.old, one.new) for one in forth.meanings] == [(kind, before, after)]
    assert [(one.kind, one.old, one.new) for one in back.meanings] == [(kind, after, before)]


def test_what_only_one_lock_knows_is_not_told() -> None:
    """uv's locks have no floor and no target of hardware."""
    mine = text(A, target=TARGET | {"accelerator": "cuda", "driver": "550.54"}, environments=["os_name == 'posix'"])
    theirs = text(A, by="uv", environments=["os_name == 'posix'"])
    assert not differing(mine, theirs).any
    assert not differing(text(package("torch", "2.6.0+odd")), text(package("torch", "2.6.0+cu124"))).meanings


def test_gpus_that_are_gained_and_lost() -> None:
    old = text(A, floor=FLOOR | {"gpus": "sm_70 sm_75 sm_80 sm_90"})
    new = text(A, floor=FLOOR | {"gpus": "sm_75 sm_80 sm_90 sm_100"})
    (found,) = differing(old, new).meanings
    assert found.kind == "gpus"
    assert [one.partition(" ")[0] for one in found.gained] == ["sm_100", "sm_103"]
    assert "sm_70 (Volta: V100, GV100)" in found.lost
    assert [one.partition(" ")[0] for one in found.lost] == ["sm_70", "sm_72"]
    (less,) = differing(old, text(A, floor=FLOOR | {"gpus": "sm_75 sm_80 sm_90"})).meanings
    assert (less.gained, less.lost) == ((), found.lost)
    more = text(A, floor=FLOOR | {"gpus": "sm_70 sm_75 sm_80 sm_86 sm_90"})
    assert not differing(old, more).any, "sm_80 runs on 8.6 already"


def test_the_download() -> None:
    """Of the file that the target takes; what does not hold there, and what is not fetched, does not count."""
    both = [
        {**wheels("py3-none-any")[0], "size": 1},
        {**wheels("cp311-cp311-manylinux_2_28_x86_64")[0], "size": 100},
    ]
    here = package("here", directory={"path": "here"})
    windows = package("w", size=5000, marker="sys_platform == 'win32'")
    old = text(package("a", wheels=both), here, windows)
    new = text(package("a", wheels=both), package("b", size=50), windows)
    assert differing(old, new).download == Download(100, 150, 50, (0, 0), (1, 2))
    assert (
        differing(text(windows), text(package("w", "2.0", size=1, marker="sys_platform == 'win32'"))).download is None
    )


@pytest.mark.parametrize(
    ("old", "new", "download"),
    [
        # the difference is known where nothing of unknown size changes
        ([A, package("b", size=3)], [A, package("b", "2", size=5)], Download(None, None, 2, (1, 1), (2, 2))),
        ([package("b")], [package("b", "2", size=5)], Download(None, 5, None, (1, 0), (1, 1))),
        ([A, package("b", size=3)], [package("b", "2", size=5)], Download(None, 5, None, (1, 0), (2, 1))),
        ([vcs(COMMITS[0])], [vcs(COMMITS[1])], Download(None, None, None, (1, 1), (1, 1))),
        ([package("b", size=5)], [package("b", "2", size=5)], None),
    ],
)
def test_a_size_that_is_not_known(old: list[Any], new: list[Any], download: Download | None) -> None:
    assert differing(text(*old), text(*new)).download == download


def test_without_a_target_nobody_knows_which_of_several_files_is_taken() -> None:
    def several(version: str) -> str:
        return text(package("a", version, wheels=[{**one, "size": 5} for one in wheels("x", "y")]), by="uv")

    found = differing(several("1.0"), several("2.0")).download
    assert found == Download(None, None, None, (1, 1), (1, 1))


@pytest.mark.parametrize(
    "odd",
    [
        package("a", file="x.whl", size=1),
        package("a", file="", size=1),
        package("a", marker="no marker at all ("),
        package("a", marker="'cpu' in extras"),
        package("a", "\x00\x1b[31m"),
        package("a", "1" * 5000),
        package("torch", f"2.0+torch{'2' * 5000}.1"),
        package("a", wheels=[]),
    ],
)
def test_odd_input(odd: dict[str, Any]) -> None:
    """Nothing to crash on, in either place."""
    assert differing(text(odd), text(A)).any
    assert differing(text(A), text(odd)).any
    assert not differing(text(odd), text(odd)).any
    for gpus in ("all of them", f"sm_{'9' * 5000}"):
        floor = {"glibc": 3, "driver": [], "gpus": gpus}
        assert differing(text(odd, floor=floor, target={"python": "4", "platform": "vms"}), text(odd)).any


def test_the_order_in_the_file_does_not_matter() -> None:
    names = [package(name, "1.0") for name in "abcde"]
    later = [package(name, "2.0", sha256=OTHER) for name in "bcdef"]
    assert differing(text(*names), text(*later)) == differing(text(*reversed(names)), text(*reversed(later)))


OLD_BYTES = {"sha256": "cd" * 32}


@pytest.mark.parametrize(
    ("old", "new", "kind", "details"),
    [
        (None, conda("a"), "added", ()),
        (conda("a"), None, "removed", ()),
        (conda("a", "1.9"), conda("a", "1.10"), "up", ()),
        (conda("a", "1.0"), conda("a", "1.0rc1"), "down", ()),
        (conda("a", "1.0"), conda("a", "1.0.0"), "changed", ()),
        (conda("a", "1.0", "h1_0"), conda("a", "1.0", "h1_1"), "build", (Detail("build", "h1_0", "h1_1"),)),
        (conda("a"), conda("a", channel="main"), "source", (Detail("channel", "conda-forge", "main"),)),
        (conda("a"), conda("a", "2.0", channel="main"), "up", (Detail("channel", "conda-forge", "main"),)),
        (conda("a"), conda("a", hashes=OLD_BYTES), "files", (Detail("file", "a-1.0-h0_0.conda", "a-1.0-h0_0.conda"),)),
        (conda("a"), conda("a", hashes={"md5": "cd" * 16}), None, ()),
        (conda("a"), conda("a", url="https://mirror.example/c/linux-64/a-1.0-h0_0.conda"), None, ()),
        (conda("a"), conda("a", url="https://x.example/a-1.0-h0_0.tar.bz2", hashes=OLD_BYTES), None, ()),
    ],
)
def test_conda_packages(old: Any, new: Any, kind: str | None, details: tuple[Detail, ...]) -> None:
    before, after = (text(A, own={"conda": [one] if one else []}) for one in (old, new))
    found = differing(before, after)
    assert [(one.kind, one.name, one.conda, one.details) for one in found.changes] == [
        (kind, "a", True, details)
    ] * bool(kind)
    assert len(found.alarms) == (kind == "files")
    assert [line for line in changes(found.changes) if "a (conda) " not in line] == []
    assert remaining(found, {"a"}) == found.changes


def test_what_conda_packages_mean() -> None:
    """What they need of the machine, and how much is fetched."""
    old = conda("a", depends=["__cuda >=12", "__glibc >=2.9"], size=5)
    new = conda("a", "1.1", depends=["__glibc >=2.17,<3.0.a0", "x"], size=9)
    found = differing(text(own={"conda": [old]}), text(own={"conda": [new]}))
    assert [(one.kind, one.old, one.new) for one in found.meanings] == [
        ("conda-cuda", "12", ""),
        ("conda-glibc", "2.9", "2.17"),
    ]
    assert found.download is not None
    assert found.download.delta == 4
    assert differing(text(own={"conda": [old]}), text()).meanings == ()


def test_a_package_that_moves_to_the_other_world() -> None:
    found = differing(text(own={"conda": [conda("a")]}), text(A))
    assert list(changes(found.changes)) == ["+ a 1.0", "- a (conda) 1.0"]
