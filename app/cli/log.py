"""`catena log`: checkpoint and proofs."""

from __future__ import annotations

import base64
from functools import partial

import click

from app.cli.common import Context, command_options
from app.custody.log_store import read_node, tree_size
from app.custody.proofs import item_proof
from app.errors import InvalidInputError
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
        hashes = merkle.consistency_proof(old, new, partial(read_node, session))
    lines = [base64.b64encode(one).decode() for one in hashes]
    context.show({"old": old, "new": new, "proof": lines}, "\n".join(lines))


COMMANDS = (log,)
