"""The tamper table, bundles that keep something back: cut out, contradicted, opened with something else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from evidence_store.bundle.plan import BundlePlan
from evidence_store.bundle.withheld import WITHHELD, OpeningFile
from evidence_store.verify.checks import verify_bundle
from evidence_store.verify.report import Report
from tests.bundles import write_plan
from tests.tamper.test_bundle_withheld import Sealed

Fixture = Callable[[Path], Report]


def _verified(make: Callable[[Sealed], BundlePlan], opening: Callable[[Sealed], OpeningFile] | None = None) -> Fixture:
    def fixture(folder: Path) -> Report:
        sealed, path = Sealed(folder), folder / "bundle.zip"
        path.write_bytes(write_plan(make(sealed), sealed.archive.seal))
        openings = None if opening is None else opening(sealed)
        return verify_bundle(path, sealed.archive.anchors, openings=openings)

    return fixture


def _of_another(sealed: Sealed) -> OpeningFile:
    return OpeningFile(sealed.plan().bundle_id, [], [sealed.lines[1]], {})


FIXTURES: dict[str, Fixture] = {
    "withheld": _verified(Sealed.plan),
    "ingestion_withheld": _verified(Sealed.plan),
    "withheld_not_stated": _verified(lambda one: one.plan(disclosure=None)),
    "withheld_contradicts": _verified(
        lambda one: one.plan(disclosure=one.disclosure(one.entry(state=WITHHELD, shown=[])))
    ),
    "opening_wrong": _verified(Sealed.plan, _of_another),
}
