"""How the report's page looks, on a screen and on paper."""

from __future__ import annotations

STYLE = """\
:root { color-scheme: light; }
body { margin: 0; background: #f4f4f1; color: #1c1c1a; font: 16px/1.5 Georgia, "Times New Roman", serif; }
main { max-width: 56rem; margin: 0 auto; padding: 2rem 1.5rem 3rem; background: #fff; }
header { border-left: 0.6rem solid; padding: 0.5rem 1.2rem; margin-bottom: 1.5rem; }
header.good { border-color: #1f6b3a; background: #eef6f0; }
header.bad { border-color: #a11d1d; background: #fbeeee; }
header.open { border-color: #b07a12; background: #fdf6e6; }
header h1 { margin: 0.1rem 0; font-size: 2.2rem; line-height: 1.15; }
header.good h1 { color: #1f6b3a; }
header.bad h1 { color: #a11d1d; }
header.open h1 { color: #7d5508; }
header p { margin: 0.2rem 0; }
.kind, .intro, footer, th { color: #5c5c55; font-family: system-ui, sans-serif; font-size: 0.85rem; }
.file, code, td { overflow-wrap: anywhere; }
.file, code { font-family: ui-monospace, Consolas, monospace; font-size: 0.85rem; }
code { color: #5c5c55; font-weight: normal; }
h2 { margin: 2rem 0 0.2rem; font-size: 1.3rem; border-bottom: 1px solid #d8d8d0; }
h3 { margin: 0.2rem 0; font-size: 1rem; }
article { margin: 0.7rem 0; padding: 0.3rem 0.9rem; border-left: 0.25rem solid #b9b9b0; }
.error article { border-color: #a11d1d; }
.warning article { border-color: #b07a12; }
article p { margin: 0.2rem 0; }
.intro { margin: 0.2rem 0 0.5rem; }
ul { margin: 0.4rem 0; padding-left: 1.2rem; }
li { margin: 0.25rem 0; overflow-wrap: anywhere; }
table { width: 100%; border-collapse: collapse; margin: 0.5rem 0; }
td.time { white-space: nowrap; }
td:first-child { overflow-wrap: break-word; min-width: 7rem; }
td { font-family: system-ui, sans-serif; font-size: 0.85rem; }
th, td { text-align: left; vertical-align: top; padding: 0.3rem 0.6rem 0.3rem 0; border-bottom: 1px solid #e6e6df; }
th { font-weight: 600; }
footer { margin-top: 2.5rem; border-top: 1px solid #d8d8d0; }
@media print {
  @page { margin: 18mm; }
  body { background: #fff; font-size: 10.5pt; }
  main { max-width: none; padding: 0; }
  header { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  article, tr, header, li { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  thead { display: table-header-group; }
}
"""
