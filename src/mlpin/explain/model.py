"""What an explanation says, as values: the clash, why it holds, how sure that is, and what mends it.

Sentences stand here in words; how they are laid out (text, JSON, Markdown, SARIF, HTML) is `report`'s work.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from mlpin.target import Target

PremiseKind = Literal["requirement", "constraint", "override", "requires-python", "target", "option", "rule"]
LinkKind = Literal["metadata", "offered", "rule", "unknown"]
Evidence = Literal["declared", "index", "metadata", "documented", "reported"]
"""What a link rests on: what a release declares, what an index has, or (for rules) the grade of the matrix."""
Status = Literal["conflict", "gave-up", "solvable"]


class Premise(NamedTuple):
    """One thing that the user or the matrix says and that the clash needs."""

    kind: PremiseKind
    text: str
    """The user's own line, `driver 470.82`, or the rule in words."""
    about: str
    """The package, the field of the target or of the options (`driver`, `exclude-newer`), the rule's id."""
    place: str = ""
    """Where it stands in words: `requirements.txt:3`, `pyproject.toml:12`, `--driver`, `detected`."""
    file: str = ""
    line: int = 0
    source: tuple[str, ...] = ()
    evidence: Evidence | Literal[""] = ""
    """For a rule."""


class Link(NamedTuple):
    """One step of the reason, in one sentence without its full stop."""

    kind: LinkKind
    text: str
    start: str
    """The package that it is about."""
    ends: tuple[str, ...]
    """What it leads to: packages, or the `about` of premises."""
    evidence: Evidence
    rule: str = ""
    """The id of the rule that says so."""
    symptom: str = ""
    source: tuple[str, ...] = ()


class Clash(NamedTuple):
    """The fewest premises that cannot hold together, and why."""

    premises: Sequence[Premise]
    links: Sequence[Link]
    minimal: bool
    """Whether it was shown that each premise is needed: without any one of them the others can be solved."""


class Edit(NamedTuple):
    """One change of what the user wrote. `old` and `new` are whole lines without indentation."""

    old: str
    """Empty: the line is added."""
    new: str
    """Empty: the line is taken away."""
    place: str
    """Where, in words: `requirements.txt:3`, `--driver`."""
    file: str = ""
    """As the premises name it; empty where it stands in no file (an option, what was detected)."""
    line: int = 0


class Move(NamedTuple):
    """What the repair changes for a package or a field that the user spoke of, in a few words."""

    name: str
    old: str
    new: str


class Repair(NamedTuple):
    """Edits after which the whole project was solved, for every target."""

    edits: Sequence[Edit]
    pins: Mapping[str, str]
    """By package, the version that the target gets: all of it."""
    shown: Sequence[str]
    """The packages of the clash and of the edits, in the order to show them."""
    cost: Sequence[Move] = ()
    """What moves or is dropped."""
    notes: Sequence[str] = ()
    """What to know of it: an untested build, a source archive that must be built."""


class Explanation(NamedTuple):
    """What is to be said of one target that has no lock."""

    target: Target
    status: Status
    clashes: Sequence[Clash] = ()
    """The first one; with `--all` further ones, each without a premise of every earlier one."""
    repairs: Sequence[Repair] = ()
    """Best first. Each mends all of the clashes."""
    more: bool = False
    """Whether there is another clash that is not among `clashes`."""
    finished: bool = True
    """False: it was interrupted, or its budget of re-solves was used up, before every edit was tried."""
    interrupted: bool = False
    """By Ctrl-C: this is the best so far."""
    tried: int = 0
    """Re-solves."""
    others: Mapping[str, str] = MappingProxyType({})
    """By name, further targets of the project, with how they end (`conflict`, `solved`, …)."""
    notes: Sequence[str] = ()
