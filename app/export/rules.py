"""Pure rules of disclosure.

1. An export has one scope: a whole case, an incident (of this case, if one is named), or named items.
2. What a bundle says of an item is what the log names up to the bundle's checkpoint, all of it: a link, review, version
   of the source, collector's check, entry or claim that the log names and that cannot be produced stops the export,
   whichever way it points.
3. Whoever may see every case of an export may see the export.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.errors import InvalidInputError
from app.law.rules import clean_text
from evidence_store.bundle.plan import STANDARD_CLAIMS
from evidence_store.canonical import JsonInput

BUILDING = "building"  # the state of an export whose files are being made
MAX_ITEMS = 10_000
MAX_ENTRIES = 2_500  # of a dossier, each with its versions and a proof
MAX_PURPOSE = 2_000
MAX_KEY = 100
LONG_ITEMS, LONG_BYTES = 1_000, 4 << 30
COMPLETE_ROLES = frozenset(
    {"link", "review", "source version", "collector check", "entry", "claim", "verification", "verification review"}
)
DERIVATIVES = ("none", "preview", "proxy", "all")
ANALYSES = ("all", "newest")
INCIDENTS = ("all", "none")
_WANTED = {"none": (), "preview": ("preview",), "proxy": ("preview", "proxy"), "all": ("preview", "proxy")}

_PREVIEW_ENDINGS = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}


@dataclass(frozen=True, slots=True)
class Output:
    """A file that an event says was made: its role and SHA-256."""

    role: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Options:
    """What is asked for beside originals, records and custody.

    Attributes:
        derivatives: files made from originals: `none`, `preview` (newest pictures), `proxy` (newest proxies as well),
            or `all` (earlier ones, too).
        analyses: `all` metadata records and tracks that the log names, or the `newest` of each item.
        incidents: `all` incidents of an exported case with what belongs to them, or `none`.
    """

    derivatives: str = "preview"
    analyses: str = "all"
    incidents: str = "all"

    def wants(self, role: str) -> bool:
        """Whether files of a role are asked for; a track is data, not a picture, and always is."""
        return role == "track" or role in _WANTED[self.derivatives]

    def wants_earlier(self, role: str) -> bool:
        """Whether earlier files of a role are asked for beside the newest."""
        return self.analyses == "all" if role == "track" else self.derivatives == "all"

    def as_scope(self) -> dict[str, JsonInput]:
        """What differs from the usual, for the manifest."""
        usual = Options()
        return {
            name: getattr(self, name)
            for name in ("derivatives", "analyses", "incidents")
            if getattr(self, name) != getattr(usual, name)
        }


def require_options(options: Options) -> None:
    """Refuse words that mean nothing.

    Raises:
        InvalidInputError: `bad_export_option`.
    """
    for name, words in (("derivatives", DERIVATIVES), ("analyses", ANALYSES), ("incidents", INCIDENTS)):
        if getattr(options, name) not in words:
            raise InvalidInputError("bad_export_option", f"{name} is one of {', '.join(words)}")


def require_one_scope(case_ref: str | None, item_ids: Sequence[str] | None, incident: str | None = None) -> None:
    """Refuse none and several; beside an incident a case says of which of them it is.

    Raises:
        InvalidInputError: `bad_scope`.
    """
    whole_case = case_ref if incident is None else None
    if [whole_case is None, not item_ids, incident is None].count(False) != 1 or (item_ids and case_ref is not None):
        raise InvalidInputError("bad_scope", "an export is of one case, of one incident (of a case), or of items")


def require_exportable(count: int) -> None:
    """Refuse an empty selection, and one that no bundle can hold.

    Raises:
        InvalidInputError: `nothing_to_export`, `too_many_items`.
    """
    if count == 0:
        raise InvalidInputError("nothing_to_export", "there are no items yet that could be exported")
    if count > MAX_ITEMS:
        raise InvalidInputError("too_many_items", f"{count} items; an export holds {MAX_ITEMS}: split the selection")


def require_entries(count: int) -> None:
    """Refuse a dossier that no bundle can hold.

    Raises:
        InvalidInputError: `too_many_entries`.
    """
    if count > MAX_ENTRIES:
        detail = f"{count} entries; a bundle holds {MAX_ENTRIES}: export incident by incident, or without incidents"
        raise InvalidInputError("too_many_entries", detail)


def parse_purpose(text: str) -> str:
    """Why it is disclosed; may be empty.

    Raises:
        InvalidInputError: `text_too_long`, `bad_text`.
    """
    return clean_text(text, MAX_PURPOSE, "purpose")


def require_request_key(key: str) -> None:
    """Refuse what is no idempotency key.

    Raises:
        InvalidInputError: `bad_request_key`.
    """
    if not 1 <= len(key) <= MAX_KEY or not key.isprintable():
        raise InvalidInputError("bad_request_key", f"an idempotency key is 1 to {MAX_KEY} printable characters")


def outputs_of(details: Iterable[Mapping[str, Any]]) -> list[Output]:
    """The outputs that the details of an object's events name, oldest first."""
    return [
        Output(str(output["role"]), str(output["sha256"])) for each in details for output in each.get("outputs", [])
    ]


def missing_records(outputs: Iterable[Output], produced: Iterable[str]) -> list[Output]:
    """Records that may not be left out, that the log names and that nobody produced.

    Args:
        outputs: what the log names.
        produced: SHA-256 of each record at hand.
    """
    there = set(produced)
    return [output for output in outputs if output.role in COMPLETE_ROLES and output.sha256 not in there]


def is_long(items: int, size: int) -> bool:
    """Whether nobody should wait for the answer: of a selection that takes more than a minute or so."""
    return items > LONG_ITEMS or size > LONG_BYTES


def parts_of(counts: Sequence[int], budget: int) -> list[slice]:
    """Which items come into which part, in their order: as many as fit, and one at least.

    Args:
        counts: files of each item. All files of an item stay together.
        budget: most files of items in one part.
    """
    parts, begin, held = [], 0, 0
    for place, count in enumerate(counts):
        if place > begin and held + count > budget:
            parts.append(slice(begin, place))
            begin, held = place, 0
        held += count
    parts.append(slice(begin, len(counts)))
    return parts


def part_id(export_id: str, part: int) -> str:
    """The identifier of the bundle that is a part of an export's set, counted from 1."""
    return str(uuid.uuid5(uuid.UUID(export_id), str(part)))


def numbered_path(folder: str, item_id: str, ending: str, number: int | None = None) -> str:
    """Where a file made from an item lies in a bundle; earlier ones have numbers."""
    return f"{folder}/{item_id}.{ending}" if number is None else f"{folder}/{item_id}.{number}.{ending}"


def preview_path(item_id: str, media_type: str, number: int | None = None) -> str:
    """Where a preview lies in a bundle."""
    return numbered_path("data/previews", item_id, _PREVIEW_ENDINGS.get(media_type, "bin"), number)


def claims(tree_size: int, without_metadata: int, left_out: int = 0) -> tuple[str, ...]:
    """What the archive states about a bundle.

    Args:
        tree_size: number of log entries at the checkpoint.
        without_metadata: how many items had no metadata record by then.
        left_out: how many records of verification are about something that is not in the export as well.
    """
    own = [
        (
            f"Every link of an item to a provision, and every review of it, that the log names as of {tree_size} "
            "entries is included, whether it supports, contradicts or is neutral."
        ),
        "A link says that an item may bear on a provision, in its author's opinion; it is no finding of a violation.",
        (
            "What is said of an item's source is what its collector states, not what the archive found. The first "
            "statement stands in the item's ingestion event; every later one that the log names is in data/sources/."
        ),
    ]
    if without_metadata:
        own.append(f"{without_metadata} item(s) have no metadata record: the analysis had not ended or had failed.")
    if left_out:
        own.append(
            f"{left_out} record(s) of verification are about something that is not here as well, and are left out."
        )
    return (*STANDARD_CLAIMS, *own)
