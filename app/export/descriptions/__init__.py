"""What a bundle holds, in the words of other communities' standards. Pure: a plan in, files out.

1. A description says nothing that the plan does not hold: what is withheld from the plan is in no description.
2. It is made of the exact records of the plan, the same bytes for the same plan.
3. No guess is shown as a fact: a place or time is given as one only when a file states it or it is computed from what
   files state; every other one is told apart, with what it rests on.
4. A description is a tag file that the manifests and the seal cover. No event names it.
"""

from __future__ import annotations

from collections.abc import Callable

from app.export.descriptions.case_uco import case_jsonld
from app.export.descriptions.facts import Facts, facts_of
from app.export.descriptions.incidents_map import incidents_geojson
from app.export.descriptions.load_file import concordance, opticon
from app.export.descriptions.maps import items_geojson, items_kml
from app.export.descriptions.premis import premis_xml
from app.export.descriptions.ro_crate import ro_crate
from app.export.descriptions.table import index_csv
from evidence_store.bundle.plan import BundlePlan, ExtraFile

ROLE = "description"
_MAKERS: tuple[tuple[str, Callable[[Facts], bytes | None]], ...] = (
    ("case.jsonld", case_jsonld),
    ("incidents.geojson", incidents_geojson),
    ("index.csv", index_csv),
    ("items.geojson", items_geojson),
    ("items.kml", items_kml),
    ("load.dat", concordance),
    ("load.opt", opticon),
    ("premis.xml", premis_xml),
    ("ro-crate-metadata.json", ro_crate),
)
NAMES = tuple(name for name, _ in _MAKERS)


def describe(plan: BundlePlan) -> list[ExtraFile]:
    """The descriptions of a bundle.

    Args:
        plan: all of the bundle but its descriptions.

    Returns:
        `case.jsonld` (CASE/UCO 1.5), `incidents.geojson` (when incidents are in the plan), `index.csv` (RFC 4180),
        `items.geojson` (RFC 7946), `items.kml` (OGC KML 2.2), `load.dat` and `load.opt` (load files of e-discovery
        tools; the latter when there are previews), `premis.xml` (PREMIS 3), `ro-crate-metadata.json` (RO-Crate 1.1).
    """
    facts = facts_of(plan)
    made = [(name, maker(facts)) for name, maker in _MAKERS]
    return [ExtraFile(name, data, ROLE, None) for name, data in made if data is not None]
