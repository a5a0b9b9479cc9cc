"""For which machine: the options, the name of a target, and this machine as one, which several commands share."""

from __future__ import annotations

import argparse
import os
import re
from typing import TYPE_CHECKING, Any

from mlpin.errors import InputError, UsageError

if TYPE_CHECKING:
    from mlpin.machine import Machine


def hardware(group: argparse._ArgumentGroup) -> None:
    """`--accelerator`, `--driver` and `--gpu`."""
    group.add_argument("--accelerator", metavar="KIND", help="cuda, rocm, cpu or metal")
    group.add_argument("--driver", metavar="VERSION", help="the oldest NVIDIA driver that it must run on, like 550.54")
    group.add_argument("--gpu", action="append", metavar="NAME", help="like `RTX 4090` or sm_90; repeatable, all count")


def target_name(text: str) -> str:
    """`text` if a target can be called that. Raises `UsageError`."""
    if re.fullmatch(r"[a-z0-9_-]+", text):
        return text
    near = re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-")
    raise UsageError(
        f"`{text}` cannot be a target: small letters, digits, `-` and `_` only",
        hint=f"call it `{near}`" if near else None,
    )


def this_machine() -> tuple[Machine, dict[str, Any]]:
    """This machine, and the fields of a target for it that other commands take."""
    from mlpin import machine
    from mlpin.matrix import gpus
    from mlpin.matrix.matrix import Matrix

    found = machine.detect(os.environ)
    rules = Matrix.shipped()

    def runs(name: str) -> str:
        try:
            return gpus.find(rules.gpus, name)[1]
        except InputError:
            return ""

    table = machine.as_target(found, runs)
    notes = [
        f"{name} is no GPU that mlpin knows, and its driver does not say what it runs: "
        "add its compute capability to `gpus`, like sm_90"
        for name in sorted({gpu.name for gpu in found.gpus if gpu.name and not gpu.capability and not runs(gpu.name)})
    ]
    cuda = str(table.get("driver", "")).removeprefix("CUDA ")
    if cuda != table.get("driver", "") and not rules.driver_for(cuda):
        notes.append(f"which driver reports CUDA {cuda} is not known to mlpin, so the table names none")
        del table["driver"]
    return found._replace(notes=(*found.notes, *notes)), table
