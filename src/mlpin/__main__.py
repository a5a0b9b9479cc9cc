"""`python -m mlpin` and the console script: an interrupt counts from the first import on."""

from __future__ import annotations

import os
from typing import NoReturn

EXIT_INTERRUPTED = 130


def run() -> NoReturn:
    """Run the command line."""
    try:
        from mlpin import cli
    except KeyboardInterrupt:
        os._exit(EXIT_INTERRUPTED)
    cli.run()


if __name__ == "__main__":
    run()
