"""Making the files of an export: one bundle, or the parts of a set and their signed list.

1. A bundle of more than `FILES_PER_PART` files is not made: the export becomes a set, each part valid by itself.
2. No part has its final name before it is whole; the caller discards all of them when one fails.
3. An item's files stay together, its events and proof included.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.errors import ConflictError, EnvironmentFailedError
from app.export import publish, rules
from app.export.build import Building, Frame, bundle_plan, export_frame
from app.export.choose import ChosenItem
from app.export.collected import Sources
from app.export.models import ExportPartRow, ExportSetRow
from app.export.recipe import make_recipe
from app.export.vouched import Attestation
from evidence_store.bundle.manifest import Archive, Creator, PartOf
from evidence_store.bundle.plan import BundlePlan
from evidence_store.bundle.sets import FILES_PER_PART, BundleSet, SetPart, format_set
from evidence_store.bundle.writer import write_bundle

_OWN_FILES = 6  # of an item: original, receipt and its seal, proof, relations, and one to spare
_SHARED_FILES = 60  # of every bundle
_TRIES = 5


@dataclass(frozen=True)
class Made:
    """The files that an export made.

    Attributes:
        parts: its bundles, in order.
        whole: the signed list, when it is a set.
        tree_size: entries of the log at the checkpoint.
    """

    parts: Sequence[ExportPartRow]
    whole: ExportSetRow | None
    tree_size: int


class _TooLargeError(Exception):
    """A part has more files than was thought."""


@dataclass(frozen=True)
class Maker:
    """Makes the files of one export.

    Attributes:
        sources: where the parts of bundles come from.
        building: what is asked.
        attestation: what others say.
        path_of: where a bundle lies, by its identifier.
    """

    sources: Sources
    building: Building
    attestation: Attestation
    path_of: Callable[[str], Path]

    def make(self, note: bytes, staged: publish.Staged) -> Made:
        """Make them all.

        Args:
            note: a signed checkpoint that covers the events of this very export.
            staged: the export's own file in the making; published when there is one bundle.

        Raises:
            ConflictError: `withholding_in_a_set`, `set_not_encrypted`, and as `bundle_plan`.
            EnvironmentFailedError, EvidenceStoreError: as `export_frame`, `bundle_plan` and `write_bundle`.
        """
        frame = export_frame(self.sources, self.building, note, self.attestation)
        for spare in range(_TRIES):
            groups = self._groups(frame, spare * _OWN_FILES)
            if len(groups) > 1 and self.building.settled.withholds:  # what one part keeps back another might tell
                raise ConflictError(
                    "withholding_in_a_set",
                    "something is to be withheld: select so few items that one bundle holds them",
                )
            if len(groups) > 1 and self.building.one_file:
                raise ConflictError(
                    "set_not_encrypted",
                    f"this would be a set of {len(groups)} bundles, and only one file is encrypted: select fewer items",
                )
            try:
                return self._make(frame, groups, staged)
            except _TooLargeError:  # items have more files than their events name: fewer of them for each part
                self.building.written = 0
                self.attestation.begin_again()
        raise EnvironmentFailedError("part_too_large", f"no part stays below {FILES_PER_PART} files", status=500)

    def discard(self) -> None:
        """Remove whatever has its final name already."""
        discard_all(self.building.export_id, self.path_of)

    def _groups(self, frame: Frame, spare: int) -> list[Sequence[ChosenItem]]:
        choice, named = self.building.choice, frame.logged.named
        items = choice.items
        outputs, of = frame.logged.outputs, frame.verified.of
        counts = [_OWN_FILES + spare + len(named(f"item:{chosen.item.id}")) for chosen in items]
        for place, item in enumerate([chosen.item.id for chosen in items]):
            verified = [f"verification:{one}" for one in [*of.get(item, ()), *(of.get("", ()) if place == 0 else ())]]
            counts[place] += sum(1 + len(named(about)) for about in verified if about in outputs)
        # the dossier lies in the first part: each record, and a proof for each entry
        counts[0] += sum(1 + len(named(f"{entry.kind}:{entry.id}")) for entry in choice.entries)
        return [items[part] for part in rules.parts_of(counts, FILES_PER_PART - _SHARED_FILES)]

    def _make(self, frame: Frame, groups: list[Sequence[ChosenItem]], staged: publish.Staged) -> Made:
        export_id = self.building.export_id
        if len(groups) == 1:
            plan = bundle_plan(self.sources, self.building, frame, self.attestation, groups[0])
            _refuse_too_large(plan)
            return Made([self._write(plan, staged)], None, frame.tree_size)
        parts = []
        for number, items in enumerate(groups, start=1):
            place = PartOf(export_id, number, len(groups))
            self.attestation.begin_part(rules.part_id(export_id, number))
            plan = bundle_plan(self.sources, self.building, frame, self.attestation, items, place)
            try:
                _refuse_too_large(plan)
            except _TooLargeError:
                self.discard()
                raise
            with publish.staged(self.path_of(plan.bundle_id)) as own:
                parts.append(self._write(plan, own))
        statement = format_set(self._list(frame, plan, parts))
        whole = ExportSetRow(id=export_id, statement=statement, seal=self.attestation.seal_list(statement))
        return Made(parts, whole, frame.tree_size)

    def _write(self, plan: BundlePlan, staged: publish.Staged) -> ExportPartRow:
        result = write_bundle(staged, plan, self.attestation.seal)
        staged.stream.flush()
        with publish.part_of(staged.final).open("rb") as written:
            recipe = make_recipe(written, self.sources.archive.blobs.contains)
        staged.publish(0o400)
        return ExportPartRow(
            id=plan.bundle_id,
            export_id=self.building.export_id,
            part=1 if plan.part_of is None else plan.part_of.part,
            parts=1 if plan.part_of is None else plan.part_of.parts,
            items=len(plan.items),
            files=result.files,
            size=result.size,
            sha256=result.sha256,
            sealed_list_sha256=result.sealed_list_sha256,
            recipe=recipe,
        )

    def _list(self, frame: Frame, plan: BundlePlan, parts: Sequence[ExportPartRow]) -> BundleSet:
        who = self.building.who
        return BundleSet(
            set_id=self.building.export_id,
            created_at=frame.created_at,
            created_by=Creator(id=who.user_id, name=who.name),
            archive=Archive(**self.sources.archive.identity.as_json()),
            scope=json.loads(self.building.choice.scope_text),
            purpose=self.building.purpose,
            tree_size=frame.tree_size,
            items=sum(part.items for part in parts),
            ca=plan.ca_pem.decode(),
            parts=[
                SetPart(
                    part=part.part,
                    bundle_id=part.id,
                    sha256=part.sha256,
                    size=part.size,
                    files=part.files,
                    items=part.items,
                    sealed_list_sha256=part.sealed_list_sha256,
                )
                for part in parts
            ],
        )


def discard_all(export_id: str, path_of: Callable[[str], Path]) -> None:
    """Remove the files of an export that came to no end: its own, and those of parts, which are made in order."""
    publish.discard(path_of(export_id))
    number = 1
    while (path := path_of(rules.part_id(export_id, number))).exists():
        publish.discard(path)
        number += 1


def _refuse_too_large(plan: BundlePlan) -> None:
    """A part of several items must not have more files than others' validators read."""
    files = 3 * len(plan.items) + len(plan.proofs) + len(plan.extra_files) + len(plan.renewals)
    files += len(plan.tokens) + len(plan.authority_roots) + _FIXED_FILES
    if files > FILES_PER_PART and len(plan.items) > 1:
        raise _TooLargeError


_FIXED_FILES = 18  # lists, keys, checkpoint and words of witnesses, README, verifier, seal
