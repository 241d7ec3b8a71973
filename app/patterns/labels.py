"""Words in pictures and their tables, in every language of the interface."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from app.strings import LANGUAGES, Language, messages

_OWN: Final = "pattern."

LABELS: Final[Mapping[Language, Mapping[str, str]]] = {
    language: {key.removeprefix(_OWN): text for key, text in messages(language).items() if key.startswith(_OWN)}
    for language in LANGUAGES
}
