"""Writing to the two streams of a process, whatever becomes of whoever reads them."""

from __future__ import annotations

import os
import sys

from mlpin.errors import InputError

STDOUT = "standard output"


def say(text: str) -> None:
    """Write to standard output. Whoever does not want to read on does not change how the command ends."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - so that the flush at exit does not fail again
    except OSError as error:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
        raise InputError(f"cannot be written: {error.strerror}", where=STDOUT) from None


def complain(text: str) -> None:
    """Write to standard error."""
    try:
        sys.stderr.write(text)
    except BrokenPipeError:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115


def open_closed() -> None:
    """A stream that was closed for us (`>&-`) is None; what goes there is not wanted."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
