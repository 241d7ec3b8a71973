"""The published JSON Schemas are those of the records in use."""

from __future__ import annotations

import json

from scripts.json_schemas import FOLDER, RECORDS, stale


def test_no_committed_schema_differs_from_its_model() -> None:
    assert stale() == [], "run: python -m scripts.json_schemas"


def test_every_schema_refuses_unknown_fields() -> None:
    for name in RECORDS:
        schema = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
        assert schema["additionalProperties"] is False, name
