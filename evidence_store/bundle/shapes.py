"""Checks of the shape of untrusted JSON records: which keys, and what each may hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime

from evidence_store.bundle.layout import path_problem

Check = Callable[[object], bool]
Shape = Mapping[str, Check]

UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z", re.ASCII)
_MAX_CRC32 = 0xFFFFFFFF


def matches(pattern: str) -> Check:
    """Make a check: a string that matches the whole pattern (ASCII)."""
    compiled = re.compile(pattern, re.ASCII)

    def check(value: object) -> bool:
        return isinstance(value, str) and compiled.fullmatch(value) is not None

    return check


is_sha256 = matches(r"[0-9a-f]{64}")
is_sha512 = matches(r"[0-9a-f]{128}")
is_uuid = matches(UUID)
is_object_id = matches(rf"[a-z][a-z_-]*:{UUID}")


def is_text(value: object) -> bool:
    """A string, possibly empty."""
    return isinstance(value, str)


def is_name(value: object) -> bool:
    """A string that is not empty."""
    return isinstance(value, str) and value != ""


def is_count(value: object) -> bool:
    """A whole number from 0."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def is_crc32(value: object) -> bool:
    """A whole number that fits 32 bits."""
    return is_count(value) and isinstance(value, int) and value <= _MAX_CRC32


def is_mapping(value: object) -> bool:
    """A JSON object."""
    return isinstance(value, dict)


def is_list(value: object) -> bool:
    """A JSON array."""
    return isinstance(value, list)


def is_path(value: object) -> bool:
    """A path that a bundle may use."""
    return isinstance(value, str) and path_problem(value) is None


def is_time(value: object) -> bool:
    """An RFC 3339 UTC time with microseconds and Z that names a real moment."""
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def equals(expected: int | str) -> Check:
    """Make a check: exactly this value (and not True for 1)."""

    def check(value: object) -> bool:
        return type(value) is type(expected) and value == expected

    return check


def optional(inner: Check) -> Check:
    """Make a check: null, or what the inner check takes."""

    def check(value: object) -> bool:
        return value is None or inner(value)

    return check


def record(shape: Shape) -> Check:
    """Make a check: a JSON object with at least these keys."""

    def check(value: object) -> bool:
        return not shape_problems(value, shape)

    return check


def list_of(inner: Check) -> Check:
    """Make a check: a JSON array whose every element the inner check takes."""

    def check(value: object) -> bool:
        return isinstance(value, list) and all(inner(element) for element in value)

    return check


def shape_problems(value: object, shape: Shape, *, exact: bool = False) -> list[str]:
    """List what is wrong with a record.

    Args:
        value: parsed JSON.
        shape: the keys it must have, each with the check of its value.
        exact: whether other keys are a problem too.

    Returns:
        One line per problem, empty when the record is as it should be.
    """
    if not isinstance(value, dict):
        return ["not a JSON object"]
    found = [f"'{key}' is missing" for key in shape if key not in value]
    found += [
        f"'{key}' has a wrong type or form" for key, check in shape.items() if key in value and not check(value[key])
    ]
    if exact:
        found += [f"'{key}' is not a key of this record" for key in value if key not in shape]
    return found
