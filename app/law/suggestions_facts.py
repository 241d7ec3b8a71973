"""The vocabulary of facts, and reading stated facts against it: whole or not at all.

1. A name that the vocabulary does not know is refused: a misspelt fact would else be silently unknown.
2. So is a value that it does not list. `null` and "unknown" say that a fact is not established, like leaving it out.
3. An open-world set tells what is present, and what is not listed is not denied. So two such sets do not differ:
   together they are one, as long as nobody says that a set is whole.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

from app.errors import InvalidInputError
from app.law.suggestions_logic import Facts, Value

MAX_FACTS_BYTES = 1024 * 1024
UNKNOWN = "unknown"
NOTHING_SEEN = "none_visible"
"""The one member of an open-world set that is no sign: it denies all of them, and differs from any."""
_SHOWN = 64


@dataclass(frozen=True, slots=True)
class FactSpec:
    """What a fact may say.

    Attributes:
        name: as rules use it.
        type: `enum` is one of the values, `set` any number of them, `number` is not negative and finite.
        values: of an enum or a set, in their order.
        meaning: in words, where the rule base gives it; else empty.
        open_world: of a set: what is not listed is not thereby absent.
        complete_flag: of an open-world set: the fact that says that it is complete.
        task: how it is established.
    """

    name: str
    type: Literal["bool", "number", "enum", "set"]
    values: tuple[str, ...] = ()
    meaning: str = ""
    open_world: bool = False
    complete_flag: str | None = None
    task: str = ""


Vocabulary = Mapping[str, FactSpec]


def read_facts(data: bytes, vocabulary: Vocabulary) -> Facts:
    """The facts of a JSON file: an object of facts, or a case with such an object under `facts`.

    Raises:
        InvalidInputError: `bad_facts_file`, `bad_facts`, `unknown_fact`, `unknown_fact_value`, `bad_fact_value`.
    """
    document = read_json(data)
    if isinstance(document, dict) and "facts" in document:
        document = document["facts"]
    return parse_facts(document, vocabulary)


def read_json(data: bytes) -> object:
    """A JSON document in which no key stands twice.

    Raises:
        InvalidInputError: `bad_facts_file`.
    """
    if len(data) > MAX_FACTS_BYTES:
        raise InvalidInputError("bad_facts_file", f"the file has {len(data)} bytes; {MAX_FACTS_BYTES} is the limit")
    try:
        document: object = json.loads(data.decode("utf-8-sig"), object_pairs_hook=_each_once, parse_constant=_no_number)
    except InvalidInputError:
        raise
    except (ValueError, RecursionError):  # no UTF-8, no JSON, a number of thousands of digits, endless nesting
        raise InvalidInputError("bad_facts_file", "the file is no JSON document in UTF-8") from None
    return document


def parse_facts(document: object, vocabulary: Vocabulary) -> Facts:
    """Facts by name, each with its one value; what is unknown is left out.

    Args:
        document: an object of facts by name.
        vocabulary: the facts that there are.

    Raises:
        InvalidInputError: `bad_facts`, `unknown_fact`, `unknown_fact_value`, `bad_fact_value`.
    """
    if not isinstance(document, dict):
        raise InvalidInputError("bad_facts", "facts are a JSON object: names and values")
    found: dict[str, tuple[Value, ...]] = {}
    for name, given in document.items():
        spec = vocabulary.get(name)
        if spec is None:
            raise InvalidInputError("unknown_fact", f"there is no fact {name[:_SHOWN]!r} in this version of the rules")
        if given is not None and given != UNKNOWN:
            found[name] = (fact_value(spec, given),)
    return {name: found[name] for name in vocabulary if name in found}


def fact_value(spec: FactSpec, given: object) -> Value:
    """One value of a fact.

    Raises:
        InvalidInputError: `unknown_fact_value`, `bad_fact_value`.
    """
    if spec.type == "bool" and isinstance(given, bool):
        return given
    if spec.type == "number" and isinstance(given, int | float) and not isinstance(given, bool):
        if not math.isfinite(given) or given < 0:
            raise InvalidInputError("bad_fact_value", f"{spec.name} is a number, not negative and finite")
        return given
    if spec.type == "enum" and isinstance(given, str):
        return _listed(spec, given)
    if spec.type == "set" and isinstance(given, list) and all(isinstance(one, str) for one in given):
        return frozenset(_listed(spec, one) for one in given)
    kinds = {"bool": "true or false", "number": "a number", "enum": "one of its values", "set": "a list of its values"}
    raise InvalidInputError("bad_fact_value", f"{spec.name} is {kinds[spec.type]}, or null while it is unknown")


def united(facts: Facts, vocabulary: Vocabulary) -> Facts:
    """Facts with the open-world sets of several sources put together.

    Sets stay apart, as values on which sources differ, where somebody says that a set is whole (its `complete_flag`):
    then a sign outside of it is a conflict, and of which set he says so is not recorded. So do sets of signs and "none
    visible".

    Args:
        facts: possible values by name; where one value is held by a decision, it stands alone.
        vocabulary: the facts that there are.
    """
    found = dict(facts)
    for name, values in facts.items():
        spec = vocabulary[name]
        if len(values) > 1 and spec.open_world and True not in facts.get(spec.complete_flag or "", ()):
            sets = [value for value in values if isinstance(value, frozenset) and value]
            apart = [one for one in sets if NOTHING_SEEN not in one], [one for one in sets if NOTHING_SEEN in one]
            found[name] = tuple(frozenset[str]().union(*some) for some in apart if some)
    return found


def plain(value: Value, spec: FactSpec | None = None) -> bool | int | float | str | list[str]:
    """A value as JSON writes it; members of a set in the vocabulary's order."""
    if not isinstance(value, frozenset):
        return value
    return sorted(value) if spec is None else [member for member in spec.values if member in value]


def _listed(spec: FactSpec, given: str) -> str:
    if given not in spec.values:
        raise InvalidInputError("unknown_fact_value", f"{spec.name} knows no value {given[:_SHOWN]!r}")
    return given


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise InvalidInputError("bad_facts_file", "a name stands twice in one object")
    return made


def _no_number(text: str) -> NoReturn:
    raise InvalidInputError("bad_facts_file", f"{text} is no number of JSON")
