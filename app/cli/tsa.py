"""`catena tsa`: the time-stamping authorities that are asked, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from app.cli.common import Context, command_options, table
from app.errors import InvalidInputError, NotFoundError
from evidence_store.durable import make_directories, replace_file

SHOWN = 50


@click.group()
def tsa() -> None:
    """Trusted time: who is asked for it, and how far that has come (see docs/timestamps.md)."""


@tsa.command("add")
@command_options
@click.argument("name")
@click.argument("url")
@click.option("--roots", required=True, type=click.Path(path_type=Path), help="PEM: whom its tokens are trusted under.")
@click.option("--untried", is_flag=True, help="Do not get a token first.")
def tsa_add(context: Context, name: str, url: str, roots: Path, untried: bool) -> None:
    """Ask the authority at URL from now on, under the name NAME.

    One token is got and verified first, so that a wrong address or root shows now. Plain http will do: a token proves
    itself.
    """
    services, who = context.services, context.who
    services.access.require(who, "user.manage")
    if not roots.is_file():
        raise InvalidInputError("no_such_file", f"{roots} is not a file")
    added = services.timestamps.add(who.actor, name, url, roots.read_bytes(), try_it=not untried)
    document = {"name": added.name, "added_at": added.added_at, "tried": not untried}
    text = f"{added.name} is asked from now on. For what is here already: 'catena tsa backfill'"
    context.show(document, text)


@tsa.command("list")
@command_options
def tsa_list(context: Context) -> None:
    """The authorities, and how much each has done; those that cannot be asked with the reason."""
    from app.timestamps.authorities import public_url
    from app.timestamps.rules import DONE, FAILED, PENDING

    services = context.services
    services.access.require(context.who, "log.read")
    configured, counts = services.timestamps.configured.all(), services.timestamps.counts()
    found: list[dict[str, Any]] = [
        {
            "name": one.name,
            "url": public_url(one.url),
            "added_at": one.added_at,
            "roots": [root.subject.rfc4514_string() for root in one.trust.roots],
            **{state: counts.get((one.name, state), 0) for state in (DONE, PENDING, FAILED)},
        }
        for one in configured.usable
    ]
    unusable = [{"name": name, "trouble": why} for name, why in configured.unusable.items()]
    headings = ["name", "url", "done", "pending", "failed", "roots"]
    rows = [[*(str(one[key]) for key in headings[:-1]), "; ".join(one["roots"])] for one in found]

    def readable() -> str:
        parts = [table(rows, headings)] if rows or not unusable else []
        parts += [f"{one['name']} is not asked: {one['trouble']}" for one in unusable]
        return "\n\n".join(parts)

    context.show({"authorities": found, "unusable": unusable}, readable)


@tsa.command("remove")
@command_options
@click.argument("name")
def tsa_remove(context: Context, name: str) -> None:
    """Ask an authority no more. What it stamped stays and can still be verified."""
    services, who = context.services, context.who
    services.access.require(who, "user.manage")
    dropped = services.timestamps.remove(who.actor, name)
    context.show({"name": name, "given_up": dropped}, f"{name} is asked no more; {dropped} time stamps are given up")


@tsa.command("backfill")
@command_options
def tsa_backfill(context: Context) -> None:
    """Ask for time stamps over the receipts that an authority was never asked for.

    They will say that the receipts existed by now, not when they were made.
    """
    from app.intake.stamping import backfill_receipts

    services = context.services
    services.access.require(context.who, "user.manage")
    wanted = backfill_receipts(services.archive, services.timestamps)
    context.show({"receipts": wanted}, f"{wanted} receipts are to be stamped; the server or worker asks for them")


@tsa.command("retry")
@command_options
@click.argument("name", required=False)
def tsa_retry(context: Context, name: str | None) -> None:
    """Ask again, now, for what failed or waits: at one authority, or at all."""
    services = context.services
    services.access.require(context.who, "user.manage")
    again = services.timestamps.retry(name)
    services.timestamps.work()
    _show_counts(context, {"asked_again": again}, lambda: f"{again} time stamps were to be asked for again")


@tsa.command("status")
@command_options
def tsa_status(context: Context) -> None:
    """How many are done, wait or failed, and why."""
    context.services.access.require(context.who, "log.read")
    _show_counts(context, {}, lambda: "")


def _show_counts(context: Context, document: dict[str, Any], text: Callable[[], str]) -> None:
    from app.timestamps.stamps import state_of

    stamps = context.services.timestamps
    counts: list[dict[str, Any]] = [
        {"tsa": tsa, "state": state, "count": count} for (tsa, state), count in sorted(stamps.counts().items())
    ]
    undone = [asdict(state_of(row)) for row in stamps.stamps.open_rows(SHOWN)]

    def readable() -> str:
        totals = table([[one["tsa"], one["state"], str(one["count"])] for one in counts], ["tsa", "state", "count"])
        rows = [[one["subject"], one["tsa"], one["state"], one["trouble"] or ""] for one in undone]
        parts = [text(), totals, table(rows, ["subject", "tsa", "state", "trouble"]) if rows else ""]
        return "\n\n".join(part for part in parts if part)

    context.show({**document, "counts": counts, "open": undone}, readable)


@tsa.command("fetch")
@command_options
@click.argument("subject")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the files.")
def tsa_fetch(context: Context, subject: str, out: Path) -> None:
    """Write what openssl needs to check the time stamps of SUBJECT.

    SUBJECT is checkpoint:SIZE or receipt:ITEM.
    """
    files = _stamped_files(context, subject)
    stamps = context.services.timestamps
    tokens = stamps.tokens(subject)
    if not tokens:
        raise NotFoundError("unknown_timestamp", f"there is no time stamp of {subject}, or not yet")
    stem = next(iter(files))
    for name, token in tokens.items():
        files[f"{stem}.{name}.tst"] = token
        files[f"{name}.pem"] = stamps.configured.pem(name)
    make_directories(out)
    for name, data in files.items():
        replace_file(out / name, data, 0o644)
    context.show({"files": sorted(files)}, "\n".join(str(out / name) for name in sorted(files)))


def _stamped_files(context: Context, subject: str) -> dict[str, bytes]:
    """What is stamped, under the name that its tokens' files begin with."""
    from app.custody.models import CheckpointRow
    from app.intake.stamping import stamped_seal

    services = context.services
    kind, _, name = subject.partition(":")
    if kind == "checkpoint" and name.isdigit() and len(name) <= 18:  # noqa: PLR2004 - fits a database integer
        services.access.require(context.who, "log.read")
        with services.archive.db.read() as session:
            row = session.get(CheckpointRow, int(name))
        if row is not None:
            return {"checkpoint": row.note}
    if kind == "receipt":
        item, _blob = services.evidence.find_item(context.who, name, custody_only=True)
        receipt = services.evidence.receipt(item.id)
        if receipt is not None:
            signature = stamped_seal(services.timestamps, receipt)
            return {"receipt": receipt.statement, "receipt.p7s": signature}
    raise NotFoundError("unknown_subject", f"nothing that is called {subject[:60]!r} is here")


COMMANDS = (tsa,)
