"""Lock and container image: whether what is locked can be installed in the image, and runs there.

What is not known of an image is not held against it. Wheels that bring their own CUDA do not care for the image's: then
it is a warning at most.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from mlpin.check.matrix import packages
from mlpin.check.model import Drift, Severity
from mlpin.lock.runtime import compiled, glibc_of, own_cuda
from mlpin.matrix.judge import Facts, judge
from mlpin.matrix.ranges import stated_within, version

if TYPE_CHECKING:
    from mlpin.image.model import Image
    from mlpin.lock.locked import Lock
    from mlpin.matrix.judge import Finding
    from mlpin.matrix.matrix import Matrix
    from mlpin.target import Target

_NAMED = 3
"""How many packages a message names."""


def drifts(lock: Lock, target: Target | None, image: Image, rules: Matrix) -> Iterator[Drift]:
    """What of the image is not as the lock needs it; notes say what of the image is not known."""
    for note in image.notes:
        yield _drift(image, "unknown", note, severity="note")
    if target is not None and target.platform.system != "linux":
        if image.libc or (image.system and not image.system.startswith("windows")):
            message = f"{image.subject} is one of Linux, the lock is for {target.platform.kind}"
            hint = "lock for a target on Linux as well"
            yield _drift(image, "platform", message, expected=target.platform.kind, found="linux", hint=hint)
        return
    machine = target.platform.machine if target else ""
    if machine and image.machine and machine != image.machine:
        message = f"{image.subject} is for {image.machine}, the lock is for {machine}"
        yield _drift(image, "platform", message, expected=machine, found=image.machine, hint=_another("--platform"))
        return
    yield from _python(lock, image)
    yield from _c_library(lock, target, image)
    if target is None or target.hardware.accelerator in {"", "cuda"}:
        own = own_cuda(lock, rules)
        known = [*_preinstalled(lock, image), *_compiled(lock, image, rules, own)]
        yield from known
        yield from _cuda(lock, target, image, rules, own, said=bool(known))
        yield from _driver(target, image, rules, own)


# -- Python and the C library


def _python(lock: Lock, image: Image) -> Iterator[Drift]:
    wanted = lock.stated.python[0] if lock.stated.python else ""
    if not wanted or not image.pythons or any(_same_python(wanted, there) for there in image.pythons):
        return
    there = " and ".join(image.pythons)
    whose = "has Python" if image.for_python else "has no Python but its system's own"
    message = f"{image.subject} {whose} {there}, the lock is for {wanted}"
    minor = ".".join(wanted.split(".")[:2])
    hint = f"take an image with Python {minor}, or lock for the one that it has"
    # A system's own Python may be there for the system alone.
    severity: Severity = "error" if image.for_python else "warning"
    yield _drift(image, "python", message, expected=wanted, found=there, severity=severity, hint=hint)


def _same_python(one: str, other: str) -> bool:
    """Whether two versions agree as far as both are told."""
    parts = list(zip(one.split("."), other.split("."), strict=False))
    return all(left == right for left, right in parts)


def _c_library(lock: Lock, target: Target | None, image: Image) -> Iterator[Drift]:
    needs: dict[str, int] = {}
    for package in lock.packages:
        minor = glibc_of(package, target)
        if minor is not None:
            needs[package.name] = max(minor, needs.get(package.name, 0))
    if image.libc == "musl":
        either = {package.name for package in lock.packages for file in package.files if "musllinux" in file.tags}
        if only := sorted(needs.keys() - either):
            message = f"{image.subject} has musl, and {_names(only)} only for glibc in the lock"
            hint = "take an image with glibc, such as one of Debian or Ubuntu"
            yield _drift(image, "glibc", message, expected="glibc", found="musl", hint=hint)
        return
    floor = str(lock.floor.get("glibc", "")) or f"2.{max(needs.values(), default=0)}"
    if not image.glibc or not _older(image.glibc, floor):
        return
    low = sorted(name for name, minor in needs.items() if _older(image.glibc, f"2.{minor}"))
    why = f" ({', '.join(low[:_NAMED])})" if low else ""
    message = f"{image.subject} has glibc {image.glibc}, the locked wheels need {floor}{why}"
    hint = f'take a newer image, or lock with glibc = "{image.glibc}" in the target'
    yield _drift(image, "glibc", message, expected=floor, found=image.glibc, hint=hint)


# -- CUDA


def _preinstalled(lock: Lock, image: Image) -> Iterator[Drift]:
    """Another release of what the image was made for."""
    for name, there in image.packages:
        for package in lock.by_name.get(name, ()):
            found, wanted = version(there), version(package.version)
            if found is None or wanted is None:
                continue
            if found.release == wanted.release[: len(found.release)] and not found.is_prerelease:
                continue
            message = f"{image.subject} brings {name} {there}, and the lock has {package.version}, which replaces it"
            hint = f"take an image without {name}, or lock the release that it has"
            yield _drift(image, "version", message, name, package.version, there, severity="warning", hint=hint)


def _cuda(lock: Lock, target: Target | None, image: Image, rules: Matrix, own: str, *, said: bool) -> Iterator[Drift]:
    if own:
        if image.cuda and _major(image.cuda) != _major(own) and not said:
            message = f"{image.subject} has CUDA {image.cuda}, and the locked wheels bring CUDA {own} and do not use it"
            hint = "take a smaller image without CUDA, or one of the same major version if something else uses it"
            yield _drift(image, "cuda", message, expected=own, found=image.cuda, severity="warning", hint=hint)
        return
    facts = (Facts.of(target) if target else Facts())._replace(accelerator="cuda", cuda=image.cuda, cudnn=image.cudnn)
    told: set[tuple[str, str]] = set()
    for finding in judge(rules, packages(lock, target), facts):  # the worst come first
        rule, name = finding.rule, finding.packages[0][0]
        if rule.other not in {"cuda", "cudnn"}:
            continue
        if rule.severity == "untested" and (
            not rule.steer or (name, rule.other) in told or _from_elsewhere(lock, name)
        ):
            continue
        told.add((name, rule.other))
        yield _used(image, finding)


def _from_elsewhere(lock: Lock, name: str) -> bool:
    """Whether a package is from another index than most are: such a build may be for another CUDA than usual."""
    counts = Counter(package.index for package in lock.packages)
    return any(counts[package.index] < max(counts.values()) for package in lock.by_name[name])


def _used(image: Image, finding: Finding) -> Drift:
    """A locked package takes CUDA or cuDNN from the image, and cannot do with what is there."""
    rule = finding.rule
    name, release = finding.packages[0]
    what = "CUDA" if rule.other == "cuda" else "cuDNN"
    found = finding.packages[1][1]
    verbs = ("was tested with", "may not work with") if rule.severity == "untested" else ("needs", "does not work with")
    verb = f"{verbs[rule.verb != 'needs']} {what} {finding.wanted}"
    message = f"{image.subject} has {what} {found}, and {name} {release} {verb} [{rule.id}]"
    severity: Severity = "error" if rule.severity == "broken" else "warning"
    return _drift(image, rule.other, message, name, finding.wanted, found, severity=severity, hint=rule.remedy)


def _compiled(lock: Lock, image: Image, rules: Matrix, own: str) -> Iterator[Drift]:
    """Extensions for CUDA that are locked as a source alone, and so are compiled in the image."""
    for package in compiled(lock, rules):
        # Some of them fetch a wheel of their own while they are "built".
        ready = any(
            version(one.version) == version(package.version.partition("+")[0]) for one in rules.wheels(package.name)
        )
        if image.cuda and own and _major(image.cuda) != _major(own):
            message = (
                f"{image.subject} has CUDA {image.cuda}, and {package.name} {package.version} is compiled in it for the"
                f" CUDA {own} of the lock"
            )
            hint = f"take an image with CUDA {_major(own)} and its compiler, or lock a wheel of {package.name}"
            severity: Severity = "warning" if ready else "error"
            yield _drift(image, "cuda", message, package.name, own, image.cuda, severity=severity, hint=hint)
        elif image.nvcc == "no":
            message = (
                f"{image.subject} has no compiler for CUDA, and {package.name} {package.version} is locked as source"
            )
            hint = f"compile it in a `-devel` image, or lock a wheel of {package.name}"
            yield _drift(image, "nvcc", message, package.name, "nvcc", "none", severity="warning", hint=hint)


def _driver(target: Target | None, image: Image, rules: Matrix, own: str) -> Iterator[Drift]:
    """Whether the oldest driver of the target is one that the image's CUDA takes."""
    stated = version(target.hardware.driver) if target and target.hardware.driver else None
    if target is None or stated is None or not image.cuda:
        return
    if own and image.branches is None:  # nothing uses the image's CUDA, and nothing is known to keep it from starting
        return
    minor = ".".join(image.cuda.split(".")[:2])
    branch, asked = str(stated.major), rules.driver_for(minor)
    if image.branches is not None and asked:
        if stated.major >= int(asked) or branch in image.branches:
            return
        message = (
            f"containers of {image.subject} start on drivers of the branch {asked} or newer, or of"
            f" {', '.join(image.branches)}; the lock is for {target.hardware.driver}"
        )
        hint = f"take an image with the CUDA that driver {branch} came with, or set NVIDIA_DISABLE_REQUIRE=1"
    else:
        asked = rules.driver_floor(minor, target.platform.name)[0]
        if not asked or stated_within(f">={asked}", stated) is not False:
            return
        message = (
            f"CUDA {image.cuda} of {image.subject} needs driver {asked} or newer, the lock is for"
            f" {target.hardware.driver}"
        )
        hint = "take an image with an older CUDA, or one without"
    yield _drift(image, "driver", message, expected=asked, found=target.hardware.driver, severity="warning", hint=hint)


def _major(text: str) -> str:
    return text.partition(".")[0]


def _older(one: str, other: str) -> bool:
    found, wanted = version(one), version(other)
    return found is not None and wanted is not None and found < wanted


def _names(names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"{names[0]} has wheels"
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more} have wheels"


def _another(flag: str) -> str:
    return f"take the image for the other processor (`{flag}`), or lock for this one"


def _drift(
    image: Image,
    kind: str,
    message: str,
    package: str = "",
    expected: str = "",
    found: str = "",
    *,
    severity: Severity = "error",
    hint: str = "",
) -> Drift:
    return Drift("image", kind, message, package, expected, found, image.file, image.line, severity, hint)
