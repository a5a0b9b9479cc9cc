"""What differs between locks, and what it means, as a person reads it. The other forms take their words from here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from mlpin.lock.difference import Alarm, Detail, Difference, PackageChange
from mlpin.lock.locked import Lock
from mlpin.lock.meaning import Download, Meaning
from mlpin.report.words import counted, visible
from mlpin.report.wrap import wrapped

ADVICE = "A release is not published again under its file name: find out why before you install it."
_LABELS = {
    "cuda": "CUDA line",
    "cudnn": "cuDNN",
    "driver": "driver floor",
    "gpus": "GPUs",
    "glibc": "glibc floor",
    "conda-cuda": "CUDA that conda's packages need (__cuda)",
    "conda-glibc": "glibc that conda's packages need",
    "accelerator": "accelerator",
    "python": "Python",
    "requires-python": "requires-python",
    "environments": "environments",
    "platform": "platform",
    "target-glibc": "glibc of the target",
    "target-driver": "driver of the target",
    "target-gpus": "GPUs of the target",
    "target-cuda": "CUDA of the target",
}
_NONE = {"requires-python": "any", "environments": "any"}
_NONE |= dict.fromkeys(("driver", "glibc", "conda-cuda", "conda-glibc"), "none stated")
_NAMED = 2
"""So many files are named, more are counted."""
_GROUP = 4
"""So many packages that have changed nothing but their index stand in one line."""


class Compared(NamedTuple):
    """Two locks that were compared; None where there is only one."""

    shown: tuple[str, str]
    old: Lock | None
    new: Lock | None
    difference: Difference | None
    """None where there is only one."""

    @property
    def alarms(self) -> Sequence[Alarm]:
        return self.difference.alarms if self.difference else ()


def text(found: Sequence[Compared], *, quiet: bool = False) -> str:
    """The whole comparison. `quiet` shows the alarms alone."""
    lines: list[str] = []
    apart = False
    for one in found:
        if quiet and not one.alarms:
            continue
        below = alarm_lines(one.alarms)
        if one.difference and not quiet:
            below += [line for change in changes(one.difference.changes) for line in wrapped(change, "  ", "      ")]
            below += meaning_lines(one.difference)
        lines += [""] if lines and (below or apart) else []
        lines += [*wrapped(heading(one), "", "  "), *below]
        apart = bool(below)
    return "".join(f"{line}\n" for line in lines)


def heading(one: Compared) -> str:
    """`main:pylock.toml -> pylock.toml`, and all that is to be said where no package is."""
    if one.difference is None:
        return f"{_name(one)}: {'added' if one.new else 'removed'} as a whole, {counted(_count(one), 'package')}"
    return _name(one) if one.difference.any else f"{_name(one)}: no difference"


def _name(one: Compared) -> str:
    shown = [text for text, lock in zip(one.shown, (one.old, one.new), strict=True) if lock]
    return visible(" -> ".join(shown))


def _count(one: Compared) -> int:
    return sum(len(lock.packages) + len(lock.conda) for lock in (one.old, one.new) if lock)


def alarm_lines(alarms: Iterable[Alarm]) -> list[str]:
    """The alarms; no line where there is none."""
    lines = []
    for alarm in alarms:
        lines += wrapped(visible(f"{alarm.package} {alarm.version}: {alarm.file}"), "  ALARM: ", "    ")
        lines.append("    kept its name, and has other bytes now")
        lines += [f"    {alarm.algorithm} was {visible(alarm.old)}", f"    {alarm.algorithm} is  {visible(alarm.new)}"]
        if alarm.indexes:
            lines += wrapped(visible(f"its index changed too: {arrow(*alarm.indexes)}"), "    ", "      ")
    return [*lines, *wrapped(ADVICE, "  ", "  ")] if lines else []


def changes(found: Sequence[PackageChange], *, brief: bool = False) -> Iterator[str]:
    """One line for each package; those that have changed nothing but their index, or marker, are put together.

    Where it is to be `brief`, so are those of which other files are locked.
    """
    groups: dict[str, list[str]] = {}
    for change in found:
        groups.setdefault(_alone(change, brief=brief), []).append(change.name)
    for change in found:
        words = _alone(change, brief=brief)
        if not words or len(groups[words]) < _GROUP:
            yield visible(package(change))
    for words, names in sorted(groups.items()):
        if words and len(names) >= _GROUP:
            yield visible(f"~ {counted(len(names), 'package')}: {words}  ({', '.join(names)})")


def _alone(change: PackageChange, *, brief: bool) -> str:
    """What other packages may share, where nothing else of this one changed; empty where they cannot."""
    if change.kind not in {"source", "marker", "files"}:
        return ""
    if len(change.details) == 1 and change.details[0].kind in {"index", "channel", "marker", "hash"}:
        return _detail(change.details[0])
    files = all(one.kind == "file" and one.old != one.new for one in change.details)
    return "other files of the same version" if brief and files else ""


def package(change: PackageChange) -> str:
    """`~ torch 2.6.0+cu124 -> 2.6.0+cu126  (another build)`."""
    name = f"{change.name} [{change.marker}]" if change.marker else change.name
    name = f"{name} (conda)" if change.conda else name
    if change.kind in {"added", "removed"}:
        return f"{'+' if change.kind == 'added' else '-'} {name} {change.new or change.old}".rstrip()
    versions = arrow(change.old, change.new) if change.old != change.new else change.new
    kinds = {"down": "older", "build": "" if change.conda else "another build"}
    said = [kinds.get(change.kind, ""), *_details(change)]
    told = "; ".join(part for part in said if part)
    return f"~ {name} {versions}".rstrip() + (f"  ({told})" if told else "")


def _detail(one: Detail) -> str:
    old, new = (one.old or "always", one.new or "always") if one.kind == "marker" else (one.old, one.new)
    return f"{one.kind} {arrow(old, new)}"


def _details(change: PackageChange) -> Iterator[str]:
    yield from (_detail(one) for one in change.details if one.kind != "file")
    files = [one for one in change.details if one.kind == "file"]
    yield _files("other bytes in", [one.new for one in files if one.old == one.new])
    yield _files("no longer", [one.old for one in files if not one.new])
    yield _files("now also", [one.new for one in files if not one.old])


def _files(words: str, names: Sequence[str]) -> str:
    if not names:
        return ""
    return f"{words} {', '.join(names) if len(names) <= _NAMED else f'{len(names)} files'}"


def meaning_lines(found: Difference) -> list[str]:
    """What it means, below a heading; no line where it means nothing."""
    lines = []
    for label, words in told(found):
        lines += wrapped(visible(f"{label}: {words}"), "    ", "      ")
    return ["  which means", *lines] if lines else []


def told(found: Difference) -> Iterator[tuple[str, str]]:
    """(what, how it changed) of each fact."""
    for one in found.meanings:
        yield _LABELS[one.kind], _gpus(one) if one.kind == "gpus" else arrow(*values(one))
    if found.download and found.download.unknown != found.download.packages:
        yield "download", size(found.download)


def values(one: Meaning) -> tuple[str, str]:
    """Before and after, in words where there is none."""
    none = _NONE.get(one.kind, "none" if one.kind in {"cuda", "cudnn"} else "not said")
    return one.old or none, one.new or none


def _gpus(one: Meaning) -> str:
    parts = [("no longer", one.lost), ("now also", one.gained)]
    return "; ".join(f"{words} {', '.join(names)}" for words, names in parts if names)


def size(one: Download) -> str:
    """`2.9 GB -> 3.1 GB (+210.0 MB)`; what is not known is said."""
    moved = "" if one.delta is None else f"{'+' if one.delta > 0 else '-'}{_bytes(abs(one.delta))}"
    if one.old is not None and one.new is not None:
        return f"{arrow(_bytes(one.old), _bytes(one.new))} ({moved})"
    before, after = (f"{count} of {many}" for count, many in zip(one.unknown, one.packages, strict=True))
    why = f"no size in the lock for {before} packages before, {after} after"
    return f"{moved}, in all not known ({why})" if moved else f"not known ({why})"


def _bytes(count: int) -> str:
    value, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.95 or unit == "GB":
            break
        value /= 1000
    return f"{value:.1f} {unit}" if unit != "B" else f"{count} B"


def arrow(old: str, new: str) -> str:
    """`old -> new`."""
    return f"{old or 'none'} -> {new or 'none'}"
