"""An explanation as one page of HTML: no scripts, nothing from elsewhere, readable in light and dark and on paper.

All text is foreign: it is escaped, and only addresses with http or https become links.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from html import escape

import mlpin
from mlpin.explain.model import Clash, Explanation, Link, Premise, Repair
from mlpin.report.explained_graph import drawable, drawn
from mlpin.report.explained_style import STYLE
from mlpin.report.explained_words import (
    GRADES,
    certainty,
    clashing,
    effort,
    every,
    heading,
    place,
    short,
    standing,
    summary,
    title,
    versions,
    web,
)
from mlpin.report.words import visible


def explained(found: Sequence[Explanation]) -> str:
    """The page for all targets."""
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    name = _text(title(found))
    parts = [
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        '<meta name="referrer" content="no-referrer">',
        f"<title>{name}</title>",
        f"<style>{STYLE}</style>",
        "</head>",
        "<body>",
        "<main>",
        f'<header><p class="tool">mlpin explain</p><h1>{name}</h1></header>',
    ]
    for number, one in enumerate(found, 1):
        parts += _target(one, number, alone=len(found) == 1)
    parts += ["</main>", f"<footer>mlpin {mlpin.__version__}</footer>", "</body>", "</html>"]
    return "\n".join(parts) + "\n"


def _target(one: Explanation, number: int, *, alone: bool) -> list[str]:
    parts = ['<article class="target">']
    parts += [] if alone else [f"<h2>{_text(heading(one))}</h2>"]
    parts += [f'<p class="machine">{_text(str(one.target))}</p>']
    for step, clash in enumerate(one.clashes, 1):
        parts += _clash(clash, one, f"{number}-{step}", first=step == 1)
    parts += ['<p class="more">There is at least one more clash.</p>'] if one.more else []
    parts += _repairs(one)
    notes = [*one.notes, *([standing(one)] if standing(one) else [])]
    parts += ["<section>", "<h3>Notes</h3>", *_list(map(_text, notes)), "</section>"] if notes else []
    return [*parts, "</article>"]


def _clash(clash: Clash, one: Explanation, name: str, *, first: bool) -> list[str]:
    gave_up = one.status == "gave-up"
    parts = ['<section class="clash">']
    parts += [] if first else [f"<h3>Another clash: {_text(clashing(clash))}</h3>"]
    if drawable(clash):
        tag = "stuck here" if gave_up else "clash"
        wide = drawn(clash, columns=3, width=230, name=f"wide-{name}", tag=tag)
        narrow = drawn(clash, columns=1, width=256, name=f"narrow-{name}", tag=tag)
        parts += ['<div class="reason">', f'<figure class="wide">{wide}</figure>']
        parts += [f'<figure class="narrow">{narrow}</figure>']
        if clash.links:
            parts += ["<div>", "<h3>Why</h3>", '<ol class="links">', *map(_link, clash.links), "</ol>", "</div>"]
        parts += ["</div>"]
    if clash.premises:
        parts += [f"<h3>{'Where the search stood' if gave_up else 'What clashes'}</h3>"]
        parts += ['<ul class="premises">', *map(_premise, clash.premises), "</ul>"]
    return [*parts, f'<p class="sure">{_text(certainty(clash, one))}</p>', "</section>"]


def _premise(premise: Premise) -> str:
    where = place(premise) or (premise.about if premise.kind == "rule" else "")
    text = _text(premise.text) if premise.kind == "rule" else f"<code>{_text(premise.text)}</code>"
    told = f'<span class="kind">{premise.kind}</span><span class="what">{text}'
    told += f' <span class="place">{_text(where)}</span>' if where else ""
    basis = GRADES[premise.evidence] if premise.evidence else ""
    return f"<li>{told}{_basis(basis, premise.source)}</span></li>"


def _link(link: Link) -> str:
    basis = f"{GRADES[link.evidence]} {link.rule}".strip()
    symptom = f'<span class="symptom">Symptom: <code>{_text(link.symptom)}</code></span>' if link.symptom else ""
    return f"<li>{_text(link.text)}.{symptom}{_basis(basis, link.source)}</li>"


def _basis(basis: str, sources: Iterable[str]) -> str:
    addresses, others = web(sources)
    told = [_text(basis)] if basis else []
    told += [f'<a href="{escape(one)}" rel="noopener noreferrer">{_breaking(short(one))}</a>' for one in addresses]
    told += map(_text, others)
    return f'<span class="basis">{" · ".join(told)}</span>' if told else ""


def _repairs(one: Explanation) -> list[str]:
    said = effort(one)
    if not one.repairs and not said:
        return []
    parts = [
        '<section class="repairs">',
        "<h3>Repairs</h3>",
        *([f'<p class="effort">{_text(said)}</p>'] if said else []),
    ]
    if one.repairs:
        parts += ['<ol class="cards">', *(line for option in one.repairs for line in _repair(option)), "</ol>"]
    return [*parts, "</section>"]


def _repair(option: Repair) -> list[str]:
    parts = ['<li class="card">', f"<h4>{_text(summary(option))}</h4>", '<div class="diff">']
    for edit in option.edits:
        parts += [f'<p class="place">{_text(place(edit))}</p>'] if place(edit) and len(option.edits) > 1 else []
        parts += [f"<del>{_text(edit.old)}</del>"] if edit.old else []
        parts += [f"<ins>{_text(edit.new)}</ins>"] if edit.new else []
    parts.append("</div>")
    rows = [_text(text) for text in versions(option)]
    parts += ['<ul class="moves">', *(f"<li>{row}</li>" for row in rows), "</ul>"] if rows else []
    parts += (
        ['<ul class="notes">', *(f"<li>{_text(note)}</li>" for note in option.notes), "</ul>"] if option.notes else []
    )
    if option.pins:
        pins = "\n".join(f"{_text(name)}=={_text(version)}" for name, version in sorted(option.pins.items()))
        parts += [
            "<details>",
            f"<summary>{every(option)}</summary>",
            f"<pre>{pins}</pre>",
            "</details>",
        ]
    return [*parts, "</li>"]


def _list(items: Iterable[str]) -> list[str]:
    return ["<ul>", *(f"<li>{item}</li>" for item in items), "</ul>"]


def _text(text: str) -> str:
    return escape(visible(text))


def _breaking(address: str) -> str:
    return _text(address).replace("/", "/<wbr>")
