"""The custody log for everybody: checkpoint and tiles are public, and hold hashes only (C2SP tlog-tiles).

They stand at two places: below `/log`, which is the log's monitoring prefix and stays where it is whatever becomes of
this API, and below the API's own prefix. What is handed out is signed: a tile beyond the newest checkpoint could still
be replaced, when an older database is put in place, and a copy of it would then be kept by caches for ever.
"""

from __future__ import annotations

import hashlib
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from sqlmodel import Session

from app.api.deps import Serv, Who
from app.api.described import CHECKPOINT_EXAMPLE, VKEY_EXAMPLE, sent_as
from app.api.ranges import not_modified
from app.custody.checkpoints import COMPROMISED
from app.custody.entries import entries_between
from app.custody.log_store import computed, read_node, read_nodes, tree_size
from app.errors import EnvironmentFailedError, NotFoundError
from app.keyring.published import published_lines
from evidence_store.log import merkle
from evidence_store.log.tiles import ENTRIES, FULL_WIDTH, LEVEL_BITS, TileId, entry_bundle_bytes, parse_tile_path
from schemas.api.log import ConsistencyProof, InclusionProof, Witnesses, WitnessShown

router = APIRouter(prefix="/log", tags=["log"])
public = APIRouter(prefix="/log", tags=["log"])
TilePath = Annotated[str, Path(description="As in C2SP tlog-tiles.", examples=["0/000.p/57", "entries/000.p/57"])]
Size = Annotated[int, Query(ge=0, le=2**63 - 1)]
_FOREVER = "public, max-age=31536000, immutable"
_TEXT = "text/plain; charset=utf-8"


@public.head("/checkpoint", response_class=Response, include_in_schema=False)
@public.get(
    "/checkpoint",
    response_class=Response,
    responses=sent_as("text/plain", "The signed note.", CHECKPOINT_EXAMPLE),
)
def checkpoint(request: Request, services: Serv) -> Response:
    """The signed checkpoint of the log as it stands (C2SP tlog-checkpoint). No token needed."""
    return _sent(request, services.checkpoint(), _TEXT, "no-cache")


@public.head("/checkpoint.cosigned", response_class=Response, include_in_schema=False)
@public.get(
    "/checkpoint.cosigned",
    response_class=Response,
    responses=sent_as("text/plain", "The signed note with the lines of its witnesses.", CHECKPOINT_EXAMPLE),
)
def checkpoint_cosigned(request: Request, services: Serv) -> Response:
    """The newest checkpoint that enough witnesses have co-signed for the archive's own policy. No token needed."""
    size = services.witnessing.met_size()
    cosigned = None if size is None else services.witnessing.cosigned(size)
    if size is None or cosigned is None:
        raise NotFoundError("no_cosigned_checkpoint", "no recent checkpoint is co-signed as the policy wants it")
    try:
        services.checkpointer.require_own(cosigned, size)
    except EnvironmentFailedError as error:
        if error.code != COMPROMISED:
            raise
        detail = "the newest co-signed checkpoint is of a key that was found compromised; none is co-signed since"
        raise NotFoundError("no_cosigned_checkpoint", detail) from None
    return _sent(request, cosigned, _TEXT, "no-cache")


@public.head("/witnesses", include_in_schema=False)
@public.get("/witnesses")
def witnesses(services: Serv) -> Witnesses:
    """The witnesses of the log, by key, and how far each has come. No token needed; addresses are not shown."""
    state = services.witnessing.state()
    return Witnesses(
        quorum=state.quorum,
        size=state.size,
        met=state.met,
        met_size=state.met_size,
        contradicted=state.contradicted,
        witnesses=[
            WitnessShown(
                name=one.name,
                vkey=one.vkey,
                size=one.size,
                last_ok_at=one.last_ok_at,
                contradicts=one.contradiction is not None,
            )
            for one in state.witnesses
        ],
    )


@public.head("/vkey", response_class=Response, include_in_schema=False)
@public.get("/vkey", response_class=Response, responses=sent_as("text/plain", "One key a line.", VKEY_EXAMPLE))
def vkey(request: Request, services: Serv) -> Response:
    """The log's verifier keys (C2SP signed-note); compare them with what you got another way. No token needed."""
    lines = published_lines(services.archive)
    return _sent(request, "".join(f"{line}\n" for line in lines).encode(), _TEXT, "no-cache")


@public.head("/tile/{path:path}", response_class=Response, include_in_schema=False)
@public.get(
    "/tile/{path:path}",
    response_class=Response,
    responses=sent_as("application/octet-stream", "Hashes of 32 bytes each."),
)
def tile(path: TilePath, request: Request, services: Serv) -> Response:
    """A tile of hashes, or with `entries/...` a bundle of entries, which are salted hashes. No token needed."""
    wanted = parse_tile_path(f"tile/{path}")
    if not _exists(wanted, services.checkpointer.signed_size()):
        raise NotFoundError("unknown_tile", "the log has no such tile, or not yet")
    first = wanted.index * FULL_WIDTH
    with services.archive.db.read() as session:
        if wanted.level == ENTRIES:
            data = entry_bundle_bytes(entries_between(session, first, first + wanted.width))
        else:
            data = b"".join(read_nodes(session, wanted.level * LEVEL_BITS, first, wanted.width))
    return _sent(request, data, "application/octet-stream", _FOREVER)


def _exists(wanted: TileId, size: int) -> bool:
    per_hash = 1 if wanted.level == ENTRIES else FULL_WIDTH**wanted.level
    return (wanted.index * FULL_WIDTH + wanted.width) * per_hash <= size


def _sent(request: Request, data: bytes, media_type: str, caching: str) -> Response:
    """An answer with its entity tag, or 304 for whoever has it already; other pages may read it too."""
    etag = f'"{hashlib.sha256(data).hexdigest()}"'
    headers = {"Cache-Control": caching, "ETag": etag, "Cross-Origin-Resource-Policy": "cross-origin"}
    if not_modified(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    return Response(data, headers=headers, media_type=media_type)


@router.get("/proof/inclusion")
def inclusion(index: Size, size: Size, who: Who, services: Serv) -> InclusionProof:
    """That entry `index` is in the tree of `size` entries."""
    services.access.require(who, "log.read")
    with services.archive.db.read() as session:
        _require_size(session, size)
        hashes = computed(session, partial(merkle.inclusion_proof, index, size))
        leaf, root = read_node(session, 0, index), computed(session, partial(merkle.root_at, size))
    return InclusionProof(
        index=index, size=size, leaf_hash=leaf.hex(), root=root.hex(), hashes=[node.hex() for node in hashes]
    )


@router.get("/proof/consistency")
def consistency(old: Size, new: Size, who: Who, services: Serv) -> ConsistencyProof:
    """That the tree of `old` entries is a prefix of the tree of `new` entries."""
    services.access.require(who, "log.read")
    with services.archive.db.read() as session:
        _require_size(session, new)
        hashes = computed(session, partial(merkle.consistency_proof, old, new))
        old_root, new_root = (computed(session, partial(merkle.root_at, size)) for size in (old, new))
    return ConsistencyProof(
        old=old, new=new, old_root=old_root.hex(), new_root=new_root.hex(), hashes=[node.hex() for node in hashes]
    )


def _require_size(session: Session, size: int) -> None:
    here = tree_size(session)
    if size > here:
        raise NotFoundError("unknown_tree_size", f"the log has {here} entries")
