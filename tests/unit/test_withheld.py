"""Names of persons are hidden as whole words; identifiers and digests stay what they are."""

from __future__ import annotations

import hashlib
import uuid
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.incidents.bodies import MASK, IncidentBody
from app.incidents.store import EntryView
from app.patterns.accounts import Beside
from app.patterns.shapes import csv_bytes, geojson, kml, shape_of, timeline
from app.patterns.withheld import hide_in, hider

UUID = "0ada1234-abba-4ada-9ada-00adaada0ada"
DIGEST = "ada" * 21 + "a"


def body(*names: str, **more: Any) -> IncidentBody:  # noqa: ANN401 - any JSON
    harmed = {"persons": [{"name": name} for name in names]}
    return IncidentBody.model_validate({"title": "t", "casualties": harmed, **more})


def hidden(text: str, *names: str) -> str:
    hide = hider(body(*names))
    return text if hide is None else hide(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Ada was here", f"{MASK} was here"),
        ("Canada, adamant, Adaś, Ada_1, 2Ada", "Canada, adamant, Adaś, Ada_1, 2Ada"),
        ("(ada), ADA's, Ada-Lena", f"({MASK}), {MASK}'s, {MASK}-Lena"),
        (f"item {UUID} and {DIGEST}", f"item {UUID} and {DIGEST}"),
        (f"Ada: item:{UUID.upper()}#ada", f"{MASK}: item:{UUID.upper()}#{MASK}"),
        ("abba", MASK),
        ("", ""),
    ],
)
def test_whole_words_are_hidden_and_no_part_of_an_identifier(text: str, told: str) -> None:
    assert hidden(text, "Ada", "Abba", "0ada1234") == told


def test_ukrainian_names_are_hidden_as_whole_words_and_longer_ones_first() -> None:
    assert hidden("Ганна Іваненко, потім Ганна, не Ганнами", "Ганна", "Ганна Іваненко") == (
        f"{MASK}, потім {MASK}, не Ганнами"
    )


@pytest.mark.parametrize("name", ["a.b", "(", "[x]", "A|B", "\\d", "*"])
def test_name_with_signs_is_a_text_and_no_expression(name: str) -> None:
    assert hidden(f"said {name} of it, ab, 7", name) == f"said {MASK} of it, ab, 7"


@given(name=st.text("0123456789abcdef", min_size=1, max_size=8), seed=st.binary(min_size=16, max_size=16))
def test_no_name_changes_an_identifier_or_a_digest(name: str, seed: bytes) -> None:
    identity, digest = str(uuid.UUID(bytes=seed)), hashlib.sha256(seed).hexdigest()
    for text in (identity, digest, f"see {identity}, {digest}.", f"sha256:{digest}"):
        assert hidden(text, name) == text


def test_shapes_of_an_incident_keep_their_identifiers_whatever_its_persons_are_called() -> None:
    names = ("0ada1234", "abba", "Ada", "INC", "a", "records", "circle", "exact_day", "stated", "ST")
    given_ = body(
        *names,
        place={"lat": "46.6", "lon": "32.6", "uncertainty_m": 500, "city": "Ada's house"},
        date={"value": "2025-07-06", "precision": "exact_day"},
        sequence=[{"n": 1, "target": "the house of Ada", "method": "drone"}],
        verification_basis=["seen by Ada", f"item {UUID}"],
    )
    record = SimpleNamespace(body=given_.model_dump(), number=1, standing={})
    entry = SimpleNamespace(id=UUID, ref="INC-Ada")
    view = cast("EntryView", SimpleNamespace(entry=entry, record=record, sha256=DIGEST))
    shape = shape_of(view, Beside(against=("ST-INC-Ada",), against_in_all=1))
    assert (shape.shown["id"], shape.shown["ref"], shape.shown["record_sha256"]) == (UUID, "INC-Ada", DIGEST)
    assert (shape.shown["killed_standing"], shape.shown["speaks_against"]) == ("not stated", ["ST-INC-Ada"])
    assert shape.shown["geometry_note"].startswith("a circle of 500 m")
    assert shape.shown["wording"] == "what records say; no finding of fact or law"
    assert shape.shown["place"]["city"] == f"{MASK}'s house"
    assert shape.shown["strikes"][0]["target"] == f"the house of {MASK}"
    assert shape.shown["basis"] == [f"seen by {MASK}", f"item {UUID}"]
    assert geojson([shape])["features"][0]["id"] == UUID
    assert timeline([shape])["events"][0]["record_sha256"] == DIGEST
    for written in (csv_bytes([shape]), kml([shape], "T1")):
        assert UUID.encode() in written
        assert DIGEST.encode() in written
        assert b"house of Ada" not in written


def test_keys_and_numbers_are_not_touched() -> None:
    hide = hider(body("Ada"))
    assert hide is not None
    assert hide_in({"Ada": ["Ada", 1, None, True, {"x": "no Ada"}]}, hide) == {
        "Ada": [MASK, 1, None, True, {"x": f"no {MASK}"}]
    }
