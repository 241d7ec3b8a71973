"""A verification record, or the ladder of a subject, as one HTML page to be printed; it loads nothing. Pure.

The words around it are in English or Ukrainian; what people wrote stays as they wrote it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from pydantic import JsonValue

from app.strings import Language, message
from app.verification.masks import masked
from app.verification.rules import standing
from app.verification.store import View

_STYLE = (
    "body{font:12pt/1.4 serif;max-width:48em;margin:2em auto}h1{font-size:16pt}h2{font-size:13pt;margin-top:1.4em}"
    "pre{white-space:pre-wrap;overflow-wrap:anywhere;border:1px solid #999;padding:.6em;font-size:10pt}"
    "table{border-collapse:collapse;width:100%}td,th{border:1px solid #999;padding:.3em;text-align:left;"
    "vertical-align:top;overflow-wrap:anywhere}"
)


def record_page(view: View, sun: Sequence[JsonValue], language: Language, *, personal: bool = False) -> str:
    """One record with every version and review.

    Args:
        view: the record.
        sun: positions of the sun computed again, see `sun_check.repeated`.
        language: of the words around it.
        personal: with the texts of a record that holds personal data.
    """
    return _page(language, message("print.record", language), _record(view, sun, language, personal=personal))


def status_page(told: dict[str, Any], language: Language) -> str:
    """The ladder of an item or incident with its history, as `Reading.status_of_item` tells it."""
    return _page(language, message("print.ladder", language), _status(told, language))


def _record(view: View, sun: Sequence[JsonValue], language: Language, *, personal: bool) -> Iterator[str]:
    newest = view.newest
    yield _table(
        language,
        {
            "print.record": f"{message(f'kind.{newest.kind}', language)} {newest.ref} ({newest.verification})",
            "print.case": newest.case,
            "print.about": ", ".join(f"{one.kind} {one.id}" for one in newest.subjects),
            "print.state": message(f"state.{view.state}", language),
        },
    )
    stands = {one.review for one in standing(view.versions, view.reviews)}
    for version, digest in reversed(list(zip(view.versions, view.digests, strict=True))):
        body = version.body if personal else masked(version.body)
        total = len(view.versions)
        yield f"<h2>{_word('print.version', language)} {version.number} {_word('print.of', language)} {total}</h2>"
        facts = {
            "print.author": f"{version.author.name} ({version.author.auth})",
            "print.written": version.created_at,
            "print.sha256": digest,
        }
        yield _table(language, facts if version.reason is None else {**facts, "print.reason": version.reason})
        if body is not version.body:
            yield f"<p>{_word('print.personal', language)}</p>"
        yield _block("print.body", body, language)
        if version.computed:
            yield _block("print.computed", version.computed, language)
        if version.elsewhere is not None and personal | (body is version.body):
            yield _block("print.elsewhere", version.elsewhere, language)
    for one in sun:
        same = "print.same" if isinstance(one, dict) and one.get("same") is True else "print.differs"
        yield f"<h3>{_word('print.sun', language)}: {_word(same, language)}</h3>{_json(one)}"
    yield f"<h2>{_word('print.reviews', language)}</h2>"
    if not view.reviews:
        yield f"<p>{_word('print.no_reviews', language)}</p>"
    for review in view.reviews:
        how = "print.stands" if review.review in stands else "print.replaced"
        yield (
            f"<p>{escape(review.reviewer.name)} <b>{_word(f'verdict.{review.decision}', language)}</b> "
            f"({_word('print.version', language)} {review.version}, {escape(review.created_at)}; "
            f"{_word(how, language)}): {escape(review.comment)}</p>"
        )


def _status(told: dict[str, Any], language: Language) -> Iterator[str]:
    level = message(f"step.{told['level']}", language)
    yield _table(language, {"print.about": f"{told['kind']} {told['id']}", "print.level": level})
    rows = []
    for step in told["steps"]:
        reached = _word("print.reached" if step["reached"] else "print.not_reached", language)
        dissent = "<br>".join(
            escape(f"{message('print.dissent', language)}: {one['by']}: {one['comment']}") for one in step["dissent"]
        )
        records = escape(
            ", ".join(f"{one['ref']} ({message('state.' + one['state'], language)})" for one in step["records"])
        )
        rows.append(
            f"<tr><th>{_word('step.' + step['step'], language)}</th><td>{reached}</td><td>{records}</td>"
            f"<td>{escape(step['why_not'] or '')}</td><td>{dissent}</td></tr>"
        )
    yield f"<table>{''.join(rows)}</table><h2>{_word('print.history', language)}</h2>"
    for one in told["history"]:
        yield f"<p>{escape(one['at'])}: {_word('step.' + one['level'], language)} {escape(one['by'] or '')}</p>"


def _page(language: Language, title: str, parts: Iterator[str]) -> str:
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>{''.join(parts)}"
        f"<p><em>{_word('print.no_verdict', language)}</em></p></body></html>\n"
    )


def _table(language: Language, rows: dict[str, str]) -> str:
    cells = "".join(f"<tr><th>{_word(key, language)}</th><td>{escape(text)}</td></tr>" for key, text in rows.items())
    return f"<table>{cells}</table>"


def _block(key: str, value: JsonValue, language: Language) -> str:
    return f"<h3>{_word(key, language)}</h3>{_json(value)}"


def _json(value: JsonValue) -> str:
    return f"<pre>{escape(json.dumps(value, ensure_ascii=False, indent=1))}</pre>"


def _word(key: str, language: Language) -> str:
    return escape(message(key, language))
