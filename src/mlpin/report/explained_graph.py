"""A clash as a picture: the premises and the packages as boxes, the links as numbered arrows, in SVG.

The colours are the page's: everything here has a class and no style.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from html import escape

from mlpin.explain.model import Clash, Premise
from mlpin.report.explained_layout import Box, Wire, arranged
from mlpin.report.explained_words import clashing, place
from mlpin.report.words import joined, visible

_LINES = {"requirement", "constraint", "override"}
_CHAR, _SMALL = 7.3, 6.35
_LINE, _SMALL_LINE = 17.0, 15.0
_PAD = 12.0
_MARGIN = 10.0
_MOST_LINES = 8


class _Node:
    """A box with what it says."""

    def __init__(self, kind: str, text: str, caption: Sequence[str], width: float) -> None:
        self.kind = kind
        self.text = _wrapped(text, int((width - 2 * _PAD) / _CHAR))
        self.caption = _captions(caption, int((width - 2 * _PAD) / _SMALL))
        self.own: list[int] = []
        """The links that lead nowhere else."""
        self.tag = ""
        longest = max([_cells(line) * _CHAR for line in self.text] + [_cells(line) * _SMALL for line in self.caption])
        self.box = Box(min(width, max(longest + 2 * _PAD, 84.0)) if kind == "package" else width, self.height)

    @property
    def height(self) -> float:
        small = len(self.caption) + bool(self.tag)
        return 2 * _PAD - 4 + _LINE * len(self.text) + _SMALL_LINE * small


class _Graph:
    """The boxes and wires of a clash."""

    def __init__(self, clash: Clash, width: float) -> None:
        self.width = width
        self.nodes: list[_Node] = []
        self.wires: dict[tuple[int, int], tuple[Wire, list[int], bool]] = {}
        self.named: dict[str, _Node] = {}
        self.incoming: dict[int, int] = {}
        self.outgoing: set[int] = set()
        ends = {end for link in clash.links for end in link.ends}
        known = {link.start for link in clash.links} | ends
        loose: dict[str, list[_Node]] = {}
        for premise in clash.premises:
            where = place(premise) or (premise.about if premise.kind == "rule" else "")
            caption = [part for part in (premise.kind, where) if part]
            loose.setdefault(premise.about, []).append(self._add(_kind(premise), premise.text, caption))
        for about, nodes in loose.items():
            restricts = any(node.kind == "line" for node in nodes) and about in ends
            if len(nodes) == 1 and not restricts:
                self.named[about] = nodes[0]
            elif about in known or len(nodes) > 1:
                for node in nodes:
                    self._join(node, self._package(about))
        for number, link in enumerate(clash.links, 1):
            start = self._package(link.start)
            goals = [self._package(end) for end in dict.fromkeys(link.ends) if end != link.start]
            for goal in goals:
                self._join(start, goal, number)
            if not goals:
                start.own.append(number)
            rule = self.named.get(link.rule)
            if rule is not None and rule is not start and rule not in goals:
                for goal in goals or [start]:
                    self._join(rule, goal, rule=True)

    def _add(self, kind: str, text: str, caption: Sequence[str] = ()) -> _Node:
        self.nodes.append(_Node(kind, text, caption, self.width))
        return self.nodes[-1]

    def _package(self, name: str) -> _Node:
        if name not in self.named:
            self.named[name] = self._add("package", name)
        return self.named[name]

    def _join(self, start: _Node, end: _Node, number: int = 0, *, rule: bool = False) -> None:
        key = id(start), id(end)
        wire = self.wires.setdefault(key, (Wire(start.box, end.box), [], rule))
        if number:
            wire[1].append(number)
            wire[0].label = _label_width(wire[1])
        self.incoming[id(end)] = self.incoming.get(id(end), 0) + 1
        self.outgoing.add(id(start))

    def meeting(self) -> list[_Node]:
        """Where the clash shows: the box that most lead to and none leads away from."""
        weight = {id(node): self.incoming.get(id(node), 0) + len(node.own) for node in self.nodes}
        final = [node for node in self.nodes if id(node) not in self.outgoing and weight[id(node)]]
        found = final or [node for node in self.nodes if weight[id(node)]]
        most = max((weight[id(node)] for node in found), default=0)
        return [node for node in found if weight[id(node)] == most]


def _kind(premise: Premise) -> str:
    return "line" if premise.kind in _LINES else "rule" if premise.kind == "rule" else "fact"


def drawable(clash: Clash) -> bool:
    """Whether a picture says more than the list of the premises."""
    return bool(clash.links) or len({premise.about for premise in clash.premises}) < len(clash.premises)


def drawn(clash: Clash, *, columns: int, width: float, name: str, tag: str) -> str:
    """The picture with at most `columns` boxes of `width` side by side; `tag` marks where the clash shows.

    `name` sets the ids of this picture apart from those of others on the page.
    """
    graph = _Graph(clash, width)
    for node in graph.meeting():
        node.tag = tag
        node.box.height = node.height
    wires = list(graph.wires.values())
    wide, high = arranged([node.box for node in graph.nodes], [wire for wire, _, _ in wires], columns)
    width_all, height_all = _n(wide + 2 * _MARGIN), _n(high + 2 * _MARGIN)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="graph" role="img" aria-labelledby="{name}-title {name}-desc" '
        f'viewBox="{_n(-_MARGIN)} {_n(-_MARGIN)} {width_all} {height_all}" width="{width_all}" height="{height_all}">'
    )
    parts = [f'<title id="{name}-title">{_safe(clashing(clash))}</title>']
    parts += [f'<desc id="{name}-desc">{_safe(_described(clash))}</desc>']
    parts += [_wire(wire, rule) for wire, _, rule in wires]
    parts += [_box(node) for node in graph.nodes]
    parts += [_badge(wire.points[-1][0], wire.points[-1][1] - 21, numbers) for wire, numbers, _ in wires if numbers]
    return "\n".join([head, *parts, "</svg>"])


def _described(clash: Clash) -> str:
    premises = joined([premise.text for premise in clash.premises])
    return f"From {premises} arrows lead to where they clash. The numbers are those of the reasons in the list."


def _wire(wire: Wire, rule: bool) -> str:
    points = wire.points
    path = f"M{_n(points[0][0])} {_n(points[0][1])}V{_n(points[1][1])}"
    for (before, high), (x, low), (_, end) in zip(points[1::2], points[2::2], points[3::2], strict=False):
        bend = (high + low) / 2
        path += f"C{_n(before)} {_n(bend)} {_n(x)} {_n(bend)} {_n(x)} {_n(low)}V{_n(end)}"
    x, y = points[0] if wire.flipped else points[-1]
    side = 7 if wire.flipped else -7
    head = f'<path class="head" d="M{_n(x)} {_n(y)}l-4.5 {side}h9z"/>'
    return f'<path class="{"wire by-rule" if rule else "wire"}" d="{path}"/>{head}'


def _box(node: _Node) -> str:
    box, middle = node.box, node.kind == "package"
    left, at = box.x - box.width / 2, box.y + _PAD - 2
    x, anchor = (box.x, ' text-anchor="middle"') if middle else (left + _PAD, "")
    radius = min(box.height / 2, 16) if middle else 7
    clash = " clash" if node.tag else ""
    rect = (
        f'<rect class="box {node.kind}{clash}" x="{_n(left)}" y="{_n(box.y)}" width="{_n(box.width)}" '
        f'height="{_n(box.height)}" rx="{_n(radius)}"/>'
    )
    small = [(line, "caption") for line in node.caption]
    told = [
        *small,
        *((line, "name" if middle else "said") for line in node.text),
        *([(node.tag, "tag")] * bool(node.tag)),
    ]
    parts = [rect]
    for line, kind in told:
        high = _LINE if kind in {"name", "said"} else _SMALL_LINE
        parts.append(f'<text class="{kind}" x="{_n(x)}" y="{_n(at + high - 4.5)}"{anchor}>{_safe(line)}</text>')
        at += high
    if node.own:
        parts.append(_badge(left + box.width - _label_width(node.own) / 2 - 8, box.y, node.own))
    return "".join(parts)


def _badge(x: float, y: float, numbers: Sequence[int]) -> str:
    wide = _label_width(numbers)
    return (
        f'<rect class="badge" x="{_n(x - wide / 2)}" y="{_n(y - 9)}" width="{_n(wide)}" height="18" rx="9"/>'
        f'<text class="number" x="{_n(x)}" y="{_n(y + 4)}" text-anchor="middle">{_label(numbers)}</text>'
    )


def _label(numbers: Sequence[int]) -> str:
    """`3`, `2, 5`, `4-7`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def _label_width(numbers: Sequence[int]) -> float:
    return max(18.0, 8 + 7.0 * len(_label(numbers)))


def _wrapped(text: str, cells: int) -> list[str]:
    """`text` in lines of so many cells; what is longer than a line is broken anywhere, the rest of a long text cut."""
    lines = [""]
    for word in re.findall(r"\S+\s*", visible(text)) or [""]:
        if _cells(lines[-1] + word.rstrip()) > cells and lines[-1]:
            lines.append("")
        for char in word:
            if _cells(lines[-1] + char) > cells and not char.isspace():
                lines.append("")
            lines[-1] += char
    lines = [line.rstrip() for line in lines]
    return [*lines[: _MOST_LINES - 1], lines[_MOST_LINES - 1][: cells - 1] + "…"] if len(lines) > _MOST_LINES else lines


def _captions(parts: Sequence[str], cells: int) -> list[str]:
    """The parts in one line where they fit, else each in lines of its own."""
    line = visible(" · ".join(parts))
    return [line] if _cells(line) <= cells and line else [line for part in parts for line in _wrapped(part, cells)]


def _cells(text: Iterable[str]) -> int:
    return sum(
        0 if unicodedata.combining(char) else 1 + (unicodedata.east_asian_width(char) in {"W", "F"}) for char in text
    )


def _safe(text: str) -> str:
    return escape(visible(text))


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
