"""The digest of a row is that of its canonical form, however many bytes a column holds."""

from __future__ import annotations

import hashlib
import tracemalloc

import pytest

import app.export.models
from app.custody.rows import _HEX_AT_ONCE, format_of, values_digest
from evidence_store.canonical import JsonInput, canonical_bytes

FORM = format_of("export_set", 1)
SIZES = (0, 1, _HEX_AT_ONCE, _HEX_AT_ONCE + 1, 3 * _HEX_AT_ONCE + 7)

assert app.export.models  # its formats are registered


@pytest.mark.parametrize("statement", SIZES)
@pytest.mark.parametrize("seal", SIZES)
def test_it_is_the_digest_of_the_whole_canonical_text(statement: int, seal: int) -> None:
    assert FORM is not None
    values = {"id": "x", "statement": b"\x01" * statement, "seal": b"\xfe" * seal, "row_salt": "s"}
    row: dict[str, JsonInput] = {
        name: ["bytes", value.hex()] if isinstance(value, bytes) else str(value) for name, value in values.items()
    }
    whole = canonical_bytes({"table": "export_set", "format": 1, "row": row})
    assert values_digest(values, FORM) == hashlib.sha256(whole).hexdigest()


def test_the_same_large_bytes_in_two_columns_are_both_covered() -> None:
    assert FORM is not None
    large = bytes(2 * _HEX_AT_ONCE)
    values = {"id": "x", "statement": large, "seal": large, "row_salt": "s"}
    digests = {values_digest(values, FORM)}
    digests |= {values_digest(values | {name: large[:-1] + b"x"}, FORM) for name in ("statement", "seal")}
    digests |= {values_digest(values | {"seal": large.hex()}, FORM)}
    assert len(digests) == 4


def test_memory_does_not_grow_with_the_bytes_of_a_column() -> None:
    assert FORM is not None
    values = {"id": "x", "statement": bytes(32 << 20), "seal": b"", "row_salt": "s"}
    tracemalloc.start()
    try:
        values_digest(values, FORM)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
