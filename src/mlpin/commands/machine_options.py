"""Options that say for which machine, which several commands take."""

from __future__ import annotations

import argparse


def hardware(group: argparse._ArgumentGroup) -> None:
    """`--accelerator`, `--driver` and `--gpu`."""
    group.add_argument("--accelerator", metavar="KIND", help="cuda, rocm, cpu or metal")
    group.add_argument("--driver", metavar="VERSION", help="the oldest NVIDIA driver that it must run on, like 550.54")
    group.add_argument("--gpu", action="append", metavar="NAME", help="like `RTX 4090` or sm_90; repeatable, all count")
