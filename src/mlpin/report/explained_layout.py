"""Boxes in layers from top to bottom with wires between them, none of which crosses a box.

It knows sizes and neighbours only, not what the boxes say. A wire that passes a layer has a lane of its own there;
wires without a label to the same box share one.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

_COLUMN_GAP = 22.0
_LANE = 12.0
_LANE_GAP = 8.0
_ROW_GAP = 34.0
_TAIL = 34.0
_BARE_TAIL = 16.0
_SLOT_GAP = 6.0
_SWEEPS = 6


class Box:
    """A rectangle of a wished `width` and a `height`; `x` is its centre and `y` its top, once placed."""

    def __init__(self, width: float, height: float, *, column: int = -1) -> None:
        self.width, self.height, self.column = width, height, column
        """A lane is a box too: it has a `column` among the lanes."""
        self.x = self.y = 0.0
        self.row = 0
        self.above: list[Box] = []
        self.below: list[Box] = []

    @property
    def lane(self) -> bool:
        return self.column >= 0

    def near(self, down: bool) -> list[Box]:
        """What was placed before it, on the way down or up."""
        return self.above if down else self.below


class Wire:
    """From one box to another. `label` is the width that its number needs at its lower end, 0 for none."""

    def __init__(self, start: Box, end: Box, label: float = 0) -> None:
        self.start, self.end, self.label = start, end, label
        self.flipped = False
        """It points upwards: its end was placed above its start."""
        self.stops: list[Box] = []
        """From the upper box over the lanes to the lower one."""
        self.points: list[tuple[float, float]] = []
        """Two and two the ends of its straight parts, from the upper box to the lower one; curves join them."""

    @property
    def ends(self) -> tuple[Box, Box]:
        """The upper box and the lower one."""
        return (self.end, self.start) if self.flipped else (self.start, self.end)


def arranged(boxes: Sequence[Box], wires: Sequence[Wire], columns: int) -> tuple[float, float]:
    """Gives every box its place, at most `columns` in a row, and every wire its points. Returns the whole size."""
    _direct(boxes, wires)
    _assign_rows(boxes, wires, columns)
    rows = _with_lanes(boxes, wires)
    for box in boxes:
        box.width = max(box.width, _slots(box, wires)[1] + 3 * _SLOT_GAP)
    if columns == 1:
        widest = max(box.width for box in boxes)
        for lane in (box for row in rows for box in row if box.lane):
            lane.x = widest / 2 + _COLUMN_GAP / 2 + lane.column * (_LANE + _LANE_GAP)
    else:
        rows = _ordered(rows)
        _assign_x(rows)
    left = min(box.x - box.width / 2 for row in rows for box in row)
    for box in (box for row in rows for box in row):
        box.x -= left
    spans = _assign_y(rows, wires)
    for wire in wires:
        wire.points = _points(wire, wires, spans)
    return max(box.x + box.width / 2 for row in rows for box in row), spans[-1][1]


def _direct(boxes: Sequence[Box], wires: Sequence[Wire]) -> None:
    """Flips the wires that close a circle."""
    state: dict[int, int] = {}

    def visit(box: Box) -> None:
        state[id(box)] = 1
        for wire in wires:
            if wire.start is box:
                wire.flipped = state.get(id(wire.end)) == 1
                if id(wire.end) not in state:
                    visit(wire.end)
        state[id(box)] = 2

    for box in boxes:
        if id(box) not in state:
            visit(box)


def _assign_rows(boxes: Sequence[Box], wires: Sequence[Wire], columns: int) -> None:
    """Each box below all that lead to it, in the first row that has room.

    Boxes that nothing leads to are the first row if it has room for them, else each is next to what it leads to.
    """
    pairs = [wire.ends for wire in wires]
    waiting = [box for box in boxes if not any(lower is box for _, lower in pairs)]
    left = [box for box in boxes if box not in waiting]
    crowded = len(waiting) > columns
    room = [0] * (2 * len(boxes) + 1)

    def put(box: Box, row: int) -> None:
        box.row = next(number for number in range(row, len(room)) if room[number] < columns)
        room[box.row] += 1

    lowest = 0
    for source in [box for box in waiting if not any(upper is box for upper, _ in pairs)]:
        put(source, 0)
    while left:
        box = next(one for one in left if not any(lower is one and upper in left for upper, lower in pairs))
        above = list(dict.fromkeys(upper for upper, lower in pairs if lower is box))
        for source in [one for one in waiting if one in above]:
            waiting.remove(source)
            put(source, lowest if crowded else 0)
        put(box, 1 + max(upper.row for upper in above))
        left.remove(box)
        lowest = max(lowest, box.row)


def _with_lanes(boxes: Sequence[Box], wires: Sequence[Wire]) -> list[list[Box]]:
    rows: list[list[Box]] = [[] for _ in range(max(box.row for box in boxes) + 1)]
    for box in boxes:
        rows[box.row].append(box)
    shared: dict[tuple[int, int], Box] = {}
    for wire in wires:
        upper, lower = wire.ends
        ways = {} if wire.label else {row: lane for (end, row), lane in shared.items() if end == id(lower)}
        fresh = [row for row in range(upper.row + 1, lower.row) if row not in ways]
        taken = {box.column for row in fresh for box in rows[row]}
        column = next(number for number in range(len(wires)) if number not in taken)
        for row in fresh:
            ways[row] = Box(_LANE, 0, column=column)
            ways[row].row = row
            rows[row].append(ways[row])
            if not wire.label:
                shared[id(lower), row] = ways[row]
        wire.stops = [upper, *(ways[row] for row in range(upper.row + 1, lower.row)), lower]
        for one, other in itertools.pairwise(wire.stops):
            one.below.append(other)
            other.above.append(one)
    return rows


def _slots(box: Box, wires: Sequence[Wire]) -> tuple[dict[tuple[int, int], float], float]:
    """Where along the top of a box wires come in, from its middle, and what room they need."""
    found = {_slot(wire, wires): wire for wire in wires if wire.stops[-1] is box}
    places, at = {}, 0.0
    for key, wire in sorted(found.items(), key=lambda item: item[1].stops[-2].x):
        width = max(wire.label, _LANE)
        places[key] = at + width / 2
        at += width + _SLOT_GAP
    return {key: place - (at - _SLOT_GAP) / 2 for key, place in places.items()}, at


def _slot(wire: Wire, wires: Sequence[Wire]) -> tuple[int, int]:
    return id(wire.stops[-2]), wires.index(wire) if wire.label else -1


def _ordered(rows: list[list[Box]]) -> list[list[Box]]:
    """The rows with few crossings: each box near the middle of its neighbours."""
    best, least = rows, _crossings(rows)
    for sweep in range(_SWEEPS):
        current = [list(row) for row in best]
        down = sweep % 2 == 0
        for row in current[1:] if down else current[-2::-1]:
            index = {id(box): float(place) for line in current for place, box in enumerate(line)}
            wishes = [_mean([index[id(one)] for one in box.near(down)], index[id(box)]) for box in row]
            row[:] = [row[place] for place in sorted(range(len(row)), key=wishes.__getitem__)]
        count = _crossings(current)
        if count < least:
            best, least = current, count
    return best


def _mean(values: Sequence[float], default: float) -> float:
    return sum(values) / len(values) if values else default


def _crossings(rows: Sequence[Sequence[Box]]) -> int:
    count = 0
    for upper, lower in itertools.pairwise(rows):
        index = {id(box): place for place, box in enumerate(lower)}
        pairs = [(place, index[id(below)]) for place, box in enumerate(upper) for below in box.below]
        count += sum(a < c and b > d for a, b in pairs for c, d in pairs)
    return count


def _assign_x(rows: Sequence[Sequence[Box]]) -> None:
    for sweep in range(2 * _SWEEPS + 1):
        down = sweep % 2 == 0
        for row in rows if down else reversed(rows):
            _settle(row, [_mean([other.x for other in box.near(down)], box.x) for box in row])


def _settle(row: Sequence[Box], wished: Sequence[float]) -> None:
    """Puts the boxes of a row as near as can be to where they wish to be, in their order and apart."""
    offsets, at = [], 0.0
    for number, box in enumerate(row):
        if number:
            before = row[number - 1]
            gap = _LANE_GAP if box.lane and before.lane else _COLUMN_GAP / 2 if box.lane or before.lane else _COLUMN_GAP
            at += (before.width + box.width) / 2 + gap
        offsets.append(at)
    blocks: list[tuple[float, int]] = []
    for wish, offset in zip(wished, offsets, strict=True):
        mean, size = wish - offset, 1
        while blocks and blocks[-1][0] > mean:
            other, count = blocks.pop()
            mean, size = (mean * size + other * count) / (size + count), size + count
        blocks.append((mean, size))
    shifts = [mean for mean, size in blocks for _ in range(size)]
    for box, shift, offset in zip(row, shifts, offsets, strict=True):
        box.x = shift + offset


def _assign_y(rows: Sequence[Sequence[Box]], wires: Iterable[Wire]) -> list[tuple[float, float]]:
    """For each row, where the wires that reach it are straight from, and where it ends."""
    labelled = {wire.stops[-1].row for wire in wires if wire.label}
    spans, at = [], 0.0
    for number, row in enumerate(rows):
        straight = at + _ROW_GAP if number else 0.0
        top = straight + (_TAIL if number in labelled else _BARE_TAIL) if number else 0.0
        at = top + max(box.height for box in row)
        for box in row:
            box.y = top
        spans.append((straight, at))
    return spans


def _points(wire: Wire, wires: Sequence[Wire], spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    upper, *lanes, lower = wire.stops
    outgoing = sorted(dict.fromkeys(one.stops[1] for one in wires if one.stops[0] is upper), key=lambda box: box.x)
    step = min(22.0, (upper.width - 16) / len(outgoing))
    out = upper.x + step * (outgoing.index(wire.stops[1]) - (len(outgoing) - 1) / 2)
    at = lower.x + _slots(lower, wires)[0][_slot(wire, wires)]
    points = [(out, upper.y + upper.height), (out, spans[upper.row][1])]
    for lane in lanes:
        points += [(lane.x, spans[lane.row][0]), (lane.x, spans[lane.row][1])]
    return [*points, (at, spans[lower.row][0]), (at, lower.y)]
