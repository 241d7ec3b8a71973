"""What is stated of one file and of all, put together: no restriction is lost, nothing is said that nobody said."""

from __future__ import annotations

from itertools import product
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import InvalidInputError
from app.intake.defaults import RESTRICTING, TOGETHER, with_defaults
from schemas.records.v1.source import MAX_SHORT_NOTE, NEEDS_NOTE, Consent, Handling, LegalBasis, SourceContext

CHOICES = {
    "url": ("https://a.example/1", "https://b.example/2"),
    "platform": ("Telegram", "YouTube"),
    "channel": ("one", "two"),
    "post_id": ("17", "18"),
    "caption": ("smoke", "dim"),
    "caption_language": ("en", "uk"),
    "posted_at": ("2024-01-02T03:04:05+00:00", "2024-01-02T03:04:06+02:00"),
    "collected_at": ("2024-02-02T03:04:05+00:00", "2024-02-02T03:04:06+02:00"),
    "collector": ("ana", "bo"),
    "collecting_machine": ("laptop", "phone"),
    "tool": ("ProofMode", "yt-dlp"),
    "tool_version": ("1", "2"),
    "legal_basis": get_args(LegalBasis),
    "legal_basis_note": ("by law", "by order"),
    "consent": get_args(Consent),
    "consent_note": ("for courts", "for nobody"),
    "handling_note": ("until May", "ask ana"),
    "note": ("one", "two"),
}


@st.composite
def sources(draw: st.DrawFn) -> SourceContext:
    """Any statement that makes sense by itself."""
    said: dict[str, Any] = {
        field: draw(st.sampled_from(values)) for field, values in CHOICES.items() if draw(st.booleans())
    }
    if draw(st.booleans()):
        said["handling"] = draw(st.lists(st.sampled_from(get_args(Handling)), min_size=1, unique=True))
    for field, (_, note) in NEEDS_NOTE.items():
        if field in said:
            said.setdefault(note, CHOICES[note][0])
    return SourceContext(**said)


def lines(source: SourceContext) -> set[str]:
    return set((source.handling_note or "").split("\n")) - {""}


def test_every_field_of_a_source_is_drawn() -> None:
    assert CHOICES.keys() | {"handling"} == SourceContext.model_fields.keys()


@given(sources(), sources())
def test_no_restriction_of_either_side_is_missing_and_no_pair_is_mixed(own: SourceContext, rest: SourceContext) -> None:
    touched = own.consent is not None or own.consent_note is not None
    differ = (own.consent, own.consent_note) != (rest.consent, rest.consent_note)
    if touched and differ and rest.consent in RESTRICTING:
        with pytest.raises(InvalidInputError, match="consent: the command line says"):
            with_defaults(own, rest)
        return
    both = with_defaults(own, rest)
    assert set(both.handling or ()) == {*(own.handling or ()), *(rest.handling or ())}
    assert list(both.handling or ()) == sorted(both.handling or ())
    assert lines(both) == lines(own) | lines(rest)
    for side in (own, rest):
        said = (side.consent, side.consent_note)
        assert side.consent not in RESTRICTING or (both.consent, both.consent_note) == said
    for group in TOGETHER:
        pair = tuple(getattr(both, field) for field in group)
        touched = any(getattr(own, field) is not None for field in group)
        sides = {tuple(getattr(side, field) for field in group) for side in ((own,) if touched else (rest,))}
        assert pair in sides or (not touched and pair == (None,) * len(group))
    told, otherwise, kept = own.as_record(), rest.as_record(), both.as_record()
    for field in kept.keys() - {"handling", "handling_note"}:
        assert kept[field] == told.get(field, otherwise.get(field))
    assert told.keys() <= kept.keys()


@given(sources())
def test_silence_on_either_side_changes_nothing(source: SourceContext) -> None:
    nobody = SourceContext()
    assert with_defaults(source, nobody) == source == with_defaults(nobody, source) == with_defaults(source, source)


@pytest.mark.parametrize(
    ("own", "rest", "both"),
    [
        ({"url": "https://a.example/1"}, {"url": "https://b.example/", "post_id": "9", "caption": "x"},
         {"url": "https://a.example/1"}),
        ({"platform": "YouTube"}, {"platform": "Telegram", "channel": "c", "url": "https://t.me/c/1", "caption": "x"},
         {"platform": "YouTube"}),
        ({"post_id": "17"}, {"platform": "Telegram", "channel": "c"},
         {"post_id": "17", "platform": "Telegram", "channel": "c"}),
        ({"url": "https://a.example/1"}, {"caption": "x", "collector": "ana"},
         {"url": "https://a.example/1", "caption": "x", "collector": "ana"}),
        ({"collector": "bo"}, {"collector": "ana", "collecting_machine": "laptop of ana", "tool": "yt-dlp"},
         {"collector": "bo"}),
    ],
)  # fmt: skip
def test_what_belongs_to_another_post_or_collector_is_not_taken(
    own: dict[str, Any], rest: dict[str, Any], both: dict[str, Any]
) -> None:
    assert with_defaults(SourceContext(**own), SourceContext(**rest)) == SourceContext(**both)


def test_notes_on_handling_are_both_kept_or_refused_never_cut() -> None:
    own, rest = SourceContext(handling_note="a" * 999), SourceContext(handling_note="b" * 1000)
    assert with_defaults(own, rest).handling_note == "a" * 999 + "\n" + "b" * 1000
    with pytest.raises(InvalidInputError, match=f"{MAX_SHORT_NOTE} are taken") as refused:
        with_defaults(SourceContext(handling_note="a" * 1000), rest)
    assert refused.value.code == "bad_source"


def test_consent_that_is_missing_for_all_is_not_given_by_a_row() -> None:
    for term, other in product(RESTRICTING, ({"consent": "given"}, {"consent": "not_sought"}, {"consent_note": "ok"})):
        everywhere = SourceContext.model_validate({"consent": term, "consent_note": "for courts"})
        with pytest.raises(InvalidInputError, match="consent: the command line says") as refused:
            with_defaults(SourceContext.model_validate(other), everywhere)
        assert refused.value.code == "bad_source"
