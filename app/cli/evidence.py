"""`catena items`, `cases`, `match`, `adjudicate`, `cluster`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

import click

from app.cli.analyses import COMMANDS as VERSION_COMMANDS
from app.cli.common import Context, command_options, table
from app.cli.metadata_table import items_metadata
from app.cli.sources import items_source, source_lines
from app.cli.tracks import items_track
from app.errors import InvalidInputError, NotFoundError
from app.evidence.models import Blob, Item
from app.intake.checks import WORDING
from app.matching.decisions import as_json
from evidence_store.digests import CHUNK_BYTES, digest_stream
from evidence_store.durable import coded_errors
from evidence_store.errors import EvidenceStoreError


@click.group()
def items() -> None:
    """List items, or show one."""


@items.command("list")
@command_options
@click.option("--case", "case_ref", default=None, metavar="REF")
def items_list(context: Context, case_ref: str | None) -> None:
    """All items that you may read, oldest first."""
    services = context.services
    case_id = services.evidence.find_case(context.who, case_ref).id if case_ref else None
    found: list[tuple[Item, Blob]] = []
    cursor: str | None = None
    while True:
        page = services.evidence.list_items(context.who, case_id, cursor=cursor, limit=500)
        found += page.items
        cursor = page.cursor
        if cursor is None:
            break
    documents = [_summary(context, item, blob) for item, blob in found]
    rows = [[d["id"], d["sha256"][:16], str(d["size"]), d["media_type"] or "-", d["original_name"]] for d in documents]
    context.show({"items": documents}, lambda: table(rows, ["item", "sha256", "bytes", "type", "name"]))


items.add_command(items_source)
items.add_command(items_metadata)
items.add_command(items_track)
for command in VERSION_COMMANDS:
    items.add_command(command)


@items.command("show")
@command_options
@click.argument("item_id", metavar="ID")
def items_show(context: Context, item_id: str) -> None:
    """One item: digests, place in the log, metadata, matches, links, working copies."""
    from app.api.views import derivative_shown, proxy_shown

    services, who = context.services, context.who
    item, blob = services.evidence.find_item(who, item_id)
    document = _summary(context, item, blob)
    run = services.analysis.latest(item_id)
    receipt = services.evidence.receipt(item_id)
    checks = services.checks.of(item_id)
    document |= {
        "lat": run.lat if run else None,
        "lon": run.lon if run else None,
        "captured_at": run.captured_at if run else None,
        "comparison": services.matching.state_of(item_id),
        **_source(context, item),
        "checks": [asdict(check) | {"wording": WORDING[check.checked_by]} for check in checks],
        "failed_checks": sum(check.verdict == "failed" for check in checks),
        "receipt": json.loads(receipt.statement) if receipt else None,
        "metadata": json.loads(run.record) if run and run.record else None,
        "matches": [match.as_json() for match in services.matching.matches_of(who, item_id)],
        "links": _links(context, item_id),
        "duplicates": services.evidence.same_bytes(who, item),
        "relations": [
            {
                "id": one.relation.id,
                "item": one.item,
                "direction": one.direction,
                "kind": one.relation.kind,
                "basis": one.relation.basis,
            }
            for one in services.relations.of(who, item_id)
        ],
        "derivatives": [
            derivative_shown(services, made).model_dump() for made in services.evidence.derivatives(item_id)
        ],
        "proxy": shown.model_dump() if (shown := proxy_shown(services.proxies.view(item_id))) else None,
    }
    services.evidence.record_access(who, item, "metadata")
    context.show(document, lambda: _item_text(document))


def _source(context: Context, item: Item) -> dict[str, Any]:
    """The newest version of what is stated of the source and, where that is another, the first."""
    current = context.services.sources.current_of([item])[item.id]
    first = None if current.number == 1 else json.loads(item.source)
    return {"source": current.record, "source_version": current.number, "source_at_deposit": first}


@items.command("proxy")
@command_options
@click.argument("item_id", metavar="ID")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=None, metavar="FILE.mp4")
@click.option("--make", is_flag=True, help="Have one made, where there is none or the last attempt failed.")
def items_proxy(context: Context, item_id: str, output: Path | None, make: bool) -> None:
    """Write the web-playable copy of a recording to a file; never the original."""
    from app.api.views import proxy_shown

    services, who = context.services, context.who
    if (output is None) != make:
        raise InvalidInputError("bad_usage", "give either -o FILE or --make")
    item, _ = services.evidence.find_item(who, item_id)
    if output is None:
        services.proxies.ask(item.id)
        context.show({"item": item.id, "state": "pending"}, "asked for: a worker makes it")
        return
    view = services.proxies.view(item.id)
    shown = proxy_shown(view)
    if view is None or view.made is None or shown is None:
        state = "there is none of what is no recording" if view is None else f"{view.state} {view.code or ''}".strip()
        raise NotFoundError("no_proxy", f"there is no proxy: {state}")
    if output.exists():
        raise InvalidInputError("output_exists", f"{output} exists and is never overwritten")
    size = _copy_out(context, item, view.made.sha256, output)
    document = {"item": item.id, "path": str(output), "size": size, **shown.model_dump()}
    context.show(document, lambda: f"{output}: {size} bytes, {_proxy_text(document)}")


def _copy_out(context: Context, item: Item, sha256: str, output: Path) -> int:
    """Copy a blob to a new file; the read is recorded first, and the bytes are checked on the way."""
    services = context.services
    with services.archive.blobs.open(sha256) as stream:
        services.evidence.record_access(context.who, item, "proxy")
        try:
            with coded_errors("write the copy"), output.open("xb") as target:
                found = digest_stream(_copied(stream, target))
        except BaseException:
            output.unlink(missing_ok=True)
            raise
    if found.sha256 != sha256:
        output.unlink(missing_ok=True)
        raise EvidenceStoreError("fixity_mismatch", "the stored proxy is not as it was made: run 'catena audit'")
    return found.size


def _copied(stream: BinaryIO, target: BinaryIO) -> Iterator[bytes]:
    while chunk := stream.read(CHUNK_BYTES):
        target.write(chunk)
        yield chunk


def _proxy_text(proxy: dict[str, Any]) -> str:
    """One line; what is partial never reads as whole."""
    if proxy["state"] in {"absent", "pending", "failed"} and proxy["sha256"] is None:
        return " ".join(part for part in (proxy["state"], proxy["failure_code"], proxy["failure_detail"]) if part)
    of = "of an unknown length" if proxy["of_seconds"] is None else f"of {proxy['of_seconds']:.1f} s"
    text = f"{proxy['seconds']:.1f} s {of}"
    return f"PARTIAL, {text}: {', '.join(proxy['missing'])}" if proxy["missing"] else text


def _links(context: Context, item_id: str) -> list[dict[str, Any]]:
    links = context.services.law.links_of(context.who, item_id)
    states = context.services.reviews.states_of(links)
    return [{"id": link.id, **json.loads(link.record), "state": states[link.id]} for link in links]


def _summary(context: Context, item: Item, blob: Blob) -> dict[str, Any]:
    run = context.services.analysis.latest(item.id)
    return {
        "id": item.id,
        "case": item.case_id,
        "original_name": item.original_name,
        "sha256": item.sha256,
        "sha512": blob.sha512,
        "size": blob.size,
        "received_at": item.received_at,
        "analysis": run.state if run else "pending",
        "failure": {"code": run.failure_code, "detail": run.failure_detail} if run and run.failure_code else None,
        "media_type": run.media_type if run else None,
        "kind": run.kind if run else None,
    }


def _item_text(document: dict[str, Any]) -> str:
    keys = ("id", "case", "original_name", "sha256", "size", "received_at", "analysis", "media_type", "lat", "lon")
    lines = [f"{key}: {document[key]}" for key in (*keys, "captured_at") if document[key] is not None]
    if document["failure"]:
        lines.append(f"analysis failed: {document['failure']['code']}: {document['failure']['detail']}")
    lines += source_lines(document["source"], f"source (version {document['source_version']}, as stated)")
    if document["source_at_deposit"] is not None:
        lines += source_lines(document["source_at_deposit"], "source at the deposit (version 1, no longer stated)")
    for check in document["checks"]:
        told = f": {check['details']['reason']}" if "reason" in check["details"] else ""
        mark = "FAILED" if check["verdict"] == "failed" else check["verdict"].replace("_", " ")
        lines.append(f"collector's check {check['kind']}: {mark} ({check['wording']}){told}")
    if document["proxy"]:
        lines.append(f"proxy: {_proxy_text(document['proxy'])}")
    if document["receipt"]:
        lines.append(f"log position: {document['receipt']['leaf_index']}")
    words = {"belongs_to": "{kind} of {item}: {basis}", "has": "has {kind} {item}: {basis}"}
    lines += [words[one["direction"]].format_map(one) for one in document["relations"]]
    lines += [f"match: {m['verdict']} with {m['item']}: {m['explanation']}" for m in document["matches"]]
    lines += [f"link: {link['direction']} {link['provision']['id']} ({link['state']})" for link in document["links"]]
    return "\n".join(lines)


@click.group()
def cases() -> None:
    """Open cases and let people in."""


@cases.command("create")
@command_options
@click.argument("ref")
@click.option("--title", default="")
def cases_create(context: Context, ref: str, title: str) -> None:
    """Open a case."""
    case = context.services.evidence.create_case(context.who, ref, title)
    context.show({"id": case.id, "ref": case.ref, "title": case.title}, f"{case.ref}: {case.id}")


@cases.command("list")
@command_options
def cases_list(context: Context) -> None:
    """The cases that you may read."""
    found = context.services.evidence.list_cases(context.who)
    documents = [{"id": case.id, "ref": case.ref, "title": case.title} for case in found]
    context.show({"cases": documents}, lambda: table([[c.ref, c.title, c.id] for c in found], ["ref", "title", "id"]))


@cases.command("add-member")
@command_options
@click.argument("ref")
@click.argument("user")
def cases_add_member(context: Context, ref: str, user: str) -> None:
    """Let a user into a case."""
    services = context.services
    case = services.evidence.find_case(context.who, ref)
    services.access.require(context.who, "case.manage", case.id)
    services.access.add_member(context.who.actor, case.id, user)
    context.show({"case": case.id, "user": user}, f"{user} is a member of {case.ref}")


@cases.command("remove-member")
@command_options
@click.argument("ref")
@click.argument("user")
def cases_remove_member(context: Context, ref: str, user: str) -> None:
    """End a user's membership of a case."""
    services = context.services
    case = services.evidence.find_case(context.who, ref)
    services.access.require(context.who, "case.manage", case.id)
    services.access.remove_member(context.who.actor, case.id, user)
    context.show({"case": case.id, "user": user}, f"{user} is no longer a member of {case.ref}")


@click.command()
@command_options
@click.option("--rejected", is_flag=True, help="Also matches of an item that a person has rejected.")
@click.option(
    "--picture", type=click.Path(path_type=Path), default=None, metavar="OUT.png", help="Draw why, with OTHER."
)
@click.argument("target", metavar="FILE|ITEM")
@click.argument("other", metavar="[OTHER]", required=False)
def match(context: Context, target: str, other: str | None, picture: Path | None, *, rejected: bool) -> None:
    """Is this file or item, or a part of it, already here? With OTHER and --picture: draw why they match."""
    services, who = context.services, context.who
    if other is not None or picture is not None:
        _draw_match(context, target, other, picture)
        return
    path = Path(target)
    if path.is_file():
        if path.stat().st_size == 0:
            raise InvalidInputError("empty_file", "the file has no bytes")
        document = services.matching.match_file(who, path, path.name)
    elif path.exists():
        raise InvalidInputError("not_a_file", f"{target} is not a file")
    else:
        item, _ = services.evidence.find_item(who, target)
        found = services.matching.matches_of(who, item.id, rejected=rejected)
        query = {"item": item.id, "sha256": item.sha256, **services.matching.state_of(item.id)}
        document = {"query": query, "matches": [one.as_json() for one in found]}
    context.show(document, lambda: _matches_text(document))


def _draw_match(context: Context, item: str, other: str | None, output: Path | None) -> None:
    """Write the picture of a match to a new file; the read is recorded first."""
    if other is None or output is None:
        raise InvalidInputError("bad_usage", "a picture needs two items and --picture OUT.png")
    if output.exists():
        raise InvalidInputError("output_exists", f"{output} exists and is never overwritten")
    pictures, who = context.services.match_pictures, context.who
    drawn = pictures.draw(who, item, other)
    pictures.record(who, item, other)
    with coded_errors("write the picture"), output.open("xb") as target:
        target.write(drawn)
    context.show(
        {"item": item, "other": other, "path": str(output), "size": len(drawn)}, f"{output}: {len(drawn)} bytes"
    )


def _matches_text(document: dict[str, Any]) -> str:
    query = document["query"]
    notes = {
        "pending": "Not compared yet: a worker has still to do it.",
        "failed": f"Its content could NOT be compared ({query.get('code')}): only identical files would be found.",
        "none": "Neither photo nor video: only identical files would be found.",
    }
    lines = [
        f"{m['verdict']}  {m['item']}{_decided(m.get('decision'))}\n    {m['explanation']}" for m in document["matches"]
    ]
    if not lines and query["state"] == "done":
        lines = ["nothing here matches"]
    return "\n".join([*lines, *([notes[query["state"]]] if query["state"] in notes else [])])


def _decided(decision: dict[str, Any] | None) -> str:
    return "" if decision is None else f"  [{decision['decision']}: {decision['reason']}]"


@click.command()
@command_options
@click.option("--reason", required=True, help="Why: one line.")
@click.argument("item")
@click.argument("other")
@click.argument("decision", metavar="confirm|reject|same_scene")
def adjudicate(context: Context, item: str, other: str, decision: str, reason: str) -> None:
    """Decide about a match of two items; the newest decision on the pair stands, all stay on record."""
    row = context.services.decisions.decide(context.who, item, other, decision, reason)
    document = {"item": item, "other": other, **as_json(row)}
    context.show(document, f"{row.decision}: {row.reason}")


@click.command()
@command_options
@click.argument("item")
def cluster(context: Context, item: str) -> None:
    """What people have confirmed to show the same as an item: its earliest and its best copy."""
    found = context.services.decisions.cluster(context.who, item)
    marks = {found.earliest: "earliest here", found.best: "best"}
    if found.earliest == found.best:
        marks = {found.best: "earliest here, best"}

    def told() -> str:
        return "\n".join(f"{m.item}  {m.received_at}  {marks.get(m.item, '')}".rstrip() for m in found.members)

    context.show(asdict(found), told)


COMMANDS = (items, cases, match, adjudicate, cluster)
