"""`catena import` and `catena bundles`: what comes from other archives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from app.cli.common import Context, command_options, table
from app.errors import InvalidInputError

CHUNK = 1 << 20


@click.command("import")
@command_options
@click.argument("bundle", type=click.Path(path_type=Path), metavar="BUNDLE.zip")
@click.option("--case", "case_ref", required=True, metavar="REF", help="Case reference; made if you may.")
@click.option("--trust", type=click.Path(path_type=Path), default=None, help="The partner's keys, as you know them.")
def import_bundle(context: Context, bundle: Path, case_ref: str, trust: Path | None) -> None:
    """Take a partner's bundle in, after the offline verifier found no error in it.

    A bundle with an error is refused whole and nothing is written. The same bundle a second time adds nothing.
    """
    from app.evidence.service import check_case_ref
    from evidence_store.verify.trust import parse_trust

    check_case_ref(case_ref)
    if not bundle.is_file():
        raise InvalidInputError(
            "no_such_file", f"{bundle} is no file; a folder is zipped as README.txt says, or sent anew"
        )
    keys = None if trust is None else parse_trust(trust.read_bytes())
    services, who = context.services, context.who
    services.access.require_role(who, "item.ingest")
    with services.receiving.spool() as spool, bundle.open("rb") as stream:
        spool.fill(iter(lambda: stream.read(CHUNK), b""))
        verdict = spool.check(keys)
        known = services.evidence.case_or_none(case_ref)
        case = services.evidence.create_case(who, case_ref) if known is None else known
        services.access.require(who, "item.ingest", case.id)
        received = services.receiving.receive(who, case, spool, verdict)
    document = _shown(received)
    new = sum(not each["matched"] for each in document["items"])
    matched = len(document["items"]) - new
    lines = [
        f"{bundle}: {verdict.verdict}; from {document['partner']['archive']['org']}",
        f"{new} item(s) taken in, {matched} matched with what the case holds"
        if not received.repeated
        else "already here: nothing was added",
    ]
    lines += [f"not proven: {each['code']}: {each['detail']}" for each in document["not_proven"]]
    context.show(document, "\n".join(lines))


@click.group("bundles")
def bundles() -> None:
    """Bundles that came from other archives."""


@bundles.command("list")
@command_options
def bundles_list(context: Context) -> None:
    """List them, newest first."""
    rows = [_shown(each) for each in map(_alone, context.services.receiving.list(context.who))]
    columns = [[row["id"], row["received_at"], row["state"], row["partner"]["archive"]["org"]] for row in rows]
    context.show({"bundles": rows}, lambda: table(columns, ["BUNDLE", "RECEIVED", "STATE", "FROM"]))


@bundles.command("show")
@command_options
@click.argument("bundle_id")
@click.option(
    "--item", "partner_item", default=None, metavar="ID", help="What the partner says of this item of its own."
)
@click.option("--dossier", is_flag=True, help="What the partner says of incidents, for and against.")
def bundles_show(context: Context, bundle_id: str, partner_item: str | None, dossier: bool) -> None:
    """Show one, or what the partner says of one of its items, or of incidents."""
    import json

    if partner_item is not None and dossier:
        raise click.UsageError("--item and --dossier are two questions: ask one of them")
    if partner_item is not None or dossier:
        receiving, who = context.services.receiving, context.who
        told = (
            receiving.dossier(who, bundle_id)
            if partner_item is None
            else receiving.partners_word(who, bundle_id, partner_item)
        )
        context.show(told, lambda: json.dumps(told, ensure_ascii=False, indent=1))
        return
    document = _shown(context.services.receiving.get(context.who, bundle_id))
    rows = [[each["item"], each["partner_item"], "matched" if each["matched"] else "new"] for each in document["items"]]
    context.show(document, lambda: table(rows, ["ITEM HERE", "ITEM THERE", ""]))


@bundles.command("save")
@command_options
@click.argument("bundle_id")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="BUNDLE.zip")
def bundles_save(context: Context, bundle_id: str, output: Path) -> None:
    """Write the ZIP as it came to a file, for those who may export; recorded as an access, never overwrites."""
    from shutil import copyfileobj

    from app.export.publish import staged
    from evidence_store.durable import coded_errors

    receiving, who = context.services.receiving, context.who
    blob = receiving.file(who, bundle_id)
    with staged(output) as copy, receiving.open_file(who, bundle_id) as stream:
        with coded_errors("copy the bundle"):
            copyfileobj(stream, copy.stream, CHUNK)
        copy.publish(0o600)
    document = {"bundle": bundle_id, "file": str(output), "sha256": blob.sha256, "size": blob.size}
    context.show(document, f"{output}: {blob.size} bytes, SHA-256 {blob.sha256}")


def _alone(row: Any) -> Any:  # noqa: ANN401 - loading its type takes a second
    from app.receiving.service import Received

    return Received(row, ())


def _shown(received: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
    from app.receiving.service import told_of

    row, told = received.bundle, told_of(received.bundle)
    return {
        "id": row.id,
        "case": row.case_id,
        "sha256": row.sha256,
        "state": row.state,
        "received_at": row.received_at,
        "received_by": row.received_by,
        "verdict": told["verdict"],
        "not_proven": [each for each in told["findings"] if each["severity"] == "warning"],
        "partner": told["partner"],
        "items": [
            {"item": each.item_id, "partner_item": each.partner_item, "matched": bool(each.matched)}
            for each in received.items
        ],
        "repeated": received.repeated,
    }


COMMANDS = (import_bundle, bundles)
