"""SARIF 2.1.0 as code scanning takes it: the document around results, rules, and places in files.

What a result says is the business of whoever makes it.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote

import mlpin
from mlpin.report.words import visible


def document(
    name: str, rules: Sequence[dict[str, Any]], results: Sequence[dict[str, Any]], told: Iterable[str] = ()
) -> str:
    """One run of the command `name`. `told` is what it has to say that is no result."""
    notes = [{"level": "note", "message": {"text": plain(text)}} for text in told]
    run = {
        "tool": {"driver": {"name": "mlpin", "version": mlpin.__version__, "rules": rules}},
        "automationDetails": {"id": f"mlpin-{name}/"},
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": notes}],
        "results": results,
    }
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    value = {"$schema": schema, "version": "2.1.0", "runs": [run]}
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def kind(name: str, title: str, text: str, advice: str, level: str) -> dict[str, Any]:
    """The rule that stands for a kind of result. `title` is in capital letters at each word, without blanks."""
    return {
        "id": name,
        "name": title,
        "shortDescription": {"text": text},
        "fullDescription": {"text": text},
        "help": {"text": advice},
        "defaultConfiguration": {"level": level},
    }


def location(place: str, line: int, text: str = "") -> dict[str, Any]:
    """A line of the file at `place`, which `uri` made; its first one where no line is known."""
    told = {"message": {"text": plain(text)}} if text else {}
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": place, "uriBaseId": "%SRCROOT%"},
            "region": {"startLine": line or 1},
        },
        **told,
    }


def below(file: str, folder: str = "") -> str:
    """The path of a file from the root of the sources; empty where it does not lie below it.

    `folder` is where `file` is named from, as that root sees it.
    """
    if not file or "://" in file:
        return ""
    path = posixpath.normpath(posixpath.join(folder.replace("\\", "/"), file.replace("\\", "/")))
    return "" if path.startswith(("/", "..")) or path[1:2] == ":" else path


def uri(file: str, folder: str = "") -> str:
    """The same as a relative reference (RFC 3986)."""
    return quote(below(file, folder), errors="surrogatepass")


def plain(text: str) -> str:
    """`text` in which nothing is an embedded link."""
    return visible(text).replace("](", "] (")
