"""`catena pattern` and `catena release`: counts under a stated rule, and frozen releases of them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from app.cli.common import FOUND_ERRORS, OK, Context, command_options, table
from app.errors import InvalidInputError

if TYPE_CHECKING:
    from app.evidence.models import Case

CASE = click.option("--case", "case_ref", required=True, metavar="REF", help="The case.")
FILE = click.Path(path_type=Path, dir_okay=False, allow_dash=True)


@click.group()
def pattern() -> None:
    """Count incidents under an inclusion rule that is stated and kept in versions."""


@pattern.command("rule")
@command_options
@click.argument("name", metavar="NAME")
@CASE
@click.option("--from", "rule_file", type=FILE, required=True, metavar="FILE", help="The rule as JSON; - is stdin.")
@click.option("--reason", default=None, metavar="TEXT", help="Why a known rule is stated anew.")
def pattern_rule(context: Context, name: str, case_ref: str, rule_file: Path, reason: str | None) -> None:
    """State an inclusion rule, or state it anew; see docs/patterns.md."""
    from app.law.suggestions_facts import read_json

    body: Any = read_json(sys.stdin.buffer.read() if str(rule_file) == "-" else rule_file.read_bytes())
    made = context.services.patterns.put_rule(context.who, _case(context, case_ref), name, body, reason)
    context.show(made.as_json(), f"rule {name}, version {made.record.number}: {made.sha256}")


@pattern.command("rules")
@command_options
@CASE
def pattern_rules(context: Context, case_ref: str) -> None:
    """Every version of every rule of a case."""
    found = [one.as_json() for one in context.services.patterns.rules(context.who, _case(context, case_ref))]
    rows = [[str(one["ref"]), str(one["number"]), str(one["body"]["title"])[:70]] for one in found]
    context.show({"rules": found}, lambda: table(rows, ["rule", "version", "title"]))


@pattern.command("count")
@command_options
@click.argument("name", metavar="RULE")
@CASE
def pattern_count(context: Context, name: str, case_ref: str) -> None:
    """Count a case's incidents; what is uncertain or unknown is listed apart."""
    found = context.services.patterns.count(context.who, _case(context, case_ref), name)
    context.show(found, lambda: _count_text(found))


@pattern.command("picture")
@command_options
@click.argument("what", type=click.Choice(["months", "map", "page"]))
@click.argument("name", metavar="RULE")
@CASE
@click.option("--lang", "--language", "lang", type=click.Choice(["en", "uk"]), default="en", show_default=True)
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), required=True, metavar="FILE")
def pattern_picture(context: Context, what: str, name: str, case_ref: str, lang: str, output: Path) -> None:
    """Draw a count: its months or its map as SVG, or both with tables as a page."""
    drawings, case = context.services.drawings, _case(context, case_ref)
    made = {"months": drawings.months, "map": drawings.map, "page": drawings.page}[what](context.who, case, name, lang)
    _new_file(context, output, made.encode())


@pattern.command("shapes")
@command_options
@click.argument("form", type=click.Choice(["geojson", "kml", "csv", "timeline"]))
@CASE
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), required=True, metavar="FILE")
def pattern_shapes(context: Context, form: str, case_ref: str, output: Path) -> None:
    """Write a case's incidents as GeoJSON, KML or CSV, or as a timeline: with their precision and their basis."""
    _new_file(context, output, context.services.drawings.file(context.who, _case(context, case_ref), form))


@click.group()
def release() -> None:
    """Frozen releases: a count with a name, sealed, that can be counted again to the byte."""


@release.command("freeze")
@command_options
@click.argument("name", metavar="NAME")
@CASE
@click.option("--rule", required=True, metavar="RULE", help="NAME, or NAME@NUMBER.")
@click.option("--title", default=None, metavar="TEXT")
def release_freeze(context: Context, name: str, case_ref: str, rule: str, title: str | None) -> None:
    """Freeze what a rule counts today."""
    from app.patterns.releases import as_shown

    made = context.services.releases.freeze(context.who, _case(context, case_ref), name, rule, title)
    numbers = made.record.numbers
    told = f"release {name}: {numbers['included']} included, {numbers['unknown']} unknown; SHA-256 {made.sha256}"
    context.show(as_shown(made), told)


@release.command("list")
@command_options
@CASE
def release_list(context: Context, case_ref: str) -> None:
    """The releases of a case."""
    from app.api.patterns import summary

    found = context.services.releases.list_releases(context.who, _case(context, case_ref))
    shown = [summary(one).model_dump(mode="json") for one in found]
    rows = [[one["ref"], str(one["included"]), one["created_at"], one["title"][:60]] for one in shown]
    context.show({"releases": shown}, lambda: table(rows, ["release", "included", "frozen", "title"]))


@release.command("show")
@command_options
@click.argument("name", metavar="RELEASE")
@CASE
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), default=None, metavar="DIR", help="Write it and its seal."
)
def release_show(context: Context, name: str, case_ref: str, output: Path | None) -> None:
    """One release; with -o, the sealed bytes and their seal as files."""
    from app.patterns.releases import as_shown

    found = context.services.releases.get(context.who, _case(context, case_ref), name)
    if output is not None:
        _write(output, found.statement, context.services.releases.stamped_seal(found))
    context.show(as_shown(found), lambda: _release_text(as_shown(found)))


@release.command("verify")
@command_options
@click.argument("name", metavar="RELEASE")
@CASE
def release_verify(context: Context, name: str, case_ref: str) -> int:
    """Count a release again from the versions that it names. Exit code 1: it does not hold."""
    done = context.services.releases.verify(context.who, _case(context, case_ref), name)
    document = done.as_json()
    lines = [f"{one['code']}: {one['detail']}" for one in done.findings]
    told = f"release {name}: the same bytes from {done.members} members; its seal and its place in the log hold"
    context.show(document, "\n".join(lines) or told)
    return FOUND_ERRORS if done.findings else OK


@release.command("diff")
@command_options
@click.argument("name", metavar="RELEASE")
@CASE
def release_diff(context: Context, name: str, case_ref: str) -> None:
    """A release against today: each changed, added and gone member, and why."""
    found = context.services.releases.diff(context.who, _case(context, case_ref), name)
    context.show(found, lambda: _diff_text(found))


def _case(context: Context, ref: str) -> Case:
    return context.services.evidence.find_case(context.who, ref)


def _write(folder: Path, statement: bytes, seal: bytes) -> None:
    from evidence_store.durable import write_new

    files = {folder / "release.json": statement, folder / "release.json.p7s": seal}
    for path in files:
        if path.exists():
            raise InvalidInputError("file_exists", f"{path} is there already: nothing is overwritten")
    folder.mkdir(parents=True, exist_ok=True)
    for path, data in files.items():
        write_new(path, data, 0o644)


def _new_file(context: Context, output: Path, data: bytes) -> None:
    from evidence_store.durable import write_new

    if output.exists():
        raise InvalidInputError("file_exists", f"{output} is there already: nothing is overwritten")
    write_new(output, data, 0o600)
    context.show({"file": str(output), "size": len(data)}, f"{output}: {len(data)} bytes")


def _count_text(found: dict[str, Any]) -> str:
    rule, numbers = found["rule"], found["numbers"]
    lines = [f"{rule['body']['title']} ({rule['ref']}@{rule['number']}); {found['wording']}", *_numbers(numbers)]
    lines += [f"published by others, not merged: {one['ref']}: {one['claim']}" for one in found["published_by_others"]]
    return "\n".join(lines)


def _release_text(found: dict[str, Any]) -> str:
    head = f"{found['ref']}: {found['title']}; frozen {found['created_at']} by {found['author']['name']}"
    return "\n".join([head, f"SHA-256 {found['sha256']}", found["wording"], *_numbers(found["numbers"])])


def _numbers(numbers: dict[str, Any]) -> list[str]:
    sure = f"{numbers['included']} included ({numbers['unit']}s), {numbers['unknown']} unknown"
    lines = [f"{sure}, {numbers['excluded']} excluded; at most {numbers['at_most']}"]
    for name, one in numbers["by"].items():
        lines.append(f"by {name}:")
        lines += [f"  {row['key']}: {row['count']} (at most {row['at_most']})" for row in one["rows"]]
        lines += [f"  uncertain: {row['unit']}: {', '.join(row['possible'])}" for row in one["uncertain"]]
        lines += [f"  unknown: {unit}" for unit in one["unknown"]]
    return [*lines, *(f"undecided: {row['unit']}: {'; '.join(row['open'])}" for row in numbers["undecided"])]


def _diff_text(found: dict[str, Any]) -> str:
    if found["same"]:
        return f"{found['release']}: as it was frozen"
    lines = [f"{found['release']} against today"]
    for kind in ("changed", "added", "gone", "others"):
        lines += [f"{kind}: {one['incident']}: {'; '.join(one['why'])}" for one in found[kind]]
    lines += [f"published by others: {one['aggregate']}: {'; '.join(one['why'])}" for one in found["aggregates"]]
    changed = found["numbers"]["changed"]
    return "\n".join([*lines, *(f"by {c['by']}, {c['key']}: {c['then']} -> {c['now']}" for c in changed)])


COMMANDS = (pattern, release)
