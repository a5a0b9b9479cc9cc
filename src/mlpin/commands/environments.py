"""Which environment is meant where none is named."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def active(environ: Mapping[str, str], root: Path) -> Path | None:
    """The environment that is active (VIRTUAL_ENV, CONDA_PREFIX), else `.venv` in `root`; None where there is none."""
    named = [Path(environ[name]) for name in ("VIRTUAL_ENV", "CONDA_PREFIX") if environ.get(name)]
    return next((path for path in (*named, root / ".venv") if path.is_dir()), None)
