"""`catena provisions`, `link`, `review`."""

from __future__ import annotations

import json

import click

from app.cli.common import Context, command_options, table
from app.cli.law_care import CATALOGUE_COMMANDS, rules
from app.law.service import ProvisionView


@click.group()
def provisions() -> None:
    """The catalogue of provisions that evidence may bear on."""


@provisions.command("list")
@command_options
@click.option("--instrument", default=None, help="Only this instrument.")
def provisions_list(context: Context, instrument: str | None) -> None:
    """All provisions."""
    found = context.services.law.list_provisions(context.who, instrument=instrument)
    _show_list(context, found)


@provisions.command("search")
@command_options
@click.argument("text")
def provisions_search(context: Context, text: str) -> None:
    """Provisions whose title, summary or elements hold these words."""
    _show_list(context, context.services.law.search(context.who, text))


@provisions.command("show")
@command_options
@click.argument("provision_id", metavar="ID")
def provisions_show(context: Context, provision_id: str) -> None:
    """One provision with its elements and how far it was verified."""
    entry = context.services.law.get_provision(context.who, provision_id).as_json()
    lines = [
        f"{entry['id']}: {entry['instrument']}, {entry['article']} - {entry['official_title']}",
        str(entry["summary"]),
        f"confidence: {entry['confidence']}; {entry['status']}",
        *(f"  {element['id']} ({element['kind']}): {element['text']}" for element in entry["elements"]),
    ]
    context.show(entry, "\n".join(lines))


def _show_list(context: Context, views: list[ProvisionView]) -> None:
    found = [view.as_json() for view in views]
    rows = [[str(p["id"]), str(p["article"]), str(p["confidence"]), str(p["official_title"])[:70]] for p in found]
    context.show({"provisions": found}, lambda: table(rows, ["id", "article", "confidence", "title"]))


@click.command()
@command_options
@click.argument("item_id", metavar="ITEM")
@click.argument("provision_id", metavar="PROVISION")
@click.option("--direction", type=click.Choice(["supports", "contradicts", "neutral"]), required=True)
@click.option("--rationale", required=True, metavar="TEXT")
@click.option("--element", default=None, metavar="ID", help="The element that the item bears on.")
def link(
    context: Context, item_id: str, provision_id: str, direction: str, rationale: str, element: str | None
) -> None:
    """Say that an item may bear on a provision, for or against, and why."""
    made = context.services.law.create_link(context.who, item_id, provision_id, direction, rationale, element)
    document = {"id": made.id, **json.loads(made.record), "state": context.services.reviews.state_of(made)}
    context.show(document, f"link {document['id']}: {item_id} {direction} {provision_id}; it waits for a second person")


@click.command()
@command_options
@click.argument("link_id", metavar="LINK")
@click.option("--decision", type=click.Choice(["approve", "reject"]), required=True)
@click.option("--comment", default="", metavar="TEXT")
def review(context: Context, link_id: str, decision: str, comment: str) -> None:
    """Approve or reject somebody else's link."""
    done = context.services.reviews.review_link(context.who, link_id, decision, comment)
    document = {"id": done.id, **json.loads(done.record)}
    context.show(document, f"{decision} recorded for link {link_id}")


for _command in CATALOGUE_COMMANDS:
    provisions.add_command(_command)

COMMANDS = (provisions, rules, link, review)
