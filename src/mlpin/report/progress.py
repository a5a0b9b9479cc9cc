"""What is going on, while it goes on: one line that is rewritten on a terminal, plain lines elsewhere."""

from __future__ import annotations

import threading
import time
from typing import TextIO

_STEP = 0.1
_PLAIN_STEP = 10.0


class Progress:
    """Writes to `stream`. `live` rewrites one line of `width` columns; else a plain line comes now and then."""

    def __init__(self, stream: TextIO, *, live: bool, width: int = 80, verbose: bool = False) -> None:
        self._stream = stream
        self._live = live
        self._width = max(20, width - 1)
        self._verbose = verbose
        self._lock = threading.Lock()
        self._last = time.monotonic()
        self._shown = False
        self._fetched = 0
        self._what = ""
        self._decided = 0
        self._target = ""
        self._trying = ""

    def event(self, kind: str, what: str) -> None:
        """Something is being asked of an index."""
        with self._lock:
            self._fetched += 1
            self._what = f"{'downloading ' if kind == 'download' else ''}{what}"
            if self._verbose:
                self._clear()
                self._stream.write(f"{kind:8} {what}\n")
        self._draw()

    def decided(self, target: str, done: int, known: int) -> None:  # noqa: ARG002
        """The search has decided `done` names of a target."""
        self._target, self._decided = target, done
        self._draw()

    def trying(self, what: str) -> None:
        """A change is being tried, to explain why it cannot be solved."""
        self._trying = f"explaining: trying {what}"
        self._draw()

    def _draw(self) -> None:
        now = time.monotonic()
        if now - self._last < (_STEP if self._live else _PLAIN_STEP):
            return
        with self._lock:
            self._last = now
            name = f"{self._target}: " if self._target else ""
            text = self._trying or f"{name}{self._decided} decided, {self._fetched} fetched"
            if self._what and not self._trying:
                text += f"  {self._what}"
            if self._live:
                self._stream.write("\r\x1b[2K" + text[: self._width])
                self._shown = True
            else:
                self._stream.write(text + "\n")
            self._stream.flush()

    def _clear(self) -> None:
        if self._shown:
            self._stream.write("\r\x1b[2K")
            self._shown = False

    def close(self) -> None:
        """Take the live line away."""
        with self._lock:
            self._clear()
            self._stream.flush()
