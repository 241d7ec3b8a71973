"""Content credentials of one file: look for them cheaply, validate them, and never call absent what was not read."""

from __future__ import annotations

from typing import BinaryIO

from app.analysis.asked import Asked
from app.analysis.gathered import Gathered
from app.analysis.normalise_c2pa import facts_of
from app.analysis.probes.c2pa import (
    C2paRead,
    holds_store,
    read_c2pa,
    unread_places,
    without_c2pa,
)
from app.analysis.probes.readings import Readings, clean
from schemas.records.v1.c2pa_facts import C2paFacts

_PROVENANCE = "dcterms:provenance"
_SOURCE_TYPES = ("Iptc4xmpExt:DigitalSourceType", "Iptc4xmpExt:DigitalSourcefileType")
_ADDRESS = ("http://", "https://")
_INSIDE = "self#jumbf"
# Where one of these was said, boxes may have been missed.
_CUT_SHORT = {"container_unreadable", "structure_too_large", "truncated"}
_MAX_URL = 2_000


def look(gathered: Gathered, stream: BinaryIO, asked: Asked) -> C2paFacts:
    """The record's group; what was read is no longer among the remarks of what was not.

    Args:
        gathered: what the readers of the format and of XMP found.
        stream: the file.
        asked: how to look.
    """
    facts = _look(gathered, stream, asked)
    own = [text for name in _SOURCE_TYPES if (text := gathered.xmp.properties.get(name))]
    types = tuple(dict.fromkeys([*facts.source_types, *map(clean, own)]))
    return facts.model_copy(update={"source_types": types})


def _look(gathered: Gathered, stream: BinaryIO, asked: Asked) -> C2paFacts:
    named = unread_places([*gathered.remarks, *gathered.xmp.remarks])
    stored = holds_store(stream, video=gathered.type.kind == "video")
    place = _place(named)
    provenance = gathered.xmp.properties.get(_PROVENANCE, "")
    url = provenance[:_MAX_URL] if provenance.lower().startswith(_ADDRESS) else None
    if not (stored or named):
        return _without_store(gathered, provenance, url)
    if asked.lost is not None:
        why = f"the reader of content credentials ended with {asked.lost}"
        return C2paFacts(state="unreadable", reasons=(why,), place=place, remote_url=url)
    if asked.before is not None:
        asked.before()
    read = read_c2pa(stream, gathered.type.media_type, asked.trust)
    gathered.dumps.append(Readings("c2pa-python", (read.tool or "?").removeprefix("c2pa-python ")))
    if read.outcome == "read":
        gathered.remarks = without_c2pa(gathered.remarks)
        facts = facts_of(read, asked.trust, place)
        return facts if facts.remote_url else facts.model_copy(update={"remote_url": url})
    return _not_read(read, place, url, stored=stored, only_segments=all("APP11" in name for name in named))


def _place(named: list[str]) -> str | None:
    """The part in brackets of the first name, as in `C2PA/JUMBF (APP11)`."""
    return named[0].partition("(")[2].rstrip(")") or None if named else None


def _without_store(gathered: Gathered, provenance: str, url: str | None) -> C2paFacts:
    if url is not None:
        why = "the file names an address for its manifest and holds none; nothing is fetched"
        return C2paFacts(state="remote_only", reasons=(why,), place="XMP dcterms:provenance", remote_url=url)
    if any(remark.code in _CUT_SHORT for remark in gathered.remarks):
        return C2paFacts(state="unknown", reasons=("the file could not be gone through to its end",))
    if provenance.startswith(_INSIDE):
        return C2paFacts(reasons=("XMP names a manifest inside the file, and there is none",))
    return C2paFacts()


def _not_read(read: C2paRead, place: str | None, url: str | None, *, stored: bool, only_segments: bool) -> C2paFacts:
    if read.outcome == "remote":
        why = "the file names an address for its manifest; nothing is fetched"
        return C2paFacts(state="remote_only", reasons=(why,), place=place, remote_url=read.remote_url, tool=read.tool)
    if read.outcome == "none" and not stored and only_segments:
        why = "the JUMBF segments of the file hold no manifest store"
        return C2paFacts(reasons=(why,), tool=read.tool, remote_url=url)
    why = read.reason or "the bytes of a manifest store are in the file, but not where its format has them"
    return C2paFacts(state="unreadable", reasons=(clean(why),), place=place, tool=read.tool, remote_url=url)
