"""A check as JSON, annotations, SARIF, Markdown, JUnit and metrics: each is valid, and no text in it is markup."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from mlpin import report
from mlpin.check.model import Checked, Drift
from mlpin.report import (
    checked_data,
    checked_github,
    checked_junit,
    checked_markdown,
    checked_prometheus,
    checked_sarif,
    checked_words,
    explained_markdown,
)
from tests.report.sarif_schema import SARIF

VERSION = Drift(
    "env",
    "version",
    "torch 2.5.0 is installed, the lock has 2.4.0",
    "torch",
    "2.4.0",
    "2.5.0",
    "pylock.toml",
    12,
    hint="`pip install -r pylock.toml` mends it",
)
BROKEN = Drift("matrix", "broken", "torch 2.2.2 does not work with numpy 2.1.0", "torch", severity="warning")
UNNEEDED = Drift("manifest", "unneeded", "nothing asks for six", "six", file="pylock.toml", severity="note")
HOSTILE = Drift(
    "env",
    "no-such-kind|`<b>",
    "a\nb | c `<i>|` ::error file=x::d <script>alert('\"')</script> \x00\x1b[31m\udc80\ufffe %0A & \U0001f600 [l](u) @me #1 ]]>",
    "p\n::warning::",
    '`x`|\\|"',
    "y,z:\r\nw\u2028",
    "dir, a:b\n|`%/r <1>.txt",
    3,
    hint="```\n# h\n- l ::set-output name=a::b",
)
ONE_OF_EACH = Checked(["manifest", "lock", "matrix", "env"], ["pylock.toml"], 70, [UNNEEDED, BROKEN, VERSION])
CHECKS: dict[str, Checked] = {
    "nothing": Checked(["manifest", "lock", "matrix"], ["pylock.toml"], 70, []),
    "nothing-at-all": Checked([], [], 0, []),
    "one-of-each": ONE_OF_EACH,
    "strict": ONE_OF_EACH._replace(strict=True, drift=[UNNEEDED, BROKEN]),
    "only-warnings": ONE_OF_EACH._replace(drift=[BROKEN]),
    "hostile": Checked(["env"], ["a|b\n.toml"], 1, [HOSTILE, HOSTILE._replace(severity="note", file="../x", line=0)]),
    "of-a-check-not-named": Checked(["lock"], ["a.toml", "b.toml"], 2, [VERSION]),
    "huge": Checked(
        ["env"], ["pylock.toml"], 10_000, [VERSION._replace(package=f"p{n}", line=n + 1) for n in range(10_000)]
    ),
    "huge-message": Checked(["env"], ["pylock.toml"], 1, [VERSION._replace(message="x|" * 100_000)]),
}
FORMATS: dict[str, Callable[[Checked], str]] = {
    "json": checked_data.text,
    "github": checked_github.text,
    "sarif": checked_sarif.text,
    "markdown": checked_markdown.text,
    "junit": checked_junit.text,
    "prometheus": checked_prometheus.text,
}
each = pytest.mark.parametrize("sample", CHECKS)


@each
@pytest.mark.parametrize("form", FORMATS)
def test_every_format_says_the_same_in_the_same_bytes_without_what_cannot_be_seen(form: str, sample: str) -> None:
    text = FORMATS[form](CHECKS[sample])
    assert text == FORMATS[form](CHECKS[sample])
    assert text.endswith("\n")
    text.encode()
    unseen = "[\x00-\x09\x0b-\x1f]" if form == "json" else "[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]"
    assert not re.findall(unseen, text)


SCHEMA = json.loads((Path(report.__file__).parent / "check.schema.json").read_text("utf-8"))


@each
def test_json_follows_its_schema(sample: str) -> None:
    value = json.loads(checked_data.text(CHECKS[sample]))
    jsonschema.validate(value | {"drift": value["drift"][:200]}, SCHEMA, cls=jsonschema.Draft202012Validator)
    assert set(value) == set(SCHEMA["properties"])
    assert all(set(one) == set(SCHEMA["$defs"]["drift"]["properties"]) for one in value["drift"])


def test_every_check_has_its_kinds_in_the_schema_of_the_json_report() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    told = SCHEMA["$defs"]["drift"]["properties"]["kind"]["description"].partition("check. ")[2]
    listed = {check: names.split(", ") for check, names in re.findall(r"(\w+): ([^.]+)\.", told)}
    assert listed == {check: list(kinds) for check, kinds in checked_words.KINDS.items()}
    assert set(listed) <= set(SCHEMA["$defs"]["check"]["enum"])


@pytest.mark.parametrize(
    ("sample", "said"),
    [
        ("nothing", "passed: no drift"),
        ("one-of-each", "failed: 1 error, 1 warning and 1 note"),
        ("strict", "failed: 1 warning and 1 note, with --strict"),
        ("only-warnings", "passed: 1 warning"),
        ("huge", "failed: 10000 errors"),
    ],
)
def test_the_headline_counts(sample: str, said: str) -> None:
    assert checked_words.headline(CHECKS[sample]) == f"mlpin check {said}"


# -- github


def command(line: str) -> tuple[str, dict[str, str], str]:
    """A workflow command as the runner reads it (`ActionCommand.TryParseV2`)."""
    head, message = line.removeprefix("::").split("::", 1)
    name, _, said = head.partition(" ")
    properties = dict(pair.split("=", 1) for pair in said.split(",") if pair)

    def unescaped(text: str, *more: tuple[str, str]) -> str:
        for escape, char in (*more, ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
            text = text.replace(escape, char)
        return text

    values = {key: unescaped(value, ("%3A", ":"), ("%2C", ",")) for key, value in properties.items()}
    return name, values, unescaped(message)


@each
def test_github_gets_one_command_a_drift_and_a_last_line(sample: str) -> None:
    found = CHECKS[sample]
    *lines, last = checked_github.text(found).split("\n")[:-1]
    assert len(lines) == len(found.drift)
    for line in lines:
        name, properties, _ = command(line)
        assert name in {"error", "warning", "notice"}
        assert set(properties) <= {"file", "line", "title"}
    assert last.startswith(checked_words.headline(found))
    assert ("GitHub shows 10" in last) == (sample == "huge")


def test_github_marks_the_line_and_shows_errors_first() -> None:
    first, second, third, _ = checked_github.text(ONE_OF_EACH).splitlines()
    assert command(first) == (
        "error",
        {"file": "pylock.toml", "line": "12", "title": "mlpin: Installed in another version than locked"},
        "torch 2.5.0 is installed, the lock has 2.4.0\nhint: `pip install -r pylock.toml` mends it",
    )
    assert command(second)[0] == "warning"
    assert "file" not in command(second)[1]
    assert command(third)[:2] == (
        "notice",
        {"file": "pylock.toml", "title": "mlpin: A locked package that nothing asks for"},
    )


def test_github_reads_hostile_text_as_text() -> None:
    first, second, _ = checked_github.text(CHECKS["hostile"]).splitlines()
    _, properties, message = command(first)
    assert properties["file"] == "dir, a:b |`%/r <1>.txt"
    assert message.startswith("a b | c `<i>|` ::error file=x::d <script>")
    assert " %0A & " in message
    assert command(second)[2].startswith("../x: a b")


# -- sarif


@each
def test_sarif_is_what_code_scanning_takes(sample: str) -> None:
    found = CHECKS[sample]
    value = json.loads(checked_sarif.text(found))
    (run,) = value["runs"]
    jsonschema.validate(value | {"runs": [run | {"results": run["results"][:200]}]}, SARIF)
    rules = run["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    assert len(run["results"]) == len(found.drift)
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert len(result["locations"]) == 1
        assert not re.search(r"\]\(", result["message"]["text"])
    prints = {result["partialFingerprints"]["mlpinDrift/v1"] for result in run["results"]}
    assert len(prints) == len(found.drift)


def test_sarif_knows_a_drift_again_when_its_line_or_its_words_change() -> None:
    def prints(*drift: Drift) -> list[str]:
        results = json.loads(checked_sarif.text(ONE_OF_EACH._replace(drift=drift)))["runs"][0]["results"]
        return [result["partialFingerprints"]["mlpinDrift/v1"] for result in results]

    (first,) = prints(VERSION)
    assert prints(BROKEN, VERSION._replace(line=99, message="other words", hint=""))[1] == first
    assert prints(VERSION._replace(found="2.6.0")) != [first]


def test_sarif_shows_the_line_and_else_the_lock() -> None:
    run = json.loads(checked_sarif.text(ONE_OF_EACH))["runs"][0]
    places = [result["locations"][0]["physicalLocation"] for result in run["results"]]
    assert [(place["artifactLocation"]["uri"], place["region"]["startLine"]) for place in places] == [
        ("pylock.toml", 1),
        ("pylock.toml", 1),
        ("pylock.toml", 12),
    ]
    assert [result["level"] for result in run["results"]] == ["note", "warning", "error"]
    last = run["results"][-1]
    assert last["ruleId"] == "env/version"
    assert last["message"]["text"].startswith("torch 2.5.0 is installed, the lock has 2.4.0.\nHint: `pip")
    assert last["properties"] == {"package": "torch", "expected": "2.4.0", "found": "2.5.0"}
    kinds = {rule["id"]: rule["shortDescription"]["text"] for rule in run["tool"]["driver"]["rules"]}
    assert kinds["env/version"] == "Installed in another version than locked."
    assert list(kinds) == ["env/version", "manifest/unneeded", "matrix/broken"]


# -- markdown


@each
def test_markdown_fits_into_a_comment_and_is_only_text(sample: str) -> None:
    found = CHECKS[sample]
    text = checked_markdown.text(found)
    assert len(text) <= explained_markdown.LIMIT
    bare = re.sub(r"(`+).*?(?<!`)\1(?!`)", "", text.replace("\\`", ""))
    assert set(re.findall(r"<[^>]*>", bare)) <= {
        "<sub>",
        "</sub>",
        "<details>",
        "</details>",
        "<summary>",
        "</summary>",
    }
    assert not re.search(r"(?<!\\)\]\(|@me|#1", bare)
    listed = sum(line.startswith("- ") for line in text.splitlines())
    left = re.search(r"And (\d+) more", text)
    assert listed + (int(left[1]) if left else 0) == len(found.drift)


def test_markdown_reads_well() -> None:
    assert checked_markdown.text(ONE_OF_EACH) == (
        "### mlpin check failed: 1 error, 1 warning and 1 note\n\n"
        "- **error** `pylock.toml:12`: torch 2.5.0 is installed, the lock has 2.4.0\\\n"
        "  `pip install -r pylock.toml` mends it\n\n"
        "- **warning** torch 2.2.2 does not work with numpy 2.1.0\n\n"
        "<details><summary>1 note</summary>\n\n"
        "- `pylock.toml`: nothing asks for six\n\n"
        "</details>\n\n"
        "Compared: manifest, lock, matrix and env, with 70 packages in pylock.toml.\n\n"
        "<sub>mlpin check</sub>\n"
    )


# -- junit

# What junit-10.xsd of Jenkins' xUnit plugin has of what we use: attributes (the needed ones first), children.
SUITE_ATTRIBUTES = ({"name", "tests", "failures", "errors"}, {"skipped", "time", "package", "id"})
JUNIT = {
    "testsuites": ((set(), {"name", "tests", "failures", "errors", "time"}), {"testsuite"}),
    "testsuite": (SUITE_ATTRIBUTES, {"testcase", "properties", "system-out", "system-err"}),
    "testcase": (({"name"}, {"classname", "time", "group"}), {"failure", "error", "skipped", "system-out"}),
    "failure": ((set(), {"type", "message"}), set()),
    "system-out": ((set(), set()), set()),
}


@each
def test_junit_is_what_jenkins_takes(sample: str) -> None:
    found = CHECKS[sample]
    root = ET.fromstring(checked_junit.text(found))
    assert root.tag == "testsuites"
    for element in root.iter():
        (needed, more), children = JUNIT[element.tag]
        assert needed <= set(element.attrib) <= needed | more
        assert {child.tag for child in element} <= children
    for suite in root:
        names = [case.get("name") for case in suite.findall("testcase")]
        assert len(set(names)) == len(names) == int(suite.get("tests", ""))
        assert len(suite.findall("testcase/failure")) == int(suite.get("failures", ""))
    assert (int(root.get("failures", "")) == 0) == found.ok
    assert {suite.get("name") for suite in root} >= {f"mlpin check: {check}" for check in found.checks}


@pytest.mark.parametrize(("strict", "failed"), [(False, ["torch"]), (True, ["torch", "torch"])])
def test_junit_fails_what_fails(strict: bool, failed: list[str]) -> None:
    root = ET.fromstring(checked_junit.text(ONE_OF_EACH._replace(strict=strict)))
    cases = [case for case in root.iter("testcase") if case.find("failure") is not None]
    assert [case.get("name", "").partition(":")[0] for case in cases] == failed
    assert [case.get("name") for case in root.findall("testsuite[@name='mlpin check: manifest']/testcase")] == [
        "no drift"
    ]
    assert root.findtext("testsuite[@name='mlpin check: manifest']/system-out") == (
        "note: pylock.toml: nothing asks for six"
    )
    assert cases[-1].findtext("failure") == (
        "at: pylock.toml:12\nexpected: 2.4.0\nfound: 2.5.0\nhint: `pip install -r pylock.toml` mends it"
    )


# -- prometheus

LOCK = "pylock.toml"
SAMPLE = re.compile(r'(\w+)(?:\{((?:\w+="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (\d+)')


def metrics(text: str) -> dict[tuple[str, ...], int]:
    """The samples of an exposition; every metric has its help and type, once and before it."""
    found: dict[tuple[str, ...], int] = {}
    told: list[str] = []
    for line in text.splitlines():
        if line.startswith("# HELP "):
            told.append(line.split(" ")[2])
        elif line.startswith("# TYPE "):
            assert line.split(" ")[2:] == [told[-1], "gauge"]
        else:
            sample = SAMPLE.fullmatch(line)
            assert sample, line
            assert sample[1] == told[-1]
            key = (sample[1], *re.findall(r'"((?:[^"\\]|\\.)*)"', sample[2] or ""))
            assert key not in found
            found[key] = int(sample[3])
    assert len(set(told)) == len(told)
    return found


@each
def test_prometheus_can_be_scraped(sample: str) -> None:
    found = CHECKS[sample]
    values = metrics(checked_prometheus.text(found))
    assert sum(value for key, value in values.items() if key[0] == "mlpin_drift") == len(found.drift)
    assert all(value for key, value in values.items() if key[0] == "mlpin_check_ok") == found.ok
    assert [value for key, value in values.items() if key[0] == "mlpin_locked_packages"] == [found.packages]
    assert len(values) < 300


def test_prometheus_has_what_was_not_found_as_nothing() -> None:
    values = metrics(checked_prometheus.text(ONE_OF_EACH))
    assert values["mlpin_drift", LOCK, "env", "version", "error"] == 1
    assert values["mlpin_drift", LOCK, "env", "version", "warning"] == 0
    assert values["mlpin_drift", LOCK, "env", "missing", "error"] == 0
    assert values["mlpin_check_ok", LOCK, "env"] == 0
    assert values["mlpin_check_ok", LOCK, "matrix"] == 1
    assert metrics(checked_prometheus.text(ONE_OF_EACH._replace(strict=True)))["mlpin_check_ok", LOCK, "matrix"] == 0
    assert set(metrics(checked_prometheus.text(ONE_OF_EACH._replace(drift=[])))) == set(values)
    several = metrics(checked_prometheus.text(ONE_OF_EACH._replace(locks=['a "b"\\\n', "c"])))
    assert several["mlpin_locks", 'a \\"b\\"\\\\  c'] == 2
