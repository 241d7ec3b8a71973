# ruff: noqa: RUF001 - Ukrainian and Russian are written in Cyrillic letters
"""Words by which a record says that something is not known, in English, Ukrainian and Russian. Pure.

1. They are whole words in any case and any spacing, and may stand beside others: "a fire engine; not stated" leaves
   a part open.
2. Short signs such as "n/a" and "?" count as a part of their own, between commas or semicolons: "Plan N/A-3" is
   a name.
3. A word too many makes a count wider, one too few makes it wrong. So doubt ("unclear") is in the list.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

# `*` stands for any ending: both Slavic languages inflect.
_WORDS: Final = (
    "unknown|not known|unclear|not clear|uncertain|unspecified|not specified|unidentified|not identified|unstated"
    "|not stated|none stated|not given|none given|not indicated|not mentioned|not named|not reported|not recorded"
    "|not established|not determined|undetermined|not disclosed|undisclosed|not available|no data|no information"
    "|to be determined|to be confirmed|to be established|tbd|tbc|could not be established|could not be determined"
    "|could not be identified"
    "|невідом*|не відом*|невстановлен*|не встановлен*|не вдалося встановити|невказан*|не вказан*|не вказу*"
    "|не зазначен*|незазначен*|не зазнача*|невизначен*|не визначен*|не уточнен*|не уточню*|уточнюється"
    "|не повідомлен*|не повідомля*|не ідентифікован*|неідентифікован*|нез'ясован*|не з'ясован*|невияснен*"
    "|не вияснен*|неназван*|не назван*|неясно|не ясно|незрозуміло|нема даних|немає даних|даних немає"
    "|дані відсутні|нема інформації|немає інформації"
    "|неизвестн*|не известн*|неустановлен*|не установлен*|не удалось установить|не указан*|неуказан*|не указыва*"
    "|неопределен*|не определен*|не уточн*|уточняется|не сообщ*|не идентифицирован*|неидентифицирован*|неопознан*"
    "|не опознан*|не выяснен*|невыяснен*|непонятно|не понятно|нет данных|данных нет|данные отсутствуют"
    "|нет информации|нет сведений"
)
_SIGNS: Final = frozenset({"n a", "na", "н д", "нд", ""})
_APOSTROPHES: Final = re.compile(r"[’ʼ‘`´′]")
_TOKENS: Final = re.compile(r"\w+(?:'\w+)*")
_PARTS: Final = re.compile(r"[,;\n]")
_FIRST: Final = "".join(sorted({word[0] for word in _WORDS.split("|")}))
_SAYS: Final = re.compile(rf" (?=[{_FIRST}])(?:" + _WORDS.replace("*", r"[\w']*") + r")(?= )")


@lru_cache(maxsize=4096)
def says_unknown(text: str) -> bool:
    """Whether a text, or a part of it, says that something is not known."""
    if _SAYS.search(_folded(text)):
        return True
    return any(part.strip() and _folded(part).strip() in _SIGNS for part in _PARTS.split(text))


@lru_cache(maxsize=4096)
def is_unknown(text: str) -> bool:
    """Whether a text says that and nothing else, or nothing at all."""
    return all(_SAYS.sub("", _folded(part)).strip() in _SIGNS for part in _PARTS.split(text))


def _folded(text: str) -> str:
    plain = _APOSTROPHES.sub("'", unicodedata.normalize("NFKC", text).casefold()).replace("ё", "е").replace("_", " ")
    return " " + " ".join(_TOKENS.findall(plain)) + " "
