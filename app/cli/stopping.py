"""Ctrl-C, in good order: the first one lets the files under way end, a second one breaks off."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stoppable(say: Callable[[str], None]) -> Iterator[threading.Event]:
    """While this runs, SIGINT and SIGTERM set the event once; then they do what they did before.

    Args:
        say: told that it was heard.
    """
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def back() -> None:
        for number, handler in before.items():
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else handler)

    def heard(number: int, frame: FrameType | None) -> None:
        del number, frame
        stop.set()
        back()
        say("stopping after the files under way; once more breaks off")

    for number in before:
        signal.signal(number, heard)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
