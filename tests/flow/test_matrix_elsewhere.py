"""A matrix of chosen provisions hides nothing that ever spoke against another one."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

import pytest

from tests.apis import opened
from tests.assessing import LOSS, Desk
from tests.incident_samples import REF

OTHER = "ap1-art21"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with opened(tmp_path_factory.mktemp("elsewhere"), "sqlite") as api:
        yield Desk.of(api)


def test_links_against_other_provisions_are_listed_after_they_were_withdrawn_or_superseded(desk: Desk) -> None:
    links = {
        "stands": desk.link(direction="contradicts", reasoning="Against, and stays."),
        "withdrawn": desk.link(direction="contradicts", reasoning="Against, taken back."),
        "superseded": desk.link(direction="contradicts", reasoning="Against, turned round."),
        "loss": desk.link(element=LOSS, reasoning="It speaks for a loss of protection."),
        "never": desk.link(reasoning="For, all the time."),
    }
    for name in ("withdrawn", "loss", "never"):
        desk.made("ana", f"/assessment-entries/{links[name]['thread']}/withdrawal", {"reason": "another day"})
    turned = {name: value for name, value in desk.link_body().items() if name not in {"provision", "element"}}
    path = f"/assessment-entries/{links['superseded']['thread']}/versions"
    desk.made("ana", path, {**turned, "reason": "looked again"})
    shown = desk.matrix(OTHER)["contradicting_elsewhere"]
    told = {one["thread"]: (one["standing"], [old["reasoning"] for old in one["earlier"]]) for one in shown}
    assert told == {
        links["stands"]["thread"]: ("stands", []),
        links["withdrawn"]["thread"]: ("withdrawn", ["Against, taken back."]),
        links["superseded"]["thread"]: ("superseded", ["Against, turned round."]),
        links["loss"]["thread"]: ("withdrawn", ["It speaks for a loss of protection."]),
    }
    table = desk.api.get("ana", f"/incidents/{REF}/matrix.csv?provision={OTHER}").text
    rows = [row["row"] for row in csv.DictReader(io.StringIO(table, newline="")) if row["row"].endswith("elsewhere")]
    assert sorted(rows) == [
        "link elsewhere",
        "superseded link elsewhere",
        "withdrawn link elsewhere",
        "withdrawn link elsewhere",
    ]
    page = desk.api.get("ana", f"/incidents/{REF}/matrix.html?provision={OTHER}").text
    assert (page.count("<b>(withdrawn)</b>"), page.count("<b>(superseded)</b>")) == (2, 1)
    assert desk.matrix()["contradicting_elsewhere"] == [], "a whole matrix has them where they belong"
