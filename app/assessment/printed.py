"""The matrix as one HTML file to read and print: no script, nothing from elsewhere, both sides side by side. Pure.

Every text of the document is escaped. Nothing of the document is left out for want of room.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from typing import Any, Final

from app.incidents.standing import told

STYLE: Final = """
body{font:15px/1.45 system-ui,sans-serif;max-width:70rem;margin:1.5rem auto;padding:0 1rem;color:#1b1f24}
body{background:#fff}
h1{font-size:1.5rem}h2{margin-top:2.2rem;border-bottom:2px solid #445;font-size:1.25rem}h3{font-size:1.05rem}
h4{margin:1rem 0 .2rem;font-size:1rem}table{border-collapse:collapse;width:100%;table-layout:fixed}
th,td{border:1px solid #99a;text-align:left;padding:.35rem .5rem;vertical-align:top;overflow-wrap:anywhere}
th{background:#eef1f5}.note{color:#444}.mark{border:1px solid #7a4b00;padding:.4rem .6rem}
.link{margin:0 0 .6rem}.who{color:#444;font-size:.9em}.open{font-weight:600}
@media print{body{margin:0;max-width:none;font-size:10pt}h2,h3,h4{break-after:avoid}tr{break-inside:avoid}}
"""
_BESIDE: Final = {
    "neutral": "Neutral",
    "excluded": "Looked at and not relied on",
    "withdrawn": "Withdrawn by the author",
}
Document = dict[str, Any]


def matrix_html(document: Document) -> str:
    """The document of `app.assessment.matrix.matrix` as an HTML page."""
    title = f"Element matrix: {document['incident']['ref']}"
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>'
    return (
        f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>{"".join(_page(document, title))}</body></html>\n'
    )


def _page(document: Document, title: str) -> Iterator[str]:
    incident, day = document["incident"], document["incident"]["date"]
    yield f"<h1>{escape(title)}</h1><p>{_t(incident['title'])}</p>"
    yield (
        f'<p class="mark">What is listed {_t(document["wording"])} the provisions below; nothing here says that a rule '
        f"was broken. {_t(document['status'])}. No state or standard was computed. "
        f"{_t(document['ladder']['never'])}.</p>"
    )
    yield (
        f'<p class="note">Incident {_t(incident["id"])}, version {_t(incident["version"])}, record SHA-256 '
        f"{_t(incident['sha256'])}; {_t(told(day))}. Catalogue version "
        f"{_t(document['catalogue']['version'])}. Made {_t(document['made_at'])}.</p>"
    )
    yield from _statements(document["statements"])
    for provision in document["provisions"]:
        yield from _provision(provision)
    yield "<h2>What speaks against provisions that are not shown</h2>"
    yield _list(
        f"{_t(one['provision'])}, {_t(one['element'])}{_mark(one)}: {_link(one)}"
        for one in document["contradicting_elsewhere"]
    )
    yield from _suggestions(document["suggestions"])


def _statements(statements: list[Document]) -> Iterator[str]:
    yield "<h2>Denials, counter-allegations and statements</h2>"
    yield _list(
        f"<b>{_t(one['speaker'])}</b> ({_t(one['ref'])}; {_t(one['kind'])}; author {_t(one['author'])}, authentication "
        f"{_t(one['authentication'])}; read {' and '.join(map(_t, one['directions'] or []))}"
        f"{'; conditional' if one['conditional'] else ''}): {_t(one['summary'])}{_spoken_earlier(one)}"
        for one in statements
    )


def _spoken_earlier(one: Document) -> str:
    note = " <b>Its kind is not known: it may be a denial.</b>" if one["goes_along"] == "kind not known" else ""
    return note + "".join(
        f"<br>Version {_t(old['version'])} ({_t(old['kind'])}): {_t(old['summary'])}" for old in one["earlier"]
    )


def _provision(one: Document) -> Iterator[str]:
    yield f"<h2>{_t(one['article'])}, {_t(one['instrument'])} ({_t(one['provision'])})</h2>"
    yield f'<p class="note">Entry: {_t(one["confidence"])}, {_t(one["verified_scope"])}; '
    yield f"{_t(one['status'])}.</p>"
    yield from _suggestion(one["suggestion"])
    yield from _applicability(one["applicability"])
    for group in one["groups"]:
        yield f"<h3>{_t(group['heading'])}</h3>"
        if group["group"] == "loss_of_protection":
            yield '<p class="note">What supports such an element speaks against the provision.</p>'
        for element in group["elements"]:
            yield from _element(element)
    yield "<h3>Mandatory panels</h3>"
    for name, panel in one["panels"].items():
        yield from _panel(str(name), panel)
    yield "<h3>Assessments</h3>"
    yield _list(_assessment(each) for each in one["assessments"])
    yield _list((f"Withdrawn {_t(old['created_at'])}: {_t(old['reason'])}" for old in one["withdrawn_assessments"]), "")
    yield "<h3>Gaps</h3>"
    yield _list(f"{_t(gap['element']) + ': ' if gap['element'] else ''}{_t(gap['text'])}" for gap in one["gaps"])
    yield "<h3>Evidence tasks</h3>"
    yield _list(f"{_t(task['task'])} <span class='who'>({_t(task['fact'])})</span>" for task in one["tasks"])


def _suggestion(suggestion: Document) -> Iterator[str]:
    standing = suggestion["standing"]
    if standing == "suggest":
        yield f"<p>Suggested ({_t(suggestion['strength'])}): {_t(suggestion['reason'])}</p>"
    elif standing == "suppressed":
        yield f"<p class='open'>Not to be suggested: {_t(suggestion['why'])}</p>"
    elif standing == "possible":
        yield f"<p>Possible, if shown: {', '.join(map(_t, suggestion['needs']))}</p>"
    for part in suggestion.get("of_parts", []):
        which = [f"{name} {_t(part[name])}" for name in ("strike", "target") if part[name] is not None]
        why = part.get("reason") or part.get("why") or ", ".join(map(str, part.get("needs", [])))
        yield f"<p>Of {', '.join(which)}: {_t(part['standing'])}: {_t(why)}</p>"
    for key, heading in (("counter_questions", "Counter-questions"), ("exculpatory_to_seek", "To seek against")):
        if suggestion.get(key):
            yield f"<p>{heading}:</p>{_list(map(_t, suggestion[key]))}"


def _applicability(given: Document) -> Iterator[str]:
    data = given["status_data"]
    conflict = data["conflict_type"]
    yield (
        f'<p class="note">Applicability: listed for {_t(conflict["listed_for"])}; type of conflict stated: '
        f"{_t(conflict['established']) or 'unknown'}."
    )
    for party in data["parties"]:
        basis = f"{_t(party['fact'])}; {_t(party['confidence'])}"
        yield f" {_t(party['state'])}: in force then {_t(party['in_force_then'])} ({basis})."
    if given["stops"]:
        yield f" <b>{_t(given['stops'])}</b>"
    if given.get("statement"):
        yield f" Stated: {_t(given['statement'])}"
    yield "</p>"


def _element(element: Document) -> Iterator[str]:
    state = element["state"]
    told = _t(state["value"] or state["standing"]).replace("_", " ")
    gone = "" if element["in_catalogue"] else " <b>(no longer in the catalogue)</b>"
    yield f"<h4>{_t(element['id'])}{gone}: {_t(element['text'])}</h4>"
    yield f"<p>State: <b>{told}</b> ({_t(state['standing']).replace('_', ' ')})</p>"
    yield _list((_stated(one) for one in state["stated"]), empty="")
    yield "<table><tr><th>supports this element</th><th>contradicts this element</th></tr><tr>"
    for way in ("supports", "contradicts"):
        yield f"<td>{''.join(f'<div class=link>{_link(one)}</div>' for one in element[way]) or 'none'}</td>"
    yield "</tr></table>"
    for way, heading in _BESIDE.items():
        if element[way]:
            yield f"<p>{heading}:</p>{_list(_link(one) for one in element[way])}"


def _stated(one: Document) -> str:
    return f"{_t(one['state']).replace('_', ' ')}: {_t(one['reasoning'])} {_who(one)}"


def _mark(one: Document) -> str:
    return "" if one["standing"] == "stands" else f" <b>({_t(one['standing'])})</b>"


def _link(one: Document) -> str:
    source = one["source"]
    segment = f", {_t(source['segment'])}" if source["segment"] else ""
    earlier = "".join(
        f"<br>Earlier version {_t(old['number'])}: {_t(old['direction'])}, {_t(old['weight'])}: {_t(old['reasoning'])}"
        for old in one["earlier"]
    )
    why = f"<br>Why changed: {_t(one['reason'])}" if one["reason"] else ""
    return (
        f"<b>{_t(source['kind'])} {_t(source['ref'])}{segment}</b> ({_t(one['direction'])}, {_t(one['weight'])}): "
        f"{_t(one['reasoning'])} {_who(one)}{why}{earlier}"
    )


def _who(one: Document) -> str:
    reviews = "".join(
        f"; {_t(each['decision'])} by {_t(each['reviewer']['name'])} ({_t(each['reviewer']['auth'])})"
        f"{': ' + _t(each['comment']) if each['comment'] else ''}{' [signed]' if each['sealed'] else ''}"
        for each in one["reviews"]
    )
    return (
        f'<span class="who">[{_t(one["author"]["name"])} ({_t(one["author"]["auth"])}), {_t(one["created_at"])}, '
        f"version {_t(one['number'])}; <b>{_t(one['review'])}</b>{reviews}; entry {_t(one['entry'])}, "
        f"catalogue {_t(one['catalogue_version'])}]</span>"
    )


def _panel(name: str, panel: Document) -> Iterator[str]:
    yield f"<h4>{_t(name).replace('_', ' ')}: {_t(panel['standing']).replace('_', ' ')}</h4>"
    yield f"<p>{len(panel['links'])} links in this panel.</p>"
    yield _list((_answer(one) for one in panel["answers"]), empty="<p class='open'>No answer yet.</p>")


def _answer(one: Document) -> str:
    searches = "".join(
        f"<br>Searched: {_t(each['what'])}; where: {_t(each['where'])}; when: {_t(each['when'])}; by: {_t(each['by'])}"
        for each in one["searches"]
    )
    later = "" if one["covers_all"] else " <b>Links came after this answer.</b>"
    return f"{_t(one['answer']).replace('_', ' ')}: {_t(one['text'])}{searches}{later} {_who(one)}"


def _assessment(one: Document) -> str:
    outcome = "reached" if one["outcome"] == "reached" else "not reached"
    changed = " <b>What it rests on has changed since.</b>" if one["basis_changed"] else ""
    stated = one["applicability"].get("statement")
    earlier = "".join(
        f"<br>Earlier version {_t(old['number'])}: {_t(old['standard'])}, {_t(old['outcome'])}: {_t(old['reasoning'])}"
        for old in one["earlier"]
    )
    return (
        f"<b>{_t(one['standard_means'])}: {outcome}</b>, as this person takes it. {_t(one['reasoning'])}{changed}"
        f"{'<br>Applicability: ' + _t(stated) if stated else ''}<br>Rests on {len(one['rests_on'])} entries. "
        f"{_who(one)}{earlier}"
    )


def _suggestions(told: Document) -> Iterator[str]:
    yield "<h2>Not to be suggested, and why</h2>"
    yield _list(f"{_t(one['article'])} ({_t(one['provision'])}): {_t(one['why'])}" for one in told["suppressed"])


def _list(items: Iterable[str], empty: str = "<p>none</p>") -> str:
    lines = "".join(f"<li>{item}</li>" for item in items)
    return f"<ul>{lines}</ul>" if lines else empty


def _t(value: object) -> str:
    """Any value as escaped text."""
    return "" if value is None else escape(str(value))
