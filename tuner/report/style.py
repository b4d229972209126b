"""The page's style: system fonts, light and dark, one column on narrow screens."""

from __future__ import annotations

STYLE = """\
:root{color-scheme:light dark;--page:#f5f6f8;--box:#fff;--line:#cfd6df;--ink:#17202b;--soft:#4b5866;--blue:#1f5fa8;
--track:#e4e9ef;--amber:#8a5200;--bad:#a4262c;--good:#1b6b3a}
@media(prefers-color-scheme:dark){:root{--page:#12161c;--box:#1b212a;--line:#39434f;--ink:#e6ebf1;--soft:#a9b4c0;
--blue:#79b4f2;--track:#2c3540;--amber:#f0b35c;--bad:#ff8f8f;--good:#7dd49b}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:72rem;margin:auto;padding:1.25rem}
h1{font-size:1.5rem;line-height:1.25;margin:.25rem 0;overflow-wrap:anywhere}
h2{font-size:1.1rem;margin:0 0 .25rem}
h3{font-size:1rem;margin:1rem 0 .25rem}
p{margin:.25rem 0;overflow-wrap:anywhere}
.note,.bar span,figcaption{color:var(--soft);font-size:.875rem}
.state{display:inline-block;border:2px solid currentColor;border-radius:.4rem;padding:0 .5rem;font-weight:600;
font-size:.875rem}
.finished{color:var(--good)}.failed{color:var(--bad)}.stopped,.running{color:var(--amber)}
section{background:var(--box);border:1px solid var(--line);border-radius:.6rem;padding:1rem;margin:1rem 0;min-width:0}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:.75rem;margin:1rem 0}
.cards div{background:var(--box);border:1px solid var(--line);border-radius:.6rem;padding:.6rem .9rem}
.cards b{display:block;font-size:1.3rem;line-height:1.3;overflow-wrap:anywhere}.cards span{color:var(--soft);
font-size:.875rem}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr));gap:0 1rem}
.pair section{margin:.5rem 0}
dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(15rem,1fr));gap:.25rem 1.5rem;margin:.5rem 0}
dl div{display:flex;flex-wrap:wrap;gap:0 .5rem;justify-content:space-between;border-bottom:1px solid var(--line);min-width:0}
dt{color:var(--soft)}dd{margin:0 0 0 auto;max-width:100%;text-align:right;overflow-wrap:break-word}
ul{margin:.5rem 0;padding-left:1.2rem}li{overflow-wrap:anywhere}
.bar{margin:.5rem 0}.head{display:flex;flex-wrap:wrap;gap:0 .75rem;justify-content:space-between}
svg{display:block;max-width:100%}
.plot{width:100%;height:auto;max-width:36rem}
.plot text{fill:var(--soft);font:11px system-ui,sans-serif}.plot .name{fill:var(--ink);font-weight:600}
.plot .axis{fill:var(--ink)}
.track{fill:var(--track)}.before{fill:var(--soft)}.measured{fill:var(--blue)}
.forecast{stroke:var(--ink);stroke-width:2}.limit{stroke:var(--bad);stroke-width:2;stroke-dasharray:4 3}
.grid{stroke:var(--line)}.front{fill:none;stroke:var(--soft);stroke-width:1.5;stroke-dasharray:5 4}
.mark{fill:var(--box);stroke:var(--blue);stroke-width:2}.mark.winner{fill:var(--blue)}
.mark.default{stroke:var(--amber)}.mark.failed{stroke:var(--bad);fill:none}
.scroll{overflow-x:auto;margin:.5rem 0}.scroll:focus-visible{outline:2px solid var(--blue)}
table{border-collapse:collapse;font-size:.875rem;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--soft);padding-bottom:.25rem}
th,td{text-align:left;padding:.25rem .75rem .25rem 0;border-bottom:1px solid var(--line);vertical-align:top;
white-space:nowrap}
thead th{white-space:normal;vertical-align:bottom}tbody th{font-weight:600}.wrap td:nth-last-child(-n+2){white-space:normal;min-width:12rem}
summary{cursor:pointer;padding:.25rem 0}
code{overflow-wrap:anywhere;font-size:.875rem}
"""
