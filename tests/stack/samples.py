"""One small file of each format, in the form in which its tool writes it: the files below `files`."""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).parent / "files"
BY_NAME = {
    path.relative_to(_FOLDER).as_posix(): path.read_text(encoding="utf-8")
    for path in sorted(_FOLDER.rglob("*"))
    if path.is_file()
}

FREEZE = BY_NAME["freeze.txt"]
REQUIREMENTS = BY_NAME["requirements.txt"]
PYLOCK = BY_NAME["pylock.toml"]
UV = BY_NAME["uv.lock"]
POETRY = BY_NAME["poetry.lock"]
POETRY_OLD = BY_NAME["old/poetry.lock"]
PDM = BY_NAME["pdm.lock"]
PIXI = BY_NAME["pixi.lock"]
CONDA_LOCK = BY_NAME["conda-lock.yml"]
CONDA_JSON = BY_NAME["list.json"]
EXPLICIT = BY_NAME["explicit.txt"]
CONDA_TABLE = BY_NAME["table.txt"]
CONDA_EXPORT = BY_NAME["export.txt"]
