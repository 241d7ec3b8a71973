"""The verifier keys of the log that others may rely on: those that both the log and the key folder name.

Neither decides alone. Who writes into the key folder can put a key there, or take the mark off a compromised one; who
writes to the database can have the log introduce a key. A key is published when the log has introduced it and never
said that it is compromised, and its public half lies in the key folder.
"""

from __future__ import annotations

from contextlib import suppress

from app.archive import Archive
from app.custody.vkeys import current_lines, verifier_lines
from app.keyring.history import read_history
from evidence_store.errors import EvidenceStoreError
from evidence_store.log.note import VerifierKey, parse_vkey
from evidence_store.trust import LOG, PQ


def published_lines(archive: Archive) -> list[str]:
    """The keys as text: those in use, Ed25519 first, then former ones.

    An archive whose log does not tell of its keys yet has only ever had those that are in use.

    Raises:
        EnvironmentFailedError: `key_history_malformed`.
    """
    with archive.db.read() as session:
        history = read_history(session, archive.identity.id)
    if not history.records:
        return current_lines(archive.settings.keys)
    told = {record.key for use in (LOG, PQ) for record in history.of(use) if record.compromised is None}
    return [line for line in dict.fromkeys(verifier_lines(archive.settings.keys)) if line in told]


def published_log_keys(archive: Archive) -> list[VerifierKey]:
    """The Ed25519 keys among them, which every checkpoint is signed with; raises what `published_lines` raises."""
    found = []
    for line in published_lines(archive):
        with suppress(EvidenceStoreError):
            found.append(parse_vkey(line))
    return found


def compromised_log_keys(archive: Archive) -> list[VerifierKey]:
    """The Ed25519 keys that the log has introduced and found compromised since, wherever their files are.

    Raises:
        EnvironmentFailedError: `key_history_malformed`.
    """
    with archive.db.read() as session:
        history = read_history(session, archive.identity.id)
    found = []
    for record in history.of(LOG):
        with suppress(EvidenceStoreError):
            found += [] if record.compromised is None else [parse_vkey(record.key)]
    return found
