"""Identity and keys: the archive is the one that its log was begun for, and can sign as it.

1. The archive's first event names the identity, and the first key of each use.
2. The log tells of every change of a key since (evidence_store.trust); the keys in the key folder are those that it
   says are in use, but for a change that was interrupted and will be ended. Public halves of former keys lie where
   they are kept, and there is none that the log does not tell of.
3. Each private key is a file that its owner alone can read, or names a key in a token; whether it opens needs the
   passphrase or the PIN.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from app.audit.key_book import KeyBook, Leaves
from app.audit.key_files import misplaced
from app.audit.proven_times import ProvenTimes
from app.audit.replay import Replay
from app.config import ArchiveIdentity
from app.custody.vkeys import MLDSA_STEM
from app.errors import CatenaError
from app.keyring import rules
from app.keyring.folder import IN_TOKEN, PUBLIC, KeyFolder
from app.keyring.history import keys_object
from evidence_store.bundle.events import CustodyEvent
from evidence_store.errors import EvidenceStoreError
from evidence_store.trust import PQ, RETIREMENT, USES, KeyHistory, KeyRecord
from evidence_store.verify.report import Report

PRIVATE_KEYS = ("ca.key", "seal.key", "log.key")
OFFLINE_KEYS = frozenset({"ca.key"})  # best kept elsewhere: the archive works without it
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def check_identity(replay: Replay, identity: ArchiveIdentity, report: Report) -> None:
    """Invariant 1, without the keys."""
    founding = replay.founding
    if founding is None:
        report.finding("archive_event_missing", f"archive {identity.id}", "the log has no archive creation event")
        return
    begun = founding.details.get("created_at", identity.created_at)
    said = (founding.object, founding.details.get("org"), founding.log, begun)
    if said != (f"archive:{identity.id}", identity.org, identity.log, identity.created_at):
        report.finding("identity_altered", "archive.json", "it is not the archive that the log was begun for")


def check_keys(
    replay: Replay,
    identity: ArchiveIdentity,
    keys: Path,
    times: ProvenTimes,
    report: Report,
    newest: Callable[[], KeyHistory],
) -> KeyBook:
    """Invariants 1 and 2 for the keys.

    Args:
        replay: of the log.
        identity: whose keys.
        keys: the key folder.
        times: what time stamps prove.
        report: receives `key_history_missing`, `key_history_malformed`, `key_altered`, `key_misplaced`,
            `key_rotation_unfinished`.
        newest: reads the history as the database has it by now, for keys that were changed while the audit runs.

    Returns:
        What the checks of seals and checkpoints ask. Without a readable history it holds the keys that the archive's
        first event names, as far as the key folder has them.
    """
    folder = KeyFolder(keys)
    begun = {} if replay.founding is None else replay.founding.details
    history = _history(replay, identity, report)
    if not history.records:
        return KeyBook(_from_folder(folder, identity, begun, report), {}, times)
    for use in rules.wrong_beginnings(history, begun):
        detail = "the history's first key of this use is not the one that the log was begun with"
        report.finding("key_altered", rules.FOUNDING[use], detail)
    _check_folder(folder, history, newest, report)
    founded = {begun.get(name) for name in rules.FOUNDING.values()}
    changes = [(event, leaf) for event, leaf in replay.key_changes if event.object == history.about]
    return KeyBook(history, _leaves(changes, founded), times)


def _history(replay: Replay, identity: ArchiveIdentity, report: Report) -> KeyHistory:
    about = keys_object(identity.id)
    events = [event for event, _ in replay.key_changes if event.object == about]
    for event in {event.object: event for event, _ in replay.key_changes if event.object != about}.values():
        report.finding("key_history_malformed", event.object, "it tells of the keys of another archive")
    try:
        history = KeyHistory.from_events(events)
    except EvidenceStoreError as error:
        report.finding("key_history_malformed", about, error.detail)
        return KeyHistory()
    report.count("key changes", len(events))
    if not events:
        report.finding("key_history_missing", about, "no event tells of the keys: 'catena migrate' records them")
    return history


def _leaves(changes: list[tuple[CustodyEvent, int]], founded: set[object]) -> dict[tuple[str, str], Leaves]:
    """Where the log tells of each key; of those that the archive was begun with, its first event did."""
    found: dict[tuple[str, str], Leaves] = {}
    for event, leaf in changes:
        place = event.details["use"], event.details["key"]
        if event.details["change"] == RETIREMENT:
            found[place] = replace(found[place], retired=leaf)
        elif place not in found:
            found[place] = Leaves(introduced=0 if place[1] in founded else leaf)
    return found


def _from_folder(folder: KeyFolder, identity: ArchiveIdentity, begun: dict[str, object], report: Report) -> KeyHistory:
    """The keys of an archive whose log has no history, as if they had been introduced at its beginning."""
    records = []
    for use in USES:
        report.count("keys")
        named = begun.get(rules.FOUNDING[use])
        material, key = _public(folder, use)
        if key is not None and material is not None and key == named:
            records.append(KeyRecord(use, key, material, datetime.fromisoformat(identity.created_at)))
        elif use != PQ or named is not None or key is not None:
            report.finding("key_altered", PUBLIC[use], "the key on disk is not the one that the log was begun with")
    return KeyHistory(keys_object(identity.id), tuple(records))


def _check_folder(folder: KeyFolder, history: KeyHistory, newest: Callable[[], KeyHistory], report: Report) -> None:
    report.count("keys", len(USES))
    trouble = list(_wrong_in(folder, history))
    if trouble:  # a key may have been changed since the log was read: look again while nobody changes keys
        with suppress(CatenaError), folder.shared():
            trouble = list(_wrong_in(folder, newest()))
    for finding in trouble:
        report.finding(*finding)


def _wrong_in(folder: KeyFolder, history: KeyHistory) -> Iterator[tuple[str, str, str]]:
    """(code, subject, detail) of what the folder has otherwise than the log."""
    planned, unfinished = _coming(folder, history)
    if unfinished is not None:
        yield unfinished
    for use in USES:
        current = history.current(use)
        _, key = _public(folder, use)
        if current is None and (use == PQ and key is None):
            continue
        if (current is None or key != current.key) and (use, None if current is None else current.key) not in planned:
            yield "key_altered", PUBLIC[use], "the key on disk is not the one that the log says is in use"
    for name, why in misplaced(folder, history, changing=bool(planned)):
        yield "key_misplaced", name, why


def _coming(folder: KeyFolder, history: KeyHistory) -> tuple[set[tuple[str, str | None]], tuple[str, str, str] | None]:
    """(use, key) of the keys that an interrupted change will put in place, if the log knows of it, and the finding."""
    if not folder.pending():
        return set(), None
    try:
        plan = folder.plan()
    except CatenaError as error:
        return set(), ("key_altered", "next", error.detail)
    planned = set() if plan is None else set(plan.introduced())
    known = {place for place in planned if history.find(*place) is not None}
    what = "the log tells of it; it is ended when a key is needed next" if known else "the log knows nothing of it"
    return {(use, key) for use, key in known}, ("key_rotation_unfinished", "next", what)


def _public(folder: KeyFolder, use: str) -> tuple[str | None, str | None]:
    """A public half in the folder, and the key that it is; what cannot be read is none."""
    try:
        material = folder.public(use)
        return material, None if material is None else rules.key_of(use, material)
    except (CatenaError, ValueError):
        return None, None


def check_private_keys(keys: Path, report: Report) -> None:
    """Invariant 3."""
    second = (f"{MLDSA_STEM}.key",) if (keys / f"{MLDSA_STEM}.vkey").exists() else ()
    for name in (*PRIVATE_KEYS, *second):
        report.count("keys")
        token = (keys / name).with_suffix(IN_TOKEN)
        path = token if token.exists() else keys / name
        if token.exists() and (keys / name).exists():
            report.finding("key_unusable", name, f"there is {token.name} as well, so that it is not clear which signs")
        _check_private(path, report)


def _check_private(path: Path, report: Report) -> None:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        if not (path.name in OFFLINE_KEYS and isinstance(error, FileNotFoundError)):
            report.finding("key_unusable", path.name, f"it cannot be found: {error.strerror}")
        return
    if not stat.S_ISREG(mode):
        report.finding("key_unusable", path.name, "it is not a file")
    elif mode & _OTHERS:
        report.finding("key_unusable", path.name, f"others than its owner may use it: mode {stat.S_IMODE(mode):04o}")
