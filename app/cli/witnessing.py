"""`catena log witnesses` and its like: who co-signs this archive's log, and what they say."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli.common import FOUND_ERRORS, OK, Context, command_options, table
from app.errors import InvalidInputError

if TYPE_CHECKING:
    from app.witnessing.service import WitnessingState

ASK_SECONDS = 45.0
_MAX_FILE = 2_000_000


@click.command("witnesses")
@command_options
@click.option("--ask", is_flag=True, help="Sign the head and ask all of them now.")
def witnesses(context: Context, ask: bool) -> int:
    """Which witnesses have co-signed, and whether that is enough; exit code 1 when one contradicts this log."""
    services = context.services
    services.access.require(context.who, "log.read")
    if ask:
        services.access.require(context.who, "user.manage")
        services.checkpoint()
        services.witnessing.obtain(ASK_SECONDS)
    state = services.witnessing.state()
    context.show({**asdict(state), "contradicted": state.contradicted}, lambda: _readable(state))
    return FOUND_ERRORS if state.contradicted else OK


def _readable(state: WitnessingState) -> str:
    if state.quorum is None:
        return "no policy of witnesses: 'catena log witness-policy set FILE' (docs/witnesses.md)"
    rows = [
        [one.name, str(one.size), one.last_ok_at or "never", one.url or "(not asked)", one.error or ""]
        for one in state.witnesses
    ]
    met = "yes" if state.met else f"no; the newest that does has {state.met_size or 0}"
    lines = [
        table(rows, ["witness", "size", "last co-signed", "address", "trouble"]),
        "",
        f"the newest checkpoint, of {state.size} events, meets the quorum {state.quorum!r}: {met}",
    ]
    lines += [f"CONTRADICTION of {one.name}: {one.contradiction}" for one in state.witnesses if one.contradiction]
    return "\n".join(lines)


@click.group("witness-policy")
def witness_policy() -> None:
    """The archive's own policy of witnesses (C2SP tlog-policy)."""


@witness_policy.command("set")
@command_options
@click.argument("file", type=click.Path(path_type=Path))
def witness_policy_set(context: Context, file: Path) -> None:
    """Follow the policy in FILE from now on. Co-signatures of witnesses that it leaves out stay."""
    services, who = context.services, context.who
    services.access.require(who, "user.manage")
    if not file.is_file():
        raise InvalidInputError("no_such_file", f"{file} is not a file")
    with file.open("rb") as opened:
        policy = services.witnessing.set_policy(who.actor, opened.read(_MAX_FILE))
    asked = [one.name for one in policy.witnesses.values() if one.url]
    text = f"quorum {policy.quorum}; asked from now on: {', '.join(asked) or 'nobody, no witness has an address'}"
    context.show({"quorum": policy.quorum, "witnesses": list(policy.witnesses), "asked": asked}, text)


@witness_policy.command("show")
@command_options
def witness_policy_show(context: Context) -> None:
    """Print the policy in force."""
    services = context.services
    services.access.require(context.who, "log.read")
    text = services.witnessing.policies.text()
    context.show({"policy": text}, (text or "no policy").rstrip("\n"))


@click.command("witness-acknowledge")
@command_options
@click.argument("name")
@click.option("--reason", required=True, help="What was found; it goes into the log.")
def witness_acknowledge(context: Context, name: str, reason: str) -> None:
    """Take the contradiction off witness NAME after it was looked into."""
    services, who = context.services, context.who
    services.access.require(who, "user.manage")
    services.witnessing.acknowledge(who.actor, name, reason)
    context.show({"witness": name}, f"{name} is asked again; what it said and the reason are in the log")


COMMANDS = (witnesses, witness_policy, witness_acknowledge)
