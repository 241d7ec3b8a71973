"""Public halves in the key folder: each is a key that the log tells of, under the name that its state gives it.

A name says whether a key is in use, former or compromised, and people go by it: a compromised key that lost its mark,
or a key that somebody put there, would be handed on as the archive's.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from app.custody.vkeys import RETIRED
from app.keyring.folder import PUBLIC, KeyFolder
from app.keyring.rules import key_of, put_away_name
from evidence_store.trust import CA, LOG, PQ, SEAL, KeyHistory, KeyRecord

_USES = {".crt": (CA, SEAL), ".vkey": (LOG, PQ)}


def misplaced(folder: KeyFolder, history: KeyHistory, *, changing: bool = False) -> Iterator[tuple[str, str]]:
    """What does not lie where it should; the names of keys in use are for others to look at.

    Args:
        folder: the key folder.
        history: what the log tells of the keys.
        changing: whether a change of keys was interrupted: a former key may still have the name of one in use.

    Yields:
        Name, relative to the key folder, and what is wrong.
    """
    places = {_place(record): record for record in history.records if record.retired is not None}
    for name in sorted(_names(folder)):
        record = _record(folder.path / name, history)
        if record is None:
            yield name, "it is no key that the log tells of"
        elif places.get(name) != record:
            yield name, f"it is the key of {PUBLIC[record.use] if record.retired is None else _place(record)}"
    for name, record in sorted(places.items(), key=lambda place: place[0]):
        if not changing and not (folder.path / name).is_file():
            yield name, f"the public half of a former {record.use} key is not there"


def _place(record: KeyRecord) -> str:
    return f"{RETIRED}/{put_away_name(record, PUBLIC[record.use])}"


def _names(folder: KeyFolder) -> Iterator[str]:
    in_use = set(PUBLIC.values())
    for ending in _USES:
        yield from (path.name for path in folder.path.glob(f"*{ending}") if path.name not in in_use)
        yield from (f"{RETIRED}/{path.name}" for path in folder.retired.glob(f"*{ending}"))


def _record(path: Path, history: KeyHistory) -> KeyRecord | None:
    """The key that a file holds; None for what cannot be read or is not known."""
    uses = _USES[path.suffix]
    try:
        text = path.read_text("utf-8")
        key = key_of(uses[0], text if path.suffix == ".crt" else text.strip())
    except (OSError, ValueError):
        return None
    return next(filter(None, (history.find(use, key) for use in uses)), None)
