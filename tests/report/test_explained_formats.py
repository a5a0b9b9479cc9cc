"""An explanation as JSON, Markdown, SARIF and HTML: each is valid, says everything, and no text in it is markup."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from itertools import combinations
from pathlib import Path

import jsonschema
import pytest

from mlpin.explain.model import Clash, Edit, Explanation, Link, Move, Premise, Repair
from mlpin.report import explained_data, explained_graph, explained_html, explained_markdown, explained_sarif
from mlpin.report import explained_words as words
from mlpin.report.words import visible
from mlpin.target import Hardware, Target, parse_platform
from tests.report.sarif_schema import SARIF

LINUX = parse_platform("linux-x86_64", "2.28")
PLAIN = Target("", "3.11", LINUX)
CLUSTER = Target("train", "3.11", LINUX, Hardware("cuda", "470.82", (("A100", "8.0"), ("RTX 4090", "8.9"))))
ISSUE = "https://github.com/pytorch/pytorch/issues/12345?a=1&b=2"
TOOLKIT = "https://docs.nvidia.com/cuda/cuda-toolkit-release-notes/index.html"

TWO_LINES = Explanation(
    PLAIN,
    "conflict",
    [
        Clash(
            [
                Premise("requirement", "pandas==1.5.3", "pandas", "requirements.txt:3", "requirements.txt", 3),
                Premise("constraint", "numpy>=2.1", "numpy", "constraints/base.txt:12", "constraints/base.txt", 12),
            ],
            [
                Link(
                    "metadata",
                    "pandas 1.5.3 needs numpy >=1.21.0,<2, and no other release of it is asked for",
                    "pandas",
                    ("numpy",),
                    "declared",
                )
            ],
            minimal=True,
        )
    ],
    [
        Repair(
            [Edit("pandas==1.5.3", "pandas>=2.2.2", "requirements.txt:3", "requirements.txt", 3)],
            {"pandas": "2.3.3", "numpy": "2.3.5", "six": "1.17.0", "pytz": "2026.2", "tzdata": "2026.2"},
            ("pandas", "numpy"),
            (Move("pandas", "1.5.3", "2.3.3"),),
        ),
        Repair(
            [Edit("numpy>=2.1", "", "constraints/base.txt:12", "constraints/base.txt", 12)],
            {"pandas": "1.5.3", "numpy": "1.26.4"},
            ("numpy", "pandas"),
            (Move("numpy", ">=2.1", ""),),
            ("pandas 1.5.3 has no wheel for this Python: it must be built from its source archive",),
        ),
    ],
    tried=9,
    others={"cpu": "solved", "mac": "conflict"},
)

DRIVER = Explanation(
    CLUSTER,
    "conflict",
    [
        Clash(
            [
                Premise("requirement", "torch==2.6.0", "torch", "pyproject.toml:12", "pyproject.toml", 12),
                Premise("requirement", '"vllm>=0.8",  # serving', "vllm", "pyproject.toml:14", "pyproject.toml", 14),
                Premise("target", "driver 470.82", "driver", "--driver"),
                Premise(
                    "rule",
                    "wheels that are built with CUDA 12 need driver 525.60.13 or newer on Linux",
                    "cuda-12-driver-linux",
                    source=(TOOLKIT, "table 3 of the release notes, read 2026-11-02"),
                    evidence="documented",
                ),
            ],
            [
                Link("metadata", "vllm 0.8.0 and newer need torch ==2.6.0", "vllm", ("torch",), "declared"),
                Link(
                    "offered",
                    "torch 2.6.0 is offered for CUDA 11.8, 12.4 and 12.6; vllm's wheels are built with 12.4",
                    "torch",
                    ("nvidia-cuda-runtime-cu12",),
                    "index",
                ),
                Link(
                    "rule",
                    "CUDA 12.4 needs driver 525.60.13 or newer",
                    "nvidia-cuda-runtime-cu12",
                    ("driver",),
                    "documented",
                    "cuda-12-driver-linux",
                    "CUDA error: the provided PTX was compiled with an unsupported toolchain",
                    (TOOLKIT, ISSUE),
                ),
            ],
            minimal=True,
        ),
        Clash(
            [
                Premise("requirement", "flash-attn==2.7.4", "flash-attn", "pyproject.toml:15", "pyproject.toml", 15),
                Premise(
                    "requires-python", 'requires-python = ">=3.13"', "python", "pyproject.toml:5", "pyproject.toml", 5
                ),
            ],
            [
                Link(
                    "offered",
                    "flash-attn 2.7.4 has wheels for Python 3.9 to 3.12 only",
                    "flash-attn",
                    ("python",),
                    "index",
                )
            ],
            minimal=False,
        ),
    ],
    [
        Repair(
            [Edit("driver 470.82", "driver 525.60.13", "--driver")],
            {"torch": "2.6.0+cu124", "vllm": "0.8.5"},
            ("torch", "vllm", "driver"),
            (Move("driver", "470.82", "525.60.13"),),
            ("the combination was not tested by anybody that the matrix knows",),
        ),
        Repair(
            [
                Edit("torch==2.6.0", "torch==2.6.0+cu118", "pyproject.toml:12", "pyproject.toml", 12),
                Edit('"vllm>=0.8",  # serving', "", "pyproject.toml:14", "pyproject.toml", 14),
                Edit("", '"numpy<2.3",', "pyproject.toml", "pyproject.toml"),
            ],
            {"torch": "2.6.0+cu118", "numpy": "2.2.6"} | {f"package-{number}": "1.0" for number in range(40)},
            ("torch", "numpy"),
            (Move("vllm", "0.8.5", ""), Move("numpy", "", "2.2.6")),
        ),
    ],
    more=True,
    finished=False,
    tried=48,
    notes=("the index has no metadata for 2 releases of vllm",),
)

GAVE_UP = Explanation(
    Target("mac", "3.12.4", parse_platform("macos-14-arm64")),
    "gave-up",
    [
        Clash(
            [
                Premise(
                    "requirement", "apache-airflow[all]", "apache-airflow", "requirements.in:1", "requirements.in", 1
                )
            ],
            [],
            minimal=False,
        )
    ],
    finished=False,
    tried=200,
)

UNKNOWN = Explanation(
    PLAIN,
    "conflict",
    [
        Clash(
            [Premise("requirement", "torchvison==0.20", "torchvison", "command line")],
            [Link("unknown", "no index has a package of the name torchvison", "torchvison", (), "index")],
            minimal=True,
        )
    ],
    tried=1,
)

EVIL = "<script>alert(1)</script>\x1b[31m\u202e`` ` ](javascript:alert(1)) @octocat #1 {0} | & \"'> www.evil.example http://evil.example"
HOSTILE = Explanation(
    Target("train", "3.11", LINUX, Hardware(gpus=((EVIL, "8.0"),))),
    "conflict",
    [
        Clash(
            [
                Premise("requirement", EVIL, EVIL, EVIL, f"a b/{EVIL}", 7),
                Premise("requirement", "x" * 400 + "==1", "x" * 400, "r.txt:1", "r.txt", 1),
                Premise("rule", EVIL, "evil-rule", source=("javascript:alert(1)", EVIL), evidence="reported"),
                Premise("option", "包" * 60, "exclude-newer", "--exclude-newer\n## heading"),
            ],
            [
                Link("metadata", EVIL, EVIL, ("x" * 400, EVIL), "declared"),
                Link(
                    "rule",
                    "- " + EVIL,
                    "x" * 400,
                    (EVIL,),
                    "reported",
                    "evil-rule",
                    EVIL,
                    ("JaVaScRiPt:alert(1)", "https://ok.example/?q=<b>&c=)`x`"),
                ),
            ],
            minimal=True,
        )
    ],
    [Repair([Edit(EVIL, "```\n# heading\n" + EVIL, EVIL)], {EVIL: EVIL}, (EVIL,), (Move(EVIL, EVIL, EVIL),), (EVIL,))],
    others={EVIL: EVIL},
    notes=(EVIL,),
    tried=3,
)

SOLVABLE = Explanation(Target("cpu", "3.11", LINUX), "solvable")


def many(premises: int, links: int) -> Explanation:
    """A clash of this size: a chain with side entries and a circle in it."""
    names = [f"package-{number}" for number in range(links)]
    return Explanation(
        PLAIN,
        "conflict",
        [
            Clash(
                [
                    Premise(
                        "requirement",
                        f"package-{number * 2}>=1.{number},<2",
                        f"package-{number * 2}",
                        f"requirements/extra.txt:{number}",
                        "requirements/extra.txt",
                        number + 1,
                    )
                    if number % 4 != 3
                    else Premise("target", f"glibc 2.{number}", f"fact-{number}", "detected")
                    for number in range(premises)
                ],
                [
                    Link(
                        "metadata",
                        f"package-{number} 1.{number} needs package-{number + 1} >=2.{number}",
                        name,
                        (names[number + 1] if number + 1 < links else "package-0",)
                        if number % 5
                        else (f"fact-{number}", names[(number + 1) % links]),
                        "declared",
                    )
                    for number, name in enumerate(names)
                ],
                minimal=True,
            )
        ],
    )


SAMPLES: dict[str, list[Explanation]] = {
    "two-lines": [TWO_LINES],
    "driver": [DRIVER],
    "gave-up": [GAVE_UP],
    "unknown": [UNKNOWN],
    "several": [DRIVER, GAVE_UP, SOLVABLE],
    "hostile": [HOSTILE],
    "no-clash": [Explanation(PLAIN, "conflict")],
    "solvable": [SOLVABLE],
    "nothing": [],
    "large": [many(10, 20)],
}
FORMATS: dict[str, Callable[[Sequence[Explanation]], str]] = {
    "json": explained_data.explained,
    "markdown": explained_markdown.explained,
    "sarif": explained_sarif.explained,
    "html": explained_html.explained,
}
SCHEMA = json.loads((Path(explained_data.__file__).parent / "explain.schema.json").read_text("utf-8"))


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("form", FORMATS)
def test_the_same_bytes_twice(form: str, sample: str) -> None:
    text = FORMATS[form](SAMPLES[sample])
    assert text == FORMATS[form](SAMPLES[sample])
    assert text.endswith("\n")
    assert text.encode()


@pytest.mark.parametrize("sample", SAMPLES)
def test_json_follows_its_schema(sample: str) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(
        json.loads(explained_data.explained(SAMPLES[sample])), SCHEMA, cls=jsonschema.Draft202012Validator
    )


def test_the_schema_names_every_field() -> None:
    definitions = SCHEMA["$defs"]
    for sample in SAMPLES.values():
        value = json.loads(explained_data.explained(sample))
        assert set(value) <= set(SCHEMA["properties"]) | set(definitions["explanation"]["properties"])
        for one in value["targets"]:
            assert set(one) == set(definitions["explanation"]["required"])


def test_json_says_it_all() -> None:
    value = json.loads(explained_data.explained([DRIVER, GAVE_UP]))
    assert (value["schema"], value["outcome"], value["status"]) == ("mlpin-explain/1", "conflict", "conflict")
    assert value["target"]["name"] == "train"
    assert value["target"]["hardware"]["gpus"] == [{"name": "A100", "runs": "8.0"}, {"name": "RTX 4090", "runs": "8.9"}]
    assert [(item["role"], item["kind"]) for item in value["clash"]] == [
        ("premise", "requirement"),
        ("premise", "requirement"),
        ("premise", "target"),
        ("premise", "rule"),
        ("link", "metadata"),
        ("link", "offered"),
        ("link", "rule"),
    ]
    assert value["clash"][0] == {
        "role": "premise",
        "kind": "requirement",
        "text": "torch==2.6.0",
        "file": "pyproject.toml",
        "line": 12,
        "place": "pyproject.toml:12",
        "about": "torch",
        "ends": [],
        "evidence": None,
    }
    assert value["clash"][2]["file"] is None
    assert value["clash"][-1]["evidence"]["rule"] == "cuda-12-driver-linux"
    assert value["clash"][-1]["evidence"]["source"] == [TOOLKIT, ISSUE]
    assert value["clash"][-1]["ends"] == ["driver"]
    assert [further["minimal"] for further in value["further"]] == [False]
    assert value["more_clashes"] is True
    assert value["repairs"][1]["edits"][1]["new"] is None
    assert value["repairs"][1]["edits"][2]["old"] is None
    assert value["repairs"][1]["cost"][0] == {"name": "vllm", "old": "0.8.5", "new": None}
    assert list(value["repairs"][1]["pins"]) == sorted(value["repairs"][1]["pins"])
    assert [one["status"] for one in value["targets"]] == ["gave-up"]


def test_the_outcome_is_the_worst() -> None:
    assert words.outcome([SOLVABLE, GAVE_UP, TWO_LINES]) == "conflict"
    assert words.outcome([SOLVABLE, GAVE_UP]) == "gave-up"
    assert words.outcome([SOLVABLE]) == words.outcome([]) == "solvable"


def test_headings_say_what_clashes() -> None:
    assert words.heading(DRIVER) == "Conflict for train: 2 lines, 1 target fact and 1 rule cannot hold together"
    assert words.heading(UNKNOWN) == "Conflict: nothing satisfies this line"
    assert words.heading(GAVE_UP) == "Gave up for mac: neither a solution nor a proof that there is none"
    assert words.heading(SOLVABLE) == "No conflict for cpu: the requirements can be solved"
    assert words.title([DRIVER, GAVE_UP, SOLVABLE]) == "No solution found for train and mac"


def test_how_sure_it_is() -> None:
    assert words.sureness(TWO_LINES) == (
        "Minimal: without any one of these the rest can be solved. It rests on what the releases declare."
    )
    assert words.sureness(DRIVER).endswith(
        "It rests on what the releases declare, on what the index offers and on a documented rule (cuda-12-driver-linux)."
    )
    assert words.certainty(DRIVER.clashes[1], DRIVER).startswith("Not shown to be minimal: less may clash as well")
    assert words.sureness(UNKNOWN).startswith("Minimal: without it the rest can be solved.")
    for one, said in ((TWO_LINES, "without any one of these the others go together"), (UNKNOWN, "it is impossible")):
        assert words.sureness(one._replace(more=True)).startswith(f"Minimal: {said}")
    assert words.sureness(GAVE_UP).startswith("Not proven")
    assert words.sureness(SOLVABLE) == ""
    assert "on reported rules (a, b)" in words.certainty(
        Clash([], [Link("rule", "x", "x", (), "reported", name) for name in "abb"], minimal=False), DRIVER
    )


def test_what_cannot_be_seen_is_spelled_out() -> None:
    assert visible("a\x1b[31m\u202eb\tc\nd\u2028\ud800") == "a\\x1b[31m\\u202eb c d\\u2028\\ud800"


def test_markdown_shows_lines_reasons_and_repairs() -> None:
    text = explained_markdown.explained([DRIVER])
    assert "- `pyproject.toml:12`: `torch==2.6.0`" in text
    assert '- `pyproject.toml:14`: `"vllm>=0.8",  # serving`' in text
    assert f"[docs.nvidia.com/cuda/cuda-toolkit-release-notes/index.html](<{TOOLKIT}>)" in text
    assert "```diff\n@@ --driver @@\n- driver 470.82\n+ driver 525.60.13\n```" in text
    assert "<details><summary>All 42 versions</summary>\n\n```\nnumpy==2.2.6\n" in text
    assert "There is at least one more clash." in text


def test_a_comment_is_never_too_long_for_github() -> None:
    pins = {f"package-{number}": "1.0" for number in range(2000)}
    one = DRIVER._replace(repairs=[DRIVER.repairs[0]._replace(pins=pins)] * 3)
    text = explained_markdown.explained([one])
    assert len(text) <= explained_markdown.LIMIT
    assert "<details>" not in text
    assert "+ driver 525.60.13" in text


@pytest.mark.parametrize(
    "text",
    [
        EVIL,
        "- x",
        "1. x",
        "+ x",
        "# x",
        "> x",
        "a_b_c *d* ~~e~~",
        "[a](b)",
        "![a](b)",
        "`a`",
        "a | b",
        "\\`",
        "GH-1 org/repo#2",
        "$x$",
        "===",
    ],
)
def test_prose_in_markdown_is_words_only(text: str) -> None:
    found = explained_markdown.prose(text)
    assert not re.search(r"[<>]", found)
    assert not re.search(r"(?<!\\)(?:\\\\)*[`*_\[\]~|!$]", found)
    assert not re.search(r"@\w|(?<!&)#\w|://|www\.|(?i:gh-)", found)
    assert not re.match(r"[-+=]|\d+[.)]", found)


@pytest.mark.parametrize("text", ["", "`", "a`b", "``", "a ``` b", " x ", EVIL])
def test_code_in_markdown_ends_where_it_should(text: str) -> None:
    found = explained_markdown.code(text)
    fence = re.match("`+", found)
    assert fence is not None
    assert found.endswith(fence[0])
    inside = found[len(fence[0]) : -len(fence[0])]
    assert inside
    assert all(len(run) != len(fence[0]) for run in re.findall("`+", inside))
    assert not inside.startswith("`")
    assert not inside.endswith("`")


def test_fences_in_markdown_hold_what_is_in_them() -> None:
    text = explained_markdown.explained([HOSTILE])
    open_fence = ""
    for line in text.splitlines():
        run = re.match(r"`{3,}", line)
        if not open_fence and run and "`" not in line[len(run[0]) :]:
            open_fence = run[0]
        elif open_fence and line == open_fence:
            open_fence = ""
        elif not open_fence:
            assert "<script" not in re.sub(r"(`+).*?(?<!`)\1(?!`)", "", line)
            assert not line.startswith(("# ", "## "))
    assert not open_fence
    assert re.findall(r"\]\(<([^>]*)>\)", text) == ["https://ok.example/?q=%3Cb%3E&amp;c=)%60x%60"]


@pytest.mark.parametrize("sample", SAMPLES)
def test_sarif_is_what_code_scanning_takes(sample: str) -> None:
    value = json.loads(explained_sarif.explained(SAMPLES[sample], manifest="pyproject.toml"))
    jsonschema.validate(value, SARIF)
    (run,) = value["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert len(result["locations"]) == 1
        ids = [location["id"] for location in result["relatedLocations"]]
        assert ids == [int(number) for number in re.findall(r"(?<!\\)\]\((\d+)\)", result["message"]["text"])]


def test_sarif_points_to_the_lines() -> None:
    run = json.loads(explained_sarif.explained([DRIVER, UNKNOWN, GAVE_UP], folder="services/api"))["runs"][0]
    first, second, unknown, gave_up = run["results"]
    place = first["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "services/api/pyproject.toml", "uriBaseId": "%SRCROOT%"}
    assert place["region"] == {"startLine": 12}
    assert [one["physicalLocation"]["region"]["startLine"] for one in first["relatedLocations"]] == [14]
    assert first["message"]["text"].startswith(
        "2 lines, 1 target fact and 1 rule cannot hold together for train (Python 3.11"
    )
    assert "- [pyproject.toml:14](1): " in first["message"]["text"]
    assert "Repair 1: --driver: driver 470.82 → driver 525.60.13" in first["message"]["text"]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == [
        "unsatisfiable",
        "gave-up",
        "cuda-12-driver-linux",
    ]
    assert run["tool"]["driver"]["rules"][2]["helpUri"] == TOOLKIT
    assert (second["level"], gave_up["level"], gave_up["ruleId"]) == ("error", "warning", "gave-up")
    assert unknown["locations"] == []
    prints = [result["partialFingerprints"]["mlpinClash/v1"] for result in run["results"]]
    assert len(set(prints)) == len(prints)


@pytest.mark.parametrize(
    ("file", "folder", "uri"),
    [
        ("a b/r#1.txt", "", "a%20b/r%231.txt"),
        ("sub\\r.txt", "", "sub/r.txt"),
        ("../base.txt", "services/api", "services/base.txt"),
        ("../base.txt", "", ""),
        ("/etc/pip.conf", "x", ""),
        ("C:\\r.txt", "", ""),
        ("https://example.org/r.txt", "", ""),
    ],
)
def test_sarif_names_files_from_the_root_of_the_sources(file: str, folder: str, uri: str) -> None:
    clash = Clash([Premise("requirement", "a", "a", file=file, line=2)], [], minimal=True)
    run = json.loads(explained_sarif.explained([Explanation(PLAIN, "conflict", [clash])], folder=folder))["runs"][0]
    found = [one["physicalLocation"]["artifactLocation"]["uri"] for one in run["results"][0]["locations"]]
    assert found == ([uri] if uri else [])


class Page(HTMLParser):
    """Reads a page strictly: what opens closes, and in that order."""

    VOID = ("meta", "wbr", "br")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.ids: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id" and value]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.text.append(data)


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_page_is_whole_and_takes_nothing_from_elsewhere(sample: str) -> None:
    text = explained_html.explained(SAMPLES[sample])
    page = Page(text)
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "img", "link", "iframe", "object", "form", "foreignobject", "image", "use"}
    assert len(page.ids) == len(set(page.ids))
    for tag, attributes in page.tags:
        assert not any(name.startswith("on") or name in {"style", "src", "xlink:href"} for name in attributes)
        if tag == "a":
            assert (attributes["href"] or "").lower().startswith(("https://", "http://"))
            assert attributes["rel"] == "noopener noreferrer"
        if tag == "svg":
            assert attributes["role"] == "img"
            assert set((attributes["aria-labelledby"] or "").split()) <= set(page.ids)
    (policy,) = [
        attributes["content"]
        for _, attributes in page.tags
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "url(" not in text
    assert "@import" not in text
    for svg in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        ET.fromstring(svg)


def test_a_page_shows_it_all() -> None:
    text = "".join(Page(explained_html.explained([DRIVER, GAVE_UP])).text)
    for said in (
        "No solution found for train and mac",
        words.heading(DRIVER),
        str(CLUSTER),
        words.sureness(DRIVER),
        "Another clash",
        "There is at least one more clash.",
        "Each was re-solved for every target; stopped after 48 re-solves, before every edit was tried.",
        "All 42 versions",
        *(premise.text.replace("  ", " ") for premise in DRIVER.clashes[0].premises),
        *(link.text for clash in DRIVER.clashes for link in clash.links),
    ):
        assert said.replace("  ", " ") in text.replace("  ", " ")


def test_hostile_text_stays_text_on_a_page() -> None:
    text = explained_html.explained([HOSTILE])
    assert "<script" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    links = [attributes["href"] for tag, attributes in Page(text).tags if tag == "a"]
    assert links == ["https://ok.example/?q=<b>&c=)`x`"]


def boxes_of(svg: str) -> list[tuple[float, float, float, float]]:
    found = []
    for rect in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}rect"):
        if (rect.get("class") or "").startswith("box"):
            x, y, width, height = (float(rect.get(name) or 0) for name in ("x", "y", "width", "height"))
            found.append((x, y, x + width, y + height))
    return found


def crosses(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


@pytest.mark.parametrize("columns", [1, 2, 3])
@pytest.mark.parametrize("premises", [1, 2, 3, 5, 10])
@pytest.mark.parametrize("links", [0, 1, 2, 7, 20])
def test_nothing_overlaps_or_is_cut_in_a_picture(premises: int, links: int, columns: int) -> None:
    svg = explained_graph.drawn(many(premises, links).clashes[0], columns=columns, width=220, name="g", tag="clash")
    root = ET.fromstring(svg)
    left, top, width, height = map(float, (root.get("viewBox") or "").split())
    boxes = boxes_of(svg)
    assert len(boxes) >= premises
    for one, other in combinations(boxes, 2):
        assert not crosses(one, other)
    for x, y, right, bottom in boxes:
        assert left < x
        assert top < y
        assert right < left + width
        assert bottom < top + height
    badges = []
    for rect in root.iter("{http://www.w3.org/2000/svg}rect"):
        if rect.get("class") == "badge":
            x, y, w, h = (float(rect.get(name) or 0) for name in ("x", "y", "width", "height"))
            badges.append((x, y, x + w, y + h))
    for one, other in combinations(badges, 2):
        assert not crosses(one, other)
    for text in root.iter("{http://www.w3.org/2000/svg}text"):
        x, y = float(text.get("x") or 0), float(text.get("y") or 0)
        wide = len(text.text or "") * (6.3 if text.get("class") in {"caption", "tag"} else 7.25)
        start = x - wide / 2 if text.get("text-anchor") == "middle" else x
        if text.get("class") != "number":
            assert any(box[0] < start and start + wide < box[2] and box[1] < y < box[3] for box in boxes), text.text


@pytest.mark.parametrize("columns", [1, 2, 3])
@pytest.mark.parametrize(("premises", "links"), [(2, 1), (3, 3), (10, 20), (10, 2), (4, 12)])
def test_no_arrow_crosses_a_box(premises: int, links: int, columns: int) -> None:
    svg = explained_graph.drawn(many(premises, links).clashes[0], columns=columns, width=220, name="g", tag="clash")
    boxes = boxes_of(svg)
    for path in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}path"):
        if not (path.get("class") or "").startswith("wire"):
            continue
        for x, y in sampled(path.get("d") or ""):
            assert not any(box[0] + 1 < x < box[2] - 1 and box[1] + 1 < y < box[3] - 1 for box in boxes)


def sampled(path: str) -> list[tuple[float, float]]:
    """Points along a path of M, V and C."""
    points: list[tuple[float, float]] = []
    at = (0.0, 0.0)
    for command, rest in re.findall(r"([MVC])([^MVC]*)", path):
        numbers = [float(number) for number in rest.split()]
        if command == "M":
            at = (numbers[0], numbers[1])
        elif command == "V":
            points += [(at[0], at[1] + (numbers[0] - at[1]) * step / 10) for step in range(11)]
            at = (at[0], numbers[0])
        else:
            (a, b, c, d, e, f), (x, y) = numbers, at
            for step in range(11):
                t = step / 10
                weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
                points.append(
                    (
                        sum(w * v for w, v in zip(weights, (x, a, c, e), strict=True)),
                        sum(w * v for w, v in zip(weights, (y, b, d, f), strict=True)),
                    )
                )
            at = (e, f)
    return points


def test_the_clash_is_where_all_lead_to() -> None:
    def marked(one: Explanation) -> list[str]:
        svg = explained_graph.drawn(one.clashes[0], columns=3, width=220, name="g", tag="clash")
        return re.findall(r'<rect class="box (\w+) clash"', svg)

    assert marked(TWO_LINES) == ["package"]
    assert marked(DRIVER) == ["fact"]
    assert marked(UNKNOWN) == ["line"]


def test_what_is_cut_in_a_picture_stands_in_the_list() -> None:
    text = explained_html.explained([HOSTILE])
    assert "…</text>" in text
    assert "x" * 400 + "==1" in text
