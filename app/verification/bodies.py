"""What a verification may say, by kind; unknown fields are refused, so that a misspelt one is not silently lost.

1. No floats: decimals are text, as in all that is hashed.
2. Where something was worked out, it says how, from what, and why: a stranger must be able to do it again.
3. What speaks against it is named, or the search that found nothing.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator
from pydantic.functional_validators import AfterValidator

from app.errors import CatenaError, InvalidInputError
from app.incidents.bodies import Body, Count, Decimal, Moment, When, check_body
from app.incidents.segments import parse_segment
from app.incidents.standing import days_of
from schemas.records.v1.source import is_language
from schemas.records.v1.verification import VerificationKind

Precision = Literal["point", "building", "site", "street", "settlement", "district", "region"]
"""Classes of places, narrowest first; `uncertainty_m` says it in metres where that is known."""
TimePrecision = Literal["second", "minute", "hour", "part_of_day", "day", "days", "month"]
Step = Literal["located", "time_fixed", "corroborated", "reviewed"]
AboutKind = Literal["item", "incident", "statement", "observation", "aggregate", "organisation"]
ABOUT_KINDS: Final[tuple[AboutKind, ...]] = get_args(AboutKind)
Ground = Literal["not_reached", "reasonable_basis", "reasonable_grounds", "substantial_grounds"]
"""The ladder of standards; "beyond reasonable doubt" belongs to a court and is no step of it."""


def _segment(text: str) -> str:
    try:
        return str(parse_segment(text))
    except CatenaError as error:
        raise ValueError(error.detail) from None


def _language(tag: str) -> str:
    if not is_language(tag):
        raise ValueError("a language is a BCP 47 tag, such as uk or en-GB")
    return tag


def _day(text: str) -> str:
    if days_of(When(value=text)) is None:
        raise ValueError("a date is YYYY, YYYY-MM or YYYY-MM-DD")
    return text


Line = Annotated[str, Field(min_length=1, max_length=500)]
Text = Annotated[str, Field(min_length=1, max_length=8_000)]
Caption = Annotated[str, Field(min_length=1, max_length=20_000)]
Part = Annotated[str, Field(max_length=200), AfterValidator(_segment)]
Language = Annotated[str, Field(max_length=100), AfterValidator(_language)]
SomeDay = Annotated[str, Field(max_length=10), AfterValidator(_day)]
Name = Annotated[str, Field(min_length=1, max_length=200)]


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class About(_Closed):
    """What a record is about: an item by UUID, or an entry by UUID or by its id for people."""

    kind: AboutKind
    ref: Line


class _Common(_Closed):
    """What every kind has. `contributors` worked on it with the author, and sign it off as little as he does."""

    contributors: Annotated[list[Name], Field(max_length=50)] = []
    personal_data: bool = False
    reasoning: Text


class Position(_Closed):
    """A place on the earth, WGS 84."""

    lat: Decimal
    lon: Decimal
    precision: Precision
    uncertainty_m: Count = None

    @model_validator(mode="after")
    def _on_earth(self) -> Self:
        if abs(float(self.lat)) > 90 or abs(float(self.lon)) > 180:  # noqa: PLR2004 - of the globe
            raise ValueError("latitude is -90 to 90, longitude -180 to 180")
        return self


class Landmark(_Closed):
    """Something that is seen in the picture and found on the map."""

    feature: Line
    item: Line | None = Field(default=None, description="UUID; the record's own item when left out.")
    segment: Part | None = None
    map_reference: Line
    lat: Decimal | None = None
    lon: Decimal | None = None


class Imagery(_Closed):
    """Reference imagery that was looked at: what, of which day, and where it can be looked at again."""

    source: Line
    date: SomeDay
    url: Annotated[str, Field(max_length=2_000)] | None = None
    item: Line | None = None
    accessed: SomeDay | None = None
    note: Line | None = None


class Sun(_Closed):
    """A position of the sun to be computed, and what the picture shows of it, in degrees."""

    lat: Decimal
    lon: Decimal
    at: Moment
    observed_shadow_direction: Decimal | None = None
    observed_altitude: Decimal | None = None
    segment: Part | None = None
    note: Line | None = None


class Geolocation(_Common):
    """Where a picture was taken, or where something happened."""

    about: About
    strike: Annotated[int, Field(ge=1, le=1_000)] | None = None
    position: Position
    method: Literal["landmarks", "shadows", "metadata", "witness", "publication", "combined"]
    landmarks: Annotated[list[Landmark], Field(max_length=100)] = []
    imagery: Annotated[list[Imagery], Field(max_length=100)] = []
    sun: Annotated[list[Sun], Field(max_length=20)] = []
    against: Text | None = None

    @model_validator(mode="after")
    def _can_be_repeated(self) -> Self:
        if self.method == "landmarks" and not (self.landmarks and self.imagery):
            raise ValueError("a place found by landmarks names them and cites the reference imagery")
        if self.method == "shadows" and not self.sun:
            raise ValueError("a place found by shadows states where the sun is to be computed")
        return self


class Interval(_Closed):
    """Between which moments; one of them may be open."""

    earliest: Moment | None = None
    latest: Moment | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        ends = [moment_of(one) for one in (self.earliest, self.latest) if one is not None]
        if not ends or ends != sorted(ends):
            raise ValueError("an interval has an earliest or a latest moment, and the latest is not the earlier one")
        return self


class Chronolocation(_Common):
    """When a picture was taken, or when something happened."""

    about: About
    strike: Annotated[int, Field(ge=1, le=1_000)] | None = None
    interval: Interval
    precision: TimePrecision
    method: Literal["shadows", "metadata", "publication", "weather", "clock", "witness", "sequence", "combined"]
    landmarks: Annotated[list[Landmark], Field(max_length=100)] = []
    imagery: Annotated[list[Imagery], Field(max_length=100)] = []
    sun: Annotated[list[Sun], Field(max_length=20)] = []
    against: Text | None = None

    @model_validator(mode="after")
    def _can_be_repeated(self) -> Self:
        if self.method == "shadows" and not self.sun:
            raise ValueError("a time found by shadows states where the sun is to be computed")
        return self


class Member(_Closed):
    """An item of a corroboration, and the part of it that is meant."""

    item: Line
    segment: Part | None = None
    shows: Line | None = None


class Corroboration(_Common):
    """Items that show the same, such as a drone video and the rescue service's photos of the same truck."""

    items: Annotated[list[Member], Field(min_length=2, max_length=50)]
    incident: Line | None = None
    relation: Literal["same_object", "same_person", "same_place", "same_event", "same_moment"]
    common: Text
    differs: Text
    independent: Literal["shown", "not_known", "same_origin"] = "not_known"

    @model_validator(mode="after")
    def _different_items(self) -> Self:
        if len({one.item for one in self.items}) != len(self.items):
            raise ValueError("an item does not corroborate itself")
        return self


class Original(_Closed):
    """A text as it stood."""

    text: Caption
    language: Language


class Translation(_Common):
    """A caption or a statement in another language. Its second reader is whoever signs it off, never its translator."""

    about: About
    field: Literal["caption", "text", "summary", "seen", "title"]
    original: Original
    translation: Original
    translator: Name


class Evidence(_Closed):
    """What an attribution rests on, or what speaks against it."""

    kind: Literal["item", "claim", "statement", "observation", "source"]
    ref: Annotated[str, Field(min_length=1, max_length=2_000)]
    segment: Part | None = None
    says: Line


class Attribution(_Common):
    """Who did it, as an assessment of its own: with the standard reached, and both sides."""

    incident: Line
    strike: Annotated[int, Field(ge=1, le=1_000)] | None = None
    actor: Line
    unit: Line | None = None
    standard: Ground
    supports: Annotated[list[Evidence], Field(max_length=200)]
    contradicts: Annotated[list[Evidence], Field(max_length=200)]
    contradicts_search: Text | None = None

    @model_validator(mode="after")
    def _both_sides(self) -> Self:
        if not self.contradicts and self.contradicts_search is None:
            raise ValueError("name what speaks against it, or say where it was searched and nothing found")
        if not self.supports and self.standard != "not_reached":
            raise ValueError("a standard is reached by evidence: name what supports it")
        return self


class Decision(_Common):
    """Which of several stated values is held, and why; null: none is. It stands only when a second person agrees.

    `strike` and `target` narrow it to a part of the incident: what is held of one part is held of no other.
    """

    incident: Line
    strike: Annotated[int, Field(ge=1, le=1_000)] | None = None
    target: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    fact: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    question: Line | None = None
    claims: Annotated[list[Line], Field(max_length=200)] = []
    held: JsonValue

    @model_validator(mode="after")
    def _one_matter(self) -> Self:
        if (self.fact is None) == (self.question is None):
            raise ValueError("a decision is about a fact of the rules or about a question, one of both")
        if self.question is not None and (self.strike, self.target) != (None, None):
            raise ValueError("a question is decided of the incident; name the part in it")
        if self.question is not None and len(self.claims) < 2:  # noqa: PLR2004 - one alone is no conflict
            raise ValueError("a decision on a question names the claims that differ, two at least")
        return self


class Status(_Common):
    """A stated decision on a step of the ladder: that all of it was reviewed, or that a step does not hold."""

    about: About
    step: Step
    holds: bool
    contradicts: Text

    @model_validator(mode="after")
    def _only_the_last_is_stated(self) -> Self:
        if self.holds and self.step != "reviewed":
            raise ValueError("this step is reached by signed-off records of its own, not by saying so")
        return self


AnyBody = Geolocation | Chronolocation | Corroboration | Translation | Attribution | Decision | Status
BODIES: Final[dict[VerificationKind, type[AnyBody]]] = {
    "geolocation": Geolocation,
    "chronolocation": Chronolocation,
    "corroboration": Corroboration,
    "translation": Translation,
    "attribution": Attribution,
    "decision": Decision,
    "status": Status,
}


def parse_kind(text: str) -> VerificationKind:
    """A kind.

    Raises:
        InvalidInputError: `bad_verification_kind`.
    """
    for kind in BODIES:
        if kind == text:
            return kind
    raise InvalidInputError("bad_verification_kind", f"a kind is one of {', '.join(BODIES)}")


def parse_body(kind: VerificationKind, ref: str, given: object) -> Any:  # noqa: ANN401 - the model of that kind
    """A body, checked; an instance of `BODIES[kind]`.

    Raises:
        InvalidInputError: `bad_verification`, naming the field; `bad_incident_ref` for an id that is none.
    """
    try:
        checked: Body = check_body("other", ref, given)
    except InvalidInputError as error:
        if error.code == "bad_incident_ref":
            raise
        raise InvalidInputError("bad_verification", f"{kind}: {error.detail.partition(': ')[2]}") from None
    try:
        return BODIES[kind].model_validate(checked)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        raise InvalidInputError("bad_verification", f"{kind}: {where}: {first['msg']}") from None


def moment_of(text: str) -> datetime:
    """A moment from RFC 3339 text, aware.

    Raises:
        ValueError: there is no such day or hour.
    """
    return datetime.fromisoformat(text)
