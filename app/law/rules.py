"""Pure rules of law: what a link may say, and which provisions a search finds.

1. A link is for, against or neutral; it "may bear on" a provision and never says more.
2. A reason is always given.
3. A search finds provisions in which every word of the query occurs; nothing is guessed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import get_args

from app.errors import InvalidInputError
from schemas.records.v1.link import MAX_RATIONALE, Direction
from schemas.records.v1.provision import Provision

DIRECTIONS: tuple[Direction, ...] = get_args(Direction)
MAX_QUERY = 300

_WORDS = re.compile(r"[^\W\d_]+|\d+")
_SHORTEST_PREFIX = 3  # "ap", "i" and numbers must match a whole word: as prefixes they would match nearly all
_LINE_BREAKS = "\n\r\t"


def parse_direction(text: str) -> Direction:
    """The direction of a link.

    Raises:
        InvalidInputError: `bad_direction`.
    """
    if text not in DIRECTIONS:
        raise InvalidInputError("bad_direction", f"a direction is one of {', '.join(DIRECTIONS)}")
    return text


def parse_rationale(text: str) -> str:
    """The reasons of a link, without surrounding white space.

    Raises:
        InvalidInputError: `rationale_required`, `text_too_long`, `bad_text`.
    """
    reasons = clean_text(text, MAX_RATIONALE, "rationale")
    if not reasons:
        raise InvalidInputError("rationale_required", "a link needs a rationale: say why the item may bear on it")
    return reasons


def clean_text(text: str, limit: int, what: str) -> str:
    """Text of several lines, without surrounding white space.

    Raises:
        InvalidInputError: `text_too_long` over the limit (in characters), `bad_text` for a control
            character other than tab and line breaks, or a lone surrogate.
    """
    stripped = text.strip()
    if len(stripped) > limit:
        raise InvalidInputError("text_too_long", f"the {what} may have {limit} characters; this has {len(stripped)}")
    if any(unicodedata.category(c) in {"Cc", "Cs"} and c not in _LINE_BREAKS for c in stripped):
        raise InvalidInputError("bad_text", f"the {what} holds a control character")
    return stripped


def find_provisions(provisions: Iterable[Provision], query: str) -> list[Provision]:
    """The provisions in which every word of the query occurs, best first.

    A word of three letters or more also finds longer words that begin with it; "AP1 art 62" and
    "civil defence" work as one would type them. Among equals the catalogue's order stands.
    """
    wanted = _words(query)
    if not wanted:
        return []
    scored = [(score, provision) for provision in provisions if (score := _score(provision, wanted))]
    return [provision for _, provision in sorted(scored, key=lambda pair: -pair[0])]


def _score(provision: Provision, wanted: list[str]) -> int:
    """Sum over the query's words of the weight of the best field that holds it; 0 when one is in none."""
    fields = [
        (6, _words(f"{provision.id} {provision.article}")),
        (5, _words(f"{provision.official_title} {provision.instrument}")),
        (3, _words(" ".join((provision.kind, *provision.protected, *provision.conduct)))),
        (2, _words(provision.summary)),
        (1, _words(" ".join(element.text for element in provision.elements) + " " + (provision.notes or ""))),
    ]
    total = 0
    for word in wanted:
        best = next((weight for weight, words in fields if any(_finds(word, other) for other in words)), 0)
        if best == 0:
            return 0
        total += best
    return total


def _words(text: str) -> list[str]:
    return _WORDS.findall(unicodedata.normalize("NFKC", text).casefold())


def _finds(word: str, other: str) -> bool:
    return word == other or (len(word) >= _SHORTEST_PREFIX and not word.isdigit() and other.startswith(word))
