"""README.txt of a bundle: how a stranger checks it with tools that he already trusts, and what that shows.

It is written twice, in English and in Ukrainian, with the same commands in the same order.
"""

from __future__ import annotations

from collections.abc import Sequence

from evidence_store.bundle import layout
from evidence_store.bundle.manifest import Manifest
from evidence_store.bundle.readme_commands import COMMANDS, OF_STAMP
from evidence_store.bundle.readme_en import ENGLISH
from evidence_store.bundle.readme_uk import UKRAINIAN
from evidence_store.bundle.readme_words import Words
from evidence_store.bundle.withheld import readme_notice

BETWEEN = "=" * 120
_FIRST = "English first; українською нижче, після лінії зі знаків рівності.\n\n"


def readme(manifest: Manifest, stamped_by: Sequence[str] = (), *, with_verifier: bool = False) -> bytes:
    """Write README.txt (UTF-8) for a bundle.

    Args:
        manifest: of the bundle.
        stamped_by: authorities whose tokens over the checkpoint are in the bundle.
        with_verifier: whether the single-file verifier is.
    """
    english, ukrainian = (
        _written(words, manifest, stamped_by, with_verifier=with_verifier) for words in (ENGLISH, UKRAINIAN)
    )
    return f"{_FIRST}{readme_notice(manifest.disclosure)}{english}\n{BETWEEN}\n\n{ukrainian}".encode()


def _written(words: Words, manifest: Manifest, stamped_by: Sequence[str], *, with_verifier: bool) -> str:
    commands = {name: command for name, command in COMMANDS.items() if name != "tool"}
    place = manifest.part_of
    return words.text.format(
        bundle_id=manifest.bundle_id,
        created_at=manifest.created_at,
        # indentation marks a command: a name must not be able to look like one
        org=_one_line(manifest.archive.org),
        archive_id=_one_line(manifest.archive.id),
        log=_one_line(manifest.archive.log),
        items=len(manifest.items),
        events=sum(entry.events for entry in manifest.objects),
        tree_size=manifest.checkpoint.size,
        part="" if place is None else words.part.format(part=place.part, parts=place.parts, set=place.id),
        time=_time(words, manifest, stamped_by),
        witnesses=_witnesses(words, manifest),
        tool=words.tool.format(tool=COMMANDS["tool"]) if with_verifier else "",
        **commands,
    )


def _time(words: Words, manifest: Manifest, stamped_by: Sequence[str]) -> str:
    seals = words.seals.format(seal_time=COMMANDS["seal_time"])
    if stamped_by:
        files = [(layout.token_path(name), layout.authority_roots_path(name)) for name in stamped_by]
        commands = "".join(OF_STAMP.format(token=token, roots=roots) + "\n" for token, roots in files)
        return words.stamped.format(names=", ".join(stamped_by), commands=commands) + "\n\n" + seals
    if manifest.time is None or not manifest.time.authorities:
        return words.not_stamped.format(why=words.no_authority)
    return words.not_stamped.format(why=words.none_came) + "\n\n" + seals


def _witnesses(words: Words, manifest: Manifest) -> str:
    stated = manifest.witnesses
    if stated is None or not stated.cosigned:
        return words.not_witnessed
    return words.witnessed.format(cosigned=stated.cosigned, required=_one_line(stated.required))


def _one_line(text: str) -> str:
    return " ".join(text.split())
