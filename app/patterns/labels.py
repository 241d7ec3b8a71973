# ruff: noqa: RUF001 - Ukrainian is written in Cyrillic letters
"""Words in pictures and their tables, in English and Ukrainian."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

Language = Literal["en", "uk"]

LABELS: Final[Mapping[Language, Mapping[str, str]]] = {
    "en": {
        "months": "By month",
        "month": "Month",
        "sure": "counted",
        "at_most": "at most, with what is uncertain or unknown",
        "uncertain": "May lie in several months, counted in none",
        "unknown": "Month unknown",
        "undecided": "Not decided by the rule",
        "map": "Map",
        "outline": "Outline of land only; no borders are drawn",
        "drawn": "Each place is drawn as the circle within which it lies",
        "undrawn": "Not drawn",
        "incident": "Incident",
        "place": "Place",
        "shape": "Shape",
        "days": "Days",
        "none": "nothing to show",
        "wording": "Counts what records say under the rule; no finding of fact or law",
        "others": "Published by others; not merged with these numbers",
        "included": "included",
    },
    "uk": {
        "months": "За місяцями",
        "month": "Місяць",
        "sure": "враховано",
        "at_most": "щонайбільше, разом із неточним і невідомим",
        "uncertain": "Можливі кілька місяців, не враховано в жодному",
        "unknown": "Місяць невідомий",
        "undecided": "Правило не дає відповіді",
        "map": "Карта",
        "outline": "Лише обриси суходолу; кордони не зображено",
        "drawn": "Кожне місце зображено колом, у межах якого воно лежить",
        "undrawn": "Не зображено",
        "incident": "Інцидент",
        "place": "Місце",
        "shape": "Фігура",
        "days": "Дні",
        "none": "немає що показати",
        "wording": "Підраховано те, що стверджують записи, за правилом; це не встановлення фактів чи порушень права",
        "others": "Оприлюднено іншими; не об’єднано з цими числами",
        "included": "враховано",
    },
}
