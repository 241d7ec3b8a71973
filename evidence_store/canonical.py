"""Canonical JSON: one value, one sequence of bytes (RFC 8785, JSON Canonicalization Scheme).

Everything that is hashed, signed or logged passes through this module, so it takes less than the
RFC does; what two programs could write differently is refused:

1. No floating-point numbers. Decimal quantities are strings, so number formatting (RFC 8785,
   section 3.2.2.3) never decides whether a signature holds.
2. Integers lie within +-(2**53 - 1), the range every JSON reader keeps exactly (RFC 7493, section 2.2).
3. Object keys are strings, unique, and sorted by their UTF-16 code units (RFC 8785, section 3.2.3).
4. Strings hold no lone surrogate (RFC 8785, section 3.2.2.2), and are neither normalised nor changed.
5. Containers nest at most `MAX_DEPTH` deep.
6. A text that is parsed has at most `MAX_VALUES` values: a few bytes of text each, they take a hundred in memory.
7. `parse_canonical(b)` returns a value only when `canonical_bytes(value) == b`: stored bytes are
   compared, never repaired.

Standard library only: the offline verifier imports this module.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from json.encoder import encode_basestring
from typing import NoReturn, TypeAlias

from evidence_store.errors import EvidenceStoreError

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | bool | None"
"""A parsed canonical value."""

JsonInput: TypeAlias = "Mapping[str, JsonInput] | Sequence[JsonInput] | str | int | bool | None"
"""What `canonical_bytes` takes: any `Json`, and read-only mappings and tuples."""

MAX_DEPTH = 32
"""Deepest nesting of objects and arrays; the outermost one counts as 1."""

MAX_VALUES = 500_000
"""Most values (objects, arrays and what is in them; keys not counted) of a text that is parsed. The manifest of the
largest bundle, 20,000 files and their time stamps, has about 200,000."""

MAX_INTEGER = 2**53 - 1
"""Largest magnitude of an integer (RFC 7493, section 2.2)."""

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_MAX_INTEGER_DIGITS = len(str(MAX_INTEGER)) + 1  # and a minus sign
_SORTING_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), check_circular=False)
_FOUR_BYTES = re.compile(rb"[\xf0-\xff]")


def _refuse(detail: str) -> NoReturn:
    raise EvidenceStoreError("canonical_form", detail)


def canonical_bytes(value: JsonInput) -> bytes:
    """Serialise a value to its one canonical form (RFC 8785).

    Args:
        value: objects, arrays (list or tuple), strings, integers, booleans, null.

    Returns:
        UTF-8 bytes without insignificant white space.

    Raises:
        EvidenceStoreError: `canonical_form` when the value breaks a rule of the module docstring.
    """
    parts: list[str] = []
    _write(value, parts, 0)
    try:
        return "".join(parts).encode("utf-8")
    except UnicodeEncodeError:
        _refuse("a string holds a lone surrogate")


def parse_canonical(data: bytes) -> Json:
    """Parse bytes that must already be canonical.

    Args:
        data: one JSON text, UTF-8.

    Returns:
        The value; `canonical_bytes` of it equals `data`.

    Raises:
        EvidenceStoreError: `canonical_form` for anything else, malformed input of any kind included.
    """
    if _more_values_than(MAX_VALUES, data):
        _refuse(f"it has more than {MAX_VALUES} values")
    try:
        value: Json = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_unique_members,
            parse_int=_parse_integer,
            parse_float=_refuse_number,
            parse_constant=_refuse_number,
        )
    except (ValueError, RecursionError) as error:
        raise EvidenceStoreError("canonical_form", f"not a JSON text: {type(error).__name__}") from error
    if _parsed_again(value, data) != data:
        _refuse("the JSON text is valid but not in canonical form")
    return value


def _parsed_again(value: Json, data: bytes) -> bytes:
    """The canonical form of what was parsed from a text; where nothing is in doubt, the standard encoder writes it.

    It differs from `canonical_bytes` in two things: it sorts keys by code points, which is another order only where a
    character lies beyond U+FFFF (four bytes of UTF-8, the first at least 0xF0), and it takes any depth.
    """
    if _FOUR_BYTES.search(data) or data.count(b"{") + data.count(b"[") > MAX_DEPTH:
        return canonical_bytes(value)
    return _SORTING_ENCODER.encode(value).encode("utf-8", "surrogatepass")


def _more_values_than(limit: int, data: bytes) -> bool:
    """Whether a JSON text may have more values than that, found out without making any of them.

    There is one value at the top; an object or array has at most one more value than commas.
    """
    if _separators(data) < limit:
        return False
    return _separators(_STRING.sub(b"", data)) >= limit  # only now worth a copy: without what is quoted


def _separators(data: bytes) -> int:
    return data.count(b",") + data.count(b"{") + data.count(b"[")


def _write(value: object, parts: list[str], depth: int) -> None:
    """Append the canonical text of a value; recursion is bounded by MAX_DEPTH."""
    if value is None:
        parts.append("null")
    elif isinstance(value, bool):
        parts.append("true" if value else "false")
    elif isinstance(value, str):
        parts.append(_quoted(value))
    elif isinstance(value, int):
        if not -MAX_INTEGER <= value <= MAX_INTEGER:
            _refuse("an integer lies beyond 2**53 - 1")
        parts.append(int.__repr__(value))
    elif isinstance(value, Mapping):
        _write_object(value, parts, _deeper(depth))
    elif isinstance(value, (list, tuple)):
        _write_array(value, parts, _deeper(depth))
    else:
        _refuse(f"a value of type {type(value).__name__} has no canonical form")


def _deeper(depth: int) -> int:
    if depth >= MAX_DEPTH:
        _refuse(f"containers nest deeper than {MAX_DEPTH}")
    return depth + 1


def _write_array(items: Sequence[object], parts: list[str], depth: int) -> None:
    parts.append("[")
    for position, item in enumerate(items):
        if position:
            parts.append(",")
        _write(item, parts, depth)
    parts.append("]")


def _write_object(members: Mapping[object, object], parts: list[str], depth: int) -> None:
    keys: list[str] = []
    for key in members:
        if not isinstance(key, str):
            _refuse("an object key is not a string")
        keys.append(key)
    if all(map(str.isascii, keys)):
        keys.sort()  # the same order, sooner
    else:
        # Big-endian UTF-16 bytes compare as the code units do (RFC 8785, section 3.2.3).
        keys.sort(key=_utf16)
    parts.append("{")
    for position, key in enumerate(keys):
        if position:
            parts.append(",")
        parts.append(_quoted(key))
        parts.append(":")
        _write(members[key], parts, depth)
    parts.append("}")


def _utf16(key: str) -> bytes:
    try:
        return key.encode("utf-16-be")
    except UnicodeEncodeError:
        _refuse("an object key holds a lone surrogate")


def _quoted(text: str) -> str:
    # The standard encoder escapes exactly what RFC 8785, section 3.2.2.2 asks for: the quotation
    # mark, the backslash and the controls below U+0020, short forms first, \\u in lower case.
    return encode_basestring(text)


def _unique_members(members: list[tuple[str, Json]]) -> dict[str, Json]:
    result = dict(members)
    if len(result) != len(members):
        _refuse("an object repeats a key")
    return result


def _parse_integer(text: str) -> int:
    # Checked before int(): converting a long run of digits is quadratic and limited by the interpreter.
    if len(text) > _MAX_INTEGER_DIGITS or not -MAX_INTEGER <= (number := int(text)) <= MAX_INTEGER:
        _refuse("an integer lies beyond 2**53 - 1")
    return number


def _refuse_number(text: str) -> NoReturn:
    _refuse(f"not an integer: {text[:32]}")
