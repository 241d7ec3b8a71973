"""How the page looks, on a screen and on paper. Contrast of all text is at least 7 to 1 (WCAG 2.2, level AAA)."""

from __future__ import annotations

STYLE = """\
:root { color-scheme: light; }
* { box-sizing: border-box; }
html { font: 16px/1.5 "Source Sans 3", "Noto Sans", "Segoe UI", Roboto, "DejaVu Sans", Arial, sans-serif; }
body { max-width: 62rem; margin: 0 auto; padding: 1.5rem; color: #16202b; background: #fff; }
h1 { font-size: 2.2rem; line-height: 1.15; margin: .2rem 0 1.2rem; }
h2 { font-size: 1.5rem; line-height: 1.25; margin: 2.5rem 0 .8rem; padding-top: .6rem; border-top: 3px solid #1d3d5c; }
h3 { font-size: 1.1rem; margin: 1.6rem 0 .5rem; color: #1d3d5c; }
h4 { font-size: 1rem; margin: 1.1rem 0 .4rem; }
p { margin: .5rem 0; }
a { color: #0b4a80; }
.skip { position: absolute; left: -100rem; }
.skip:focus { position: static; }
.org { font-size: 1.1rem; color: #1d3d5c; margin: 0; }
.cover { border-top: 8px solid #1d3d5c; padding-top: 1.2rem; }
.quiet { color: #3d4853; }
.warn { border-left: 4px solid #8a4b00; background: #fdf4e7; padding: .5rem .8rem; }
bdi { white-space: pre-line; }
code { font: .86em/1.45 "DejaVu Sans Mono", Consolas, Menlo, monospace; overflow-wrap: anywhere; }
table { width: 100%; border-collapse: collapse; margin: .5rem 0 1rem; table-layout: fixed; }
caption { text-align: left; color: #3d4853; font-size: .92rem; padding: .2rem 0 .35rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem .35rem 0; border-bottom: 1px solid #cdd5dc;
  overflow-wrap: anywhere; }
thead th { border-bottom: 2px solid #1d3d5c; font-size: .92rem; }
tbody th { font-weight: 600; }
.facts th { width: 30%; }
figure { margin: .8rem 0 1rem; }
figure img { max-width: 100%; height: auto; border: 1px solid #cdd5dc; }
figcaption { color: #3d4853; font-size: .9rem; }
.qr { display: flex; gap: 1rem; align-items: center; }
.qr svg { width: 9.5rem; height: 9.5rem; flex: none; border: 1px solid #cdd5dc; }
nav ol { padding-left: 1.4rem; }
nav ol { list-style: none; padding: 0; }
footer { margin-top: 3rem; border-top: 1px solid #cdd5dc; color: #3d4853; font-size: .9rem; }
ul { padding-left: 1.3rem; }
li { margin: .25rem 0; }
@page { size: A4; margin: 18mm 16mm 20mm; }
@media print {
  html { font-size: 10.5pt; }
  code { font-size: .76em; }
  body { max-width: none; padding: 0; }
  a { color: inherit; text-decoration: none; }
  .skip { display: none; }
  .page, nav { break-before: page; }
  h1, h2, h3, h4, caption { break-after: avoid; }
  tr, figure, li { break-inside: avoid; }
  thead { display: table-header-group; }
  figure img { max-height: 95mm; width: auto; }
  .warn { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
}
"""
