"""`catena provisions import|export|versions|sign|signoffs|applies` and `catena rules`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from app.cli.common import Context, command_options, table
from app.errors import InvalidInputError

IN_FILE = click.Path(path_type=Path, dir_okay=False, allow_dash=True)
OUT_FILE = click.Path(path_type=Path, dir_okay=False)
REASON = click.option("--reason", required=True, metavar="TEXT", help="Why; whoever reads the law's data sees it.")
OUTPUT = click.option("-o", "--output", type=OUT_FILE, required=True, metavar="FILE")
VERSION = click.option("--version", "version", type=int, default=None, metavar="N", help="Else the newest.")


@click.command("import")
@command_options
@click.argument("file", type=IN_FILE)
@REASON
def catalogue_import(context: Context, file: Path, reason: str) -> None:
    """Bring a catalogue file as a further version; links keep theirs, and all of it is a draft again."""
    done = context.services.catalogue_care.take_in(context.who, _read(file), reason)
    counts = ", ".join(f"{len(done[kind])} {kind}" for kind in ("added", "changed", "gone"))
    told = [f"version {done['version']} of the catalogue: {counts}", *(f"! {one['text']}" for one in done["warnings"])]
    context.show(done, "\n".join(told))


@click.command("export")
@command_options
@OUTPUT
@VERSION
def catalogue_export(context: Context, output: Path, version: int | None) -> None:
    """Write the very bytes of a version of the catalogue."""
    _written(context, output, context.services.catalogue_care.give_out(context.who, version))


@click.command("versions")
@command_options
def catalogue_versions(context: Context) -> None:
    """Every version, with who brought it and why."""
    found = context.services.catalogue_care.versions(context.who)
    rows = [[str(one["version"]), str(one["provisions"]), one["loaded_at"], one["reason"][:60]] for one in found]
    context.show({"versions": found}, lambda: table(rows, ["version", "provisions", "loaded", "reason"]))


@click.command("sign")
@command_options
@click.argument("provision_id", metavar="ID")
@click.option("--scope", required=True, metavar="TEXT", help="What was checked, or why it is withdrawn.")
@click.option("--withdraw", is_flag=True, help="Take the own sign-off back.")
@VERSION
def provision_sign(context: Context, provision_id: str, scope: str, withdraw: bool, version: int | None) -> None:
    """Sign an entry off in exactly one version, as a lawyer: `--as NAME`."""
    decision = "withdraw" if withdraw else "sign"
    made = context.services.catalogue_care.sign(context.who, provision_id, decision, scope, version)
    told = f"{provision_id}: {decision} by {made.lawyer.name} in version {made.catalogue.version}"
    context.show(made.model_dump(mode="json"), told)


@click.command("signoffs")
@command_options
@click.argument("provision_id", metavar="ID")
def provision_signoffs(context: Context, provision_id: str) -> None:
    """Every sign-off of an entry and every withdrawal."""
    found = context.services.catalogue_care.history(context.who, provision_id)
    rows = [[str(one.catalogue.version), one.decision, one.lawyer.name, one.scope[:60]] for one in found]
    document = {"provision": provision_id, "signoffs": [one.model_dump(mode="json") for one in found]}
    context.show(document, lambda: table(rows, ["version", "decision", "lawyer", "scope"]))


@click.command("applies")
@command_options
@click.argument("provision_id", metavar="[ID]", required=False)
@click.option("--conflict", default=None, metavar="TYPE", help="iac or niac.")
@click.option("--actor", default=None, metavar="PARTY", help="Who acted, such as rf_forces.")
@click.option("--date", "day", default=None, metavar="DAY", help="YYYY-MM-DD, or two with a slash.")
@click.option("--territory", default=None, metavar="STATE", help="On whose territory.")
def provision_applies(
    context: Context,
    provision_id: str | None,
    conflict: str | None,
    actor: str | None,
    day: str | None,
    territory: str | None,
) -> None:
    """What the status data say of the application of one provision, or of all: yes, no or unknown, and why."""
    from app.law.suggestions_applicability import parse_days

    facts: dict[str, Any] = {"conflict_type": conflict, "actor": actor}
    days = None if day is None else parse_days(day)
    found = context.services.catalogue_care.applicability(context.who, provision_id, facts, days, territory)
    rows = [[one["provision"], one["applies"], one["why"][:90]] for one in found]
    context.show({"provisions": found}, lambda: table(rows, ["provision", "applies", "why"]))


@click.group()
def rules() -> None:
    """The suggestion rules: which are in force, and how a lawyer changes them."""


@rules.command("list")
@command_options
def rules_list(context: Context) -> None:
    """The rules in force, with what is off and why."""
    from app.law.rule_care import as_json

    context.services.access.require(context.who, "law.read")
    found = as_json(context.services.rule_care.in_force())
    rows = [[one["id"], "on" if one["on"] else "OFF", one["title"][:80]] for one in found["rules"]]
    lines = [_line(one) for one in found["changes"]]
    head = f"rules {found['version']} ({found['sha256'][:16]}): {found['status']}"
    context.show(found, lambda: "\n".join([head, *lines, table(rows, ["rule", "", "title"])]))


@rules.command("changes")
@command_options
def rules_changes(context: Context) -> None:
    """Every change, with its reason and where it stands."""
    found = [one.as_json() for one in context.services.rule_care.changes(context.who)]
    context.show({"changes": found}, lambda: "\n".join(_line(one) for one in found) or "(none)")


@rules.command("off")
@command_options
@click.argument("rule_id", metavar="RULE")
@REASON
def rules_off(context: Context, rule_id: str, reason: str) -> None:
    """Switch a rule off, as a lawyer: it holds at once, marked until a second lawyer confirms it."""
    _change(context, reason, rule=rule_id, on=False)


@rules.command("on")
@command_options
@click.argument("rule_id", metavar="RULE")
@REASON
def rules_on(context: Context, rule_id: str, reason: str) -> None:
    """Switch a rule on again."""
    _change(context, reason, rule=rule_id, on=True)


@rules.command("threshold")
@command_options
@click.argument("name", metavar="NAME")
@click.argument("value", metavar="[NUMBER]", required=False)
@REASON
def rules_threshold(context: Context, name: str, value: str | None, reason: str) -> None:
    """Set a threshold; without a number, the file's own."""
    _change(context, reason, threshold=name, value=value)


@rules.command("import")
@command_options
@click.argument("file", type=IN_FILE)
@REASON
def rules_import(context: Context, file: Path, reason: str) -> None:
    """Bring another rule file; it holds once a second lawyer has confirmed it."""
    _change(context, reason, data=_read(file))


@rules.command("export")
@command_options
@OUTPUT
def rules_export(context: Context, output: Path) -> None:
    """Write the very bytes of the rule file in force."""
    _written(context, output, context.services.rule_care.file(context.who))


@rules.command("review")
@command_options
@click.argument("number", type=click.IntRange(1, 1_000_000), metavar="CHANGE")
@click.option("--decision", type=click.Choice(["confirm", "refuse"]), required=True)
@click.option("--comment", default="", metavar="TEXT")
def rules_review(context: Context, number: int, decision: str, comment: str) -> None:
    """Confirm or refuse a change that another lawyer made."""
    done = context.services.rule_care.review(context.who, number, decision, comment)
    context.show(done.as_json(), _line(done.as_json()))


def _change(context: Context, reason: str, **asked: Any) -> None:  # noqa: ANN401 - the fields of a Switch
    from app.law.rule_care import Switch

    made = context.services.rule_care.change(context.who, Switch(**asked), reason).as_json()
    context.show(made, _line(made))


def _line(change: dict[str, Any]) -> str:
    what = change.get("rule") or change.get("threshold") or change.get("file_sha256", "")[:16]
    how = {True: "on", False: "off"}.get(change.get("on"), change.get("value", ""))  # type: ignore[arg-type]
    told = f"{change['kind']} {what} {how}".strip()
    return f"change {change['number']}: {told}; {change['state']}; {change['lawyer']}: {change['reason']}"


def _read(path: Path) -> bytes:
    return sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()


def _written(context: Context, output: Path, data: bytes) -> None:
    from evidence_store.durable import write_new

    if output.exists():
        raise InvalidInputError("file_exists", f"{output} is there already: nothing is overwritten")
    write_new(output, data, 0o644)
    context.show({"file": str(output), "size": len(data)}, f"{output}: {len(data)} bytes")


CATALOGUE_COMMANDS = (
    catalogue_import,
    catalogue_export,
    catalogue_versions,
    provision_sign,
    provision_signoffs,
    provision_applies,
)
