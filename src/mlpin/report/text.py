"""What a person reads: the summary of a lock, an error. Functions return text and print nothing."""

from __future__ import annotations

from collections.abc import Sequence

from mlpin.errors import MlpinError
from mlpin.outcome import Resolution
from mlpin.pipeline import LockResult, TargetResult
from mlpin.report.words import counted
from mlpin.report.wrap import wrapped


def error(problem: MlpinError) -> str:
    """An error as it is printed: what, where, what else is known, the way out."""
    lines = wrapped(str(problem), "error: ", "  ")
    for note in problem.notes:
        lines += wrapped(note, "  note: ", "        ")
    if problem.hint:
        lines += wrapped(problem.hint, "  hint: ", "        ")
    return "\n".join(lines) + "\n"


def summary(result: LockResult, shown: Sequence[str], *, verbose: bool = False) -> str:
    """What was locked, what changed and why. `shown` are the lock files as messages name them."""
    lines: list[str] = []
    project = result.project
    lines.append(
        f"Read {result.project.manifest.inputs[0].name if project.manifest.inputs else project.manifest.path.name}"
        + (f" (not read: {', '.join(project.passed_over)})" if project.passed_over else "")
    )
    for note in result.notes:
        lines += wrapped(f"{note.origin.place}: {note.message}", "note: ", "  ")
    for target, file in zip(result.targets, shown, strict=True):
        lines += _target(target, file, verbose)
    if result.local_only:
        names = ", ".join(result.local_only[:6]) + (" …" if len(result.local_only) > 6 else "")
        lines += wrapped(
            f"{counted(len(result.local_only), 'package')} locked from files of this machine ({names}): "
            "this lock installs here only. "
            "The index or find-links that they come from is configured for pip or uv on this machine; "
            "`extra-index-urls = []` and `find-links = []` in [tool.mlpin] leave such places out.",
            "note: ",
            "  ",
        )
    lines += _installing(result)
    asked = f", {result.requests} requests" if result.requests else ""
    lines.append(f"Done in {result.seconds:.2f} s{asked}")
    return "\n".join(lines) + "\n"


def _target(target: TargetResult, file: str, verbose: bool) -> list[str]:
    plan = target.plan
    name = f"{plan.target.name}: " if plan.target.name else ""
    if target.outcome is None:
        return wrapped(f"{name}{file} is up to date: {_count(target)} for {plan.target}", "", "  ")
    detected = f" ({' and '.join(plan.detected)} detected)" if plan.detected else ""
    lines = wrapped(f"{name}{_count(target)} for {plan.target}{detected}", "", "  ")
    named = {line.name for line in plan.requirements}
    for change in sorted(target.changes, key=lambda one: one.name not in named):
        if change.kind == "added":
            text = f"+ {change.name} {change.new}"
        elif change.kind == "removed":
            text = f"- {change.name} {change.old}"
        else:
            text = f"~ {change.name} {change.old} -> {change.new}"
        lines += wrapped(f"{text}  ({change.why})", "  ", "      ")
    others = target.other_changes
    if target.difference is not None:
        from mlpin.report.diffed import alarm_lines, changes, meaning_lines

        lines += [line for change in changes(others, brief=True) for line in wrapped(change, "  ", "      ")]
        lines += [*meaning_lines(target.difference), *alarm_lines(target.difference.alarms)]
    for package, note in target.notes:
        lines += wrapped(f"{package}: {note}", "  ! ", "    ")
    if verbose and target.fresh and isinstance(target.outcome, Resolution):
        lines += [f"  {record.shown}" for record in target.outcome.conda.values()]
        lines += [f"  {pin.name} {pin.version}" for pin in target.outcome.packages.values()]
    same = target.difference is not None and not target.changes and not others
    done = "wrote" if target.fresh else "no package changed; rewrote" if same else "rewrote"
    lines.append(f"  {done} {file}" + (f" and {target.beside}" if target.beside else ""))
    return lines


def _count(target: TargetResult) -> str:
    packages = counted(target.packages, "package")
    if not target.beside:
        return packages
    return f"{packages}, {'all' if target.conda == target.packages else f'{target.conda} of them'} from conda,"


def _installing(result: LockResult) -> list[str]:
    """How a lock with conda packages is installed, said when it is written."""
    told = next((one for one in result.targets if one.beside and one.rewritten), None)
    if told is None:
        return []
    others = sum(bool(one.beside) for one in result.targets) - 1
    which = f"{told.beside} (and so for each target)" if others else told.beside
    text = f"{which} is installed first: micromamba create -n NAME -f {told.beside}"
    if told.packages > told.conda:
        rest = f"uv pip install --no-deps -r {told.plan.lock.name} --python PREFIX"
        text += f"; then the rest, which is not enough by itself: {rest}, or pip 26.3 and newer in that environment"
    return wrapped(f"{text}.", "", "  ")


def alarms(result: LockResult, shown: Sequence[str]) -> str:
    """The files that kept their names and not their bytes, for whoever reads no summary; empty where there is none."""
    lines: list[str] = []
    for target, file in zip(result.targets, shown, strict=True):
        if target.difference is not None and target.difference.alarms:
            from mlpin.report.diffed import alarm_lines

            lines += [file, *alarm_lines(target.difference.alarms)]
    return "".join(f"{line}\n" for line in lines)
