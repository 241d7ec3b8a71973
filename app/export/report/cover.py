"""The first page: which bundle, of which archive, what was asked, by whom and why, and the digests that exist by then.

A report lies inside its bundle, so it cannot name the digest of the whole: the manifest names the report. It names what
exists before it, the list of all originals and records and the log's checkpoint, and says where the rest is found.
"""

from __future__ import annotations

import hashlib

from app.export.report.document import Block, Bullets, Cell, Code, Facts, Matrix, Para, Said, Section
from app.export.report.holding import Holding
from app.export.report.withheld import recipient
from app.export.report.words import moment, size_text, value_text
from evidence_store.bundle import layout

_NAMED = 12
"""Items of a scope that the cover names one by one."""


def cover(holding: Holding, root: str, size: int) -> Section:
    """The cover.

    Args:
        holding: the whole bundle.
        root: of the log at the bundle's checkpoint, hex.
        size: number of its entries.
    """
    plan = holding.plan
    whole = sum(item.digests.size for item in plan.items)
    about: list[tuple[str, Cell]] = [
        ("Archive", (Said(plan.archive.org), " ", Code(plan.archive.id))),
        ("Bundle", Code(plan.bundle_id)),
        ("Made", f"{moment(plan.created_at)}, by the archive's own clock"),
        ("Asked for by", (Said(plan.created_by.name), " ", Code(plan.created_by.id))),
        *recipient(holding),
        ("Purpose", Said(plan.purpose or "none was stated")),
        ("What was asked", Said("; ".join(f"{key}: {_scope(value)}" for key, value in plan.scope.items()) or "-")),
        ("Holds", f"{len(plan.items)} item(s), originals of {size_text(whole)}"),
    ]
    digests: list[tuple[str, Cell]] = [
        ("List of all originals and records: SHA-256 of manifest-sha256.txt", Code(holding.payload_sha256)),
        ("Events: SHA-256 of custody/events.jsonl", Code(holding.events_sha256)),
        ("Log", Code(plan.archive.log)),
        (f"Root of the log at {size} entries", Code(root)),
        (f"SHA-256 of {layout.CHECKPOINT}", Code(hashlib.sha256(plan.checkpoint).hexdigest())),
    ]
    blocks: list[Block] = [
        Facts("About this bundle", about),
        Facts("Digests that this report can name", digests),
        qr(f"CATENA BUNDLE {plan.bundle_id}\nPAYLOAD SHA256 {holding.payload_sha256}\nLOG {size} SHA256 {root}"),
        Para(
            "The digest of the bundle's own ZIP file cannot stand inside that file. The archive recorded it in its log "
            "when the bundle was whole, and gives it with the download; compare it with the output of sha256sum on "
            "the file that you received. The seal over all files, this report included, is "
            f"{layout.SEAL}; README.txt says how to check it with programs of others.",
            "quiet",
        ),
    ]
    return Section("cover", "Evidence bundle", blocks)


def qr(text: str) -> Matrix:
    """A QR code (ISO/IEC 18004, error correction M) of a text."""
    import segno

    code = segno.make(text, error="m", micro=False)
    rows = tuple(tuple(bool(module) for module in row) for row in code.matrix)
    caption = "The bundle's identifier, the digest of its list of originals and records, and the root of the log."
    return Matrix(rows, text, caption)


def statements(holding: Holding, size: int) -> Section:
    """What the signatures prove and what they do not."""
    plan = holding.plan
    proven: list[Cell] = [
        "The files are, bit for bit, those that the holder of the archive's seal key sealed in this bundle.",
        (
            "The original of each item is the one that the archive confirmed in its deposit receipt and recorded in "
            "its log on the day of receipt."
        ),
        (
            f"No event between the first one and the last one listed of an object was changed, removed or reordered "
            f"after the checkpoint was signed; the log had {size} entries then."
        ),
    ]
    never: list[Cell] = [
        (
            "Not that a picture, video or document is authentic. A seal says: this is what the archive received. It "
            "cannot say who made the recording, or whether a scene was staged or a file edited before."
        ),
        "Not when a recording was made. Times in a file are what a device or a program wrote into it.",
        "Not where a recording was made. A position in a file can be wrong or written by hand.",
        "Not that a provision of law was violated. Links and reviews are the opinions of the people named.",
        "Not completeness. The archive may know later events, and other items, that are not in this bundle.",
        "Not that no key was stolen. Ask the archive for its newest history of keys.",
    ]
    parts = [
        Section(
            "proof-shown", "What the signatures prove, if they are checked with keys that you trust", [Bullets(proven)]
        ),
        Section("proof-never", "What they do not prove", [Bullets(never)]),
        Section("proof-time", "Time and witnesses", [Bullets(_vouched(holding))]),
        Section("proof-claims", "What the archive states about this bundle", [Bullets([Said(c) for c in plan.claims])]),
    ]
    lead = Para(
        "This report was made for people to read. It was made from the records in this bundle and checks nothing: "
        "where it differs from them, the records count. To check them, follow README.txt or run catena verify.",
        "warn",
    )
    return Section("proof", "What the signatures prove, and what they do not", [lead], parts, new_page=True)


def _vouched(holding: Holding) -> list[Cell]:
    plan = holding.plan
    told: list[Cell] = []
    if plan.tokens:
        told.append(
            f"{', '.join(sorted(plan.tokens))} time-stamped the checkpoint (RFC 3161): all that it names existed then."
        )
    else:
        told.append("No trusted time stamp over the checkpoint is in this bundle: its times are the archive's clock.")
    if plan.witnesses is not None and plan.witnesses.cosigned:
        told.append(f"{plan.witnesses.cosigned} witness(es) co-signed the checkpoint; {plan.witnesses.required}.")
    else:
        told.append("No independent witness co-signed the checkpoint.")
    return told


def _scope(value: object) -> str:
    if isinstance(value, list | tuple):
        return f"{len(value)} named" if len(value) > _NAMED else value_text(list(value))
    return value_text(value)
