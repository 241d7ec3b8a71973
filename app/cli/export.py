"""`catena export`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import click

from app.cli.common import Context, Progress, command_options
from app.cli.disclosures import KIND
from app.errors import InvalidInputError
from app.export.choose import Asked
from app.export.publish import set_names
from app.export.rules import ANALYSES, DERIVATIVES, Options, require_one_scope
from evidence_store.bundle.sets import ENDING
from evidence_store.durable import coded_errors

_MAX_CERTIFICATE = 1 << 20


@click.command()
@command_options
@click.option("--case", "case_ref", default=None, metavar="REF", help="All of it; with --incident, its case.")
@click.option("--incident", default=None, metavar="ID", help="Its dossier, and every item that it refers to.")
@click.option("--item", "item_ids", multiple=True, metavar="ID")
@click.option(
    "--derivatives", type=click.Choice(DERIVATIVES), default="preview", help="Which files made from originals."
)
@click.option("--analyses", type=click.Choice(ANALYSES), default="all", help="Which metadata records and tracks.")
@click.option("--without-incidents", is_flag=True, help="Leave the dossier of the case out.")
@click.option("--purpose", default="", metavar="TEXT", help="For whom and what for; it stands in the bundle.")
@click.option("--to", "recipient", default=None, metavar="NAME", help="Who gets it.")
@click.option("--kind", type=KIND, default="other", help="What kind of recipient that is.")
@click.option(
    "--restricted", type=click.Choice(["withhold", "refuse"]), default="withhold", help="What may not go to him."
)
@click.option(
    "--withhold", multiple=True, metavar="ID[:PART,PART]", help="Keep back an item, or parts: original, source."
)
@click.option("--release", multiple=True, metavar="ID=REASON", help="Let a restricted item go out, and say why.")
@click.option("--acknowledge", default="", metavar="REASON", help="Why what speaks against is left out.")
@click.option(
    "--encrypt-to",
    "certificates",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="CERT.pem",
    help="Encrypt the file to this certificate (CMS; openssl cms -decrypt).",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="BUNDLE.zip")
def export(
    context: Context,
    case_ref: str | None,
    incident: str | None,
    item_ids: tuple[str, ...],
    derivatives: str,
    analyses: str,
    *,
    without_incidents: bool,
    purpose: str,
    recipient: str | None,
    kind: str,
    restricted: Literal["withhold", "refuse"],
    withhold: tuple[str, ...],
    release: tuple[str, ...],
    acknowledge: str,
    certificates: tuple[Path, ...],
    output: Path,
) -> None:
    """Write a signed evidence bundle; of more than some 900 files a set of them, with its signed list.

    A set asked for as NAME.zip becomes NAME-001-of-003.zip and so on, NAME-set.json and NAME-set.json.p7s.
    """
    require_one_scope(case_ref, item_ids, incident)
    whole = output.with_name(f"{output.name.removesuffix('.zip')}{ENDING}")
    for taken in (output, whole):
        if taken.exists():
            raise InvalidInputError("output_exists", f"{taken} exists; bundles are never overwritten")
    if not output.parent.is_dir():
        raise InvalidInputError("no_such_folder", f"{output.parent} is not a folder")
    from app.disclosure.rules import parse_wishes
    from app.export.encrypted import parse_recipients

    wishes = parse_wishes(
        None if recipient is None else (recipient, kind),
        restricted,
        [_withheld(text) for text in withhold],
        [_released(text) for text in release],
        acknowledge,
    )
    recipients = parse_recipients([_read(path) for path in certificates])
    if recipients:
        context.services.encrypted.require_fit(recipients)
    options = Options(derivatives, analyses, "none" if without_incidents else "all")
    row = context.services.exports.create(
        context.who,
        asked=Asked(case_ref, list(item_ids) or None, incident, options),
        purpose=purpose,
        wishes=wishes,
        out=None if recipients else output,
        progress=Progress("export"),
        one_file=bool(recipients),
    )
    file: dict[str, str | int] = {}
    if recipients:
        file = _write(output, context.services.encrypted.stream(context.who, row.id, recipients))
    stamps = context.services.exports.stamps_in_bundle(row)
    parts = context.services.exports.parts(row)
    if len(parts) <= 1:
        document: dict[str, Any] = {"id": row.id, "bundle": str(output), "sha256": row.sha256, "size": row.size}
        document["in_bundle"] = stamps
        inside = f"{row.size} bytes, sha256 {row.sha256}"
        line = f"{output}: {inside}"
        if file:
            document |= {"encrypted_to": len(recipients), "file": file}
            line = f"{output}: {file['size']} bytes, sha256 {file['sha256']}\nthe bundle inside: {inside}"
        context.show(document, f"{line}\n{_time(stamps)}")
        return
    paths, _, _ = set_names(output, len(parts))
    listed = [
        {"bundle": str(path), "sha256": part.sha256, "size": part.size, "items": part.items}
        for path, part in zip(paths, parts, strict=True)
    ]
    document = {"id": row.id, "set": str(whole), "parts": listed, "size": row.size, "in_bundle": stamps}
    lines = [f"{each['bundle']}: {each['size']} bytes, sha256 {each['sha256']}" for each in listed]
    context.show(document, "\n".join([*lines, f"{whole}: the signed list of {len(parts)} parts", _time(stamps)]))


def _write(output: Path, chunks: Iterable[bytes]) -> dict[str, str | int]:
    """Write a new file, or none; its digest and size, which nobody could tell from those of the bundle inside."""
    sha256 = hashlib.sha256()
    with coded_errors("write the encrypted bundle"), output.open("xb") as out:
        try:
            for chunk in chunks:
                out.write(chunk)
                sha256.update(chunk)
        except BaseException:
            output.unlink()
            raise
        return {"sha256": sha256.hexdigest(), "size": out.tell()}


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(_MAX_CERTIFICATE)
    except OSError as error:
        raise InvalidInputError("unreadable", f"{path}: {error.strerror}") from None


def _withheld(text: str) -> tuple[str, list[str]]:
    item, colon, parts = text.partition(":")
    return item, parts.split(",") if colon else []


def _released(text: str) -> tuple[str, str]:
    item, equals, reason = text.partition("=")
    if not equals:
        raise InvalidInputError("bad_release", "--release takes ID=REASON")
    return item, reason


def _time(stamps: dict[str, Any] | None) -> str:
    """Which time stamps are in the bundle, in words."""
    parts = [
        f"{what} {', '.join(f'{state} ({tsa})' for tsa, state in sorted(stamps[part].items()))}"
        for part, what in (("checkpoint", "checkpoint"), ("seal", "seal of the bundle"))
        if stamps is not None and stamps[part]
    ]
    if not parts or stamps is None:
        return "time stamps: none, no authority is configured"
    if stamps["receipts"]:
        parts.append("receipts " + ", ".join(f"{number} {state}" for state, number in stamps["receipts"].items()))
    return f"time stamps: {'; '.join(parts)}"


COMMANDS = (export,)
