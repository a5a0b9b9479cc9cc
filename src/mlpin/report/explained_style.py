"""The looks of the page of an explanation."""

STYLE = """
:root {
  color-scheme: light dark;
  --page: #fbfaf8; --card: #ffffff; --ink: #22252a; --soft: #656b75; --line: #dfe1e5; --wire: #8d94a0;
  --accent: #2557a7; --user: #2557a7; --user-fill: #eef3fb; --fact: #8a5a00; --fact-fill: #fbf4e4;
  --rule: #6b3fa0; --rule-fill: #f5effb; --clash: #b3261e; --clash-fill: #fdefed;
  --gone: #fbe9e7; --gone-ink: #8c1d18; --come: #e6f4ea; --come-ink: #14532d;
  --sans: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif;
  --mono: ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", "DejaVu Sans Mono", monospace;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --page: #16181c; --card: #1d2025; --ink: #e3e5e8; --soft: #9aa1ac; --line: #33373f; --wire: #737b87;
    --accent: #8ab4f8; --user: #8ab4f8; --user-fill: #1f2a3c; --fact: #e5b567; --fact-fill: #2f2818;
    --rule: #c9a6f5; --rule-fill: #2a2236; --clash: #ff8a80; --clash-fill: #3a2020;
    --gone: #3a2020; --gone-ink: #ffb4ab; --come: #183024; --come-ink: #a6e3b8;
  }
}
*, *::before { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.55 var(--sans); }
main, footer { max-width: 74rem; margin: 0 auto; padding: 0 1.5rem; }
header { padding-top: 3rem; }
.tool { margin: 0 0 .5rem; color: var(--soft); font: 13px/1.4 var(--mono); }
h1 { margin: 0; font-size: 1.75rem; line-height: 1.25; font-weight: 650; letter-spacing: -.012em; text-wrap: pretty; }
h2 { margin: 0; font-size: 1.3rem; line-height: 1.3; font-weight: 650; }
h3 { margin: 2rem 0 .75rem; font-size: 1rem; font-weight: 650; }
h4 { margin: 0 0 .75rem; font-size: .95rem; font-weight: 600; line-height: 1.4; }
h1, h2, h3, h4, li, p, code, pre, del, ins, summary { overflow-wrap: anywhere; }
code, pre { font-family: var(--mono); font-size: .875em; }
a { color: var(--accent); text-underline-offset: .15em; text-decoration-thickness: .06em; }
.machine { margin: .5rem 0 1.75rem; color: var(--soft); }
.target + .target { margin-top: 3.5rem; padding-top: 2.5rem; border-top: 1px solid var(--line); }
header + .target > h2 { margin-top: 2.5rem; }
.reason { display: flex; gap: 2.5rem; align-items: flex-start; padding: 1.5rem; background: var(--card);
  border: 1px solid var(--line); border-radius: 10px; }
.reason > div { flex: 1 1 19rem; min-width: 0; }
.reason h3 { margin: 0 0 .75rem; }
figure { margin: -8px; flex: 0 1 auto; min-width: 0; }
figure.narrow { display: none; }
svg.graph { display: block; max-width: 100%; height: auto; }
ol.links { margin: 0; padding: 0; list-style: none; counter-reset: step; font-size: .9375rem; line-height: 1.5; }
ol.links > li { position: relative; margin: 0 0 1rem; padding-left: 2rem; counter-increment: step; }
ol.links > li::before { content: counter(step); position: absolute; left: 0; top: .1rem; min-width: 1.3rem;
  height: 1.3rem; padding: 0 .3rem; border-radius: .65rem; background: var(--ink); color: var(--card);
  font: 600 .75rem/1.3rem var(--sans); text-align: center; font-variant-numeric: tabular-nums; }
ol.links > li:last-child { margin-bottom: 0; }
.basis, .symptom { display: block; margin-top: .15rem; color: var(--soft); font-size: .875rem; line-height: 1.45; }
.symptom code { color: var(--ink); }
ul.premises { margin: 0; padding: 0; list-style: none; border-top: 1px solid var(--line); }
ul.premises > li { display: grid; grid-template-columns: 8.5rem minmax(0, 1fr); gap: 1rem; padding: .55rem 0;
  border-bottom: 1px solid var(--line); }
.kind { color: var(--soft); font-size: .875rem; line-height: 1.7; }
.place { color: var(--soft); font: .8125rem/1.5 var(--mono); margin-left: .75rem; }
.sure, .more { margin: 1rem 0 0; max-width: 46rem; color: var(--soft); }
.effort { margin: -.25rem 0 1rem; color: var(--soft); }
ol.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 26rem), 1fr)); gap: 1rem;
  margin: 0; padding: 0; list-style: none; align-items: start; }
.card { padding: 1.1rem 1.25rem; background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
.diff { margin: 0 -1.25rem .85rem; border-block: 1px solid var(--line); font: .8125rem/1.6 var(--mono); }
.diff .place { margin: 0; padding: .2rem 1.25rem; color: var(--soft); }
.diff del, .diff ins { display: block; padding: .1rem 1.25rem .1rem 2.35rem; text-indent: -1.1rem;
  text-decoration: none; white-space: pre-wrap; }
.diff del { background: var(--gone); color: var(--gone-ink); }
.diff ins { background: var(--come); color: var(--come-ink); }
.diff del::before { content: "- "; }
.diff ins::before { content: "+ "; }
.moves, .notes { margin: 0 0 .6rem; padding: 0; list-style: none; font-size: .9rem; }
.notes { color: var(--soft); }
summary { cursor: pointer; color: var(--accent); font-size: .9rem; }
details pre { margin: .6rem 0 0; max-height: 18rem; overflow: auto; white-space: pre-wrap; line-height: 1.5; }
footer { padding-top: 3rem; padding-bottom: 3rem; color: var(--soft); font: 13px/1.4 var(--mono); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 2px; }
.graph text { fill: var(--ink); font: 12px var(--mono); }
.graph .caption { fill: var(--soft); font-size: 10.5px; }
.graph .name { font-weight: 600; }
.graph .tag { fill: var(--clash); font-size: 10.5px; font-weight: 600; }
.graph .box { fill: var(--card); stroke: var(--wire); stroke-width: 1; }
.graph .line { fill: var(--user-fill); stroke: var(--user); }
.graph .fact { fill: var(--fact-fill); stroke: var(--fact); }
.graph .rule { fill: var(--rule-fill); stroke: var(--rule); }
.graph .clash { fill: var(--clash-fill); stroke: var(--clash); stroke-width: 2; }
.graph .wire { fill: none; stroke: var(--wire); stroke-width: 1.5; }
.graph .by-rule { stroke-dasharray: 4 4; }
.graph .head { fill: var(--wire); }
.graph .badge { fill: var(--ink); }
.graph .number { fill: var(--card); font: 600 11px var(--sans); }
@media (max-width: 62rem) {
  .reason { flex-direction: column; gap: 1.5rem; }
  .reason > div { flex-basis: auto; }
}
@media (max-width: 46rem) {
  main, footer { padding: 0 1rem; }
  header { padding-top: 1.75rem; }
  h1 { font-size: 1.4rem; }
  .reason { padding: 1rem; }
  figure.wide { display: none; }
  figure.narrow { display: block; align-self: center; }
  ul.premises > li { grid-template-columns: minmax(0, 1fr); gap: 0; }
  .premises .place { display: block; margin-left: 0; }
}
@media print {
  :root { --page: #ffffff; --card: #ffffff; --ink: #000000; --soft: #444444; }
  body { font-size: 11pt; }
  header { padding-top: 0; }
  .reason, .card, ol.links > li, ul.premises > li { break-inside: avoid; }
  .reason { flex-direction: column; padding: 0; border: 0; }
  h2, h3, h4 { break-after: avoid; }
  ol.links > li::before, .diff del, .diff ins { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""
