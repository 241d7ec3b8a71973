"""`catena renew`: the history hashed anew with SHA-512 and time-stamped anew (RFC 4998)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from app.cli.common import FOUND_ERRORS, OK, Context, Progress, command_options, table

if TYPE_CHECKING:
    from app.renewal.records import Renewal
    from app.renewal.service import Outcome
    from app.renewal.standing import Standing


@click.command()
@command_options
@click.option("--due", is_flag=True, help="Do only what is due, and say why.")
@click.option("--status", is_flag=True, help="Show what is covered and until when it holds; renew nothing.")
@click.option(
    "--days",
    type=click.IntRange(min=0, max=3650),
    default=180,
    show_default=True,
    help="How long before a certificate expires something is due.",
)
def renew(context: Context, due: bool, status: bool, days: int) -> int:
    """Hash the whole history anew with SHA-512, and have it time-stamped by every configured authority.

    Older renewals whose time stamp is about to expire get a new one (see docs/renewal.md).
    """
    if due and status:
        raise click.UsageError("--due and --status exclude each other")
    renewals = context.services.renewals
    if status:
        standing = renewals.standing(context.who, days)
        context.show(_standing_json(standing), lambda: _standing_text(standing))
        return OK
    outcome = renewals.renew(context.who, due_only=due, days=days, progress=Progress("renewing"))
    context.show(_outcome_json(outcome), lambda: _outcome_text(outcome, due=due))
    return FOUND_ERRORS if outcome.problems else OK


def _standing_json(standing: Standing) -> dict[str, Any]:
    return {
        "log_size": standing.log_size,
        "covered": max((renewal.tree_size for renewal in standing.renewals), default=0),
        "renewals": [
            {**_renewal_json(renewal), "lapsed": renewal.holds_until < standing.as_of} for renewal in standing.renewals
        ],
        "due": [{"renewal": due.renewal, "why": due.why} for due in standing.due],
    }


def _renewal_json(renewal: Renewal) -> dict[str, Any]:
    return {
        "renewal": renewal.number,
        "created_at": renewal.created_at,
        "tree_size": renewal.tree_size,
        "groups": renewal.leaves,
        "root": renewal.root,
        "holds_until": renewal.holds_until.isoformat(),
        "stamps": [stamp.as_json() for stamp in renewal.stamps],
    }


def _standing_text(standing: Standing) -> str:
    rows = [
        [
            str(renewal.number),
            renewal.created_at[:10],
            f"{renewal.tree_size} of {standing.log_size}",
            ", ".join(stamp.authority for stamp in renewal.stamps),
            renewal.holds_until.date().isoformat() + (" (lapsed)" if renewal.holds_until < standing.as_of else ""),
        ]
        for renewal in standing.renewals
    ]
    lines = [table(rows, ["renewal", "made", "events", "stamped by", "holds until"])]
    lines += [f"due: {due.why}" for due in standing.due] or ["nothing is due"]
    return "\n".join(lines)


def _outcome_json(outcome: Outcome) -> dict[str, Any]:
    return {
        "reasons": [{"renewal": due.renewal, "why": due.why} for due in outcome.reasons],
        "tree": None if outcome.tree is None else _renewal_json(outcome.tree),
        "stamped": [
            {"renewal": number, "stamps": [stamp.as_json() for stamp in stamps]}
            for number, stamps in sorted(outcome.stamps.items())
        ],
        "silent": outcome.silent,
        "problems": outcome.problems,
    }


def _outcome_text(outcome: Outcome, *, due: bool) -> str:
    lines = [f"due: {each.why}" for each in outcome.reasons]
    for number, stamps in sorted(outcome.stamps.items()):
        lines.append(f"renewal {number} holds until {stamps[-1].holds_until.date().isoformat()} now")
    if (tree := outcome.tree) is not None:
        lines.append(f"renewal {tree.number}: {tree.tree_size} events in {tree.leaves} groups")
        lines.append(f"  SHA-512 root {tree.root}")
        lines += [
            f"  stamped by {stamp.authority} at {stamp.gen_time.isoformat()}, "
            f"holds until {stamp.holds_until.date().isoformat()}"
            for stamp in tree.stamps
        ]
    lines += [f"no time stamp of {name}: {why}" for name, why in sorted(outcome.silent.items())]
    lines += [f"NOT DONE: {problem}" for problem in outcome.problems]
    if due and not outcome.reasons:
        lines.append("nothing is due")
    return "\n".join(lines)


COMMANDS = (renew,)
