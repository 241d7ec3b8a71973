"""The time-stamping authorities in the archive's folder against what the log says of them.

1. NAME.json is there if, and only if, the log says that NAME was added and not removed since; its address is the one
   that was recorded, and it is not said to be asked since later than it was.
2. NAME.pem holds the roots (and the certificates between) that the newest addition names; so does that of an authority
   that was removed, as long as it is there.

Who writes to the disk could otherwise vouch for any time with an authority of his own, or have nobody asked any more.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from app.archive import Archive
from app.errors import CatenaError
from app.timestamps.authorities import Authorities, Authority
from app.timestamps.recorded import ALTERED, read_recorded
from evidence_store.errors import EvidenceStoreError
from evidence_store.verify.report import Report

_WRITTEN_WITHIN = timedelta(seconds=60)
"""NAME.json is written right after its event."""
_UNKNOWN = "timestamp_authority_unknown"
_Told = tuple[str, str, str]
"""(code, name, detail)."""


def check_authorities(archive: Archive, authorities: Authorities, report: Report) -> list[Authority]:
    """Check all of them.

    They may be changed while an audit runs, which reads the log as it was when it began: what differs is looked at once
    more, by the log as it is then.

    Returns:
        Those that are asked and are as the log says.
    """
    sound, told = _check(authorities)
    if told:
        try:
            later = set(_check(authorities.as_said_by(partial(read_recorded, archive)))[1])
        except CatenaError:
            later = set(told)
        names = {name for _, name, _ in later}
        for code, name, detail in told:
            if name in names:
                report.finding(code, f"time-stamping authority {name}", detail)
    return sound


def _check(authorities: Authorities) -> tuple[list[Authority], list[_Told]]:
    recorded, there = authorities.recorded(), authorities.names()
    sound: list[Authority] = []
    told: list[_Told] = []
    for name, said in sorted(recorded.items()):
        if said.asked and name not in there:
            told.append((ALTERED, name, f"the log says that it is asked, and {name}.json is gone"))
        elif not said.asked:
            if name in there:
                told.append((ALTERED, name, f"the log says that it was removed, and {name}.json is here"))
            told += _trouble(name, partial(authorities.trust, name))
    for name in there:
        if name in recorded and not recorded[name].asked:
            continue
        trouble = _trouble(name, partial(authorities.get, name))
        if trouble:
            told += trouble
            continue
        one = authorities.get(name)
        since, said_since = _moment(one.added_at), _moment(recorded[name].added_at)
        if since is None or said_since is None or since - said_since > _WRITTEN_WITHIN:
            detail = f"{name}.json says that it is asked since {one.added_at[:40]!r}, the log since {said_since}"
            told.append((ALTERED, name, detail))
        else:
            sound.append(one)
    return sound, told


def _trouble(name: str, read: Callable[[], object]) -> list[_Told]:
    try:
        read()
    except (CatenaError, EvidenceStoreError) as error:
        return [(ALTERED, name, error.detail) if error.code == ALTERED else (_UNKNOWN, name, str(error))]
    return []


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
