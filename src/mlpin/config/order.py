"""The order in which layers count: the one of the design, from the command line down to pip's files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mlpin.config.mlpin_table import mlpin_environ
from mlpin.config.pip import pip_layers
from mlpin.config.uv import is_uv_table, uv_environ, uv_project_files, uv_user_files
from mlpin.manifest.model import Context
from mlpin.settings import Settings


def all_layers(
    command_line: Settings,
    manifest: Sequence[Settings],
    environ: Mapping[str, str],
    *,
    directory: Path,
    context: Context,
    etc: Path = Path("/etc"),
) -> list[Settings]:
    """Every layer that holds for a project in `directory`, highest precedence first, for `merged`.

    Command line, MLPIN_*, the manifest's own (`[tool.mlpin]`, options in a requirements file), the
    project's uv.toml, `[tool.uv]`, UV_*, the user's and the system's uv.toml, pip's. `etc` is where the
    system's files lie, outside Windows and macOS.
    """
    own = [layer for layer in manifest if not is_uv_table(layer)]
    return [
        command_line,
        mlpin_environ(environ, base=context.root, context=context),
        *own,
        *uv_project_files(directory, environ, context),
        *(layer for layer in manifest if is_uv_table(layer)),
        uv_environ(environ, base=context.root, context=context),
        *uv_user_files(environ, context, etc=etc),
        *pip_layers(environ, context=context, etc=etc),
    ]
