"""`data/refresh.py` against real servers: what the indexes have that the matrix does not know."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.index.server import JSON, IndexServer
from tests.wheels import Built, sdist, wheel

PROGRAM = Path(__file__).parents[2] / "data" / "refresh.py"
ORIGIN = 'source = "s"\nevidence = "reported"\ndate = 2026-11-01\n'
FAMILY = f"""
[[family]]
name = "pytorch"
packages = ["torch", "torchvision"]
base = "https://nowhere.invalid/whl"
{ORIGIN}
[[line]]
label = "cpu"
accelerator = "cpu"
path = "cpu"
family = "pytorch"
{ORIGIN}
[[line]]
label = "cu128"
accelerator = "cuda"
cuda = "12.8"
path = "cu128"
family = "pytorch"
versions = ">=2.7,<2.12"
{ORIGIN}
"""
PAIRS = f"""
[[rule]]
id = "torchvision-torch-old"
package = "torchvision"
with = "torch"
needs = [["==0.17.*", "==2.2.*"], ["==0.18.*", "==2.3.*"]]
severity = "declared"
{ORIGIN}
[[rule]]
id = "torchvision-torch"
package = "torchvision"
with = "torch"
needs = [["==0.19.*", "==2.4.*"], ["==0.20.*", "==2.5.*"]]
severity = "declared"
{ORIGIN}
"""


def load() -> Any:
    spec = importlib.util.spec_from_file_location("refresh", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["refresh"] = module
    sys.path.insert(0, str(PROGRAM.parent))  # as it is where the program is run
    spec.loader.exec_module(module)
    return module


REFRESH = load()


class Index:
    """A default index, and beside it the indexes of lines below `/whl`."""

    def __init__(self, server: IndexServer, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.server = server
        self.root = root
        self._capsys = capsys

    def line(self, path: str, *files: Built) -> None:
        kind, body = IndexServer(files).render("torch", JSON) or ("", b"")
        self.server.fault(f"/whl/{path}/torch/".replace("//", "/"), 200, body=body, content_type=kind)

    def ask(self, text: str, *arguments: str) -> tuple[int, str]:
        file = self.root / "ours.toml"
        file.write_text(text, encoding="utf-8")
        code = REFRESH.main(
            [*arguments, "--index", self.server.url, "--base", f"{self.server.root}/whl", "--retries", "0",
             "--today", "2026-11-21", str(file)]
        )  # fmt: skip
        return code, self._capsys.readouterr().out

    def changes(self, text: str, *arguments: str) -> list[tuple[str, str, list[str]]]:
        code, out = self.ask(text, "--format", "json", *arguments)
        found = json.loads(out)
        assert code == bool(found["changes"])
        assert found["failed"] == []
        return [(item["kind"], item["subject"], item["versions"]) for item in found["changes"]]


@pytest.fixture
def index(
    serve: Callable[..., IndexServer], environ: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Index:
    return Index(serve(), tmp_path, capsys)


def torch(*versions: str) -> list[Built]:
    return [wheel("torch", version, tags="cp312-cp312-manylinux_2_28_x86_64") for version in versions]


# -- build lines


def test_nothing_changed(index: Index) -> None:
    index.line("cpu", *torch("2.7.0+cpu", "2.16.0+cpu", "2.16.0"))
    index.line("cu128", *torch("2.7.0+cu128", "2.11.0+cu128", "2.12.0.dev20260101+cu128", "2.12.0rc1+cu128"))
    index.line("", *torch("2.7.0+cu128", "2.7.0+cpu", "2.7.0"))
    assert index.changes(FAMILY, "lines") == []
    assert index.ask(FAMILY, "lines") == (0, "nothing changed\n")
    code, out = index.ask(FAMILY + needless("fails", ">=2"), "lines", "ages")
    assert (code, out.splitlines()[:3]) == (0, ["nothing changed", "", "the oldest of 1 rules:"])


def test_a_release_that_no_row_of_the_line_knows(index: Index) -> None:
    index.line("cpu", *torch("2.7.0+cpu"))
    index.line("cu128", *torch("2.6.0+cu128", "2.11.0+cu128", "2.12.0+cu128", "2.12.1+cu128", "1.9.0+cu128"))
    assert index.changes(FAMILY, "lines") == [("new-release", "cu128", ["2.6.0", "2.12.0", "2.12.1"])]
    code, out = index.ask(FAMILY, "lines")
    assert code == 1
    assert "new-release   cu128: 2.6.0, 2.12.0, 2.12.1: the row has >=2.7,<2.12" in out


def test_a_label_on_no_line(index: Index) -> None:
    index.line("cpu", *torch("2.7.0+cpu"))
    index.line("cu128", *torch("2.7.0+cu128"))
    index.line(
        "",
        *torch("2.7.0", "2.7.0+cu128", "2.7.0+cu140", "2.8.0+cu140", "1.9.0+cu92", "2.7.0+cpu.cxx11.abi", "2.7.0+odd"),
    )
    assert index.changes(FAMILY, "lines") == [
        ("unknown-label", "cu140", ["2.7.0", "2.8.0"]),
        ("unknown-label", "odd", ["2.7.0"]),
    ]
    assert ("unknown-label", "cu92", ["1.9.0"]) in index.changes(FAMILY, "lines", "--since", "1.9")


def test_a_line_whose_index_is_gone(index: Index) -> None:
    index.line("cpu", *torch("2.7.0+cpu"))
    assert index.changes(FAMILY, "lines") == [("no-index", "cu128", [])]


def test_releases_newer_than_every_default_and_abi_row(index: Index) -> None:
    rows = f"""
[[default]]
package = "torch"
versions = ">=2.5,<2.8"
line = "cu128"
platforms = ["linux-x86_64"]
{ORIGIN}
[[default]]
package = "torch"
line = "cpu"
platforms = ["macos-*"]
{ORIGIN}
[[abi]]
package = "torch"
versions = "<2.9"
cxx11 = true
{ORIGIN}
"""
    index.line("cpu", *torch("2.7.0+cpu"))
    index.line("cu128", *torch("2.7.0+cu128"))
    index.server.add(*torch("2.4.0", "2.7.0", "2.8.0", "2.9.0"))
    assert index.changes(FAMILY + rows, "lines") == [
        ("no-row", "default torch on linux-x86_64", ["2.8.0", "2.9.0"]),
        ("no-row", "abi torch", ["2.9.0"]),
    ]


def test_a_base_for_one_family(index: Index) -> None:
    index.line("cpu", *torch("2.7.0+cpu"))
    other = FAMILY.replace('"pytorch"', '"other"').replace("cu128", "cu127").replace('"12.8"', '"12.7"')
    with pytest.raises(SystemExit):
        REFRESH.main(["what"])
    code, out = index.ask(FAMILY + other, "lines", "--base", f"other={index.server.root}/elsewhere")
    assert code == 1
    assert f"cu127: the index {index.server.root}/elsewhere/cu127" in out
    assert f"cu128: the index {index.server.root}/whl/cu128" in out


# -- pairs


def vision(version: str, *requires: str, **more: Any) -> Built:
    return wheel("torchvision", version, requires, **more)


def test_a_release_beyond_the_last_row(index: Index) -> None:
    index.server.add(vision("0.17.0"), vision("0.20.1"), vision("0.16.0"))
    assert index.changes(FAMILY + PAIRS, "pairs") == []
    index.server.add(vision("0.21.0"), vision("0.22.0", "numpy"), vision("0.23.0rc1"), vision("0.24.0", yanked=""))
    assert index.changes(FAMILY + PAIRS, "pairs", "--no-cache") == [
        ("beyond-table", "torchvision-torch", ["0.21.0", "0.22.0"])
    ]


def test_a_release_that_declares_the_bound_itself_needs_no_row(index: Index) -> None:
    index.server.add(
        vision("0.20.1"), vision("0.21.0", "torch>=2.6"), vision("0.22.0", 'torch==2.7; extra == "t"', "torch")
    )
    assert index.changes(FAMILY + PAIRS, "pairs") == [("beyond-table", "torchvision-torch", ["0.22.0"])]


# -- releases of CUDA


def test_a_cuda_that_no_toolkit_knows(index: Index) -> None:
    rows = "".join(
        f'[[toolkit]]\ncuda = "{cuda}"\nshipped-linux = "550.54.14"\n{ORIGIN}' for cuda in ("12", "12.4", "12.6")
    )
    assert index.changes(rows, "toolkits") == []  # an index without it says nothing
    index.server.add(*(wheel("cuda-toolkit", version) for version in ("11.8.0", "12.4.1", "12.6.3", "12.8.0")))
    assert index.changes(rows, "toolkits", "--no-cache") == [("new-cuda", "cuda-toolkit", ["12.8.0"])]
    assert index.changes(FAMILY, "toolkits") == []


# -- rules that were written before a release


def released(name: str, **days: str) -> list[Built]:
    return [
        wheel(name, version.removeprefix("v").replace("_", "."), upload_time=f"{day}T12:00:00.000000Z")
        for version, day in days.items()
    ]


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        (("fails", ">=2", "<=1.2"), ["1.3", "2.0"]),
        (("fails", ">=2", "==1.2"), ["1.3", "2.0"]),
        (("fails", ">=2", "<1.3"), []),  # whoever names 1.3 knew of it
        (("fails", ">=2", "<=1.1"), []),  # and whoever leaves out the newest does not mean what comes
        (("fails", ">=2", ">=1.1"), []),
        (("fails", ">=2", ""), []),
        (("needs", "<=5.0", ""), ["5.1"]),  # the other side
        (("fails", ">=4,<=5.0", ""), ["5.1"]),
        (("fails", "==5.0", ""), ["5.1"]),
        (("needs", "<5.1", ""), []),
        (("needs", "==5.*", ""), []),
        (("needs", "==5.0", ""), []),  # what is needed exactly
        (("needs", "same", ""), []),
    ],
)
def test_a_rule_about_the_newest_release_of_its_day_and_none_since(
    index: Index, rule: tuple[str, str, str], found: list[str]
) -> None:
    text = needless(*rule[:2], versions=rule[2])
    index.server.add(*released("a", v1_1="2025-01-01", v1_2="2026-10-31", v1_3="2026-11-02", v2_0="2026-11-05"))
    index.server.add(*released("b", v4_0="2025-01-01", v5_0="2026-11-01", v5_1="2026-11-02", v4_1="2026-11-03"))
    assert index.changes(text, "unread") == ([("unread", "a-b", found)] if found else [])
    assert index.changes(text.replace("2026-11-01", "2026-11-20"), "unread") == []


def test_releases_that_are_as_old_as_the_index_says_nothing_of(
    serve: Callable[..., IndexServer], environ: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index = Index(serve(upload_times=False), tmp_path, capsys)
    index.server.add(*released("a", v1_2="2026-10-31", v1_3="2026-11-02"))
    assert index.changes(needless("fails", ">=2", versions="<=1.2"), "unread") == []


def test_a_long_list_of_releases_is_shortened(index: Index) -> None:
    index.server.add(
        *released("a", v1_2="2026-10-31"), *(wheel("a", f"2.{n}", upload_time="2026-11-05") for n in range(9))
    )
    _, out = index.ask(needless("fails", ">=2", versions="<=1.2"), "unread")
    assert " ".join(out.split()) == ("unread a-b: 9 releases, 2.0 … 2.8: a since 2026-11-01, and the rule has <=1.2")
    assert max(map(len, out.splitlines())) <= 80


# -- files and metadata


def made(version: str) -> str:
    return (
        f'[[wheels]]\npackage = "a"\nversion = "{version}"\nurl = "https://x.invalid"\n'
        f'files = ["a-{version}-py3-none-any.whl"]\n{ORIGIN}'
    )


def test_releases_newer_than_every_file_that_is_known(index: Index) -> None:
    text = made("1.0") + made("1.1")
    index.server.add(sdist("a", "1.1"))
    assert index.changes(text, "files") == []
    index.server.add(sdist("a", "1.2"), sdist("a", "1.3rc1"))
    assert index.changes(text, "files", "--no-cache") == [("no-files", "a", ["1.2"])]
    index.server.add(wheel("a", "1.3"))  # from now on the index has them
    assert index.changes(text, "files", "--no-cache") == []
    index.server.add(wheel("a", "1.1"))  # as it always had, some of them
    assert index.changes(text, "files", "--no-cache") == [("no-files", "a", ["1.2", "1.3"])]


def test_metadata_that_is_wanting_or_needless(index: Index) -> None:
    text = f'[[metadata]]\npackage = "a"\nversions = "<=1.1"\nrequires = "b"\n{ORIGIN}'
    index.server.add(sdist("a", "1.0", pkg_info=""), sdist("a", "1.1", pkg_info=""))
    assert index.changes(text, "files") == []
    index.server.add(sdist("a", "1.2", pkg_info=""), sdist("a", "1.3"))
    assert index.changes(text, "files", "--no-cache") == [("no-metadata", "a", ["1.2"])]
    index.server.add(wheel("a", "1.1"), wheel("a", "1.2"))
    assert index.changes(text, "files", "--no-cache") == [("own-metadata", "a", ["1.1"])]


# -- rules that metadata has made needless


def needless(verb: str, wanted: str, *, versions: str = "", other: str = "b") -> str:
    more = f'versions = "{versions}"\n' if versions else ""
    return f'[[rule]]\nid = "a-b"\npackage = "a"\nwith = "{other}"\n{verb} = "{wanted}"\n{more}severity = "declared"\n{ORIGIN}'


@pytest.mark.parametrize(
    ("rule", "declares", "found"),
    [
        (needless("fails", ">=2"), "b<2", True),
        (needless("fails", ">=2"), "b<3", False),
        (needless("fails", ">=2"), "b", False),
        (needless("fails", ">=2"), "c<2", False),
        (needless("fails", ">=2"), 'b<2; extra == "x"', False),
        (needless("fails", ">=2"), 'b<2; sys_platform == "linux"', False),
        (needless("needs", "<2"), "b<2", True),
        (needless("needs", "<2"), "b<1.5", True),
        (needless("needs", "<2"), "b>=1", False),
        (needless("needs", ">=0"), "b<2", False),  # nothing is refused anyway
        (needless("fails", ">=2", versions="<1"), "b<2", False),  # the rule has ended before
        (needless("needs", "same"), "b==1.0", False),
    ],
)
def test_a_rule_that_the_newest_release_states_itself(index: Index, rule: str, declares: str, found: bool) -> None:
    index.server.add(wheel("a", "0.9"), wheel("a", "1.0", [declares]))
    index.server.add(*(wheel("b", version) for version in ("1.0", "1.6", "2.0", "2.1")))
    assert index.changes(rule, "stated") == ([("stated", "a-b", ["1.0"])] if found else [])


def test_a_rule_about_python_that_the_newest_release_states_itself(index: Index) -> None:
    index.server.add(wheel("a", "1.0", requires_python="<3.13"))
    assert index.changes(needless("fails", ">=3.13", other="python"), "stated") == [("stated", "a-b", ["1.0"])]
    assert index.changes(needless("fails", ">=3.12", other="python"), "stated") == []


def test_metadata_that_cannot_be_read_proves_nothing(index: Index) -> None:
    index.server.add(wheel("a", "1.0", metadata="Name: a"), wheel("b", "2.0"))
    assert index.changes(needless("fails", ">=2"), "stated") == []


# -- ages


def dated(name: str, date: str) -> str:
    return needless("fails", ">=2").replace('"a-b"', f'"{name}"').replace("2026-11-01", date)


def test_ages_come_oldest_first(index: Index) -> None:
    text = dated("new", "2026-11-20") + dated("older", "2026-10-22") + dated("oldest", "2020-11-21")
    code, out = index.ask(text, "ages", "--format", "json")
    assert code == 0
    assert [(item["id"], item["days"]) for item in json.loads(out)["ages"]] == [
        ("oldest", 2191),
        ("older", 30),
        ("new", 1),
    ]
    code, out = index.ask(text, "ages")
    assert code == 0
    assert out.splitlines()[0] == "the oldest of 3 rules:"
    assert [line.split()[-1] for line in out.splitlines()[1:]] == ["oldest", "older", "new"]
    assert not index.server.asked


def test_old_ones_count_where_they_are_asked_for(index: Index) -> None:
    text = dated("new", "2026-11-20") + dated("older", "2026-10-22") + dated("oldest", "2020-11-21")
    assert index.changes(text, "ages", "--older-than", "29") == [
        ("old", "oldest", ["2020-11-21"]),
        ("old", "older", ["2026-10-22"]),
    ]
    assert index.changes(text, "ages", "--older-than", "30") == [("old", "oldest", ["2020-11-21"])]
    assert index.changes(text, "ages", "--older-than", "9999") == []


# -- the program


def test_what_a_former_report_has_is_nothing_new(index: Index, tmp_path: Path) -> None:
    index.server.add(vision("0.20.1"), vision("0.21.0"))
    _, out = index.ask(FAMILY + PAIRS, "pairs", "--format", "json")
    former = tmp_path / "last.json"
    former.write_text(out, encoding="utf-8")
    assert index.ask(FAMILY + PAIRS, "pairs", "--known", str(former)) == (0, "nothing changed\n")
    index.server.add(vision("0.22.0"))
    assert index.changes(FAMILY + PAIRS, "pairs", "--known", str(former)) == [
        ("beyond-table", "torchvision-torch", ["0.21.0", "0.22.0"])
    ]


def test_an_index_that_does_not_answer_is_told_and_the_rest_goes_on(index: Index) -> None:
    index.line("cpu", *torch("2.7.0+cpu"))
    index.server.fault("/whl/cu128/torch/", 500)
    index.line("", *torch("2.8.0+cu140"))
    code, out = index.ask(FAMILY, "lines")
    assert code == 3
    assert "unknown-label cu140" in out
    assert "no answer: torch at" in out
    assert "/whl/cu128" in out
    assert "nothing changed" not in out


def test_what_is_not_answered_for_one_reason_is_told_once(index: Index) -> None:
    index.server.fault("/whl/cpu/torch/", 500)
    index.server.fault("/whl/cu128/torch/", 500)
    code, out = index.ask(FAMILY, "lines")
    assert code == 3
    assert out.startswith("no answer: torch at ")
    assert ", and 1 more: " in out
    assert len(json.loads(index.ask(FAMILY, "lines", "--format", "json")[1])["failed"]) == 2


def test_no_password_is_shown(index: Index) -> None:
    base = index.server.root.replace("//", "//user:secret@")
    index.server.fault("/whl/cu128/torch/", 500)
    for form in ("text", "json"):
        code, out = index.ask(FAMILY, "lines", "--base", f"pytorch={base}/whl", "--format", form)
        assert code == 3
        assert "no-index" in out
        assert "/whl/cpu" in out
        assert "secret" not in out


def test_one_package_alone(index: Index) -> None:
    index.line("cpu", *torch("2.7.0+cpu"))
    index.line("cu128", *torch("2.7.0+cu128", "2.12.0+cu128"))
    index.server.add(vision("0.20.1"), vision("0.21.0"), sdist("a", "1.2"))
    text = FAMILY + PAIRS + made("1.0")
    everything = index.changes(text)
    assert [kind for kind, *_ in everything] == ["new-release", "beyond-table", "no-files"]
    assert index.changes(text, "--package", "A") == everything[2:]
    assert index.changes(text, "-p", "torchvision-torch") == everything[1:2]
    assert index.changes(text, "-p", "TorchVision") == everything[:2]
    assert index.changes(text, "-p", "a", "-p", "torch") == everything
    assert [line.split()[-1] for line in index.ask(text, "ages", "-p", "torchvision-torch")[1].splitlines()[1:]] == [
        "torchvision-torch"
    ]


def test_other_indexes_of_the_machine_are_not_asked(
    index: Index, serve: Callable[..., IndexServer], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """They come first for pip's users, and may hold one old release of what the index has a hundred of."""
    index.server.add(vision("0.20.1"), vision("0.21.0"))
    monkeypatch.setenv("PIP_INDEX_URL", index.server.url)
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", serve(vision("0.20.1")).url)
    file = index.root / "ours.toml"
    file.write_text(FAMILY + PAIRS, encoding="utf-8")
    assert REFRESH.main(["pairs", "--retries", "0", str(file)]) == 1
    assert "torchvision-torch: 0.21.0" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("ages", "-p", "qqq"), "error: the matrix knows nothing of `qqq`"),
        (("ages", "--known", "none.json"), "error: none.json: cannot be read: No such file or directory"),
        (("ages", "--known", "ours.toml"), "error: ours.toml: is no report of this program (--format json)"),
        (("nosuch",), "nosuch is neither a rule file nor one of lines, toolkits, pairs"),
        (("ages", "--since", "x"), "argument --since: `x` is no version"),
        (("ages", "--today", "x"), "argument --today: `x` is no day like 2026-11-21"),
        (("ages", "none.toml"), "note: none.toml: cannot be read: No such file or directory"),
    ],
)
def test_asked_for_wrongly(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ours.toml").write_text(dated("a", "2026-11-01"), encoding="utf-8")
    try:
        code = REFRESH.main([*arguments, "ours.toml"])
    except SystemExit as done:
        code = done.code
    printed = capsys.readouterr()
    assert (code, printed.out) == (2, "")
    assert words in " ".join(printed.err.split())


def test_rule_files_with_mistakes_are_refused(index: Index, capsys: pytest.CaptureFixture[str]) -> None:
    assert index.ask("[[rule]]\n", "ages") == (2, "")


def test_the_help_is_of_the_terminal_s_width_and_has_every_kind(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as done:
        REFRESH.main(["--help"])
    text = capsys.readouterr().out
    assert done.value.code == 0
    assert max(map(len, text.splitlines())) <= 80
    assert all(f"\n{name} " in text for name in (*REFRESH.WHAT, *REFRESH.KINDS))


def test_the_same_index_gives_the_same_report(index: Index) -> None:
    index.line("cpu", *torch("2.7.0+cpu"))
    index.line("cu128", *torch("2.7.0+cu128", "2.12.0+cu128"))
    index.server.add(vision("0.20.1"), vision("0.21.0"), *torch("2.7.0"))
    assert len({index.ask(FAMILY + PAIRS) for _ in range(3)}) == 1


def test_as_a_program_on_what_ships(environ: dict[str, str]) -> None:
    ran = subprocess.run(
        [sys.executable, PROGRAM, "ages", "--format", "json"], capture_output=True, text=True, check=False, env=environ
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert len(json.loads(ran.stdout)["ages"]) > 100
