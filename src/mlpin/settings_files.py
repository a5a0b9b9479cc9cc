"""Reading of settings: mlpin's own, uv's and pip's, from tables, files and variables.

Each function returns layers (`Settings`) for `mlpin.settings.merged`; `all_layers` returns every one of
them in the order that counts. The environment is what the caller hands in. Nothing is known here of
which host is the default index, or of what the settings lead to.
"""

from __future__ import annotations

from mlpin.config.mlpin_table import mlpin_environ, mlpin_table
from mlpin.config.order import all_layers
from mlpin.config.pip import pip_layers
from mlpin.config.uv import (
    uv_environ,
    uv_files,
    uv_project_files,
    uv_table,
    uv_user_files,
    with_index_credentials,
)

__all__ = [
    "all_layers",
    "mlpin_environ",
    "mlpin_table",
    "pip_layers",
    "uv_environ",
    "uv_files",
    "uv_project_files",
    "uv_table",
    "uv_user_files",
    "with_index_credentials",
]
