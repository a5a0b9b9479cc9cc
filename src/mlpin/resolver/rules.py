"""The matrix inside a solve: which candidates it refuses on a target, and what one candidate asks of others.

"If it is present, it must be …" has no requirement of its own in a resolver: to require is to install. So presence is
a key: a candidate of any name that rules speak of requires `if name` to be itself, a rule requires `if name` to be
absent or in the range. Packages that are built together require `line family` to be theirs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, NamedTuple

from mlpin.candidate import Candidate, Key, Listing, Rejection
from mlpin.index.names import version as parsed
from mlpin.matrix.judge import Facts, Package, asked_of_label, between, capability, label_of, rows
from mlpin.matrix.labels import built, cuda_of, is_vendor_build, order
from mlpin.matrix.ranges import stated_within, version, within
from mlpin.matrix.rule import LABEL, SAME, Rule, any_of, serves
from mlpin.requirement import Origin

if TYPE_CHECKING:
    from mlpin.matrix.matrix import Matrix
    from mlpin.matrix.tables import Family, Line
    from mlpin.requirement import Requirement
    from mlpin.target import Target

PRESENCE = "if"
LINE = "line"
SHADOWS = frozenset({PRESENCE, LINE})
"""Kinds of keys that stand for no distribution: they restrict, and are never locked."""


class Present:
    """What a candidate of a name that rules speak of says: here it is."""

    __slots__ = ("candidate", "key", "origin")

    def __init__(self, candidate: Candidate) -> None:
        self.key = Key(PRESENCE, candidate.name)
        self.candidate = candidate
        self.origin = Origin("candidate")

    def admits(self, candidate: Candidate) -> bool:
        """Whether it is this very candidate."""
        return candidate.base is self.candidate

    def __str__(self) -> str:
        return f"{self.candidate.name}=={self.candidate.version}"


class Ruled:
    """What a rule asks of another package, if that is there at all."""

    __slots__ = ("key", "matrix", "origin", "package", "platform", "rule", "wanted")

    def __init__(self, matrix: Matrix, rule: Rule, wanted: str, package: Package, platform: str) -> None:
        self.key = Key(PRESENCE, rule.other)
        self.matrix = matrix
        self.rule = rule
        self.wanted = wanted
        self.package = package
        self.platform = platform
        self.origin = Origin("rule", rule.id)

    def admits(self, candidate: Candidate) -> bool:
        """Whether the other package is absent, or one that the rule does not speak against."""
        theirs = candidate.base
        if theirs is None:
            return True
        if theirs.source is not None and self.rule.wheels_only:
            return True
        other = Package(theirs.name, str(theirs.version))
        return between(self.matrix, self.rule, self.wanted, self.package, other, self.platform) is None

    def __str__(self) -> str:
        other = self.rule.other
        if self.wanted == LABEL:
            return f"{other} as its label says ({asked_of_label(built(self.package.version))})"
        if self.wanted == SAME:
            return f"the same release of {other}"
        if self.rule.verb == "fails":
            return f"no {other}{self.wanted}" if self.wanted else f"no {other} beside it"
        return f"{other}{self.wanted}"

    @property
    def said(self) -> str:
        """What it asks, in words that follow the name of the package that asks."""
        if self.rule.verb == "fails":
            return f"does not work with {self.rule.other}{self.wanted}"
        return f"needs {self}"


class OnLine:
    """A package that is built with its family: all of them are of one build line.

    A label that names the major version of CUDA alone (`cu13`) goes with every line of that version.
    """

    __slots__ = ("key", "label", "origin")

    def __init__(self, family: str, label: str) -> None:
        self.key = Key(LINE, family)
        self.label = label
        self.origin = Origin("rule", line_rule(family))

    def admits(self, candidate: Candidate) -> bool:
        """Whether the family is of this line."""
        mine, theirs = self.label, candidate.index
        return mine == theirs or (_is_major(mine) and theirs.startswith(mine))

    def __str__(self) -> str:
        return f"the {self.label} builds of {self.key.name}"


class _Against(NamedTuple):
    """What speaks against a release on a target; nothing where `reason` is empty."""

    reason: str = ""
    fact: str = ""
    """As in `Rejection`."""
    source: str = ""
    remedy: str = ""


_NOTHING = _Against()


class Rulebook:
    """The rules of a matrix as they bear on one target.

    While `steering`, rules that only advise count as those that reject. After that, published pins (*declared*) count
    where one side is among `pinned`, the names that the user has pinned to a version. While `choosing`, builds for the
    target's accelerator and releases with the extras that are asked for count as the only ones. `advised` and `chosen`
    say whether there was any occasion, without which neither makes a difference. What is `waived` does not count: facts
    of the target as `Rejection` names them, and rules by id.
    """

    def __init__(
        self,
        matrix: Matrix,
        target: Target,
        *,
        steering: bool = True,
        choosing: bool = True,
        pinned: frozenset[str] = frozenset(),
        waived: frozenset[str] = frozenset(),
    ) -> None:
        self.matrix = matrix
        self.facts = _without(Facts.of(target), waived) if waived else Facts.of(target)
        self.waived = waived
        self.advised = False
        self.chosen = False
        self.steering = steering
        self.choosing = choosing
        self.pinned = pinned
        self._platform = self.facts.platform
        self._cuda = "" if "cuda" in waived else target.hardware.cuda
        self._shadows: dict[tuple[str, int], Candidate] = {}
        self._families: dict[str, Family] | None = None

    # -- one candidate

    def refuses(
        self, name: str, text: str, versions: Collection[str] = (), *, carried: bool = False
    ) -> Rejection | None:
        """Why a release cannot be used on the target, where a rule says so. `text` is its version, of `versions`.

        Where a conda package has `carried` it, rules on how wheels are built say nothing.
        """
        found = None if carried else self._refuses_line(name, text)
        if found is not None:
            return found
        package = Package(name, text, wheel=not carried)
        for rule in self.matrix.rules(name):
            if carried and (rule.verb == "kernels" or rule.line):
                continue
            if rule.of_target and self._in_force(rule):
                for wanted in rows(rule, self.matrix, package, self.facts):
                    against = self._against_target(rule, wanted)
                    if against.reason:
                        remedy = rule.remedy or against.remedy
                        return Rejection(name, text, "rule", against.reason, remedy, against.fact, rule.id, cited(rule))
        known = "" if carried else self._known_beside(name, text, versions)
        if known and self._chooses():
            reason = f"is not known to have code for {self.facts.gpus[0][0]}, and {known} is"
            return Rejection(name, text, "line", reason, "", f"gpu:{self.facts.gpus[0][0]}")
        return None

    def speaks_of(self, name: str) -> bool:
        """Whether any rule is about this distribution or asks something of it."""
        return bool(self.matrix.rules(name)) or name in self.matrix.others

    def _known_beside(self, name: str, text: str, versions: Collection[str]) -> str:
        """A build of the same release that is known to serve the target's GPUs, where nothing is known of this one."""
        family = self.family(name)
        if not self.facts.gpus or family is None or name != family.packages[0] or self._serves(name, text) is not None:
            return ""
        public = text.partition("+")[0]
        beside = (one for one in versions if one != text and one.partition("+")[0] == public)
        return next((one for one in beside if self._serves(name, one) and not self._refuses_line(name, one)), "")

    def _serves(self, name: str, text: str) -> bool | None:
        """Whether a build has code for all GPUs of the target; None where that is not known."""
        levels = [level for _, runs in self.facts.gpus if (level := capability(runs)) is not None]
        for rule in self.matrix.rules(name):
            if rule.verb == "kernels" and rows(rule, self.matrix, Package(name, text), self.facts):
                return all(serves(rule.kernels, level) for level in levels)
        return None

    def _against_target(self, rule: Rule, wanted: str) -> _Against:
        facts = self.facts
        if rule.verb == "kernels" or rule.other == "gpu":
            for gpu, runs in facts.gpus:
                level = capability(runs)
                if level is None:
                    continue
                if rule.verb == "kernels":
                    if not serves(rule.kernels, level):
                        reason = f"has no code for {gpu}: only for {', '.join(rule.kernels)}"
                        return _Against(reason, f"gpu:{gpu}", remedy="another CUDA line, or release")
                elif stated_within(wanted, parsed(runs)) == (rule.verb == "fails"):
                    verb = "fails on" if rule.verb == "fails" else "needs"
                    reason = f"{verb} a GPU of compute capability {wanted}, {gpu} has {runs}"
                    return _Against(reason, f"gpu:{gpu}")
            return _NOTHING
        stated = getattr(facts, rule.other)
        known = version(stated) if stated else None
        if known is None or stated_within(wanted, known) != (rule.verb == "fails"):
            return _NOTHING
        what = {"driver": "an NVIDIA driver", "glibc": "glibc", "cuda": "CUDA", "cudnn": "cuDNN", "python": "Python"}
        if rule.verb == "fails":
            return _Against(f"fails with {what[rule.other]} {wanted}, the target has {stated}", rule.other)
        return _Against(f"needs {what[rule.other]} {wanted}, the target has {stated}", rule.other)

    def _in_force(self, rule: Rule) -> bool:
        if rule.id in self.waived:
            return False
        if rule.severity == "broken" and not rule.steer:
            return True
        if rule.severity == "untested" and not rule.steer:
            return False
        self.advised = True
        if self.steering:
            return True
        return not rule.steer and bool(self.pinned & {rule.package, rule.other})

    def restricts(self, candidate: Candidate) -> Iterator[Requirement]:
        """What rules ask of other packages because this candidate is there, and the notice that it is."""
        name, matrix = candidate.name, self.matrix
        if candidate.source is not None and is_vendor_build(str(candidate.version)):
            return
        if name in matrix.others:
            yield Present(candidate)
        text = str(candidate.version)
        package = Package(name, text, wheel=bool(candidate.wheels))
        for rule in matrix.rules(name):
            if not rule.of_target:
                for wanted in rows(rule, matrix, package, self.facts):
                    if self._in_force(rule):
                        yield Ruled(matrix, rule, wanted, package, self._platform)
        family = self.family(name) if not candidate.carrier else None  # conda's builds have no label
        if family is not None and line_rule(family.name) not in self.waived:
            of = label_of(matrix, name, text, self._platform)
            # A build without CUDA and without a label goes with any torch; it only lacks what CUDA would add. What is
            # known of the major version alone matters where a line is chosen.
            if of.line and (of.cuda or "+" in text) and (self.facts.accelerator or not _is_major(of.line)):
                yield OnLine(family.name, of.line)

    def shadow(self, key: Key, asked: list[Requirement]) -> list[Candidate]:
        """The candidate of a shadow key under what is asked of it; none where that contradicts itself."""
        said = [one for one in asked if isinstance(one, Present | OnLine)]
        first = max(said, key=_precision, default=None)
        if isinstance(first, Present):
            found = self._shadow(
                key, id(first.candidate), Candidate(key, first.candidate.version, base=first.candidate)
            )
        elif isinstance(first, OnLine):
            found = self._shadow(key, hash(first.label), Candidate(key, parsed("0"), index=first.label))
        else:
            found = self._shadow(key, 0, Candidate(key, parsed("0")))
        return [found] if all(one.admits(found) for one in asked) else []

    def _shadow(self, key: Key, mark: int, new: Candidate) -> Candidate:
        # Beside each one stands what it is for, so that no other object can get its id.
        return self._shadows.setdefault((key.kind + key.name, mark), new)

    def drops_extra(self) -> bool:
        """Whether a release without an extra may stand in for newer ones that have it: where nothing else is left."""
        return not self._chooses() and self.facts.accelerator not in {"cuda", "rocm"}

    # -- build lines

    def family(self, name: str) -> Family | None:
        """The packages that this one is built with."""
        if self._families is None:
            self._families = {name: family for family in self.matrix.tables.families for name in family.packages}
        return self._families.get(name)

    def lines(self, family: str) -> list[Line]:
        """The build lines of a family whose files may run on the target, in the matrix's order."""
        accelerator = self.facts.accelerator
        return [
            line
            for line in self.matrix.tables.lines
            if line.family == family
            and line.accelerator == accelerator
            and any_of(line.platforms, self._platform)
            and not self._unwanted(line.cuda).reason
            and not self._refuses_cuda(line.cuda).reason
        ]

    def _refuses_cuda(self, cuda: str) -> _Against:
        """Why the target cannot run builds for this CUDA version."""
        if not cuda:
            return _NOTHING
        driver = version(self.facts.driver) if self.facts.driver else None
        if driver is not None:
            floor, source = self.matrix.driver_floor(cuda, self._platform)
            if floor and stated_within(f">={floor}", driver) is False:
                needed = f"is built for CUDA {cuda}, which needs driver {floor}; the target has {self.facts.driver}"
                return _Against(needed, "driver", source)
        if "." in cuda:
            for name, runs in self.facts.gpus:
                if self.matrix.dropped(runs, cuda):
                    reason = f"is built for CUDA {cuda}, which compiles no code for {name} any more"
                    return _Against(reason, f"gpu:{name}")
        return _NOTHING

    def _unwanted(self, cuda: str) -> _Against:
        """Why the user does not want builds for this CUDA version; one that is a major version stands for any of it."""
        if not cuda or not self._cuda:
            return _NOTHING
        lines = [line.cuda for line in self.matrix.tables.lines if line.cuda.partition(".")[0] == cuda]
        wanted = any(within(self._cuda, parsed(one)) for one in ([cuda] if "." in cuda else lines))
        return _NOTHING if wanted else _Against(f"is built for CUDA {cuda}, the target wants {self._cuda}", "cuda")

    def _chooses(self) -> bool:
        """Whether a build that is second best is left out at the moment; that there is one is noted."""
        self.chosen = True
        return self.choosing

    def _too_old_for(self, cuda: str) -> _Against:
        """A GPU of the target that no CUDA this old knows. Only a hint: code for older GPUs may be compiled for it."""
        for name, runs in self.facts.gpus:
            first = self.matrix.first_cuda(runs)
            if first and "." in cuda and parsed(cuda) < parsed(first) and self._chooses():
                reason = f"is built for CUDA {cuda}, and {name} is known to CUDA {first} and newer"
                return _Against(reason, f"gpu:{name}")
        return _NOTHING

    def _refuses_line(self, name: str, text: str) -> Rejection | None:
        accelerator = self.facts.accelerator
        family = self.family(name)
        if not accelerator or (family is None and "+" in text and not self.matrix.wheels(name)):
            return None
        of = label_of(self.matrix, name, text, self._platform)
        if not of.line:
            return None
        known = self.matrix.line(of.line)
        kind = known.accelerator if known else "cuda" if cuda_of(of.line) else "rocm" if "rocm" in of.line else of.line
        if kind != accelerator and not (accelerator == "metal" and kind == "cpu"):
            # What is not labelled may do without the accelerator, but for the head of a family: that is all it is for.
            # A build for CUDA runs without a GPU, too; it is only larger.
            soft = "+" not in text and (family is None or name != family.packages[0])
            if (soft or (kind, accelerator) == ("cuda", "cpu")) and not self._chooses():
                return None
            if "accelerator" in self.waived:
                return None
            reason = f"is a build for {kind} ({of.line}), the target uses {accelerator}"
            return Rejection(name, text, "line", reason, "", "accelerator")
        # Where a name is on several indexes, the same version may be built for another CUDA on another one.
        elsewhere = family is None and "+" not in text
        unwanted = self._unwanted(of.cuda)
        if unwanted.reason and elsewhere and not self._chooses():
            unwanted = _NOTHING
        against = unwanted if unwanted.reason else self._refuses_cuda(of.cuda)
        against = against if against.reason else self._too_old_for(of.cuda)
        if not against.reason:
            return None
        remedy = "a release or a build for another CUDA, or another target"
        return Rejection(name, text, "line", against.reason, remedy, against.fact, source=against.source)

    def order(self, name: str, text: str) -> object:
        """What releases of a name are sorted by, highest first."""
        cuda = (
            "" if "+" in text or self.family(name) is None else label_of(self.matrix, name, text, self._platform).cuda
        )
        return order(text, cuda)

    # -- files that no index lists

    def releases(self, name: str) -> Listing | None:
        """The files of a package that the matrix knows and no index lists, for targets with an accelerator."""
        if self.facts.accelerator not in {"cuda", "rocm"}:
            return None
        from mlpin.matrix.listing import listing

        return listing(self.matrix, name)

    def refuses_source(self, name: str, text: str) -> Rejection | None:
        """Why a source archive is no stand-in for a wheel that is built for one torch and one CUDA."""
        if self.facts.accelerator != "cuda" or not self.matrix.wheels(name):
            return None
        listed = (self.releases(name) or Listing(name, "", {})).versions
        made = {built(version) for version in listed if version.partition("+")[0] == text}
        reason = "is a source archive"
        if made:
            torches = sorted({of.torch for of in made if of.torch}, key=parsed)
            cudas = sorted({of.cuda for of in made if of.cuda}, key=parsed)
            reason += f"; its wheels are for torch {', '.join(torches)} with CUDA {', '.join(cudas)}"
        else:
            reason += ", and no wheel of this release is known for CUDA"
        return Rejection(name, text, "rule", reason, f"--no-binary {name} to have it built on the target")


def _is_major(label: str) -> bool:
    """Whether a label names the major version of CUDA alone."""
    cuda = cuda_of(label)
    return bool(cuda) and "." not in cuda


def _precision(said: Present | OnLine) -> int:
    return len(said.label) if isinstance(said, OnLine) else 0


def cited(rule: Rule) -> str:
    """A rule by its id, with where it is from."""
    return f"rule {rule.id}, {rule.evidence}: {'; '.join(rule.source)}"


def line_rule(family: str) -> str:
    """The id under which it goes that packages of a family are of one build line."""
    return f"{family}-line"


def _without(facts: Facts, waived: frozenset[str]) -> Facts:
    blank = dict.fromkeys(waived & {"driver", "python", "glibc"}, "")
    return facts._replace(gpus=tuple(gpu for gpu in facts.gpus if f"gpu:{gpu[0]}" not in waived), **blank)
