"""What settings say of hardware and rules, made sense of with the matrix: names of GPUs, drivers, own rules."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mlpin.errors import InputError
from mlpin.matrix.matrix import Matrix
from mlpin.matrix.ranges import stated_within, version, within
from mlpin.settings import Settings, TargetSettings
from mlpin.target import Hardware, Platform, Target, parse_platform, python_minor


def matrix(settings: Settings, shown: Callable[[Path], str] = str) -> Matrix:
    """The matrix in force: the shipped one, with the project's rules, without those that are switched off.

    Raises `InputError` with every mistake in a file of the project's own.
    """
    own = None
    if settings.matrix:
        from mlpin.matrix.read import read_files

        own, mistakes = read_files([Path(file) for file in settings.matrix], shown)
        if mistakes:
            raise InputError(
                "rules that cannot be used" if len(mistakes) > 1 else mistakes[0].what,
                where=mistakes[0].place,
                notes=tuple(str(mistake) for mistake in mistakes) if len(mistakes) > 1 else (),
                hint="`mlpin matrix validate FILE` checks a file; the format is in data/README.md",
            )
    found = Matrix.shipped(own, settings.rules_off)
    for rule in settings.rules_off or ():
        if not found.has(rule):
            raise InputError(
                f"`[tool.mlpin.rules]` switches off `{rule}`, and there is no such rule",
                hint="`mlpin matrix list` has the ids",
            )
    return found


def hardware(
    one: TargetSettings, settings: Settings, command_line: Settings, platform: Platform | None, rules: Matrix
) -> Hardware:
    """What a target must run on, on a platform where it is known. A driver or a GPU says the accelerator too.

    Raises `InputError`.
    """

    def said(field: str) -> str:
        return str(getattr(command_line, field) or getattr(one, field) or getattr(settings, field) or "")

    from mlpin.matrix import gpus as names

    listed = command_line.gpus or one.gpus or settings.gpus or ()
    found = tuple(dict.fromkeys(names.find(rules.gpus, name) for name in listed))
    driver, cuda, accelerator = said("driver"), said("cuda"), said("accelerator")
    amd = any(runs.startswith("gfx") for _, runs in found)
    nvidia = bool(driver or cuda or any(not runs.startswith("gfx") for _, runs in found))
    if amd and nvidia:
        raise InputError("a target cannot have NVIDIA's and AMD's hardware at once", hint="make two targets of it")
    implied = "rocm" if amd else "cuda" if nvidia else ""
    if implied and accelerator and accelerator != implied:
        raise InputError(
            f"accelerator is `{accelerator}`, but the target names {'AMD' if amd else 'NVIDIA'} hardware",
            hint=f'leave the driver, the GPUs and `cuda` out, or say accelerator = "{implied}"',
        )
    accelerator = accelerator or implied
    if platform and accelerator in {"cuda", "rocm"} and platform.system == "macos":
        raise InputError(f"macOS has no {accelerator}", hint='accelerator = "metal" or "cpu"')
    if platform and accelerator == "metal" and platform.system != "macos":
        raise InputError(f"{platform.name} has no Metal", hint='accelerator = "cuda", "rocm" or "cpu"')
    if driver.startswith("CUDA "):
        number = rules.driver_for(driver[5:])
        if not number:
            raise InputError(
                f"which driver reports `{driver}` is not known", hint="give the driver's own number, like 550.54.14"
            )
        driver = number
    if platform and driver and cuda:
        _check_driver(driver, cuda, platform, rules)
    return Hardware(accelerator, driver, found, cuda)


def target_of(stated: TargetSettings, rules: Matrix, name: str = "") -> Target | None:
    """The target that a lock states; None where it does not say Python and platform. Raises `InputError`."""
    if not stated.python or not stated.platform:
        return None
    python_minor(stated.python[0])
    platform = parse_platform(stated.platform, stated.glibc)
    needs = hardware(stated, Settings(), Settings(), platform, rules)
    return Target(name or stated.name, stated.python[0], platform, needs)


def files_target(stated: TargetSettings, rules: Matrix) -> Target | None:
    """The target of a lock as far as it decides which files are taken; None where that is not known."""
    try:
        return target_of(stated._replace(accelerator=None, driver=None, gpus=None, cuda=None), rules)
    except InputError:  # a platform or a Python that mlpin has no name for
        return None


def _check_driver(driver: str, cuda: str, platform: Platform, rules: Matrix) -> None:
    """Raises where no build line of the CUDA versions that are wanted runs on the driver."""
    stated = version(driver)
    lines = {line.cuda for line in rules.tables.lines if (known := version(line.cuda)) and within(cuda, known)}
    floors = [rules.driver_floor(line, platform.name)[0] for line in lines]
    if stated is None or not floors or not all(floors):
        return
    if all(stated_within(f">={floor}", stated) is False for floor in floors):
        raise InputError(
            f"driver {driver} runs no CUDA {cuda}: that needs driver {min(floors, key=_numbers)} or newer",
            hint="change one of the two, or leave `cuda` out: then the newest that the driver runs is taken",
        )


def _numbers(driver: str) -> list[int]:
    return [int(part) for part in driver.split(".")]
