"""The words of the interface in every language that it speaks: catalogues of messages, each with the same keys.

A file a language (`en.json`, `uk.json`): key to text. What people enter is never translated here, and a legal term is
never worked out: what has no translation by a person is shown as it was entered.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Final, Literal, get_args

Language = Literal["en", "uk"]
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)
DEFAULT: Final[Language] = "en"
_MAX_HEADER = 1_000


@cache
def messages(language: Language) -> dict[str, str]:
    """All messages of a language, by key."""
    data = resources.files(__name__).joinpath(f"{language}.json").read_bytes()
    found: dict[str, str] = json.loads(data)
    return found


def message(key: str, language: Language = DEFAULT) -> str:
    """A message; what a catalogue does not have stays as its key, so that a missing word is seen and not guessed."""
    return messages(language).get(key, key)


def known(key: str) -> bool:
    """Whether there is such a message."""
    return key in messages(DEFAULT)


def preferred(header: str | None) -> Language:
    """The language that a client asks for with Accept-Language (RFC 9110, section 12.5.4); English when it is none."""
    best, weight = DEFAULT, 0.0
    for part in (header or "")[:_MAX_HEADER].split(","):
        tag, _, parameter = part.strip().partition(";")
        name, _, value = parameter.strip().partition("=")
        try:
            quality = float(value) if name.strip() == "q" else 1.0
        except ValueError:
            continue
        for language in LANGUAGES:
            if tag.strip().casefold().partition("-")[0] == language and weight < quality <= 1:
                best, weight = language, quality
    return best
