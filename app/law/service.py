"""The catalogue and the links of one archive as use-cases: authorise, decide, write, record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, col, select

from app.access.rules import Action
from app.access.service import Access, Principal, clean_line
from app.archive import Archive
from app.custody.outputs import output
from app.errors import NotFoundError
from app.evidence.models import Item
from app.evidence.service import permitted_item
from app.law.catalogue import Catalogue, element_of, packaged_catalogue
from app.law.models import CatalogueVersion, ProvisionLink
from app.law.records import link_record, link_row
from app.law.rules import MAX_QUERY, find_provisions, parse_direction, parse_rationale
from app.law.signoffs import Standing, standings
from app.law.versions import Catalogues
from schemas.records.v1.event import Actor
from schemas.records.v1.provision import CatalogueReference, Element, Provision, VersionedProvision

_UNKNOWN_LINK = "there is no such link, or you are not a member of its case"


@dataclass(frozen=True, slots=True)
class ProvisionView:
    """A provision as it is shown: never without its version and its draft mark.

    Attributes:
        provision: the entry, with its `confidence` and `verified_scope`.
        catalogue_version: which version of the catalogue it is from.
        standing: who signed it off in this version; nobody, unless it says so.
    """

    provision: Provision
    catalogue_version: int
    standing: Standing

    @property
    def status(self) -> str:
        """What the reader must know: the draft mark, or who signed it off in this version."""
        return self.standing.status

    def as_json(self) -> dict[str, Any]:
        """The entry's fields with `catalogue_version`, `status`, and the sign-offs that stand."""
        shown = self.provision.model_dump(mode="json")
        return shown | {
            "catalogue_version": self.catalogue_version,
            "status": self.status,
            "signed_off": self.standing.as_json(),
            "signed_off_before": self.standing.before,
        }


class Law:
    """Catalogue and links of one archive."""

    def __init__(self, archive: Archive, access: Access) -> None:
        """Bind to an archive."""
        self._archive = archive
        self._access = access
        self._catalogues = Catalogues(archive)

    # -- catalogue ----------------------------------------------------------------------------

    def ensure_catalogue(self, actor: Actor, data: bytes | None = None) -> CatalogueVersion:
        """Load the packaged catalogue, or another file; see `Catalogues.ensure`."""
        return self._catalogues.ensure(actor, packaged_catalogue() if data is None else data)

    def list_provisions(
        self, who: Principal, q: str | None = None, instrument: str | None = None
    ) -> list[ProvisionView]:
        """Provisions of the newest catalogue, in its order, or best first when searched.

        Args:
            who: the reader.
            q: words that must all occur.
            instrument: part of an instrument's name, such as "Protocol I (1977)".
        """
        self._access.require(who, "law.read")
        version, catalogue = self._catalogues.current()
        found = list(catalogue.provisions.values())
        if q is not None and q.strip():
            found = find_provisions(found, clean_line(q, MAX_QUERY, "search text"))
        if instrument is not None:
            wanted = instrument.casefold()
            found = [provision for provision in found if wanted in provision.instrument.casefold()]
        return self._views(version, found)

    def search(self, who: Principal, text: str) -> list[ProvisionView]:
        """Provisions in which every word occurs, best first; an empty text finds nothing."""
        return self.list_provisions(who, q=text) if text.strip() else []

    def get_provision(self, who: Principal, provision_id: str, version: int | None = None) -> ProvisionView:
        """One provision, of the newest catalogue or of an older version.

        Raises:
            NotFoundError: `unknown_provision`.
        """
        self._access.require(who, "law.read")
        number, catalogue = (
            self._catalogues.current() if version is None else (version, self._catalogues.version(version))
        )
        return self._views(number, [_provision(catalogue, provision_id)])[0]

    def _views(self, version: int, provisions: list[Provision]) -> list[ProvisionView]:
        with self._archive.db.read() as session:
            found = standings(session, version, {one.id: one for one in provisions})
        return [ProvisionView(one, version, found[one.id]) for one in provisions]

    def provision_at(self, version: int, provision_id: str) -> VersionedProvision:
        """A provision as one version of the catalogue has it, for a record that cites it.

        Raises:
            NotFoundError: `unknown_provision`.
        """
        catalogue = self._catalogues.version(version)
        reference = CatalogueReference(version=version, sha256=catalogue.sha256)
        return VersionedProvision(catalogue=reference, provision=_provision(catalogue, provision_id))

    # -- links --------------------------------------------------------------------------------

    def create_link(
        self,
        who: Principal,
        item_id: str,
        provision_id: str,
        direction: str,
        rationale: str,
        element_id: str | None = None,
    ) -> ProvisionLink:
        """State that an item may bear on a provision, or on one of its elements.

        Args:
            who: the author.
            item_id: UUID text.
            provision_id: id in the newest catalogue.
            direction: `supports`, `contradicts` or `neutral`.
            rationale: why, 1 to 8,000 characters.
            element_id: id of an element of that provision.

        Raises:
            NotFoundError: `unknown_item`, `unknown_provision`, `unknown_element`.
            InvalidInputError: `bad_direction`, `rationale_required`, `text_too_long`, `bad_text`.
            DeniedError: `not_allowed`.
        """
        item, _ = permitted_item(self._archive, self._access, who, item_id, "link.create")
        way, reasons = parse_direction(direction), parse_rationale(rationale)
        version, catalogue = self._catalogues.current()
        provision = _provision(catalogue, provision_id)
        element = None if element_id is None else _element(provision, element_id)
        reference = CatalogueReference(version=version, sha256=catalogue.sha256)
        custody = self._archive.custody
        with self._archive.db.write() as session:
            custody.lock(session)
            record = link_record(who, item, provision, element, way, reasons, reference, custody.now())
            row = link_row(record)
            custody.record(
                session,
                f"item:{item.id}",
                "link",
                who.actor,
                details={
                    "outputs": [output("link", row.record, link=row.id)],
                    "provision": row.provision_id,
                    "element": row.element_id,
                    "direction": row.direction,
                    "catalogue": version,
                },
                rows=[row],
            )
            return row

    def links_of(self, who: Principal, item_id: str) -> list[ProvisionLink]:
        """All links of an item, for and against, oldest first.

        Raises:
            NotFoundError: `unknown_item`.
        """
        item, _ = permitted_item(self._archive, self._access, who, item_id, "item.read")
        with self._archive.db.read() as session:
            return item_links(session, item.id)

    def get_link(self, who: Principal, link_id: str, action: Action = "item.read") -> tuple[ProvisionLink, Item]:
        """A link and its item, when the actor may do `action` in the item's case.

        Raises:
            NotFoundError: `unknown_link`, also for a link of which the actor may not know.
            DeniedError: `not_allowed`.
        """
        return permitted_link(self._archive, self._access, who, link_id, action)


def item_links(session: Session, item_id: str) -> list[ProvisionLink]:
    """All links of an item, oldest first."""
    links = select(ProvisionLink).where(ProvisionLink.item_id == item_id)
    return list(session.exec(links.order_by(col(ProvisionLink.created_at), col(ProvisionLink.id))))


def permitted_link(
    archive: Archive, access: Access, who: Principal, link_id: str, action: Action
) -> tuple[ProvisionLink, Item]:
    """A link and its item, when the actor may do `action` in the item's case; a refusal is recorded.

    Raises:
        NotFoundError: `unknown_link`, also for a link of which the actor may not know.
        DeniedError: `not_allowed`.
    """
    with archive.db.read() as session:
        link = session.get(ProvisionLink, link_id)
    if link is None:
        raise NotFoundError("unknown_link", _UNKNOWN_LINK)
    try:
        return link, permitted_item(archive, access, who, link.item_id, action)[0]
    except NotFoundError:
        raise NotFoundError("unknown_link", _UNKNOWN_LINK) from None


def _provision(catalogue: Catalogue, provision_id: str) -> Provision:
    provision = catalogue.provisions.get(provision_id)
    if provision is None:
        raise NotFoundError("unknown_provision", f"the catalogue has no provision {provision_id[:64]!r}")
    return provision


def _element(provision: Provision, element_id: str) -> Element:
    element = element_of(provision, element_id)
    if element is None:
        raise NotFoundError("unknown_element", f"{provision.id} has no element {element_id[:64]!r}")
    return element
