"""A reader must not take silence for nothing: what is withheld or left out is never told as if it were not there."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from app.disclosure.rules import Wishes, parse_parts
from schemas.records.v1.source import SourceContext
from tests.apis import Api
from tests.assessing import LOSS, Desk
from tests.disclosing import COURT, Stage, assert_nowhere, errors
from tests.flow.test_api_matches import jpeg, scene
from tests.unit.test_export_report import Page

HER = "Zinaida Hrynko"
NOTHING = "No link to a provision was put on this side."
AGAINST_HEAD = "What speaks against"


class Bundle:
    """A bundle as its reader sees it."""

    def __init__(self, data: bytes) -> None:
        with zipfile.ZipFile(io.BytesIO(data)) as opened:
            self.files = {name: opened.read(name) for name in opened.namelist()}
        self.text = " ".join(Page(self.files["report.html"]).text.split())
        table = csv.DictReader(io.StringIO(self.files["index.csv"].decode(), newline=""))
        self.rows = {row["item"]: row for row in table}

    def after(self, title: str, until: str) -> list[str]:
        """What stands under each heading of this title, up to another text."""
        return [part.partition(until)[0] for part in self.text.split(title)[1:]]


def read(path: Path) -> Bundle:
    return Bundle(path.read_bytes())


def fetched(api: Api, **asked: Any) -> Bundle:  # noqa: ANN401 - JSON
    answer = api.post("leo", "/exports", json=asked)
    assert answer.status_code == 201, answer.text
    return Bundle(api.get("leo", f"/exports/{answer.json()['id']}/bundle").content)


def provision(stage: Stage) -> str:
    return stage.services.law.list_provisions(stage.lawyer)[0].provision.id


@pytest.fixture
def two_sides(stage: Stage) -> str:
    """An item with a link for and one against; the one against names whom another item must not name."""
    stage.put(b"her film", "hers.bin", SourceContext(collector=HER, consent="refused"))
    stage.work()
    stage.services.law.create_link(stage.lawyer, stage.first, provision(stage), "supports", "It shows a school.")
    stage.services.law.create_link(stage.lawyer, stage.first, provision(stage), "contradicts", f"{HER} says: tanks")
    return stage.first


# -- attacks ------------------------------------------------------------------------------------------------------


def test_a_withheld_link_against_is_not_told_as_nothing(stage: Stage, two_sides: str) -> None:
    path = stage.bundle(Wishes(COURT, "withhold", acknowledge="her safety"))
    assert errors(path) == []
    assert_nowhere(path, [HER, "says: tanks"])
    found = read(path)
    (against,) = found.after(AGAINST_HEAD, "Custody")
    assert "Nothing" not in against
    assert NOTHING not in against
    assert "1 link(s) of this item are withheld; some may stand on this side." in against
    assert "record withheld with others: 1" in against
    assert "1 / 0 (1 withheld)" in found.text
    row = found.rows[two_sides]
    assert (row["links_supports"], row["links_contradicts"], row["links_withheld"]) == ("1", "0", "1")
    assert row["against_left_out"] == "record withheld with others: 1"
    fields = found.files["load.dat"].decode("utf-8-sig").split("\r\n")[0]
    assert "LINKS_WITHHELD" in fields
    assert "AGAINST_LEFT_OUT" in fields


def test_withheld_links_and_reviews_leave_a_mark_where_no_link_is_shown(stage: Stage) -> None:
    law, reviews = stage.services.law, stage.services.reviews
    link = law.create_link(stage.lawyer, stage.first, provision(stage), "supports", "It shows a school.")
    reviews.review_link(stage.second, link.id, "reject", "It is a factory, see the chimney.")
    wishes = Wishes(COURT, "withhold", {stage.first: parse_parts(["reviews"])}, acknowledge="Under seal.")
    told = read(stage.bundle(wishes)).text
    assert "1 review(s) of links of this item are withheld; each may approve or reject." in told
    assert "here it is its author's opinion alone" not in told
    wishes = Wishes(COURT, "withhold", {stage.first: parse_parts(["links"])}, acknowledge="Under seal.")
    found = read(stage.bundle(wishes))
    (against,) = found.after(AGAINST_HEAD, "Custody")
    assert "1 link(s) of this item are withheld; some may stand on this side." in against
    assert "0 / 0 (1 withheld)" in found.text


def test_a_left_out_element_link_against_is_not_told_as_nothing(lite: Api) -> None:
    desk = Desk.of(lite)
    desk.link(element=LOSS, direction="supports", reasoning="A gun was towed.")
    body = {"provision": "ap1-art62", "direction": "supports", "rationale": "An emblem."}
    assert lite.post("leo", f"/items/{desk.item}/links", json=body).status_code == 201
    lite.work()
    found = fetched(lite, items=[desk.item], disclosure={"acknowledge": "Disclosed before."})
    (against,) = found.after(AGAINST_HEAD, "Custody")
    assert "contradicting element link: 1" in against
    assert NOTHING not in against
    (under,) = found.after("For / against", "Item 1")
    assert "contradicting element link: 1" in found.after("What this bundle holds", "The file")[-1], under
    assert "contradicting element link: 1" in found.rows[desk.item]["against_left_out"]


def test_a_withheld_record_of_similar_items_is_not_told_as_none(lite: Api) -> None:
    shown = lite.deposit(jpeg(scene(1)), X_Filename="a.jpg")["item"]["id"]
    lead = {"X_Filename": "the-lead.jpg", "X_Source": json.dumps({"handling": ["lead_only"]})}
    hidden = lite.deposit(jpeg(scene(1), 70), **lead)["item"]["id"]
    lite.work()
    assert [one["item"] for one in lite.get("leo", f"/items/{shown}/matches").json()["matches"]] == [hidden]
    wishes = {"recipient": {"name": "Court", "kind": "court"}, "restricted": "withhold"}
    found = fetched(lite, items=[shown, hidden], disclosure=wishes)
    assert list(found.rows) == [shown]
    (similar,) = found.after("Similar items in this bundle", "For and against")
    assert "None was found" not in similar
    assert "The record of similar items is withheld in this bundle." in similar


def test_a_report_does_not_tell_of_comparisons_with_items_of_other_cases(lite: Api) -> None:
    picture = scene(1)
    item = lite.deposit(jpeg(picture), X_Filename="a.jpg")["item"]["id"]
    same = lite.deposit(jpeg(picture, 80), X_Filename="b.jpg")["item"]["id"]
    other = [lite.deposit(jpeg(picture, quality), who="outsider", case="T2")["item"]["id"] for quality in (60, 70)]
    lite.work()
    for one, reason in ((same, "Same window."), (other[0], "The lawyer of T2 sent it.")):
        decision = {"decision": "confirm", "reason": reason}
        answer = lite.post("adm", f"/items/{item}/matches/{one}/decisions", json=decision)
        assert answer.status_code == 201, answer.text
    assert len(lite.get("adm", f"/items/{item}/matches").json()["matches"]) == 3
    found = fetched(lite, items=[item, same])
    assert "matches: " not in found.text
    assert "Same window." in found.text
    assert "The lawyer of T2" not in found.text
    assert "Same window." not in fetched(lite, items=[item]).text


def test_words_about_commitments_stand_only_where_there_are_some(stage: Stage) -> None:
    stage.services.law.create_link(stage.lawyer, stage.last, provision(stage), "contradicts", "It shows a barracks.")
    found = read(stage.bundle(Wishes(acknowledge="Disclosed on 2 May."), item_ids=[stage.first]))
    assert "What is left out" in found.text
    assert "contradicting link: 1" in found.text
    assert "Disclosed on 2 May." in found.text
    for wrong in ("What is withheld", "withheld from this recipient", "there is a commitment"):
        assert wrong not in found.text, wrong
    found = read(stage.bundle(Wishes(COURT, "withhold")))
    assert "For each there is a commitment under the seal" in found.text


def test_a_withheld_source_does_not_read_as_one_without_restrictions(stage: Stage) -> None:
    source = SourceContext(collector="Secret Collector", handling=("distressing",))
    item = stage.put(b"plain text", "a.txt", source)
    stage.work()
    found = read(stage.bundle(Wishes(COURT, "withhold", {item: parse_parts(["source"])}), item_ids=[item]))
    assert found.rows[item]["restriction"] == "withheld"


# -- what is there ------------------------------------------------------------------------------------------------


def test_a_side_on_which_nothing_was_put_still_says_so(stage: Stage) -> None:
    stage.services.law.create_link(stage.lawyer, stage.first, provision(stage), "supports", "It shows a school.")
    found = read(stage.bundle(Wishes(COURT), item_ids=[stage.first]))
    (against,) = found.after(AGAINST_HEAD, "Custody")
    assert NOTHING in against
    assert "withheld" not in against
    assert "1 / 0" in found.text
    row = found.rows[stage.first]
    assert (row["links_withheld"], row["against_left_out"], row["restriction"]) == ("0", "", "not stated")
