"""Drift as a JUnit report, which GitLab, Jenkins and most other CI systems show as tests.

A suite for each check that was made. After the schema of Jenkins' xUnit plugin (`junit-10.xsd`), which knows no file
and line of a test: they stand in the text of the failure.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from mlpin.check.model import Checked, Drift
from mlpin.report.checked_words import described, fails
from mlpin.report.words import visible

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def text(found: Checked) -> str:
    """A suite for each check: a test for each error and warning, or a single one that passed; notes as its output."""
    root = ET.Element("testsuites", name="mlpin check")
    for check in dict.fromkeys([*found.checks, *(one.check for one in found.drift)]):
        root.append(_suite(check, [one for one in found.drift if one.check == check], found))
    for name in ("tests", "failures", "errors"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(check: str, drift: Sequence[Drift], found: Checked) -> ET.Element:
    suite = ET.Element("testsuite", name=_text(f"mlpin check: {check}"))
    told = [one for one in drift if one.severity != "note"]
    seen: Counter[str] = Counter()
    for one in told:
        case = ET.SubElement(suite, "testcase", classname=_text(f"mlpin.{check}"), name=_name(one, seen))
        if fails(one, found):
            failure = ET.SubElement(case, "failure", type=_text(one.kind), message=_text(one.message))
            failure.text = _details(one)
        else:
            ET.SubElement(case, "system-out").text = f"{one.severity}: {_text(one.message)}\n{_details(one)}".rstrip()
    if not told:
        ET.SubElement(suite, "testcase", classname=_text(f"mlpin.{check}"), name="no drift")
    if notes := [one for one in drift if one.severity == "note"]:
        lines = [f"note: {f'{_text(one.place)}: ' if one.place else ''}{_text(one.message)}" for one in notes]
        ET.SubElement(suite, "system-out").text = "\n".join(lines)
    suite.set("tests", str(len(told) or 1))
    suite.set("failures", str(sum(fails(one, found) for one in told)))
    suite.set("errors", "0")
    return suite


def _name(one: Drift, seen: Counter[str]) -> str:
    """What the test is called: the same from run to run, and once in a suite."""
    about = one.package or one.place
    name = _text(f"{about}: {described(one.check, one.kind)}" if about else described(one.check, one.kind))
    seen[name] += 1
    return name if seen[name] == 1 else f"{name} ({seen[name]})"


def _details(one: Drift) -> str:
    facts = {"at": one.place, "expected": one.expected, "found": one.found, "hint": one.hint}
    return "\n".join(f"{name}: {_text(value)}" for name, value in facts.items() if value)


def _text(value: str) -> str:
    """`value` in one line, without what XML cannot hold."""
    return _NOT_XML.sub("\ufffd", visible(value))
