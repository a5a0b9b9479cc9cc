"""`mlpin explain` as a user runs it: against a real index on loopback, in a real directory."""

from __future__ import annotations

import json
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import pytest

from mlpin.explain.repairs import Repairs
from tests.index.server import IndexServer
from tests.projects import Project, Ran
from tests.wheels import sdist, wheel

Serve = Callable[..., IndexServer]
SCHEMA = Path(__file__).parents[1] / "src" / "mlpin" / "report" / "explain.schema.json"
PAIR = (
    wheel("torch", "2.4.0"),
    wheel("torch", "2.5.0"),
    wheel("vision", "0.19.0", ["torch==2.4.0"]),
    wheel("vision", "0.20.0", ["torch==2.5.0"]),
    wheel("other", "1.0"),
)
LINES = "# what we need\ntorch == 2.4.0  # the old one\nvision==0.20.0\nother\n"


@pytest.fixture
def pair(serve: Serve) -> IndexServer:
    return serve(*PAIR)


@pytest.fixture
def ours(project: Project) -> Project:
    project.write("requirements.txt", LINES)
    return project


def explain(project: Project, index: IndexServer, *arguments: str) -> Ran:
    return project.run(
        "explain",
        *arguments,
        "--index-url",
        index.url,
        "--python",
        "3.11",
        "--platform",
        "linux-x86_64",
        "--retries",
        "0",
    )


def found(project: Project, index: IndexServer, *arguments: str) -> dict:  # type: ignore[type-arg]
    ran = explain(project, index, *arguments, "--format", "json")
    value = json.loads(ran.out)
    jsonschema.validate(value, json.loads(SCHEMA.read_text()))
    return dict(value)


def edits(value: dict) -> list[list[tuple[str, str]]]:  # type: ignore[type-arg]
    return [[(edit["old"], edit["new"]) for edit in repair["edits"]] for repair in value["repairs"]]


# -- the clash


def test_the_lines_that_clash_why_and_what_works(ours: Project, pair: IndexServer) -> None:
    ran = explain(ours, pair)
    assert ran.code == 1
    assert "requirements.txt:2 torch == 2.4.0" in ran.words
    assert "requirements.txt:3 vision==0.20.0" in ran.words
    assert "vision 0.20.0 needs torch==2.5.0" in ran.words
    assert "torch == 2.4.0 -> torch == 2.5.0 torch 2.5.0, vision 0.20.0; 3 packages in all" in ran.words
    assert "vision==0.20.0 -> vision==0.19.0" in ran.words
    assert "Minimal" in ran.words
    assert "other" not in ran.words
    assert all(len(line) <= 80 for line in ran.out.splitlines())
    assert len(ran.out.splitlines()) <= 24
    assert not list(ours.root.glob("pylock*"))


def test_lock_says_the_same(ours: Project, pair: IndexServer) -> None:
    said = explain(ours, pair).out
    ran = ours.lock("--python", "3.11", "--platform", "linux-x86_64", index=pair)
    assert ran.code == 1
    assert said in ran.err
    assert ran.err.endswith("No lock was changed.\n")


def test_data_has_what_the_text_says(ours: Project, pair: IndexServer) -> None:
    value = found(ours, pair)
    premises = [(one["kind"], one["file"], one["line"]) for one in value["clash"] if one["role"] == "premise"]
    assert premises == [("requirement", "requirements.txt", 2), ("requirement", "requirements.txt", 3)]
    assert (value["outcome"], value["minimal"], value["finished"]) == ("conflict", True, True)
    assert value["repairs"][0]["pins"] == {"other": "1.0", "torch": "2.4.0", "vision": "0.19.0"}


def test_a_project_that_can_be_solved(project: Project, pair: IndexServer) -> None:
    project.requires("vision")
    ran = explain(project, pair)
    assert ran.code == 0
    assert "No conflict" in ran.words
    assert found(project, pair)["outcome"] == "solvable"
    assert not (project.root / "pylock.toml").exists()


def test_lines_of_no_project(project: Project, pair: IndexServer) -> None:
    ran = explain(project, pair, "vision==0.20.0", "torch==2.4.0")
    assert ran.code == 1
    assert "command line vision==0.20.0" in ran.words
    assert "torch==2.4.0 -> torch==2.5.0" in ran.words
    assert explain(project, pair, "vision==0.20.0", "torch").code == 0
    assert explain(project, pair, "vision==0.20.0", "torch==2.4.0", "--apply", "1").code == 2
    assert explain(project, pair, "vision=0.20.0").code == 2


def test_a_name_that_is_nowhere(project: Project, pair: IndexServer) -> None:
    project.requires("torhc")
    ran = explain(project, pair)
    assert ran.code == 1
    assert f"torhc is on none of the indexes ({pair.url}); is the name right?" in ran.words


def test_a_yanked_release(project: Project, serve: Serve) -> None:
    project.requires("a>=2")
    ran = explain(project, serve(wheel("a", "1.0"), wheel("a", "2.0", yanked="it deletes files")))
    assert "a 2.0 was yanked from the index: it deletes files" in ran.words


def test_facts_of_the_target_have_a_place(project: Project, serve: Serve) -> None:
    tags = "cp310-cp310-manylinux_2_28_x86_64"
    index = serve(wheel("a", "1.0", tags=tags), wheel("a", "2.0", tags=tags.replace("310", "311").replace("28", "35")))
    project.write("mlpin.toml", 'dependencies = ["a"]\n[targets.train]\npython = "3.11"\nglibc = "2.28"\n')
    ran = project.run("explain", "--index-url", index.url, "--platform", "linux-x86_64", "--retries", "0")
    assert ran.code == 1
    assert "mlpin.toml:4 glibc 2.28" in ran.words
    assert 'mlpin.toml:4 glibc = "2.28" -> glibc = "2.35"' in ran.words
    assert 'mlpin.toml:3 python = "3.11" -> python = "3.10"' in ran.words
    ran = project.run(
        "explain", "--index-url", index.url, "--platform", "linux-x86_64", "--apply", "1", "--retries", "0"
    )
    assert ran.code == 0, ran.words
    assert project.versions("pylock.train.toml")["a"] in {"1.0", "2.0"}


def test_a_cutoff_moves_just_far_enough(project: Project, serve: Serve) -> None:
    index = serve(
        wheel("a", "1.0", upload_time="2024-01-01T00:00:00Z"), wheel("a", "2.0", upload_time="2024-03-05T00:00:00Z")
    )
    project.requires("a>=2", mlpin='exclude-newer = "2024-02-01"')
    value = found(project, index)
    assert [one["kind"] for one in value["clash"] if one["role"] == "premise"] == ["requirement", "option"]
    assert ('exclude-newer = "2024-02-01"', 'exclude-newer = "2024-03-06"') in [
        pair for one in edits(value) for pair in one
    ]


def test_an_extra_can_be_given_up(project: Project, serve: Serve) -> None:
    app = wheel("app", "1.0", ['x<1; extra == "fast"'], extras=["fast"])
    project.requires("app[fast]", "x>=1")
    value = found(project, serve(app, wheel("x", "0.9"), wheel("x", "1.0")))
    line = 'dependencies = ["app[fast]", "x>=1"]'
    assert [(line, line.replace("[fast]", ""))] in edits(value)


def test_two_edits_where_one_does_not_do(project: Project, serve: Serve) -> None:
    both = [wheel(name, f"{number}.0", [f"core=={number}.0"]) for name in ("a", "b") for number in (1, 2)]
    project.write("requirements.txt", "core==2.0\na==1.0\nb==1.0\n")
    index = serve(*both, wheel("core", "1.0"), wheel("core", "2.0"))
    value = found(project, index)
    assert edits(value)[0] == [("core==2.0", "core==1.0")]
    assert value["more_clashes"]
    index = serve(*both, wheel("core", "2.0"), wheel("core", "2.1"))
    value = found(project, index)
    assert sorted(edits(value)[0]) == [("a==1.0", "a==2.0"), ("b==1.0", "b==2.0")]


def test_all_clashes(project: Project, serve: Serve) -> None:
    both = [wheel(name, f"{number}.0", [f"core=={number}.0"]) for name in ("a", "b") for number in (1, 2)]
    project.write("requirements.txt", "core==2.0\na==1.0\nb==1.0\n")
    index = serve(*both, wheel("core", "1.0"), wheel("core", "2.0"))
    value = found(project, index, "--all")
    clashes = [value, *value["further"]]
    lines = [sorted(one["line"] for one in clash["clash"] if one["role"] == "premise") for clash in clashes]
    assert sorted(lines) == [[1, 2], [1, 3]]
    assert "Clash 2 of 2" in explain(project, index, "--all").words


def test_nothing_that_must_be_built_is_offered_for_what_need_not(project: Project, serve: Serve) -> None:
    project.write("requirements.txt", "a==2.0\nb==1.0\n")
    needs = wheel("a", "2.0", ["b>=2"])
    index = serve(needs, sdist("a", "1.0"), wheel("b", "1.0"), wheel("b", "2.0"))
    assert edits(found(project, index)) == [[("b==1.0", "b==2.0")]]


def test_every_target_must_be_solved_by_a_repair(project: Project, serve: Serve) -> None:
    """b 3 would do for the first target, and is not for the Python of the second one."""
    index = serve(
        wheel("a", "1.0", ["b>=2"]), wheel("b", "1.0"), wheel("b", "2.0", requires_python=">=3.12"), wheel("b", "3.0")
    )
    project.write(
        "mlpin.toml",
        'dependencies = ["a==1.0", "b==1.0"]\n[targets.one]\npython = "3.12"\n[targets.two]\npython = "3.11"\n',
    )
    ran = project.run(
        "explain", "--index-url", index.url, "--platform", "linux-x86_64", "--format", "json", "--retries", "0"
    )
    value = json.loads(ran.out)
    assert [change for one in edits(value) for change in one] == [
        ('dependencies = ["a==1.0", "b==1.0"]', 'dependencies = ["a==1.0", "b==3.0"]')
    ]
    assert value["others"] == {"two": "conflict"}


def test_what_is_said_of_one_target_is_edited_there(project: Project, serve: Serve) -> None:
    """Both targets have too old a glibc; an edit of the first one does not mend the second."""
    index = serve(wheel("a", "1.0", tags="cp311-cp311-manylinux_2_35_x86_64"))
    project.write(
        "mlpin.toml",
        'dependencies = ["a"]\npython = "3.11"\nplatform = "linux-x86_64"\n'
        '[targets.one]\nglibc = "2.28"\n[targets.two]\nglibc = "2.31"\n',
    )
    common = ("--index-url", index.url, "--retries", "0")
    value = json.loads(project.run("explain", *common, "--format", "json").out)
    assert value["others"] == {"two": "conflict"}
    assert value["repairs"] == []
    value = json.loads(project.run("explain", *common, "--target", "two", "--format", "json").out)
    assert edits(value) == [[('glibc = "2.31"', 'glibc = "2.35"')]]
    assert value["repairs"][0]["edits"][0]["line"] == 7


def test_what_releases_declare_goes_before_what_cannot_be_read(project: Project, serve: Serve) -> None:
    """odd must be built to know what it needs, so app cannot be had at all; but app with core 2 could never be."""
    odd = sdist(
        "odd", "1.0", pkg_info="", files={"setup.py": "from setuptools import setup; setup(install_requires=x())"}
    )
    index = serve(wheel("app", "1.0", ["core==1.0", "odd"]), odd, wheel("core", "1.0"), wheel("core", "2.0"))
    project.write("requirements.txt", "app==1.0\ncore==2.0\n")
    value = found(project, index)
    assert [one["text"] for one in value["clash"] if one["role"] == "link"] == ["app 1.0 needs core==1.0"]
    assert value["repairs"] == []
    project.write("requirements.txt", "app==1.0\n")
    assert "odd 1.0 cannot be used" in explain(project, index).words


def test_no_pre_release_is_a_repair(project: Project, serve: Serve) -> None:
    index = serve(wheel("a", "1.0", ["b<2"]), wheel("a", "2.0rc1", ["b"]), wheel("b", "1.0"), wheel("b", "2.0"))
    project.write("requirements.txt", "a==1.0\nb==2.0\n")
    assert edits(found(project, index)) == [[("b==2.0", "b==1.0")]]


# -- applying


def test_apply_keeps_everything_else_of_the_file_and_locks(ours: Project, pair: IndexServer) -> None:
    ran = explain(ours, pair, "--apply", "2")
    assert ran.code == 0, ran.words
    assert (ours.root / "requirements.txt").read_text() == LINES.replace("== 2.4.0", "== 2.5.0")
    assert ours.versions() == {"torch": "2.5.0", "vision": "0.20.0", "other": "1.0"}
    assert "requirements.txt:2 torch == 2.4.0 # the old one -> torch == 2.5.0" in ran.words


def test_apply_of_what_is_not_there(ours: Project, pair: IndexServer) -> None:
    ran = explain(ours, pair, "--apply", "7")
    assert (ran.code, "there are 2 repairs" in ran.words) == (2, True)
    assert (ours.root / "requirements.txt").read_text() == LINES
    ours.write("requirements.txt", "other\n")
    assert explain(ours, pair, "--apply", "1").code == 2


def test_apply_that_cannot_lock_takes_the_edit_back(ours: Project, pair: IndexServer) -> None:
    (ours.root / "pylock.toml").mkdir()
    ran = explain(ours, pair, "--apply", "1")
    assert ran.code == 2
    assert (ours.root / "requirements.txt").read_text() == LINES


def test_a_line_with_hashes_is_not_edited(project: Project, serve: Serve) -> None:
    """Another version has other hashes, and none is left out."""
    files = {file.filename: file for file in PAIR}
    old = files["torch-2.4.0-py3-none-any.whl"]
    project.write("requirements.txt", f"torch==2.4.0 --hash=sha256:{old.sha256}\nvision==0.20.0\n")
    value = found(project, serve(*PAIR))
    assert edits(value) == [[("vision==0.20.0", "vision==0.19.0")]]
    assert "a line with hashes is not edited" in value["notes"][0]


def test_a_constraints_file_of_the_command_line(project: Project, pair: IndexServer) -> None:
    project.write("requirements.txt", "vision\ntorch\n")
    project.write("limits.txt", "vision==0.20.0\ntorch==2.4.0  # here\n")
    assert "with the same options makes the first change" in explain(project, pair, "-c", "limits.txt").words
    assert explain(project, pair, "-c", "limits.txt", "--apply", "1").code == 0
    assert (project.root / "limits.txt").read_text() == "vision==0.19.0\ntorch==2.4.0  # here\n"
    assert project.versions() == {"torch": "2.4.0", "vision": "0.19.0"}


def test_an_option_is_locked_with(project: Project, serve: Serve) -> None:
    project.write("requirements.txt", "a\n")
    index = serve(wheel("a", "1.0", tags="cp310-cp310-manylinux_2_17_x86_64"))
    ran = explain(project, index)
    assert "--python 3.11 -> --python 3.10" in ran.words
    ran = explain(project, index, "--apply", "1")
    assert ran.code == 0, ran.words
    assert "locked with --python 3.10: give it from now on" in ran.words


# -- other forms, and what goes wrong


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)


def test_every_form(ours: Project, pair: IndexServer) -> None:
    markdown = explain(ours, pair, "--format", "markdown")
    assert (markdown.code, "```diff" in markdown.out) == (1, True)
    sarif = json.loads(explain(ours, pair, "--format", "sarif").out)
    assert sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"] == 2
    assert explain(ours, pair, "--format", "html", "-o", "report.html").out == ""
    page = _Page()
    page.feed((ours.root / "report.html").read_text())
    assert "svg" in page.tags
    assert not {"script", "link", "img"} & set(page.tags)


def test_the_same_question_has_the_same_answer(ours: Project, pair: IndexServer) -> None:
    assert len({explain(ours, pair, "--format", "json").out for _ in range(3)}) == 1


def test_interrupted_it_says_the_best_so_far(ours: Project, pair: IndexServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Repairs, "search", interrupt)
    ran = explain(ours, pair)
    assert ran.code == 130
    assert "vision 0.20.0 needs torch==2.5.0" in ran.words
    assert "Interrupted: this is the best so far." in ran.words


def test_without_a_network_the_cache_explains(ours: Project, pair: IndexServer) -> None:
    first = explain(ours, pair)
    pair.forget()
    assert explain(ours, pair, "--offline").out == first.out
    assert pair.asked == []


def test_what_cannot_be_reached_leaves_out_repairs_only(ours: Project, pair: IndexServer) -> None:
    pair.fault("/files/vision-0.19.0-py3-none-any.whl.metadata", 500)
    pair.fault("/files/vision-0.19.0-py3-none-any.whl", 500)
    value = found(ours, pair)
    assert [[new.partition("  #")[0] for _, new in one] for one in edits(value)] == [["torch == 2.5.0"]]


def test_words_that_make_no_sense(ours: Project, pair: IndexServer) -> None:
    wrong = [["a", "b"], ["nothing.txt"], ["no/where"], ["--why-not", "=="], ["--why-not", ""], ["torch", "--all"]]
    for words in [*wrong, ["torch", "--format", "html"], ["torch>=2", "requirements.txt"]]:
        assert explain(ours, pair, *words).code == 2, words


# -- a package of a project that can be solved


def test_why_a_version(project: Project, serve: Serve) -> None:
    index = serve(wheel("a", "1.0", ["b<2"]), wheel("b", "1.0"), wheel("b", "1.5"), wheel("b", "2.0"))
    project.write("requirements.txt", "a\n")
    ran = explain(project, index, "B")
    assert ran.code == 0
    assert ran.words.startswith("b 1.5")
    assert "b<2 by a 1.0 ← requirements.txt:1 a" in ran.words
    assert "2.0: b<2" in ran.words
    assert json.loads(explain(project, index, "b", "--format", "json").out)["version"] == "1.5"
    ran = explain(project, index, "bb")
    assert (ran.code, "near to it: b" in ran.words) == (1, True)


def test_why_not_a_version(project: Project, serve: Serve) -> None:
    index = serve(
        wheel("a", "1.0", ["b<2"]), wheel("a", "0.9", ["b"]), wheel("b", "1.0"), wheel("b", "1.5"), wheel("b", "2.0")
    )
    project.write("requirements.txt", "a\nb\n")
    ran = explain(project, index, "--why-not", "b>=2")
    assert ran.code == 0
    assert "a 1.0 → 0.9" in ran.words
    project.write("requirements.txt", "a==1.0\nb\n")
    ran = explain(project, index, "--why-not", "b>=2")
    assert ran.code == 1
    assert "a 1.0 needs b<2" in ran.words
    assert "a==1.0 -> a==0.9" in ran.words
    assert "b>=2 ->" not in ran.words


def test_a_name_of_a_project_that_cannot_be_solved(ours: Project, pair: IndexServer) -> None:
    ran = explain(ours, pair, "vision")
    assert (ran.code, "vision 0.20.0 needs torch==2.5.0" in ran.words) == (1, True)
