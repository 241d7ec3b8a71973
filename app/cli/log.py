"""`catena log`: checkpoint and proofs."""

from __future__ import annotations

import base64
from functools import partial
from pathlib import Path

import click

from app.cli import witnessing
from app.cli.common import Context, Progress, command_options
from app.cli.recover import log_recover
from app.custody.log_store import computed, tree_size
from app.custody.mirror_text import beside_tiles
from app.custody.proofs import checkpoint_of, item_proof
from app.custody.publish import publish
from app.errors import InvalidInputError
from app.keyring.published import published_lines
from evidence_store.log import merkle


@click.group()
def log() -> None:
    """The custody log: its signed head and its proofs."""


@log.command("checkpoint")
@command_options
def log_checkpoint(context: Context) -> None:
    """Sign the head of the log as it stands, and print it."""
    note = context.services.checkpoint().decode("utf-8")
    context.show({"checkpoint": note}, note.rstrip("\n"))


@log.command("prove")
@command_options
@click.argument("item_id", metavar="ITEM")
def log_prove(context: Context, item_id: str) -> None:
    """The inclusion proof of an item's newest event (C2SP tlog-proof)."""
    services = context.services
    services.evidence.find_item(context.who, item_id, custody_only=True)
    proof = item_proof(services.archive.db, f"item:{item_id}", services.checkpoint()).decode("utf-8")
    context.show({"item": item_id, "proof": proof}, proof.rstrip("\n"))


@log.command("consistency")
@command_options
@click.argument("old", type=click.IntRange(min=1))
@click.argument("new", type=click.IntRange(min=1))
def log_consistency(context: Context, old: int, new: int) -> None:
    """The proof that the log of size NEW continues the log of size OLD (RFC 6962 section 2.1.2)."""
    services = context.services
    services.access.require(context.who, "log.read")
    with services.archive.db.read() as session:
        if not old <= new <= tree_size(session):
            raise InvalidInputError("bad_tree_size", f"sizes go from 1 to {tree_size(session)}, the older one first")
        hashes = computed(session, partial(merkle.consistency_proof, old, new))
    lines = [base64.b64encode(one).decode() for one in hashes]
    context.show({"old": old, "new": new, "proof": lines}, "\n".join(lines))


@log.command("export")
@command_options
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--latest", is_flag=True, help="Publish the newest signed checkpoint instead of signing now: no key needed."
)
@click.option("--recheck", is_flag=True, help="Compare every file that is there, from the first entry on.")
def log_export(context: Context, folder: Path, latest: bool, recheck: bool) -> None:
    """Bring DIR up to date as a static mirror of the log (C2SP tlog-tiles) that any web server can serve."""
    services = context.services
    services.access.require(context.who, "log.read")
    signed = services.checkpointer.latest_or_none() if latest else services.checkpoint()
    if signed is None:
        raise InvalidInputError("no_checkpoint", "no checkpoint is in the database: run 'catena audit'")
    signed = services.witnessing.cosigned(checkpoint_of(signed).size) or signed
    identity = services.archive.identity
    beside = beside_tiles(identity.org, identity.log, published_lines(services.archive))
    done = publish(services.archive.db, folder, signed, beside, recheck=recheck, progress=Progress("log export"))
    grown = done.size - (done.before or 0)
    document = {
        "folder": str(folder),
        "size": done.size,
        "new_entries": grown,
        "files": done.files,
        "bytes": done.bytes,
    }
    context.show(document, f"{folder}: {done.size} entries, {grown} of them new; {done.files} files written")


for _command in witnessing.COMMANDS:
    log.add_command(_command)

log.add_command(log_recover)
COMMANDS = (log,)
