"""`catena log recover`: what was lost with a database, and bringing it back without forking the log."""

from __future__ import annotations

from collections import Counter
from typing import Any

import click

from app.access.rules import role_allows
from app.cli.common import FOUND_ERRORS, OK, Context, command_options
from app.custody.log_store import tree_size
from app.custody.recovering import bring_back
from app.custody.recovery import Loss, examine
from app.custody.recovery_sources import Findings, read_source
from app.custody.vkeys import log_keys
from app.errors import DeniedError, InvalidInputError
from app.migrate import require_current


@click.command("recover")
@command_options
@click.option(
    "--from",
    "sources",
    multiple=True,
    metavar="SOURCE",
    help="Where lost events may be: a newer database (file or URL), a mirror of the log, a bundle, a file of events, a "
    "checkpoint. May be given more than once.",
)
@click.option("--apply", is_flag=True, help="Bring back what is shown; without it, nothing is changed.")
@click.option(
    "--accept-loss", type=click.IntRange(min=1), metavar="N", help="Agree that N events keep their place and no effect."
)
def log_recover(context: Context, sources: tuple[str, ...], apply: bool, accept_loss: int | None) -> int:
    """Show what an older database lacks of what was signed, and bring it back from elsewhere (docs/recovery.md)."""
    services = context.services_for_audit
    archive, heads = services.archive, services.checkpointer.heads
    require_current(archive.db)
    who = services.access.local_operator(context.as_user)
    if not role_allows(who.role, "log.recover"):  # not by Access.require: a denial would be recorded, and must not be
        raise DeniedError("not_allowed", "only an admin may recover the log")
    keys = log_keys(archive.settings.keys)
    with archive.db.read() as session:
        found = Findings(tree_size(session))
    try:
        for source in sources:
            read_source(source, found)
        with archive.db.read() as session:
            loss = examine(session, archive.identity.log, keys, found, heads.notes())
        document = _document(loss, found)
        if apply:
            _require_agreed(loss, accept_loss)
            bring_back(archive.db, archive.custody, heads, keys, loss, archive.about, who.actor)
            document["checkpoint"] = services.checkpoint().decode("utf-8")
    finally:
        found.close()
    context.show(document | {"applied": apply}, "\n".join(_lines(loss, found, applied=apply)))
    return FOUND_ERRORS if loss.places and not apply else OK


def _require_agreed(loss: Loss, accept_loss: int | None) -> None:
    lost = len(loss.without_effect) + len(loss.without_text)
    if lost != (accept_loss or 0):
        raise InvalidInputError(
            "loss_not_accepted",
            f"{lost} events cannot take effect again ({len(loss.without_text)} of them without text); to agree, repeat "
            f"with --accept-loss {lost}"
            if lost
            else "no event is lost: leave out --accept-loss",
        )


def _document(loss: Loss, found: Findings) -> dict[str, Any]:
    return {
        "here": loss.here,
        "signed": {"size": loss.target.size, "root": loss.target.root.hex()},
        "missing": len(loss.places),
        "brought_back": len(loss.effects.events),
        "rows": len(loss.effects.rows),
        "without_effect": loss.without_effect,
        "without_text": loss.without_text,
        "sources": found.told,
    }


def _lines(loss: Loss, found: Findings, *, applied: bool) -> list[str]:
    lines = [f"the database holds {loss.here} events; the newest signed checkpoint is of {loss.target.size}"]
    lines += [f"from {told}" for told in found.told]
    if not loss.places:
        return [*lines, "nothing is missing that was signed"]
    lines.append(f"missing: {len(loss.places)} events, places {loss.here} to {loss.target.size - 1}")
    for title, places in (("without effect", loss.without_effect), ("without text", loss.without_text)):
        if places:
            lines.append(f"{title}: {len(places)}{_types(loss, places)}")
    back = sorted(loss.effects.events)
    lines.append(f"brought back: {len(back)}{_types(loss, back)}, with {len(loss.effects.rows)} rows")
    lines.append("done: the log goes on from there" if applied else "nothing was changed; --apply brings this back")
    return lines


def _types(loss: Loss, places: list[int]) -> str:
    known = Counter(loss.texts[place][0].type for place in places if place in loss.texts)
    told = ", ".join(f"{count} {what}" for what, count in known.most_common())
    return f" ({told})" if told else ""
