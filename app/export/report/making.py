"""From a plan to its report: the same plan gives the same bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from app.export.report import html, pdf, pictures
from app.export.report.cover import cover, statements
from app.export.report.document import Block, Cell, Code, Document, Facts, Para, Picture, Ref, Said, Section, Table
from app.export.report.holding import Held, Holding, gather
from app.export.report.incidents import incidents
from app.export.report.sheets import sheet
from app.export.report.spool import Spool
from app.export.report.withheld import withheld
from app.export.report.words import moment, size_text
from evidence_store.bundle.plan import BundlePlan, ExtraFile, StoredFile
from evidence_store.bundle.refusals import read_checkpoint
from evidence_store.digests import digest_stream

ROLE: Final = "report"
PAGE: Final = "report.html"
PRINT: Final = "report.pdf"


def with_report(plan: BundlePlan, folder: Path | None = None) -> BundlePlan:
    """The plan with `report.html` and `report.pdf` as tag files.

    Args:
        plan: of a bundle.
        folder: of the archive, where pictures and both renderings wait until they are written; None for memory.

    Raises:
        EvidenceStoreError: the plan's checkpoint cannot be read; `storage_full`, `storage_failed`.
    """
    return replace(plan, extra_files=[*plan.extra_files, *report_files(plan, folder)])


def report_files(plan: BundlePlan, folder: Path | None = None) -> list[ExtraFile]:
    """Both renderings of the report on what a plan holds; arguments and errors are those of `with_report`."""
    document = report_document(plan, folder)
    made: list[ExtraFile] = []
    for path, write in ((PAGE, html.write), (PRINT, pdf.write)):
        spool = Spool(folder)
        write(document, spool)
        made.append(StoredFile(path, ROLE, None, digest_stream(spool.pieces()), spool.pieces))
    return made


def report_document(plan: BundlePlan, folder: Path | None = None) -> Document:
    """What the report says; arguments and errors are those of `with_report`."""
    holding = gather(plan)
    checkpoint = read_checkpoint(plan)
    numbers = {held.item.item: number for number, held in enumerate(holding.items, start=1)}
    drawn = list(_pictures(holding.items, Spool(folder)))
    sections = [
        _contents_table(holding),
        *(
            sheet(holding, held, numbers[held.item.item], picture, numbers)
            for held, picture in zip(holding.items, drawn, strict=True)
        ),
        *incidents(holding, numbers),
        *withheld(holding),
        statements(holding, checkpoint.size),
    ]
    return Document(
        title=f"Report on evidence bundle {plan.bundle_id}",
        made_at=plan.created_at,
        organisation=plan.archive.org,
        cover=cover(holding, checkpoint.root, checkpoint.size),
        sections=sections,
        footer=f"Evidence bundle {plan.bundle_id}, made {moment(plan.created_at)}",
    )


def _contents_table(holding: Holding) -> Section:
    rows: list[Sequence[Cell]] = []
    for number, held in enumerate(holding.items, start=1):
        name = Said(held.item.original_name or "(no name)")
        sides = [str(link.get("direction")) for link in held.links]
        withheld = sum(held.kept.links.values())
        rows.append(
            (
                Ref(f"Item {number}", f"item-{number}"),
                (name, " ", Code(f"{held.item.digests.sha256[:16]}...")),
                held.item.media_type or "-",
                size_text(held.item.digests.size),
                f"{sides.count('supports')} / {sides.count('contradicts')}"
                + (f" ({withheld} withheld)" if withheld else ""),
            )
        )
    table = Table(
        "Items, in order of receipt; the last column counts links that speak for and against, and withheld ones",
        ("Sheet", "Name as received, first digits of SHA-256", "Type", "Size", "For / against"),
        rows,
        (15, 41, 13, 19, 12),
    )
    blocks: list[Block] = [table]
    if holding.left_out:
        told = f"Not counted, since it is not in this bundle, though it speaks against: {holding.left_out}."
        blocks.append(Para(told, "warn"))
    more = [
        Section(
            "others",
            "Events of other objects in this bundle",
            [Facts("How many", [(about, f"{len(events)} event(s)") for about, events in holding.others.items()])],
        )
    ]
    return Section("items", "What this bundle holds", blocks, more if holding.others else (), new_page=True)


def _pictures(items: Sequence[Held], spool: Spool) -> Iterator[Picture | None]:
    """One picture per item, as long as all together stay within bounds; the spool keeps them."""
    edge = pictures.edge_for(len(items))
    for held in items:
        picture = None
        if held.preview is not None and spool.size < pictures.TOTAL_BYTES:
            kind = (held.item.media_type or "file").partition("/")[0]
            shown = "Contact sheet with frames" if kind == "video" else "Preview"
            alt = f"{shown} of item {held.item.item}. What it shows is not described; look at the original."
            caption = f"{shown} made by the archive for looking at; the original is {held.path}"
            picture = pictures.small(held.preview.data, edge, alt, caption)
        yield None if picture is None else replace(picture, read=spool.keep(picture.read()))
