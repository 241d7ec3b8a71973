"""What an entry may say: known fields have their types, further ones are kept as they are.

1. No floats: what is hashed must have one form. Decimals are text.
2. Strikes are numbered 1, 2, 3 in their order.
3. A number of dead, injured or counted attacks is a whole number or null. Null is not nought.
4. Targets have ids, so that claims can be about one of them. Nobody is named among them: names stand with `persons`,
   where they are hidden.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, field_validator, model_validator

from app.errors import InvalidInputError
from app.incidents.outlines import parse_outline, readable_outline
from app.incidents.segments import parse_segment
from schemas.records.v1.incident import EntryKind

MAX_BODY_BYTES = 256 * 1024
MASK = "[personal data]"
"""Stands for the name of a person; no body states it, or what was hidden from its reader would be lost."""
PERSONAL_TEXTS = ("speaker", "summary", "text", "translation", "seen")
"""Fields of a statement or observation that are hidden when it says that it holds personal data."""
_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?", re.ASCII)
_REF = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]{1,200}")
_DEEPEST = 20
_LARGEST = 2**53 - 1  # of RFC 8785: beyond it, two readers may see two numbers

Body = dict[str, JsonValue]
Part = TypeVar("Part", bound=BaseModel)
Count = Annotated[int, Field(ge=0, le=_LARGEST)] | None
Decimal = Annotated[str, Field(pattern=r"^-?\d{1,3}(\.\d{1,9})?$")]
Moment = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})$")]
Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]


class _Open(BaseModel):
    """Known fields are checked; others are the giver's own."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)


class When(_Open):
    """A date as given: its value may be a day, a month, a year or nothing."""

    value: str | None = None
    precision: str | None = None
    earliest: Day | None = None
    latest: Day | None = None


class TimeOfDay(_Open):
    """A time of day as given."""

    value: str | None = None
    precision: str | None = None
    basis: str | None = None


class Place(_Open):
    """Where: in words, and as a point with its uncertainty and the method that gave it, or as an `outline`.

    An outline is not among the typed fields: what an older record calls so stays readable.
    """

    text: str | None = None
    precision: str | None = None
    lat: Decimal | None = None
    lon: Decimal | None = None
    uncertainty_m: Count = None
    method: str | None = None


class Strike(_Open):
    """One strike of an incident, in its order; between which moments it fell, and where, when that is known."""

    n: Annotated[int, Field(ge=1, le=1_000)]
    target: str | None = None
    method: str | None = None
    result: str | None = None
    earliest: Moment | None = None
    latest: Moment | None = None
    place: Place | None = None


class Harmed(_Open):
    """A person who was harmed; personal data."""

    name: str | None = None


class Casualties(_Open):
    """Dead and injured with the source of the count."""

    killed: Count = None
    injured: Count = None
    persons: list[Harmed] = Field(default_factory=list)


class Target(BaseModel):
    """A person or an object that a strike was aimed at or hit; its status is said in claims that name it.

    Attributes:
        text: what it is, without names of persons.
        strikes: of which strikes it was the target; empty while that is not known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    id: Annotated[str, Field(min_length=1, max_length=100)]
    kind: Literal["person", "object"]
    text: Annotated[str, Field(min_length=1, max_length=500)]
    strikes: list[Annotated[int, Field(ge=1, le=1_000)]] = []


class CountSource(BaseModel):
    """What a count of dead and injured rests on: an item, statement or claim of the case, or a source elsewhere."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    kind: Literal["item", "statement", "claim", "source"]
    ref: Annotated[str, Field(min_length=1, max_length=2_000)]
    segment: Annotated[str, Field(max_length=200)] | None = None


class IncidentBody(_Open):
    """An incident."""

    title: Annotated[str, Field(min_length=1, max_length=500)]
    # factories: pydantic copies a default of this kind deeply for each record, which is what a reading then costs
    date: When = Field(default_factory=When)
    time: TimeOfDay = Field(default_factory=TimeOfDay)
    place: Place = Field(default_factory=Place)
    sequence: list[Strike] = Field(default_factory=list)
    casualties: Casualties = Field(default_factory=Casualties)
    statements: list[str] = Field(default_factory=list)
    candidate_provisions: list[str] = Field(default_factory=list)
    outside_seed: list[dict[str, JsonValue]] = Field(default_factory=list)

    @field_validator("sequence")
    @classmethod
    def _ordered(cls, strikes: list[Strike]) -> list[Strike]:
        if [strike.n for strike in strikes] != list(range(1, len(strikes) + 1)):
            raise ValueError("strikes are numbered 1, 2, 3 in their order")
        return strikes


class StatementBody(_Open):
    """What somebody said: text, language, translation, translator and second reader where they are given."""

    speaker: Annotated[str, Field(min_length=1, max_length=500)]
    summary: str | None = None
    kind: str | None = None
    text: str | None = None
    language: str | None = None
    translation: str | None = None
    translator: str | None = None
    second_reader: str | None = None
    bears_on: list[str] = []
    direction: str | None = None
    overstatement: str | None = None

    personal_data: bool = False

    @model_validator(mode="after")
    def _two_people(self) -> Self:
        if self.second_reader and self.translator and _folded(self.second_reader) == _folded(self.translator):
            raise ValueError("the second reader of a translation is another person than its translator")
        return self


class ObservationBody(_Open):
    """What is seen, in which item of the case, and at which second or in which region of the picture."""

    item: Annotated[str, Field(min_length=1, max_length=36)]
    seen: Annotated[str, Field(min_length=1, max_length=8_000)]
    segment: str | None = None
    language: str | None = None
    incident: str | None = None
    personal_data: bool = False

    @field_validator("segment")
    @classmethod
    def _some_part(cls, segment: str | None) -> str | None:
        try:
            return None if segment is None else str(parse_segment(segment))
        except InvalidInputError as error:
            raise ValueError(error.detail) from None


class AggregateBody(_Open):
    """A count that somebody published: with its inclusion rule and denominator, or without."""

    claim: Annotated[str, Field(min_length=1, max_length=4_000)]
    value: Count = None
    counter: str | None = None
    method: str | None = None
    inclusion_rule: str | None = None
    exclusions: list[str] = []
    denominator: str | None = None
    includes: list[str] = []
    includes_possible: list[str] = []


class OrganisationBody(_Open):
    """An organisation and its part in the matter."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    role: str | None = None


class ReadingBody(_Open):
    """A set of facts that somebody assumes of an incident."""

    incident: str | None = None
    facts: dict[str, JsonValue]


_BODIES: dict[EntryKind, type[_Open]] = {
    "incident": IncidentBody,
    "statement": StatementBody,
    "aggregate": AggregateBody,
    "organisation": OrganisationBody,
    "observation": ObservationBody,
    "reading": ReadingBody,
}


def check_body(kind: EntryKind, ref: str, given: object) -> Body:
    """The body of an entry, as it was given.

    Args:
        kind: what it is the body of.
        ref: the entry's id for people, 1 to 200 characters on one line.
        given: any JSON value.

    Raises:
        InvalidInputError: `bad_incident_ref`, `bad_incident_entry`, naming the entry and the field: also for a date
            that no calendar has, and for an interval that ends before it begins.
    """
    if not isinstance(ref, str) or not _REF.fullmatch(ref) or ref != ref.strip() or not storable(ref):
        raise InvalidInputError("bad_incident_ref", "the id of an entry is one line of 1 to 200 characters")
    if not isinstance(given, dict):
        raise _bad(kind, ref, "it is no JSON object")
    _check_values(kind, ref, given, _DEEPEST)
    if len(json.dumps(given, ensure_ascii=False).encode()) > MAX_BODY_BYTES:
        raise _bad(kind, ref, f"it has more than {MAX_BODY_BYTES} bytes")
    model = _BODIES.get(kind)
    if model is not None:
        read = read_body(kind, ref, given, model)
        if isinstance(read, IncidentBody):
            _require_times(ref, read)
            _check_incident(ref, given, read)
        if any(given.get(name) == MASK for name in PERSONAL_TEXTS):
            raise _bad(kind, ref, "a text in it was hidden when it was read: read it with personal data")
    return given


def targets_of(body: Body) -> list[Target]:
    """The targets that an incident's record lists; what an older or a foreign record calls so otherwise is none."""
    return _readable(body.get("targets"), Target)


def count_sources(body: Body) -> list[CountSource]:
    """What an incident's own count of dead and injured rests on, as far as it says so by kind and id."""
    casualties = body.get("casualties")
    return _readable(casualties.get("rests_on") if isinstance(casualties, dict) else None, CountSource)


def outline_of(place: Place) -> list[tuple[float, float]] | None:
    """The ring (lon, lat), in degrees, that a place draws; None without one."""
    return readable_outline((place.model_extra or {}).get("outline"))


def _require_times(ref: str, body: IncidentBody) -> None:
    """Refuse what has the form of a date and is none, and what ends before it begins; words are let through."""
    if _DATE.fullmatch(value := body.date.value or ""):
        _instant(ref, "date.value", f"{value}-01-01"[:10])  # a year or a month has a first day, or is none
    spans = [("date", body.date.earliest, body.date.latest)]
    spans += [(f"strike {strike.n}", strike.earliest, strike.latest) for strike in body.sequence]
    for where, earliest, latest in spans:
        first, last = _instant(ref, f"{where}: earliest", earliest), _instant(ref, f"{where}: latest", latest)
        if first is not None and last is not None and last < first:
            raise _bad("incident", ref, f"{where}: latest {latest} is before earliest {earliest}")


def _instant(ref: str, where: str, text: str | None) -> datetime | None:
    try:
        return None if text is None else datetime.fromisoformat(text)
    except ValueError:
        raise _bad("incident", ref, f"{where} {text!r} is in no calendar or on no clock") from None


def keyed(kind: EntryKind, ref: str, given: object) -> object:
    """What was given with the id by which a file of incidents knows it, so that an export can be imported again.

    Raises:
        InvalidInputError: `bad_incident_entry` when it names another id.
    """
    if not isinstance(given, dict):
        return given
    key = key_of(kind)
    if given.get(key, ref) != ref:
        raise _bad(kind, str(ref), f"its {key} is another one")
    return {key: ref, **given}


def key_of(kind: EntryKind) -> str:
    """The field of a body that names it."""
    return "name" if kind == "organisation" else "id"


def read_body(kind: EntryKind, ref: str, given: Body, model: type[_Open]) -> Any:  # noqa: ANN401 - of that model
    """The known fields of a body.

    Raises:
        InvalidInputError: `bad_incident_entry`.
    """
    try:
        return model.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        raise _bad(kind, ref, f"{where}: {first['msg']}") from None


def _check_incident(ref: str, given: Body, read: IncidentBody) -> None:
    if any(one.name == MASK for one in read.casualties.persons):
        raise _bad("incident", ref, "a name in it was hidden when it was read: read it with the names of persons")
    casualties = given.get("casualties")
    for place in (given.get("place"), *(one.get("place") for one in _dicts(given.get("sequence")))):
        if isinstance(place, dict) and not isinstance(place.get("outline"), str | None):
            try:
                parse_outline(place["outline"])
            except ValueError as error:
                raise _bad("incident", ref, f"place.outline: {error}") from None
    _check_parts(ref, "casualties.rests_on", (casualties or {}).get("rests_on"), CountSource)  # type: ignore[union-attr]
    targets = _check_parts(ref, "targets", given.get("targets"), Target)
    if len({one.id for one in targets}) < len(targets):
        raise _bad("incident", ref, "targets: each has an id of its own")
    if any(strike > len(read.sequence) for one in targets for strike in one.strikes):
        raise _bad("incident", ref, "targets: one names a strike that is not in the sequence")


def _check_parts(ref: str, field: str, given: JsonValue, model: type[Part]) -> list[Part]:
    """Objects of a list; plain text among them is the giver's own words and is left alone."""
    if given is None:
        return []
    if not isinstance(given, list):
        raise _bad("incident", ref, f"{field}: it is no list")
    try:
        return [model.model_validate(one) for one in given if not isinstance(one, str)]
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise _bad("incident", ref, f"{field}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def _dicts(given: JsonValue) -> list[dict[str, JsonValue]]:
    return [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []


def _readable(given: JsonValue, model: type[Part]) -> list[Part]:
    found: list[Part] = []
    for one in given if isinstance(given, list) else ():
        try:
            found.append(model.model_validate(one))
        except ValidationError:
            continue
    return found


def _check_values(kind: EntryKind, ref: str, value: object, depth: int) -> None:
    if depth == 0:
        raise _bad(kind, ref, "it is nested too deep")
    if isinstance(value, float):
        raise _bad(kind, ref, "it holds a number with a fraction: write decimals as text")
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _LARGEST:
        raise _bad(kind, ref, "it holds a number beyond 2^53")
    if isinstance(value, str) and not storable(value):
        raise _bad(kind, ref, "it holds text that is no Unicode")
    if isinstance(value, dict):
        for key, inner in value.items():
            _check_values(kind, ref, key, depth - 1)
            _check_values(kind, ref, inner, depth - 1)
    elif isinstance(value, list):
        for inner in value:
            _check_values(kind, ref, inner, depth - 1)


def storable(text: str) -> bool:
    """Whether a database of either kind can hold a text: Unicode without NUL."""
    return not any("\ud800" <= c <= "\udfff" for c in text) and "\x00" not in text


def _folded(name: str) -> str:
    return " ".join(name.casefold().split())


def _bad(kind: EntryKind, ref: str, detail: str) -> InvalidInputError:
    return InvalidInputError("bad_incident_entry", f"{kind} {ref[:64]!r}: {detail}")
