"""The three streams of a process, whatever becomes of whoever is at their other end."""

from __future__ import annotations

import os
import sys

from mlpin.errors import InputError

STDIN = "standard input"
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


def put(text: str, output: str | None) -> None:
    """Write to the file `output`, whole or not at all; None and `-` are standard output. Raises `InputError`."""
    if output is None or output == "-":
        say(text)
        return
    from pathlib import Path

    from mlpin.lock.file import write

    write([(Path(os.path.abspath(output)), text)])


def heard() -> bytes:
    """What came in on standard input. Raises `InputError` where that cannot be read."""
    if sys.stdin is None:
        raise InputError("is closed", where=STDIN, hint="give a file, or pipe one in")
    try:
        return sys.stdin.buffer.read()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=STDIN) from None


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
