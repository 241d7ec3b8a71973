"""The matrix as one HTML file to read and print: no script, nothing from elsewhere, both sides side by side. Pure.

The words around it are of the language that was asked for (`app.strings`). What people wrote, and the texts of the
catalogue, of the rules and of the status data, stay as they are. Every text of the document is escaped. Nothing of the
document is left out for want of room.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from typing import Any, Final

from app.incidents.standing import told
from app.strings import DEFAULT, Language, known, message

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
_BESIDE: Final = ("neutral", "excluded", "withdrawn")
_SUGGESTED: Final = {"suggest": "matrix.suggested", "suppressed": "matrix.not_suggested", "possible": "matrix.possible"}
Document = dict[str, Any]


def matrix_html(document: Document, language: Language = DEFAULT) -> str:
    """The document of `app.assessment.matrix.matrix` as an HTML page in a language."""
    printer = _Printer(language)
    title = printer.say("matrix.title", ref=document["incident"]["ref"])
    head = f'<meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
    body = "".join(printer.page(document, title))
    return f'<!doctype html>\n<html lang="{language}"><head>{head}</head>\n<body>{body}</body></html>\n'


class _Printer:
    """The parts of a page in one language; each gives escaped HTML."""

    def __init__(self, language: Language) -> None:
        self._language = language

    def say(self, key: str, **values: object) -> str:
        """A message, escaped, with escaped values in it."""
        said = escape(message(key, self._language), quote=False)
        return said.format(**{name: _t(value) for name, value in values.items()}) if values else said

    def word(self, value: object) -> str:
        """A word of the archive's own vocabulary, as plain text; what is none stays as it is."""
        key = f"code.{str(value).replace(' ', '_')}"
        return message(key, self._language) if known(key) else "" if value is None else str(value).replace("_", " ")

    def code(self, value: object) -> str:
        """The same, escaped."""
        return _t(self.word(value))

    def list(self, items: Iterable[str], empty: str | None = None) -> str:
        """A list, or what stands where there is nothing."""
        lines = "".join(f"<li>{item}</li>" for item in items)
        nothing = f"<p>{self.say('word.none')}</p>" if empty is None else empty
        return f"<ul>{lines}</ul>" if lines else nothing

    def page(self, document: Document, title: str) -> Iterator[str]:
        """All of it."""
        say, incident = self.say, document["incident"]
        yield f"<h1>{title}</h1><p>{_t(incident['title'])}</p>"
        words = {"wording": "may_bear_on", "status": "draft", "never": "standard.court_only"}
        note = say("matrix.note", **{name: message(key, self._language) for name, key in words.items()})
        yield f'<p class="mark">{note}</p>'
        about = say(
            "matrix.about",
            **{name: incident[name] for name in ("id", "version", "sha256")},
            day=told(incident["date"], self._language),
            catalogue=document["catalogue"]["version"],
            made_at=document["made_at"],
        )
        yield f'<p class="note">{about}</p><h2>{say("matrix.statements")}</h2>'
        yield self.list(map(self.statement, document["statements"]))
        for provision in document["provisions"]:
            yield from self.provision(provision)
        yield f"<h2>{say('matrix.elsewhere')}</h2>"
        elsewhere = document["contradicting_elsewhere"]
        yield self.list(
            f"{_t(one['provision'])}, {_t(one['element'])}{self.mark(one)}: {self.link(one)}" for one in elsewhere
        )
        yield f"<h2>{say('matrix.suppressed')}</h2>"
        suppressed = document["suggestions"]["suppressed"]
        yield self.list(f"{_t(one['article'])} ({_t(one['provision'])}): {_t(one['why'])}" for one in suppressed)

    def mark(self, one: Document) -> str:
        """Whether a link no longer speaks as it did."""
        return "" if one["standing"] == "stands" else f" <b>({self.code(one['standing'])})</b>"

    def statement(self, one: Document) -> str:
        """A statement, with what it said before."""
        say = self.say
        read = f" {say('matrix.and')} ".join(map(self.code, one["directions"] or []))
        conditional = f"; {say('matrix.conditional')}" if one["conditional"] else ""
        note = f" <b>{say('matrix.kind_unknown')}</b>" if one["goes_along"] == "kind not known" else ""
        earlier = "".join(
            f"<br>{say('matrix.version_of', number=old['version'], kind=old['kind'])}: {_t(old['summary'])}"
            for old in one["earlier"]
        )
        return (
            f"<b>{_t(one['speaker'])}</b> ({_t(one['ref'])}; {_t(one['kind'])}; {say('matrix.author')} "
            f"{self.code(one['author'])}, {say('matrix.authentication')} {self.code(one['authentication'])}; "
            f"{say('matrix.read')} {read}{conditional}): {_t(one['summary'])}{note}{earlier}"
        )

    def provision(self, one: Document) -> Iterator[str]:
        """A provision: suggestion, application, elements, panels, assessments, gaps, tasks."""
        say = self.say
        yield f"<h2>{_t(one['article'])}, {_t(one['instrument'])} ({_t(one['provision'])})</h2>"
        entry = f"{say('matrix.entry_of')}: {self.code(one['confidence'])}, {self.code(one['verified_scope'])}"
        yield f'<p class="note">{entry}; {say("draft")}.</p>'
        yield from self.suggestion(one["suggestion"])
        yield from self.applicability(one["applicability"])
        for group in one["groups"]:
            yield f"<h3>{say('group.' + group['group'])}</h3>"
            if group["group"] == "loss_of_protection":
                yield f'<p class="note">{say("matrix.loss_note")}</p>'
            for element in group["elements"]:
                yield from self.element(element)
        yield f"<h3>{say('matrix.panels')}</h3>"
        for name, panel in one["panels"].items():
            yield f"<h4>{self.code(name)}: {self.code(panel['standing'])}</h4>"
            yield f"<p>{say('matrix.links_held', count=len(panel['links']))}</p>"
            yield self.list(map(self.answer, panel["answers"]), f"<p class='open'>{say('matrix.no_answer')}</p>")
        yield f"<h3>{say('matrix.assessments')}</h3>{self.list(map(self.assessment, one['assessments']))}"
        gone = one["withdrawn_assessments"]
        yield self.list(
            (f"{say('matrix.withdrawn_at', day=old['created_at'])}: {_t(old['reason'])}" for old in gone), ""
        )
        yield f"<h3>{say('matrix.gaps')}</h3>{self.list(map(self.gap, one['gaps']))}<h3>{say('matrix.tasks')}</h3>"
        yield self.list(f"{_t(task['task'])} <span class='who'>({_t(task['fact'])})</span>" for task in one["tasks"])

    def gap(self, gap: Document) -> str:
        """What is missing."""
        about, key = gap["about"], f"gap.{gap['code']}"
        said = {name: value if name == "author" else self.word(value) for name, value in about.items()}
        text = self.say(key, **said) if known(key) else _t(gap["text"])
        return f"{_t(gap['element']) + ': ' if gap['element'] else ''}{text}"

    def suggestion(self, suggestion: Document) -> Iterator[str]:
        """What the rules say of the incident and of its parts."""
        say, standing = self.say, suggestion["standing"]
        if standing in _SUGGESTED:
            strength = self.word(suggestion["strength"]) if standing == "suggest" else ""
            why = suggestion.get("reason") or suggestion.get("why") or ", ".join(map(str, suggestion.get("needs", [])))
            mark = " class='open'" if standing == "suppressed" else ""
            heading = say(_SUGGESTED[standing], strength=strength) if strength else say(_SUGGESTED[standing])
            yield f"<p{mark}>{heading}: {_t(why)}</p>"
        for part in suggestion.get("of_parts", []):
            which = [
                f"{say('matrix.' + name)} {_t(part[name])}" for name in ("strike", "target") if part[name] is not None
            ]
            why = part.get("reason") or part.get("why") or ", ".join(map(str, part.get("needs", [])))
            yield f"<p>{say('matrix.of_part')} {', '.join(which)}: {self.code(part['standing'])}: {_t(why)}</p>"
        for key in ("counter_questions", "exculpatory_to_seek"):
            if suggestion.get(key):
                yield f"<p>{say('matrix.' + key)}:</p>{self.list(map(_t, suggestion[key]))}"

    def applicability(self, given: Document) -> Iterator[str]:
        """What the status data say."""
        say, data = self.say, given["status_data"]
        conflict = data["conflict_type"]
        listed = say("matrix.listed_for", what=self.word(conflict["listed_for"]))
        stated = say("matrix.conflict_stated", what=self.word(conflict["established"] or "unknown"))
        yield f'<p class="note">{say("matrix.applicability")}: {listed}; {stated}.'
        if "treaty" in data:
            yield f" {say('matrix.at_all')}: {self.force(data['treaty'])}."
        for party in data["parties"]:
            yield f" {_t(party['state'])}: {self.force(party)}."
        if given["stops"]:
            yield f" <b>{_t(given['stops'])}</b>"
        if given.get("statement"):
            yield f" {say('matrix.stated')}: {_t(given['statement'])}"
        yield "</p>"

    def force(self, one: Document) -> str:
        """Whether an instrument was in force then, since when, and by which fact."""
        since = f", {self.say('matrix.since', day=one['since'])}" if one.get("since") else ""
        since += f" [{self.code(one['since_confidence'])}]" if since and one.get("since_confidence") else ""
        then = self.say("matrix.in_force_then", then=self.word(one["in_force_then"]))
        return f"{then}{since} ({_t(one['fact'])}; {self.code(one['confidence'])})"

    def element(self, element: Document) -> Iterator[str]:
        """An element with both sides."""
        say, state = self.say, element["state"]
        gone = "" if element["in_catalogue"] else f" <b>({say('matrix.gone')})</b>"
        yield f"<h4>{_t(element['id'])}{gone}: {_t(element['text'])}</h4>"
        value = self.code(state["value"] or state["standing"])
        yield f"<p>{say('matrix.state')}: <b>{value}</b> ({self.code(state['standing'])})</p>"
        stated = state["stated"]
        yield self.list((f"{self.code(one['state'])}: {_t(one['reasoning'])} {self.who(one)}" for one in stated), "")
        yield f"<table><tr><th>{say('matrix.supports')}</th><th>{say('matrix.contradicts')}</th></tr><tr>"
        for way in ("supports", "contradicts"):
            links = "".join(f"<div class=link>{self.link(one)}</div>" for one in element[way])
            yield f"<td>{links or say('word.none')}</td>"
        yield "</tr></table>"
        for way in _BESIDE:
            if element[way]:
                yield f"<p>{say('matrix.' + way)}:</p>{self.list(map(self.link, element[way]))}"

    def link(self, one: Document) -> str:
        """A link with its earlier versions."""
        say, source = self.say, one["source"]
        segment = f", {_t(source['segment'])}" if source["segment"] else ""
        earlier = "".join(
            f"<br>{say('matrix.earlier', number=old['number'])}: {self.code(old['direction'])}, "
            f"{self.code(old['weight'])}: {_t(old['reasoning'])}"
            for old in one["earlier"]
        )
        why = f"<br>{say('matrix.why_changed')}: {_t(one['reason'])}" if one["reason"] else ""
        return (
            f"<b>{self.code(source['kind'])} {_t(source['ref'])}{segment}</b> ({self.code(one['direction'])}, "
            f"{self.code(one['weight'])}): {_t(one['reasoning'])} {self.who(one)}{self.sides(one)}{why}{earlier}"
        )

    def sides(self, one: Document) -> str:
        """Where versions of the catalogue differ on the side of a link: which counts, and what each says."""
        catalogue = self.say("matrix.catalogue")
        each = "; ".join(
            f"{catalogue} {_t(said['catalogue_version'])}: {self.code(said['side'])} ({self.code(said['group'])})"
            for said in one["sides_differ"]
        )
        return f"<br><b>{self.say('matrix.differ', side=self.word(one['side']))}</b> {each}" if each else ""

    def who(self, one: Document) -> str:
        """Whose entry it is, and what others decided on it."""
        say = self.say
        reviews = "".join(
            f"; {say('matrix.by', decision=self.word(each['decision']), name=each['reviewer']['name'])} "
            f"({self.code(each['reviewer']['auth'])}){': ' + _t(each['comment']) if each['comment'] else ''}"
            f"{' [' + say('matrix.signed') + ']' if each['sealed'] else ''}"
            for each in one["reviews"]
        )
        return (
            f'<span class="who">[{_t(one["author"]["name"])} ({self.code(one["author"]["auth"])}), '
            f"{_t(one['created_at'])}, {say('matrix.version')} {_t(one['number'])}; <b>{self.code(one['review'])}</b>"
            f"{reviews}; {say('matrix.entry')} {_t(one['entry'])}, {say('matrix.catalogue')} "
            f"{_t(one['catalogue_version'])}]</span>"
        )

    def answer(self, one: Document) -> str:
        """An answer to a panel."""
        say = self.say
        searches = "".join(
            f"<br>{say('matrix.searched')}: {_t(each['what'])}; {say('matrix.where')}: {_t(each['where'])}; "
            f"{say('matrix.when')}: {_t(each['when'])}; {say('matrix.who')}: {_t(each['by'])}"
            for each in one["searches"]
        )
        later = "" if one["covers_all"] else f" <b>{say('matrix.links_after')}</b>"
        return f"{self.code(one['answer'])}: {_t(one['text'])}{searches}{later} {self.who(one)}"

    def assessment(self, one: Document) -> str:
        """An assessment, in its author's words."""
        say, stated = self.say, one["applicability"].get("statement")
        changed = f" <b>{say('matrix.basis_changed')}</b>" if one["basis_changed"] else ""
        earlier = "".join(
            f"<br>{say('matrix.earlier', number=old['number'])}: {self.code(old['standard'])}, "
            f"{self.code(old['outcome'])}: {_t(old['reasoning'])}"
            for old in one["earlier"]
        )
        applied = f"<br>{say('matrix.applicability')}: {_t(stated)}" if stated else ""
        reached = f"<b>{say('standard.' + one['standard'])}: {self.code(one['outcome'])}</b>{say('matrix.as_taken')}"
        return (
            f"{reached} {_t(one['reasoning'])}{changed}{applied}"
            f"<br>{say('matrix.rests_on', count=len(one['rests_on']))} {self.who(one)}{earlier}"
        )


def _t(value: object) -> str:
    """Any value as escaped text."""
    return "" if value is None else escape(str(value))
