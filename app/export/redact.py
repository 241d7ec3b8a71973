"""From what was collected to what may go out: parts are kept back, and the finished files are searched once more."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace

from app.disclosure.dossier import KINDS
from app.disclosure.needles import SHORTEST_IN_BINARY, Needles
from app.disclosure.service import Settled
from app.disclosure.values import ItemMaterial
from app.disclosure.withholding import KNOWN_ROLES, REDACTED, Parts, Redacted, leaks, withhold
from app.errors import ConflictError
from app.export.choose import ChosenItem
from app.export.collected import Collected, Sources
from evidence_store.bundle import layout
from evidence_store.bundle.contents import bundle_files
from evidence_store.bundle.manifest import TimeStatement
from evidence_store.bundle.plan import BundleItem, BundlePlan, ExtraFile, StoredFile

CHUNK = 1 << 20
_KEPT = ("item:", "export:", "keys:", *KINDS)
"""Objects that a bundle which keeps something back tells of: it holds no verifications."""


def redacted_plan(
    sources: Sources, plan: BundlePlan, chosen: Sequence[ChosenItem], collected: Collected, settled: Settled
) -> tuple[BundlePlan, Redacted | None]:
    """A plan without what must not go out.

    Args:
        sources: where the parts came from.
        plan: of the whole bundle.
        chosen: its items, in the order of the selection.
        collected: what the plan was made of.
        settled: what was decided.

    Returns:
        The plan, and what was kept back; None where nothing was.

    Raises:
        ConflictError: `withheld_value_leaks`, `exculpatory_left_out`.
        EvidenceStoreError: a blob cannot be read.

    The caller searches the finished plan with `require_clean`.
    """
    if not settled.withholds:
        return replace(plan, disclosure=settled.statement(None)), None
    by_id = {item.item: item for item in plan.items}
    materials = [_material(sources, one, by_id[one.item.id], collected) for one in chosen]
    events = {about: lines for about, lines in collected.events.items() if about.startswith(_KEPT)}
    parts = Parts(materials, events, [_in_memory(file) for file in collected.files if file.role in KNOWN_ROLES])
    others = {file.role for file in collected.files} - KNOWN_ROLES
    redacted = withhold(parts, settled.decisions, frozenset({plan.archive.org}))
    redacted.left_out_roles |= others
    _require_originals_clean(sources, chosen, redacted)
    shown = [item for item in plan.items if item.item in redacted.shown]
    smaller = replace(
        plan,
        items=shown,
        events=[event for about in sorted(redacted.events) for event in redacted.events[about]],
        proofs={about: proof for about, proof in plan.proofs.items() if about in events},
        extra_files=redacted.files,
        renewals={path: data for path, data in plan.renewals.items() if not _of_stubbed(path, redacted, set(events))},
        claims=[text for text in plan.claims if not text.startswith("Every link")],
        time=_time(plan.time, {item.item for item in shown}),
        disclosure=settled.statement(redacted),
    )
    return smaller, redacted


def _in_memory(file: ExtraFile) -> ExtraFile:
    """A file that can be searched; those of known roles are small, but for copies of recordings."""
    if not isinstance(file, StoredFile) or file.role == REDACTED:
        return file
    return ExtraFile(file.path, b"".join(file.chunks()), file.role, file.object)


def _material(sources: Sources, one: ChosenItem, item: BundleItem, collected: Collected) -> ItemMaterial:
    versions = sources.stated.versions_of(one.item)
    first = json.loads(collected.events[f"item:{one.item.id}"][0])["actor"]
    path = layout.receipt_path(one.item.id)
    return ItemMaterial(
        item=one.item.id,
        original_name=one.item.original_name,
        media_type=item.media_type,
        digests=item.digests,
        sources=[version.record for version in versions],
        depositor={"id": str(first["id"]), "name": str(first["name"])},
        receipt={path: item.receipt, f"{path}.p7s": item.receipt_signature},
    )


def _of_stubbed(path: str, redacted: Redacted, kept: set[str]) -> bool:
    """Whether a file of renewals is an evidence record over events of which the text is not here."""
    name = path.rpartition("/")[2]
    if not name.endswith(".ers") or name == "checkpoint.ers":
        return False
    about = name.removesuffix(".ers").replace("_", ":")
    return about in redacted.stubbed or about not in kept


def _time(stated: TimeStatement | None, shown: set[str]) -> TimeStatement | None:
    if stated is None:
        return None
    kept = [one for one in stated.stamps if not one.subject.startswith("receipt:") or one.subject[8:] in shown]
    return TimeStatement(stated.authorities, kept)


def _require_originals_clean(sources: Sources, chosen: Sequence[ChosenItem], redacted: Redacted) -> None:
    """No original that goes out says what is withheld; what nobody could read inside does not go out.

    Raises:
        ConflictError: `withheld_value_leaks`, `original_not_looked_into`.
    """
    partly = {entry.item for entry in redacted.items}
    needles = Needles(set(redacted.needles.forms.values()), SHORTEST_IN_BINARY)
    read = {file.object for file in redacted.files if file.role == "metadata"}
    for one in chosen:
        if one.item.id not in redacted.shown:
            continue
        if one.item.id in partly and f"item:{one.item.id}" not in read:
            raise ConflictError(
                "original_not_looked_into",
                f"item {one.item.id}: nothing shows that its original does not say what is withheld (its metadata were "
                "not read, or say it): withhold the original as well",
            )
        with sources.archive.blobs.open(one.item.sha256) as stream, closing(stream):
            if needles.find_in(iter(lambda stream=stream: stream.read(CHUNK), b"")) is not None:  # type: ignore[misc]
                raise leaks(f"the original of item {one.item.id}")


def require_clean(plan: BundlePlan, needles: Needles) -> None:
    """Every other byte that will be sealed, and every name: nothing of it says what is withheld.

    The text of `report.pdf` is packed; it is that of `report.html`, which is searched.

    Raises:
        ConflictError: `withheld_value_leaks`.
    """
    originals = {layout.original_path(item.item, item.original_name) for item in plan.items}
    for file in bundle_files(plan):
        if needles.find(file.path.encode()) is not None:
            raise leaks("the name of a file")
        if file.path in originals or file.path == layout.VERIFIER:
            continue
        if needles.find_in(file.chunks()) is not None:
            raise leaks(file.path)


def states(redacted: Redacted | None) -> Mapping[str, str]:
    """What is kept back of each item."""
    return {} if redacted is None else {entry.item: entry.state for entry in redacted.items}
