"""`catena items metadata`: what the items of a case say of themselves, as a table."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from app.cli.common import Context, command_options
from app.errors import InvalidInputError
from evidence_store.durable import coded_errors


@click.command("metadata")
@command_options
@click.option("--case", "case_ref", required=True, metavar="REF")
@click.option("--csv", "as_csv", is_flag=True, help="For spreadsheets: RFC 4180, UTF-8.")
@click.option("--bom", is_flag=True, help="Begin with a byte order mark, by which Excel knows UTF-8.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=None, metavar="FILE", help="Not to stdout.")
def items_metadata(context: Context, case_ref: str, as_csv: bool, bom: bool, output: Path | None) -> None:
    """What the items of a case say of themselves: one row for each. The read is recorded."""
    from app.analysis.case_table import COLUMNS, CaseTable, csv_lines

    if not as_csv and not context.as_json:
        raise InvalidInputError("bad_usage", "say how: --csv or --json")
    if context.as_json and as_csv and output is None:
        raise InvalidInputError("bad_usage", "--json with --csv needs -o FILE: stdout holds one document")
    if output is not None and output.exists():
        raise InvalidInputError("output_exists", f"{output} exists and is never overwritten")
    services, who = context.services, context.who
    tables = CaseTable(services.archive, services.evidence)
    table = tables.open(who, case_ref)
    rows = tables.rows(who, table)
    if not as_csv:
        context.show({"case": table.case.ref, "columns": list(COLUMNS), "items": list(rows)}, "")
    elif output is None:
        for line in csv_lines(rows, bom=bom):
            click.echo(line, nl=False)
    else:
        _write(output, csv_lines(rows, bom=bom))
        document = {"case": table.case.ref, "items": table.items, "path": str(output)}
        context.show(document, f"{output}: {table.items} items")


def _write(output: Path, lines: Iterable[bytes]) -> None:
    """Write a new file, whole or not at all."""
    try:
        with coded_errors("write the table"), output.open("xb") as target:
            target.writelines(lines)
    except BaseException:
        output.unlink(missing_ok=True)
        raise
