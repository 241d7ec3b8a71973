"""Make findings: one neutral sentence, the values it rests on, and where the documentation explains it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from app.analysis.probes.readings import shown
from schemas.records.v1.media_metadata import Finding, MediaMetadata, RestsOn, Severity

MAX_FINDING = 1_000
_MAX_VALUE = 300
_MOST_VALUES = 24

Rule = Callable[[MediaMetadata], Iterator[Finding]]


def docs_of(code: str) -> str:
    """The section of `docs/` that belongs to a code."""
    return f"findings.md#{code}"


def info(code: str, text: str, *rests_on: RestsOn) -> Finding:
    """A finding to know of."""
    return _finding(code, "info", text, rests_on)


def warn(code: str, text: str, *rests_on: RestsOn) -> Finding:
    """A finding to look into."""
    return _finding(code, "warning", text, rests_on)


def error(code: str, text: str, *rests_on: RestsOn) -> Finding:
    """A finding that says that the file itself is of no use."""
    return _finding(code, "error", text, rests_on)


def _finding(code: str, severity: Severity, text: str, rests_on: tuple[RestsOn, ...]) -> Finding:
    return Finding(
        code=code,
        severity=severity,
        text=shown(text, MAX_FINDING),
        rests_on=tuple(dict.fromkeys(rests_on))[:_MOST_VALUES],
        docs=docs_of(code),
    )


def rest(record: MediaMetadata, *paths: str) -> tuple[RestsOn, ...]:
    """What the record has at these paths, a fact that is absent included: its absence is what a finding may rest on."""
    return tuple(_at(record, path) for path in paths)


def rest_with_conflicts(record: MediaMetadata, *paths: str) -> tuple[RestsOn, ...]:
    """The same, with every other value that the file states at these paths."""
    found: list[RestsOn] = []
    for path in paths:
        found.append(_at(record, path))
        conflicts = getattr(_object(record, path), "conflicts", ())
        found += [RestsOn(fact=path, value=_bounded(one.value), source=one.source) for one in conflicts]
    return tuple(found)


def stated(fact: str | None, value: object, source: str | None = None) -> RestsOn:
    """A value that stands in no field of its own."""
    return RestsOn(fact=fact, value=_bounded(value), source=source)


def _object(record: MediaMetadata, path: str) -> object:
    found: object = record
    for name in path.split("."):
        found = getattr(found, name)
    return found


def _at(record: MediaMetadata, path: str) -> RestsOn:
    found = _object(record, path)
    if hasattr(found, "certainty") and hasattr(found, "value"):
        return RestsOn(fact=path, value=_bounded(found.value), source=getattr(found, "source", None))
    return RestsOn(fact=path, value=_bounded(found))


def _bounded(value: object) -> str | int | float | None:
    if value is None or isinstance(value, int | float):
        return value
    return shown(value, _MAX_VALUE)
