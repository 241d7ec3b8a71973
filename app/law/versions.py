"""The versions of the catalogue that one archive holds: loaded once each, never changed."""

from __future__ import annotations

import hashlib
from collections.abc import Collection

from pydantic import JsonValue
from sqlmodel import Session, col, func, select

from app.archive import Archive
from app.custody.rows import SaltedRow
from app.errors import EnvironmentFailedError, NotFoundError
from app.law.care_models import CatalogueImport
from app.law.catalogue import Catalogue, parse_catalogue, resorted
from app.law.models import CatalogueVersion
from schemas.records.v1.event import Actor


class Catalogues:
    """All versions of the catalogue."""

    def __init__(self, archive: Archive) -> None:
        """Bind to an archive."""
        self._archive = archive
        self._parsed: dict[int, Catalogue] = {}  # a version never changes once loaded

    def ensure(self, actor: Actor, data: bytes) -> CatalogueVersion:
        """Load a catalogue file, unless these very bytes were loaded before.

        A changed file becomes a new version beside the old ones: links keep theirs.

        Args:
            actor: on whose behalf.
            data: the file.

        Raises:
            EnvironmentFailedError: `catalogue_invalid`.
        """
        return self.load(actor, data)[0]

    def load(self, actor: Actor, data: bytes, imported: tuple[str, str] | None = None) -> tuple[CatalogueVersion, bool]:
        """The same, and whether it was new.

        Who brings the bytes of an earlier version goes back to it: its content becomes a further version. No two
        versions have the same bytes, so line feeds are put behind it; JSON does not read them.

        Args:
            actor: on whose behalf.
            data: the file.
            imported: id of the user who brings it and his reason; None for what comes with the program, which never
                goes back: a program that starts does not undo what a lawyer brought.
        """
        same = select(CatalogueVersion).where(CatalogueVersion.sha256 == hashlib.sha256(data).hexdigest())
        with self._archive.db.read() as session:
            known = session.exec(same).one_or_none()
        if known is not None and imported is None:
            return known, False
        catalogue = parse_catalogue(data)
        custody = self._archive.custody
        with self._archive.db.write() as session:
            custody.lock(session)  # two processes that start at once load it once
            known = session.exec(same).one_or_none()
            newest = session.get(CatalogueVersion, session.exec(select(func.max(CatalogueVersion.version))).one() or 0)
            before = None if newest is None else _content(newest)
            if known is not None:
                if imported is None or before is None or before.provisions == catalogue.provisions:
                    return known, False
                data = _beside(session, data)
            row = CatalogueVersion(
                version=1 if newest is None else newest.version + 1,
                sha256=hashlib.sha256(data).hexdigest(),
                data=data,
                loaded_at=custody.now(),
            )
            rows: list[SaltedRow] = [row]
            if imported is not None:
                by, reason = imported
                rows.append(
                    CatalogueImport(version=row.version, reason=reason, created_at=row.loaded_at, created_by=by)
                )
                session.add(row)
                session.flush()  # the import refers to it
            custody.record(
                session,
                f"archive:{self._archive.identity.id}",
                "catalogue change",
                actor,
                details={
                    "version": row.version,
                    "sha256": row.sha256,
                    "size": len(data),
                    "provisions": len(catalogue.provisions),
                    "elements": catalogue.elements,
                    **({} if known is None else {"content_of": known.version}),
                    **_protection(before, catalogue),
                },
                rows=rows,
            )
            return row, True

    def current(self) -> tuple[int, Catalogue]:
        """Number and content of the newest version.

        Raises:
            EnvironmentFailedError: `no_catalogue`, `catalogue_damaged`.
        """
        with self._archive.db.read() as session:
            newest = session.exec(
                select(CatalogueVersion.version).order_by(col(CatalogueVersion.version).desc()).limit(1)
            ).one_or_none()
        if newest is None:
            raise EnvironmentFailedError("no_catalogue", "no law catalogue was loaded into this archive", status=500)
        return newest, self.version(newest)

    def provision_ids(self) -> Collection[str] | None:
        """Ids in the newest version; None when that cannot be read, which an audit tells."""
        try:
            return self.current()[1].provisions
        except EnvironmentFailedError:
            return None

    def version(self, number: int) -> Catalogue:
        """The content of one version.

        Raises:
            NotFoundError: `unknown_catalogue_version`.
            EnvironmentFailedError: `catalogue_damaged` when its bytes were changed in the database.
        """
        known = self._parsed.get(number)
        if known is not None:
            return known
        with self._archive.db.read() as session:
            row = session.get(CatalogueVersion, number)
        if row is None:
            raise NotFoundError("unknown_catalogue_version", f"there is no version {number} of the catalogue")
        # SQLite lets an attacker put text where bytes belong
        if not isinstance(row.data, bytes) or hashlib.sha256(row.data).hexdigest() != row.sha256:
            raise EnvironmentFailedError(
                "catalogue_damaged", f"version {number} of the catalogue was changed: run 'catena audit'", status=500
            )
        self._parsed[number] = parse_catalogue(row.data)
        return self._parsed[number]


def _content(row: CatalogueVersion) -> Catalogue | None:
    """What a version says; None when its bytes were changed, which an audit tells."""
    try:
        return parse_catalogue(row.data)
    except EnvironmentFailedError:
        return None


def _beside(session: Session, data: bytes) -> bytes:
    """The same content in bytes that no version has."""
    while True:
        data += b"\n"
        digest = hashlib.sha256(data).hexdigest()
        if session.exec(select(CatalogueVersion).where(CatalogueVersion.sha256 == digest)).one_or_none() is None:
            return data


def _protection(before: Catalogue | None, after: Catalogue) -> dict[str, JsonValue]:
    """For the log: which elements take protection away now and did not before, or the other way round."""
    moved = [] if before is None else resorted(before, after)
    return {"protection_changed": [one.element for one in moved]} if moved else {}
