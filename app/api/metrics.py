"""Counters of the service and their Prometheus text form (exposition format 0.0.4).

Labels are route templates and statuses, never ids or names: metrics disclose no evidence.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Labels = tuple[tuple[str, str], ...]
Families = Mapping[str, tuple[str, Mapping[Labels, float]]]


class Metrics:
    """Counts requests; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[Labels] = Counter()
        self._seconds: dict[Labels, float] = {}
        self._received = 0

    def request_done(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a finished request."""
        labels = (("method", method), ("route", route), ("status", str(status)))
        timed = labels[:2]
        with self._lock:
            self._requests[labels] += 1
            self._seconds[timed] = self._seconds.get(timed, 0.0) + seconds

    def received(self, size: int) -> None:
        """Count bytes of deposited files."""
        with self._lock:
            self._received += size

    def text(self, gauges: Families, counters: Families | None = None) -> str:
        """All metrics as text.

        Args:
            gauges: by name, help text and values by labels, as of now.
            counters: the same of numbers that only grow.
        """
        with self._lock:
            requests, seconds, received = dict(self._requests), dict(self._seconds), self._received
        lines = _family("catena_http_requests_total", "counter", "Requests answered.", requests.items())
        lines += _family(
            "catena_http_request_seconds_total", "counter", "Time spent on requests, in seconds.", seconds.items()
        )
        lines += _family(
            "catena_deposit_bytes_total", "counter", "Bytes of deposited files, since the start.", [((), received)]
        )
        for name, (text, values) in gauges.items():
            lines += _family(name, "gauge", text, values.items())
        for name, (text, values) in (counters or {}).items():
            lines += _family(name, "counter", text, values.items())
        return "\n".join(lines) + "\n"


def _family(name: str, kind: str, text: str, samples: Iterable[tuple[Labels, float]]) -> list[str]:
    lines = [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
    for labels, value in sorted(samples):
        shown = ",".join(f'{key}="{_escaped(label)}"' for key, label in labels)
        number = str(value) if isinstance(value, int) else f"{value:.6f}"
        lines.append(f"{name}{{{shown}}} {number}" if shown else f"{name} {number}")
    return lines


def _escaped(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
