"""A fleet as a person and as a program reads it: how many nodes are alike, and what differs where, in groups."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mlpin.check.fleet import Difference, Fleet, Group
from mlpin.check.nodes import folded, shown
from mlpin.report.explained_markdown import code, prose
from mlpin.report.wrap import wrapped

_GROUPS = 20
_PACKAGES = 8
_WIDTH = 50


def text(found: Fleet, *, verbose: bool = False) -> str:
    """The whole comparison in lines of 80 columns. What is much is cut short unless `verbose`."""
    lines = wrapped(headline(found), "", "  ")
    for error in found.unreadable:
        lines += ["", *wrapped(f"{error.where}: {error.message}", "not compared: ", "  ")]
        lines += wrapped(error.hint, "  hint: ", "        ") if error.hint else []
    some = found.groups if verbose else found.groups[:_GROUPS]
    for group in some:
        lines += ["", *wrapped(f"{title(group, verbose=verbose)}:", "", "  ")]
        for one in _first(group, verbose=verbose):
            lines += wrapped(one, "  ", "      ")
    if len(some) < len(found.groups):
        lines += ["", f"and {len(found.groups) - len(some)} more groups: --verbose shows all"]
    if found.notes:
        lines += ["", "no drift by itself:"]
        notes = found.notes if verbose else found.notes[:_GROUPS]
        for group in notes:
            lines += wrapped(
                f"{title(group, verbose=verbose)}: {', '.join(_first(group, verbose=verbose))}", "  ", "    "
            )
        if len(notes) < len(found.notes):
            lines.append(f"  and {len(found.notes) - len(notes)} more: --verbose shows all")
    return "\n".join(lines) + "\n"


def markdown(found: Fleet) -> str:
    """The whole comparison as GitHub's Markdown, a list in a list; what is much is cut short."""
    parts = [f"### {prose(headline(found))}"]
    parts += [
        f"- not compared: {code(error.where or '')}: {prose(error.message)}" for error in found.unreadable[:_GROUPS]
    ]
    if len(found.unreadable) > _GROUPS:
        parts.append(f"- and {len(found.unreadable) - _GROUPS} more that were not compared")
    for group in found.groups[:_GROUPS]:
        parts.append(f"- **{prose(title(group))}**")
        parts += [f"  - {prose(one)}" for one in _first(group)]
    if len(found.groups) > _GROUPS:
        parts.append(f"- and {len(found.groups) - _GROUPS} more groups")
    if found.notes:
        parts += ["", "<details><summary>What is no drift by itself</summary>", ""]
        parts += [f"- {prose(title(group))}: {prose(', '.join(_first(group)))}" for group in found.notes[:_GROUPS]]
        parts += [f"- and {len(found.notes) - _GROUPS} more"] if len(found.notes) > _GROUPS else []
        parts += ["", "</details>"]
    head, *rest = parts
    return "\n".join([head, "", *rest]).rstrip() + "\n"


def data(found: Fleet) -> dict[str, Any]:
    """The whole comparison for JSON, nothing cut short."""
    return {
        "lock": found.lock or None,
        "nodes": len(found.nodes),
        "alike": found.alike,
        "packages": found.packages,
        "groups": [_group(group) for group in found.groups],
        "same_groups": [
            {"nodes": ",".join(folded(nodes)), "count": len(nodes), "groups": list(numbers)}
            for nodes, numbers in found.partition
        ],
        "notes": [_group(group) for group in found.notes],
        "unreadable": [
            {"file": error.where, "message": error.message, "hint": error.hint} for error in found.unreadable
        ],
    }


def _group(group: Group) -> dict[str, Any]:
    return {
        "nodes": list(group.nodes),
        "folded": ",".join(folded(group.nodes)),
        "count": len(group.nodes),
        "exactly": {"about": group.fact.about, "words": group.fact.words} if group.fact else None,
        "severity": group.severity,
        "differences": [
            {
                "kind": one.kind,
                "package": one.package or None,
                "found": one.found,
                "expected": one.expected or None,
                "reference": one.wanted or None,
                "severity": one.severity,
                "line": one.line or None,
            }
            for one in group.differences
        ],
    }


def headline(found: Fleet) -> str:
    """`984 of 1,000 nodes are as locked in pylock.toml, 16 differ`."""
    total, alike = len(found.nodes), found.alike
    if not total:
        return "no node could be compared"
    if total == 1 and not found.lock:
        return "1 node, and nothing to compare it with"
    how = f"as {found.lock} has it" if found.lock else "alike"
    if alike == total:
        return f"{'the one node is' if total == 1 else f'all {total:,} nodes are'} {how}"
    if not alike and not found.lock:
        return f"none of {total:,} nodes is as most of them are"
    if not alike:
        return f"{'the one node is not' if total == 1 else f'none of {total:,} nodes is'} {how}"
    return f"{alike:,} of {total:,} nodes are {how}, {total - alike:,} {'differ' if total - alike > 1 else 'differs'}"


def title(group: Group, *, verbose: bool = False) -> str:
    """`12 nodes (node[0101-0112]), exactly the nodes with driver 535.161.08`."""
    names = shown(group.nodes, 1 << 20 if verbose else _WIDTH)
    count = "1 node" if len(group.nodes) == 1 else f"{len(group.nodes):,} nodes"
    return f"{count} ({names})" + (f", exactly the nodes {group.fact.after_nodes}" if group.fact else "")


def _first(group: Group, *, verbose: bool = False) -> Iterator[str]:
    """The differences of a group in words, the first ones alone unless `verbose`."""
    every = sorted(group.differences, key=lambda one: ("error", "warning", "note").index(one.severity))
    some = every if verbose else every[:_PACKAGES]
    yield from map(_words, some)
    if len(some) < len(every):
        yield f"and {len(every) - len(some)} more"


def _words(one: Difference) -> str:
    said = f"{one.found} ({one.wanted})" if one.wanted else one.found
    return f"warning: {said}" if one.severity == "warning" else said
