"""What people say of an item's bearing on the law: both sides, with every review, under the names of their authors."""

from __future__ import annotations

from app.export.report.document import Block, Bullets, Cell, Facts, Para, Ref, Said, Section
from app.export.report.holding import Held, Holding, Record, part
from app.export.report.received import said_there
from app.export.report.words import DIRECTIONS, moment

_SIDES = (
    ("supports", "What speaks for"),
    ("contradicts", "What speaks against"),
    ("neutral", "What bears on it without speaking for or against"),
)


def opinions(holding: Holding, held: Held, anchor: str) -> Section:
    """The links of one item, by side; a side without a link says so, and so does one that may lack what is withheld."""
    blocks: list[Block] = []
    if not held.links:
        blocks.append(Para("No link of this item to a provision is in this bundle.", "quiet"))
    blocks += said_there(holding, held)
    if held.kept.reviews:
        told = f"{held.kept.reviews} review(s) of links of this item are withheld; each may approve or reject."
        blocks.append(Para(told, "warn"))
    some = bool(held.links or held.kept.links)
    blocks += [] if some else _left_out(holding)
    parts = []
    for direction, title in _SIDES:
        links = sorted(
            (link for link in held.links if link.get("direction") == direction),
            key=lambda link: (str(link.get("created_at")), str(link.get("link"))),
        )
        if not some or (direction == "neutral" and not links and direction not in held.kept.links):
            continue
        side = [block for link in links for block in _link(holding, held, link)] + _unsaid(held, direction)
        side += _left_out(holding) if direction == "contradicts" else []
        nothing = Para("No link to a provision was put on this side.", "quiet")
        parts.append(Section(f"{anchor}-{direction}", title, side or [nothing]))
    return Section(anchor, "For and against", blocks, parts)


def _unsaid(held: Held, direction: str) -> list[Block]:
    """That links are withheld which stand on a side, or may."""
    here, somewhere = (held.kept.links.get(side, 0) for side in (direction, ""))
    blocks: list[Block] = []
    if here:
        withheld = Ref("What is withheld", "withheld")
        blocks.append(
            Para((f"{here} link(s) on this side are withheld; what may be told stands under: ", withheld), "warn")
        )
    if somewhere and direction != "neutral":
        blocks.append(Para(f"{somewhere} link(s) of this item are withheld; some may stand on this side.", "warn"))
    return blocks


def _left_out(holding: Holding) -> list[Block]:
    if not holding.left_out:
        return []
    told = f"Not in this bundle, though it speaks against: {holding.left_out}."
    return [Para(f"{told} Whether that is about this item is not told.", "warn")]


def _link(holding: Holding, held: Held, link: Record) -> list[Block]:
    provision, author = part(link, "provision"), part(link, "author")
    element = part(link, "element")
    catalogue = part(link, "catalogue")
    entry = holding.provisions.get((int(catalogue.get("version") or 0), str(provision.get("id"))), {})
    rows: list[tuple[str, Cell]] = [
        ("Provision", Said(f"{provision.get('instrument')}, {provision.get('article')}")),
    ]
    if entry.get("official_title"):
        rows.append(("Title", Said(str(entry["official_title"]))))
    rows.append(("Element", Said(str(element.get("text"))) if element else "the provision as a whole"))
    rows += [
        ("Direction", DIRECTIONS.get(str(link.get("direction")), str(link.get("direction")))),
        ("Reasons", Said(str(link.get("rationale", "")))),
        ("Author", (Said(str(author.get("name"))), f" ({author.get('auth')}), {moment(str(link.get('created_at')))}")),
        ("Catalogue", f"version {catalogue.get('version')}; {provision.get('status')}; {provision.get('confidence')}"),
    ]
    blocks: list[Block] = [Facts("A link, as its author wrote it", rows)]
    reviews = sorted(held.reviews.get(str(link.get("link")), ()), key=lambda each: int(each.get("number") or 0))
    if not reviews:
        alone = "" if held.kept.reviews else ": here it is its author's opinion alone"
        blocks.append(Para(f"No review of this link is in this bundle{alone}.", "warn"))
        return blocks
    superseded = {str(each.get("supersedes")) for each in reviews if each.get("supersedes")}
    blocks.append(Bullets([_review(each, stands=str(each.get("review")) not in superseded) for each in reviews]))
    return blocks


def _review(review: Record, *, stands: bool) -> Cell:
    reviewer = part(review, "reviewer")
    decision = {"approve": "approved", "reject": "rejected"}.get(str(review.get("decision")), "decided")
    head = f"Review {review.get('number')}: {decision} by "
    tail = f" ({reviewer.get('auth')}), {moment(str(review.get('created_at')))}"
    tail += "" if stands else "; no longer stands, the same person decided again"
    comment = str(review.get("comment") or "")
    return (head, Said(str(reviewer.get("name"))), tail, *((": ", Said(comment)) if comment else ()))
