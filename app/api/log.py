"""The custody log for everybody: checkpoint and tiles are public, and hold hashes only (C2SP tlog-tiles)."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from sqlmodel import Session, col, select

from app.api.deps import Serv, Who
from app.api.described import CHECKPOINT_EXAMPLE, sent_as
from app.custody.log_store import read_node, tree_size
from app.custody.models import EventRow
from app.errors import NotFoundError
from evidence_store.log import merkle
from evidence_store.log.tiles import ENTRIES, FULL_WIDTH, TileId, entry_bundle_bytes, parse_tile_path, tile_bytes
from schemas.api.log import ConsistencyProof, InclusionProof

router = APIRouter(prefix="/log", tags=["log"])
TilePath = Annotated[str, Path(description="As in C2SP tlog-tiles.", examples=["0/000.p/57", "entries/000.p/57"])]
Size = Annotated[int, Query(ge=0, le=2**63 - 1)]
_FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}


@router.head("/checkpoint", response_class=Response, include_in_schema=False)
@router.get(
    "/checkpoint",
    response_class=Response,
    responses=sent_as("text/plain", "The signed note.", CHECKPOINT_EXAMPLE),
)
def checkpoint(services: Serv) -> Response:
    """The signed checkpoint of the log as it stands (C2SP tlog-checkpoint). No token needed."""
    headers = {"Cache-Control": "no-cache"}
    return Response(services.checkpoint(), headers=headers, media_type="text/plain; charset=utf-8")


@router.get(
    "/tile/{path:path}",
    response_class=Response,
    responses=sent_as("application/octet-stream", "Hashes of 32 bytes each."),
)
def tile(path: TilePath, services: Serv) -> Response:
    """A tile of hashes, or with `entries/...` a bundle of entries, which are salted hashes. No token needed."""
    wanted = parse_tile_path(f"tile/{path}")
    with services.archive.db.read() as session:
        if not _exists(wanted, tree_size(session)):
            raise NotFoundError("unknown_tile", "the log has no such tile, or not yet")
        if wanted.level == ENTRIES:
            data = entry_bundle_bytes(_entries(session, wanted))
        else:
            data = tile_bytes(wanted, partial(read_node, session))
    return Response(data, headers=_FOREVER, media_type="application/octet-stream")


def _exists(wanted: TileId, size: int) -> bool:
    per_hash = 1 if wanted.level == ENTRIES else FULL_WIDTH**wanted.level
    return (wanted.index * FULL_WIDTH + wanted.width) * per_hash <= size


def _entries(session: Session, wanted: TileId) -> list[bytes]:
    """The entries as the canonical bytes give them, so that an altered event shows in what is published."""
    first = wanted.index * FULL_WIDTH
    between = col(EventRow.leaf_index).between(first, first + wanted.width - 1)
    rows = session.exec(select(EventRow.canonical).where(between).order_by(col(EventRow.leaf_index))).all()
    return [hashlib.sha256(canonical).digest() for canonical in rows]


@router.get("/proof/inclusion")
def inclusion(index: Size, size: Size, who: Who, services: Serv) -> InclusionProof:
    """That entry `index` is in the tree of `size` entries."""
    services.access.require(who, "log.read")
    with services.archive.db.read() as session:
        _require_size(session, size)
        read = partial(read_node, session)
        hashes = merkle.inclusion_proof(index, size, read)
        leaf, root = read(0, index), merkle.root_at(size, read)
    return InclusionProof(
        index=index, size=size, leaf_hash=leaf.hex(), root=root.hex(), hashes=[node.hex() for node in hashes]
    )


@router.get("/proof/consistency")
def consistency(old: Size, new: Size, who: Who, services: Serv) -> ConsistencyProof:
    """That the tree of `old` entries is a prefix of the tree of `new` entries."""
    services.access.require(who, "log.read")
    with services.archive.db.read() as session:
        _require_size(session, new)
        read = partial(read_node, session)
        hashes = merkle.consistency_proof(old, new, read)
        old_root, new_root = merkle.root_at(old, read), merkle.root_at(new, read)
    return ConsistencyProof(
        old=old, new=new, old_root=old_root.hex(), new_root=new_root.hex(), hashes=[node.hex() for node in hashes]
    )


def _require_size(session: Session, size: int) -> None:
    here = tree_size(session)
    if size > here:
        raise NotFoundError("unknown_tree_size", f"the log has {here} entries")
