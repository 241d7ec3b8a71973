"""The report on a bundle as one HTML page that a judge can read and print.

No scripts, nothing from outside the page, and everything that comes from the bundle is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape

from evidence_store.verify.bundle_report import HEADINGS, NOT_VERIFIED, WHOLE, BundleReport
from evidence_store.verify.facts import KINDS, NEVER_PROVEN, NOT_PROVEN, PROVEN, rfc3339
from evidence_store.verify.page_style import STYLE
from evidence_store.verify.report import Finding, catalogue, printable
from evidence_store.verify.version import NAME, VERSION

MAX_ROWS = 200
"""Rows of one table: a page is for people; the JSON report has all."""

_SEVERITIES = {
    "error": ("Errors", "Each of these means that the bundle does not count as verified."),
    "warning": ("Warnings", "Each of these leaves something open that you should know."),
    "info": ("Notes", "Nothing is wrong with these."),
}
_INTRODUCTIONS = {
    PROVEN: "Each sentence holds only if every check behind it passed.",
    NOT_PROVEN: "These could have been shown, and are not shown by this check of this bundle.",
    NEVER_PROVEN: "These lie beyond what any bundle and any verifier can show.",
}
_ABOUT = (
    ("bundle_id", "Bundle"),
    ("created_at", "Made at (the archive's clock)"),
    ("created_by", "Made by"),
    ("purpose", "Purpose"),
    ("organisation", "Organisation (as the bundle says)"),
    ("archive", "Archive"),
    ("log", "Log"),
    ("entries", "Entries of the log then"),
    ("items", "Items of evidence"),
    ("set", "Part of the set"),
    ("part", "Its place in the set"),
    ("parts", "Parts of the set"),
    ("sealed_list_sha256", "SHA-256 of the sealed list of all files"),
)
_LONG = 140  # an ML-DSA-44 key has 1,800 characters; name and key ID stand at its beginning
_USES = {
    "ca": "Certificate authority",
    "seal": "Seal",
    "log": "Log (Ed25519)",
    "pq": "Log (ML-DSA-44)",
}
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[T\d:.]*Z?", re.ASCII)
_HISTORY = {"": "not judged", "key_valid": "allowed"}


def as_html(report: BundleReport, name: str, made_at: datetime) -> str:
    """The whole page.

    Args:
        report: finished.
        name: of the file or folder that was checked.
        made_at: when, with a time zone.
    """
    parts = [
        _verdict(report, name),
        _table("Which bundle", ("", ""), ((label, report.facts.bundle.get(key, "")) for key, label in _ABOUT)),
        *_findings(report, "error"),
        *(_claims(report, kind) for kind in KINDS),
        *_findings(report, "warning", "info"),
        _stamps(report),
        _witnesses(report),
        _keys(report),
        _table("What was checked", ("What", "Number"), ((what, number) for what, number in report.checked.items())),
    ]
    footer = f"Made by {NAME} {VERSION} on {rfc3339(made_at)} (the clock of the machine that checked)."
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_text(name)}: verification report</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "".join(part for part in parts if part)
        + f"<footer><p>{_text(footer)}</p></footer>\n</main>\n</body>\n</html>\n"
    )


def _verdict(report: BundleReport, name: str) -> str:
    errors, warnings = (
        sum(finding.severity == severity for finding in report.findings) for severity in ("error", "warning")
    )
    word, look, sentence = report.verdict.capitalize(), "good", "No error was found."
    if report.verdict == NOT_VERIFIED:
        look = "bad"
        sentence = f"{errors} error(s) were found: do not rely on this bundle until they are explained."
    elif report.verdict == WHOLE:
        look = "open"
        sentence = "No error was found, but a key that this rests on came with the bundle: anyone could have made it."
    if warnings:
        sentence += f" {warnings} warning(s) say what was left open."
    return (
        f'<header class="{look}"><p class="kind">Verification report of an evidence bundle</p>\n'
        f'<h1>{word}</h1>\n<p>{_text(sentence)}</p>\n<p class="file">{_text(name)}</p></header>\n'
    )


def _claims(report: BundleReport, kind: str) -> str:
    claims = report.of_kind(kind)
    lines = "".join(f"<li>{_text(claim.text)}</li>\n" for claim in claims) or "<li>Nothing.</li>\n"
    return _section(kind, HEADINGS[kind], _INTRODUCTIONS[kind], f"<ul>\n{lines}</ul>")


def _findings(report: BundleReport, *severities: str) -> Iterable[str]:
    for severity in severities:
        heading, introduction = _SEVERITIES[severity]
        by_code: dict[str, list[Finding]] = {}
        for finding in report.findings:
            if finding.severity == severity:
                by_code.setdefault(finding.code, []).append(finding)
        if by_code:
            groups = "".join(_group(code, found) for code, found in by_code.items())
            yield _section(severity, heading, introduction, groups)


def _section(look: str, heading: str, introduction: str, content: str) -> str:
    head = f'<h2>{_text(heading)}</h2>\n<p class="intro">{_text(introduction)}</p>\n'
    return f'<section class="{look}">{head}{content}</section>\n'


def _group(code: str, found: Sequence[Finding]) -> str:
    entry = catalogue()[code]
    rows = "".join(f"<li><b>{_text(each.subject)}</b> {_text(each.detail)}</li>\n" for each in found)
    return (
        f"<article><h3>{_text(entry['message'])} <code>{_text(code)}</code></h3>\n<p>{_text(entry['meaning'])}</p>\n"
        f"<ul>\n{rows}</ul></article>\n"
    )


def _stamps(report: BundleReport) -> str:
    rows = (
        (
            rfc3339(stamp.before),
            stamp.subject,
            stamp.authority,
            "not stated" if stamp.accuracy is None else f"{stamp.accuracy.total_seconds():g} s",
            rfc3339(stamp.until)[:10],
            "you gave it" if stamp.trusted else "the bundle's own",
        )
        for stamp in sorted(report.facts.stamps, key=lambda stamp: stamp.before)
    )
    return _table("Time stamps", ("Existed before", "What", "Authority", "Accuracy", "Holds until", "Its root"), rows)


def _witnesses(report: BundleReport) -> str:
    rows = (
        (each.name, each.key, each.time, "your policy" if each.trusted else "the archive's own policy")
        for each in report.facts.witnesses
    )
    return _table("Witnesses of the log", ("Name", "Key", "Saw it at", "Named by"), rows)


def _keys(report: BundleReport) -> str:
    rows = (
        (
            _USES.get(key.use, key.use),
            key.name,
            key.fingerprint if len(key.fingerprint) <= _LONG else f"{key.fingerprint[:_LONG]}...",
            "you gave it" if key.trusted else "from the bundle",
            _HISTORY.get(key.history, key.history),
        )
        for key in report.facts.keys
    )
    headings = ("Use", "Holder", "SHA-256 of the certificate, or verifier key", "Whence", "Key history")
    return _table("Keys", headings, rows)


def _table(heading: str, columns: Sequence[str], rows: Iterable[Sequence[str | int]]) -> str:
    """A table, or nothing when it would be empty."""
    cells = [row for row in rows if row[-1] != ""]
    if not cells:
        return ""
    head = "".join(f"<th>{_text(column)}</th>" for column in columns)
    body = "".join("<tr>" + "".join(_cell(str(cell)) for cell in row) + "</tr>\n" for row in cells[:MAX_ROWS])
    more = f"<p>{len(cells) - MAX_ROWS} more are in the JSON report.</p>\n" if len(cells) > MAX_ROWS else ""
    top = f"<thead><tr>{head}</tr></thead>\n" if any(columns) else ""
    return f"<section><h2>{_text(heading)}</h2>\n<table>\n{top}<tbody>\n{body}</tbody></table>\n{more}</section>\n"


def _cell(value: str) -> str:
    look = ' class="time"' if _TIME.fullmatch(value) else ""
    return f"<td{look}>{_text(value)}</td>"


def _text(value: str) -> str:
    return escape(printable(value))
