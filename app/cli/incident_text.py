"""Suggestions as text for a person: what may bear on an incident, what speaks against it, and what is missing."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from app.incidents.standing import told

Document = dict[str, Any]
_WIDTH = 100


def suggestions_text(document: Document) -> str:
    """The document of `app.law.suggestions.suggest` as lines of text."""
    return "\n".join(_lines(document))


def incident_text(document: Document) -> str:
    """An incident as lines of text: what was given, by whom, and what differs."""
    return "\n".join(_incident(document))


def double_taps_text(pairs: list[Document], *, more: bool) -> str:
    """Pairs of strikes as lines of text."""
    lines = [line for pair in pairs for line in _pair(pair)] or ["(none)"]
    return "\n".join([*lines, *(["there are more than are shown"] if more else [])])


def _pair(pair: Document) -> Iterator[str]:
    ends = " / ".join(f"{one['incident']} strike {one['strike']}" for one in pair["strikes"])
    yield f"{pair['verdict']}  {ends}"
    for name in ("minutes", "metres"):
        yield f"      {name} between: {pair[name]['least']} to {pair[name]['greatest'] or 'unknown'}"
    yield f"      order by their times: {pair['order']}"
    yield from _wrapped("needs", "; ".join(pair["needs"]))


def _incident(document: Document) -> Iterator[str]:
    body, standing = document["body"], document["standing"]
    day = standing["date"]
    yield f"{document['ref']}  {body['title']}"
    yield f"  id {document['id']}, version {document['version']}, record sha256 {document['sha256']}"
    yield f"  {told(day)} ({day['precision']}; year {day['year']})"
    yield f"  time {'known' if standing['time_known'] else 'not known'}; place: {body.get('place', {}).get('text')}"
    for strike in body.get("sequence", []):
        yield f"  strike {strike['n']}: {strike.get('target')} - {strike.get('method')} - {strike.get('result')}"
    for target in body.get("targets") or []:
        listed = isinstance(target, dict) and {"id", "kind", "text"} <= target.keys()
        yield f"  target {target['id']} ({target['kind']}): {target['text']}" if listed else f"  target: {target}"
    casualties = body.get("casualties", {})
    yield f"  killed {_count(casualties.get('killed'))}, injured {_count(casualties.get('injured'))}"
    for person in casualties.get("persons", []):
        yield f"  person: {person.get('name')} ({person.get('role')})"
    for warning in document["warnings"]:
        yield from _wrapped(f"warning {warning['code']}", warning["detail"])
    for account in standing["accounts"]:
        yield from _wrapped(f"{account['source']} says", str(account["says"]))
        for difference in account["differs"]:
            yield from _wrapped("  which differs", str(difference))
        if account["possible_match"]:
            yield "        a possible match: not merged; two people decide that"
    for claim in document["claims"]:
        what = f" [{claim['fact']} = {_value(claim['value'])}]" if claim["fact"] else ""
        how = "under a condition, " if claim["conditional"] else ""
        stands = "" if claim["stands"] else " (replaced by its author)"
        about = f", of {_which(claim)}" if _which(claim) else ""
        yield from _wrapped(f"{how}{claim['speaker']}{about}{stands}", claim["text"] + what)


def _count(number: int | None) -> str:
    return "not known" if number is None else str(number)


def _lines(document: Document) -> Iterator[str]:
    rules = document["rules"]
    yield f"Provisions that these facts {document['wording']}. {document['status']}"
    yield f"rules version {rules['version']}, sha256 {rules['sha256']}"
    if rules["thresholds_changed"]:
        yield f"thresholds: {', '.join(f'{name} {value}' for name, value in rules['thresholds'].items())}"
    for off in rules["switched_off"]:
        yield f"switched off: {off['rule']} {off['title']}"
    for fact in document["conflicting_facts"]:
        yield f"sources differ on: {fact}"
    for heading, key, one in (
        ("SUGGESTED", "suggest", _suggested),
        ("NOT TO BE SUGGESTED", "suppressed", _suppressed),
        ("ASK A LAWYER", "ask_lawyer", _asked),
        ("POSSIBLE", "possible", _possible),
        ("WOULD BE SUPPRESSED", "possible_blocks", _possible_block),
        ("EVIDENCE TASKS", "tasks", _task),
    ):
        yield ""
        yield heading
        if not document[key]:
            yield "  (none)"
        for entry in document[key]:
            yield from one(entry)
    for part in document.get("by_part", []):
        yield from _part(part)
    if left := document.get("parts_not_asked"):
        yield f"not asked of {len(left)} more parts: name one (--target, --strike)"


def _part(part: Document) -> Iterator[str]:
    yield ""
    yield f"OF {_which(part)} ALONE"
    for entry in part["suggest"]:
        yield f"  {entry['provision']}  [{entry['strength']}]  rules {', '.join(entry['rules'])}"
    for entry in part["suppressed"]:
        yield f"  {entry['provision']}  not to be suggested"
    for entry in part["possible"]:
        yield f"  {entry['provision']}  possible, if shown: {', '.join(entry['needs'])}"


def _which(part: Document) -> str:
    return ", ".join(f"{name} {part[name]}" for name in ("strike", "target") if part.get(name) is not None)


def _suggested(entry: Document) -> Iterator[str]:
    yield f"  {entry['provision']}  [{entry['strength']}]  {_name(entry)}; rules {', '.join(entry['rules'])}"
    yield from _wrapped("why", entry["reason"])
    yield from _wrapped("facts used", _facts(entry["facts_used"]))
    if entry["facts_missing"]:
        yield from _wrapped("facts missing", ", ".join(entry["facts_missing"]))
    for question in entry["counter_questions"]:
        yield from _wrapped("ask", question)
    for seek in entry["exculpatory_to_seek"]:
        yield from _wrapped("seek against", seek)


def _suppressed(entry: Document) -> Iterator[str]:
    yield f"  {entry['provision']}  {_name(entry)}; rules {', '.join(entry['rules']) or '-'}"
    yield from _wrapped("why not", entry["why"])


def _asked(entry: Document) -> Iterator[str]:
    yield f"  {entry['provision']}  {_name(entry)}"
    yield from _wrapped(f"for ({', '.join(entry['lead_by'])})", entry["for"])
    yield from _wrapped(f"against ({', '.join(entry['blocked_by']) or 'application'})", entry["against"])


def _possible(entry: Document) -> Iterator[str]:
    yield f"  {entry['provision']}  [{entry['strength_if_shown']} if shown]  {_name(entry)}"
    for way in entry["ways"]:
        yield from _wrapped(f"if ({way['rule']})", "; ".join(f"{one['fact']} {one['wanted']}" for one in way["if"]))


def _possible_block(entry: Document) -> Iterator[str]:
    yield f"  {entry['provision']}  {_name(entry)}; if {', '.join(entry['needs'])} ({', '.join(entry['rules'])})"
    yield from _wrapped("why not", entry["why"])


def _task(entry: Document) -> Iterator[str]:
    yield f"  {entry['fact']}{' (sources differ)' if entry['sources_differ'] else ''}"
    yield from _wrapped("task", entry["task"])
    yield from _wrapped("would show", "; ".join(entry["would_show"]))


def _name(entry: Document) -> str:
    return f"{entry['instrument']}, {entry['article']} ({entry['confidence']})"


def _facts(facts: Document) -> str:
    return "; ".join(f"{name} = {_value(value)}" for name, value in facts.items()) or "(none)"


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(str(one) for one in value) or "none"
    if isinstance(value, dict):
        return "sources differ: " + " or ".join(_value(one) for one in value["sources_differ"])
    return str(value)


def _wrapped(label: str, text: str) -> Iterator[str]:
    yield from textwrap.wrap(f"{label}: {text}", _WIDTH, initial_indent="      ", subsequent_indent="        ")
