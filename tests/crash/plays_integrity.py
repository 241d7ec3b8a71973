"""Plays of keys, time stamps, witnesses, renewals and the public mirror of the log."""

from __future__ import annotations

import atexit
import ctypes
import os
import shutil
import signal
import tempfile
import threading
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final

from app.api.services import Services
from app.custody.mirror_text import beside_tiles
from app.custody.publish import publish
from app.custody.service import SYSTEM
from app.custody.vkeys import verifier_lines
from app.keyring.rotation import Wish
from app.timestamps.service import receipt_subject
from evidence_store.errors import EvidenceStoreError
from evidence_store.log.cosignature import verify_cosignatures
from evidence_store.log.note import split_note
from evidence_store.log.tiles import FULL_WIDTH
from evidence_store.trust import USES
from evidence_store.witness.folder import ALGORITHMS, WitnessFolder
from evidence_store.witness.witness import Witness
from tests.archives import PASSPHRASE, deposit
from tests.crash.plays import WITH_CASE, Play, Stage, Told, ask, begun, texts, with_case
from tests.mirrors import verified
from tests.tsa import LocalTsa, authority
from tests.witness_logs import Log

_PR_SET_PDEATHSIG: Final = 1

# -- rotation of keys ------------------------------------------------------------------------------


def _use(seed: int) -> str:
    return sorted(USES)[seed % len(USES)]


def _rotate(stage: Stage) -> None:
    services = stage.services
    services.keyring.rotate(
        services.access.local_operator(), Wish(_use(stage.seed), keep_private=stage.seed // 4 % 2 == 0)
    )
    stage.tell(rotated=_use(stage.seed))


def _rotate_left(data: Path) -> str:
    prepared = (data / "keys" / "next").exists()
    if ask(data, "SELECT count(*) FROM custody_event WHERE type = 'key change'") > len(USES):
        return "recorded" if prepared else "rotated"
    return "prepared" if prepared else "nothing"


def _rotate_kept(stage: Stage, told: Told) -> list[str]:
    services = stage.services
    history = services.keyring.agreed()
    known = [record for record in history.of(_use(stage.seed)) if record.introduced is not None]
    wrong = [] if len(known) > len(told) else [f"lost: {len(told)} rotations told, {len(known)} keys known"]
    current = [record for record in known if record.retired is None]
    wrong += [] if len(current) == 1 else [f"doubled: {len(current)} keys in use"]
    if (stage.data / "keys" / "next").exists():
        wrong.append("half-file: keys/next is still there")
    who = services.access.local_operator()
    made = deposit(services, who, services.evidence.find_case(who, "T1"), b"sealed with the key in use", "after.bin")
    return wrong + ([] if made.receipt is not None else ["lost: the seal key cannot be used"])


# -- time stamps -----------------------------------------------------------------------------------


@cache
def time_authority() -> tuple[str, bytes]:
    """Address and roots of a time-stamping authority in a process of its own, which ends with this one."""
    folder = Path(tempfile.mkdtemp(prefix="catena-tsa-"))
    tsa = LocalTsa(folder, authority("first"), forged=True)
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        with suppress(BaseException):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            tsa.start()
            os.write(writing, tsa.url.encode())
            threading.Event().wait()
        os._exit(1)
    atexit.register(_end, os.getpid(), pid, folder)
    return os.read(reading, 200).decode(), tsa.authority.roots_pem


def _end(owner: int, pid: int, folder: Path) -> None:
    if os.getpid() == owner:
        os.kill(pid, signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)


def _with_authority(services: Services, variant: int) -> None:
    url, roots = time_authority()
    with_case(services, variant)
    who = services.access.local_operator()
    services.timestamps.add(who.actor, "first", url, roots)


def _with_wish(services: Services, variant: int) -> None:
    _with_authority(services, variant)
    who = services.access.local_operator()
    deposit(services, who, services.evidence.find_case(who, "T1"), b"to be stamped", "now.bin")


def _stamp(stage: Stage) -> None:
    timestamps = stage.services.timestamps
    timestamps.retry()
    timestamps.work()
    for subject in texts(stage.data, "SELECT subject FROM timestamp WHERE state = 'done'"):
        stage.tell(subject=subject)


def _stamp_left(data: Path) -> str:
    stamped = ask(data, "SELECT count(*) FROM timestamp WHERE response IS NOT NULL")
    return f"{stamped} stamped"


def _stamp_kept(stage: Stage, told: Told) -> list[str]:
    timestamps = stage.services.timestamps
    lost = [f"lost: the token of {one['subject']}" for one in told if not timestamps.tokens(one["subject"])]
    (item,) = texts(stage.data, "SELECT id FROM item WHERE original_name = 'now.bin'")
    if not timestamps.tokens(receipt_subject(item)):
        lost.append("lost: the receipt is not stamped although it was asked for again")
    rows = texts(stage.data, "SELECT subject || ' ' || tsa FROM timestamp")
    return lost + [f"doubled: {row}" for row in {row for row in rows if rows.count(row) > 1}]


# -- renewal ---------------------------------------------------------------------------------------


def _renew(stage: Stage) -> None:
    services = stage.services
    outcome = services.renewals.renew(services.access.local_operator())
    if outcome.tree is not None:
        stage.tell(renewal=str(outcome.tree.number))


def _renew_left(data: Path) -> str:
    if ask(data, "SELECT count(*) FROM renewal"):
        return "recorded"
    folder = data / "renewals"
    return "files" if folder.exists() and any(path.is_dir() for path in folder.iterdir()) else "nothing"


def _renew_kept(stage: Stage, told: Told) -> list[str]:
    services = stage.services
    known = {str(each.number): each for each in services.renewals.standing(services.access.local_operator()).renewals}
    lost = [f"lost: renewal {one['renewal']}" for one in told if one["renewal"] not in known]
    (item,) = texts(stage.data, "SELECT id FROM item")
    with services.archive.db.read() as session:
        from app.custody.log_store import tree_size

        size = tree_size(session)
    return lost + ([] if services.renewals.files_for([f"item:{item}"], size) else ["lost: no evidence record"])


# -- mirror of the log -----------------------------------------------------------------------------


def _with_mirror(services: Services, variant: int) -> None:
    with_case(services, variant)
    if variant != 0:  # otherwise the first export
        _publish(services, services.archive.settings.data / "mirror")
        with services.archive.db.write() as session:
            for _ in range(FULL_WIDTH):  # until a tile is full
                services.archive.custody.record(session, services.archive.about, "annotation", SYSTEM)
    services.access.create_token(services.access.local_operator().actor, "admin", "a token")
    services.checkpoint()


def _publish(services: Services, folder: Path) -> int:
    identity = services.archive.identity
    beside = beside_tiles(identity.org, identity.log, verifier_lines(services.archive.settings.keys))
    return publish(services.archive.db, folder, services.checkpointer.latest_or_none() or b"", beside).size


def _mirror(stage: Stage) -> None:
    stage.tell(size=str(_publish(stage.services, stage.data / "mirror")))


def _mirror_left(data: Path) -> str:
    signed = ask(data, "SELECT max(size) FROM checkpoint")
    try:
        size = verified(data / "mirror", verifier_lines(data / "keys")[0]).size
    except FileNotFoundError:
        return "old" if not (data / "mirror" / "checkpoint").exists() else "broken"
    return "new" if size == signed else "old"


def _mirror_kept(stage: Stage, told: Told) -> list[str]:
    size = verified(stage.data / "mirror", verifier_lines(stage.data / "keys")[0]).size
    strange = [str(path) for path in (stage.data / "mirror").rglob(".*") if path.name != ".lock"]
    lost = [f"lost: the mirror of {one['size']}" for one in told if int(one["size"]) > size]
    return lost + [f"half-file: {path}" for path in strange]


# -- witness ---------------------------------------------------------------------------------------


@cache
def _log() -> Log:
    return Log(entries=40)


def _with_witness(data: Path, variant: int) -> None:
    folder = WitnessFolder(data)
    folder.create("witness.example", [next(iter(ALGORITHMS))], PASSPHRASE)
    folder.add_log(_log().vkey)
    if variant:
        _ask_witness(folder, 0, 10)


def _ask_witness(folder: WitnessFolder, old: int, new: int) -> str:
    witness = Witness(folder, folder.cosigners(PASSPHRASE), lambda: 1_800_000_000)
    return witness.add_checkpoint(_log().request(old, new))


def _seen(data: Path) -> int:
    return max((seen.size for seen in WitnessFolder(data).state.read().values()), default=0)


def _witness(stage: Stage) -> None:
    """As tlog-witness has it: whoever is told another size asks again from there."""
    line = _ask_witness(WitnessFolder(stage.data), _seen(stage.data), 20)
    stage.tell(line=line)


def _witness_left(data: Path) -> str:
    return "signed" if _seen(data) == 20 else "unsigned"


def _witness_kept(stage: Stage, told: Told) -> list[str]:
    folder = WitnessFolder(stage.data)
    wrong = [] if not told or _seen(stage.data) == 20 else ["lost: what was co-signed"]
    note = _log().note(20)
    for one in told:
        cosigned = note + one["line"].encode()
        if split_note(cosigned)[0] != _log().text(20) or not verify_cosignatures(cosigned, folder.public_keys()):
            wrong.append("lost: a co-signature does not verify")
    with suppress(EvidenceStoreError):
        _ask_witness(folder, 10, 15)
        wrong.append("doubled: a rollback was co-signed")
    return wrong


PLAYS: Final = {
    "rotate": Play(WITH_CASE, _rotate, _rotate_left, _rotate_kept, variants=8),
    "stamp": Play(begun(_with_wish), _stamp, _stamp_left, _stamp_kept),
    "renew": Play(begun(_with_authority), _renew, _renew_left, _renew_kept),
    "mirror": Play(begun(_with_mirror), _mirror, _mirror_left, _mirror_kept, variants=2, templates=2),
    "witness": Play(_with_witness, _witness, _witness_left, _witness_kept, is_archive=False, variants=2, templates=2),
}
