"""`catena keys`: which keys there are, and what becomes of them over time (docs/keys.md)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from app.cli.common import Context, command_options, table
from app.errors import InvalidInputError
from evidence_store.trust import USES

_USE = click.argument("use", type=click.Choice(USES))
_SHOWN = 16


@click.group()
def keys() -> None:
    """The archive's keys: ca, seal, log, and pq (ML-DSA-44, beside log)."""


@keys.command("list")
@command_options
def keys_list(context: Context) -> None:
    """The keys in use: what others need to check our signatures, and where the private halves are."""
    from app.keyring.folder import IN_TOKEN
    from app.keyring.rules import described

    keyring = context.services.keyring
    folder, history = keyring.folder, keyring.agreed()
    document = {record.use: record.material for record in history.records if record == history.current(record.use)}
    rows = []
    for one in described(history):
        if one["current"]:
            path = folder.private(one["use"])
            held = "in a token" if path.suffix == IN_TOKEN else "in a file" if path.exists() else "elsewhere"
            rows.append([one["use"], one["name"][:_SHOWN], one["introduced_at"], held, _state(one)])
    context.show(document, lambda: table(rows, ["use", "key", "in use since", "private half", "state"]))


@keys.command("history")
@command_options
def keys_history(context: Context) -> None:
    """Every key that the archive ever had, as its log tells it."""
    from app.keyring.rules import described

    found = described(context.services.keyring.history())
    rows = [[one["use"], one["name"][:_SHOWN], one["introduced_at"], _state(one)] for one in found]
    context.show({"keys": found}, lambda: table(rows, ["use", "key", "in use since", "state"]))


def _state(one: dict[str, Any]) -> str:
    told = [f"compromised since {one['compromised_since']}"] if one["compromised_since"] else []
    told += [f"retired {one['retired_at']}"] if one["retired_at"] else []
    return ", ".join(told) or "in use"


@keys.command("export")
@command_options
@click.option("-o", "--output", type=click.Path(dir_okay=False), required=True, metavar="FILE")
@click.option("--with-compromised", is_flag=True, help="Compromised keys too, each under a line that says so.")
def keys_export(context: Context, output: str, with_compromised: bool) -> None:
    """Write a trust file for `catena verify --trust`: certificates of the authority and all keys of the log.

    It also says which keys were retired or compromised since when, so that a bundle cannot conceal it.
    """
    from app.keyring.rules import trust_text
    from evidence_store.durable import write_new

    text = trust_text(context.services.keyring.agreed(), compromised=with_compromised)
    write_new(Path(output), text.encode(), 0o644)
    context.show({"trust_file": output}, f"{output} written; hand it over by a way that you trust")


@keys.command("rotate")
@command_options
@_USE
@click.option("--reason", default="", help="Why; it stands in the log and in bundles.")
@click.option("--keep-private", is_flag=True, help="Put the old private key file into keys/retired, do not remove it.")
@click.option("--pkcs11", "module", default=None, metavar="MODULE", help="Make the new key in a token of this library.")
@click.option("--token", default=None, metavar="LABEL", help="Label of the token.")
@click.option("--label", default=None, metavar="KEY", help="Label for the key.")
@click.option("--existing", is_flag=True, help="Take the key of that label, which is in the token already.")
@click.option("--file", "in_file", is_flag=True, help="Make the new key in a file although the old one is in a token.")
@click.option("--ca-key", type=click.Path(path_type=Path), default=None, help="The authority's private key, if moved.")
def keys_rotate(
    context: Context,
    use: str,
    reason: str,
    keep_private: bool,
    module: str | None,
    token: str | None,
    label: str | None,
    existing: bool,
    in_file: bool,
    ca_key: Path | None,
) -> None:
    """Put a new key in the place of the current one; old signatures stay verifiable.

    A new authority (ca) brings a new seal certificate. The old private key file is removed; no program can promise
    that nothing of it is left on a modern disk.
    """
    from app.keyring.rotation import Wish
    from app.keyring.rules import described

    context.makes_keys = True
    wish = Wish(use, reason, keep_private, _in_token(use, module, token, label, existing, in_file), in_file, ca_key)
    history = context.services.keyring.rotate(context.who, wish)
    now = [one for one in described(history) if one["current"]]
    new = next(one for one in now if one["use"] == use)
    lines = [f"the {use} key is now {new['name'][:_SHOWN]}", "hand out the new trust file: catena keys export"]
    context.show({"keys": now}, "\n".join(lines))


def _in_token(use: str, module: str | None, token: str | None, label: str | None, existing: bool, in_file: bool) -> Any:  # noqa: ANN401 - loaded when it is asked for
    """Where in a token the new key shall be; None for a file."""
    from app.keyring.making import InToken

    if module is None and token is None and label is None and not existing:
        return None
    if module is None or token is None or label is None or in_file:
        raise InvalidInputError("bad_token", "a key in a token needs --pkcs11, --token and --label, and no --file")
    if use == "pq":
        raise InvalidInputError("bad_token", "tokens do not know ML-DSA-44 yet: the pq key is a file")
    return InToken(module, token, label, existing)


@keys.command("compromise")
@command_options
@_USE
@click.option("--since", required=True, metavar="DAY", help="Since when, at the latest: 2026-01-31, or a time.")
@click.option("--key", default=None, metavar="BEGINNING", help="How the key's name begins; without it the current one.")
@click.option("--reason", default="", help="What is known; it stands in the log and in bundles.")
def keys_compromise(context: Context, use: str, since: str, key: str | None, reason: str) -> None:
    """Record that a key may be in other hands, or is lost: it signs nothing more, and needs no passphrase to say so."""
    from app.keyring.rules import described

    keyring = context.services.keyring
    concerned = keyring.compromise(context.who, use, since, key=key, reason=reason)
    names = {(record.use, record.key) for record in concerned}
    history = keyring.history()
    pairs = zip((record for each in USES for record in history.of(each)), described(history), strict=True)
    found = [one for record, one in pairs if (record.use, record.key) in names]
    lines = [f"{one['use']} key {one['name'][:_SHOWN]}: {_state(one)}" for one in found]
    lines += [f"make another: catena keys rotate {one['use']}" for one in found if one["current"]]
    context.show({"keys": found}, "\n".join(lines))


COMMANDS = (keys,)
