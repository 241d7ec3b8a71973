"""A progress line for much work: files, bytes, rate and time left."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable

import click

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_STEP = 1024
_REDRAW_S = 0.2
_SPARSE_S = 30.0
_MINUTE, _HOUR = 60, 3600


def readable_size(number: float) -> str:
    """Bytes for a person, such as `4.2 MiB`."""
    unit = 0
    while number >= _STEP and unit < len(_UNITS) - 1:
        number, unit = number / _STEP, unit + 1
    return f"{number:.0f} {_UNITS[unit]}" if unit == 0 else f"{number:.1f} {_UNITS[unit]}"


def readable_time(seconds: float) -> str:
    """A duration for a person, such as `2 h 05 min`."""
    whole = int(seconds + 0.5)
    if whole >= _HOUR:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02d} min"
    return f"{whole // _MINUTE} min {whole % _MINUTE:02d} s" if whole >= _MINUTE else f"{whole} s"


class Meter:
    """Counts files and bytes on stderr: rewritten in a terminal, a line for each tenth elsewhere.

    Safe to use from several threads.
    """

    def __init__(self, what: str, files: int, size: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin to measure.

        Args:
            what: first word of the line.
            files: how many there are.
            size: their bytes, as far as they could be told.
            clock: seconds; the tests' own.
        """
        self._what, self._files, self._size = what, files, size
        self._clock = clock
        self._began = self._shown = clock()
        self._tty = sys.stderr.isatty()
        self._lock = threading.Lock()
        self._done, self._bytes, self._tenth = 0, 0, 0
        self._width = 0

    def moved(self, size: int) -> None:
        """Bytes of a file under way have been dealt with."""
        with self._lock:
            self._bytes += size
            self._show()

    def done(self, size: int = 0) -> None:
        """A file is dealt with, and with it these bytes."""
        with self._lock:
            self._done += 1
            self._bytes += size
            self._show()

    def close(self) -> None:
        """End the line of a terminal."""
        with self._lock:
            if self._tty and self._width:
                click.echo("", err=True)
                self._width = 0

    def line(self) -> str:
        """How far it has come."""
        elapsed = max(self._clock() - self._began, 1e-3)
        parts = [f"{self._what}: {self._done} of {self._files} files", f"{readable_size(self._bytes)}"]
        if self._size:
            parts[1] += f" of {readable_size(max(self._size, self._bytes))}"
        parts += [f"{self._done / elapsed:.1f} files/s", f"{readable_size(self._bytes / elapsed)}/s"]
        if (left := self._left(elapsed)) is not None:
            parts.append(f"{readable_time(left)} left")
        return ", ".join(parts)

    def _left(self, elapsed: float) -> float | None:
        """Seconds to come: by files and by bytes, whichever is slower; unknown at the very beginning."""
        if not self._done or self._done >= self._files:
            return None
        by_files = (self._files - self._done) * elapsed / self._done
        by_bytes = (self._size - self._bytes) * elapsed / self._bytes if self._bytes else 0.0
        return max(by_files, by_bytes, 0.0)

    def _show(self) -> None:
        now = self._clock()
        last = self._done >= self._files
        if self._tty:
            if last or now - self._shown >= _REDRAW_S:
                text = self.line()
                click.echo("\r" + text.ljust(self._width), err=True, nl=False)
                self._width, self._shown = len(text), now
            return
        tenth = self._done * 10 // self._files if self._files else 10
        if tenth != self._tenth or now - self._shown >= _SPARSE_S:
            click.echo(self.line(), err=True)
            self._tenth, self._shown = tenth, now
