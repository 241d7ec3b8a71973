"""Records that hold personal data: their texts are hidden from readers who did not ask for them. Pure."""

from __future__ import annotations

from pydantic import JsonValue

from app.incidents.bodies import MASK, Body

_SHOWN = frozenset(
    {"about", "items", "incident", "personal_data", "field", "strike", "precision", "method", "relation"}
)


def is_personal(body: Body) -> bool:
    """Whether the author said that it holds personal data."""
    return body.get("personal_data") is True


def masked(body: Body) -> Body:
    """The body with its texts hidden, when it holds personal data."""
    if not is_personal(body):
        return body
    return {name: value if name in _SHOWN else _hidden(value) for name, value in body.items()}


def holds_mask(value: JsonValue) -> bool:
    """Whether a text was hidden when it was read: written back, it would be lost to everybody."""
    if isinstance(value, dict):
        return any(holds_mask(one) for one in value.values())
    if isinstance(value, list):
        return any(holds_mask(one) for one in value)
    return value == MASK


def _hidden(value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        return {name: _hidden(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_hidden(one) for one in value]
    return MASK if isinstance(value, str) else value
