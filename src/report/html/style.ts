import { METHOD_COLOURS } from '../theme.ts';

const methodColours = (mode: 'light' | 'dark'): string => METHOD_COLOURS.map((colour, i) => `--m${i}:${colour[mode]}`).join(';');

/** The page's style sheet. It is light or dark by the reader's preference, and works on screens from 360 px to wide ones, and in print. */
export const STYLE = `
:root{color-scheme:light dark;--paper:#fbfbf9;--card:#ffffff;--ink:#1b1f24;--muted:#5b6470;--line:#e3e5e1;--soft:#f2f3ef;--accent:#0b5cad;--bad:#a8321b;--bad-soft:#fbeee9;--good:#1f6f4a;${methodColours('light')}}
@media (prefers-color-scheme:dark){:root{--paper:#12151a;--card:#181c22;--ink:#e8eaed;--muted:#a0a8b2;--line:#2d333b;--soft:#1f242b;--accent:#7cb8f2;--bad:#f19a83;--bad-soft:#33201b;--good:#79cfa5;${methodColours('dark')}}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;scroll-padding-top:4rem}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 ui-sans-serif,system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue","DejaVu Sans",sans-serif;overflow-wrap:break-word}
main,header.top,footer{max-width:78rem;margin:0 auto;padding:0 1.25rem}
header.top{padding-top:2rem}.note{color:var(--muted);font-size:.85rem}
.eyebrow{margin:0;color:var(--muted);font-size:.8rem;letter-spacing:.08em;text-transform:uppercase}
h1{margin:.2rem 0 .4rem;font:600 clamp(1.7rem,4.5vw,2.5rem)/1.15 "Iowan Old Style","Palatino Linotype",Palatino,Charter,Georgia,"DejaVu Serif",serif;letter-spacing:-.01em;text-wrap:balance}
h2{margin:2.6rem 0 .6rem;font:600 1.45rem/1.25 "Iowan Old Style","Palatino Linotype",Palatino,Charter,Georgia,"DejaVu Serif",serif}
h3{margin:1.6rem 0 .3rem;font-size:1rem;font-weight:650;line-height:1.35}
p{margin:.4rem 0 .8rem;max-width:46rem}
.lead{font-size:1.05rem;color:var(--muted)}
a{color:var(--accent)}
code,pre{font:.86em/1.5 ui-monospace,"SF Mono",SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
pre{margin:.4rem 0;padding:.7rem .9rem;background:var(--soft);border-radius:6px;white-space:pre-wrap;overflow-wrap:anywhere}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(11rem,1fr));gap:.3rem 1.5rem;margin:1rem 0 0;padding:.7rem 0;border-block:1px solid var(--line);font-size:.83rem;line-height:1.4}
.facts div{min-width:0}.facts dt{color:var(--muted)}.facts dd{margin:0;overflow-wrap:anywhere}
.findings{margin:.6rem 0;padding:0;list-style:none;max-width:52rem}
.findings li{margin:.45rem 0;padding-left:1rem;border-left:3px solid var(--line)}
.findings li:first-child{border-left-color:var(--accent)}
.scroll{overflow-x:auto;margin:1rem -1.25rem;padding:0 1.25rem;-webkit-overflow-scrolling:touch;background:linear-gradient(to left,var(--paper) 1.25rem,transparent) right/2.5rem 101% no-repeat local,linear-gradient(to left,color-mix(in srgb,var(--ink) 22%,transparent),transparent) right/1.1rem 100% no-repeat scroll}
table{border-collapse:collapse;width:100%;font-size:.84rem;font-variant-numeric:tabular-nums}
th,td{padding:.42rem .7rem .42rem 0;text-align:left;vertical-align:baseline;border-bottom:1px solid var(--line)}
thead th{color:var(--muted);font-weight:500;white-space:nowrap;border-bottom-color:var(--muted)}
thead small{display:block;font-weight:400;font-size:.74rem;white-space:normal;max-width:8.5rem;line-height:1.3}
tbody th{font-weight:600;white-space:nowrap}
.headline td{white-space:nowrap}.headline td small{display:block;color:var(--muted)}
tr.baseline{background:color-mix(in srgb,var(--ink) 5%,transparent)}
@media (max-width:72rem){.scroll{padding-left:0}.scroll :is(th,td):first-child{padding-left:1.25rem}.headline :is(th,td):first-child{position:sticky;left:0;background:var(--paper)}.headline tr.baseline th{background:color-mix(in srgb,var(--ink) 5%,var(--paper))}}
.swatch{display:inline-block;width:.7em;height:.7em;margin-right:.5em;border-radius:50%;background:var(--c)}
.threats{margin:1.4rem 0;padding:.8rem 1.1rem;background:var(--bad-soft);border-left:4px solid var(--bad);border-radius:0 6px 6px 0;max-width:52rem}
.threats h2{margin:0 0 .2rem;font-size:1.05rem;color:var(--bad)}.threats ul{margin:.2rem 0;padding-left:1.1rem;font-size:.92rem}
.answer{margin:1.4rem 0;padding:.9rem 1.2rem 1rem;background:var(--card);border:1px solid var(--line);border-left:4px solid var(--accent);border-radius:0 10px 10px 0}
.answer h2{margin:0;font:inherit;font-size:.8rem;letter-spacing:.08em;text-transform:uppercase;color:var(--muted)}
.answer .claim{margin:.5rem 0 .2rem;max-width:58rem;font-size:1.08rem;font-weight:600;line-height:1.4}
.answer ul{margin:.2rem 0 .4rem;padding-left:1.1rem;max-width:58rem;font-size:.88rem;color:var(--muted)}
.contents{display:flex;flex-wrap:wrap;gap:.15rem 1.1rem;margin:.9rem 0 0;padding:.55rem 0;border-block:1px solid var(--line);font-size:.85rem}
.anchor{color:var(--line);text-decoration:none;font-family:ui-sans-serif,system-ui,sans-serif;font-weight:400}h2:hover .anchor,.anchor:focus{color:var(--accent)}
.narrow{display:none}
.files{padding-left:1.1rem;font-size:.88rem}.files li{margin:.15rem 0}
.allclear{color:var(--good);font-size:.92rem}
.methods{position:sticky;top:0;z-index:2;display:flex;flex-wrap:wrap;gap:.35rem;margin:2.4rem -1.25rem 0;padding:.55rem 1.25rem;background:color-mix(in srgb,var(--paper) 92%,transparent);backdrop-filter:blur(6px);border-bottom:1px solid var(--line)}
.methods button{display:inline-flex;align-items:center;padding:.22rem .7rem;border:1px solid var(--line);border-radius:99px;background:var(--card);color:var(--ink);font:inherit;font-size:.83rem;cursor:pointer}
.methods button[aria-pressed=false]{opacity:.45;text-decoration:line-through}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
figure{margin:1rem 0 1.6rem;min-width:0}
figure.wide{padding:1rem 1rem .6rem;background:var(--card);border:1px solid var(--line);border-radius:10px}
figure.small{margin:0;padding:.8rem;background:var(--card);border:1px solid var(--line);border-radius:10px}
figcaption{margin-bottom:.4rem}figcaption h3{margin:0}figcaption p{margin:.1rem 0 0;font-size:.85rem;color:var(--muted)}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,17rem),1fr));gap:.9rem;margin:1rem 0}
.plot{width:100%;min-height:var(--h)}.plot svg{display:block;max-width:100%}
details{margin:.3rem 0}summary{cursor:pointer;color:var(--muted);font-size:.83rem}
table.plain{width:max-content;min-width:100%}.plain td{max-width:20rem}table.changes{width:auto;min-width:24rem}table.checks td:first-child{white-space:nowrap}
.pick,.more,.copy{padding:.15rem .7rem;border:1px solid var(--line);border-radius:99px;background:var(--card);color:var(--accent);font:inherit;font-size:.84rem;cursor:pointer}
.filters{display:flex;flex-wrap:wrap;gap:.5rem .9rem;margin:1.1rem 0 .3rem;font-size:.83rem;color:var(--muted);scroll-margin-top:4rem}
.filters label{display:inline-flex;align-items:center;gap:.4rem;min-width:0}.filters .text{flex:1 1 14rem}
.filters select,.filters input{min-width:0;max-width:100%;padding:.25rem .4rem;border:1px solid var(--line);border-radius:6px;background:var(--card);color:var(--ink);font:inherit}.filters input{flex:1}
.found{margin:.3rem 0;color:var(--muted);font-size:.83rem}
.sample{margin:.8rem 0;padding:.8rem 1rem;background:var(--card);border:1px solid var(--line);border-radius:10px;min-width:0}
.sample h3,.sample p{margin:0}.sample .about{color:var(--muted);font-size:.8rem;overflow-wrap:anywhere}.sample .expected{margin:.3rem 0;font-size:.88rem;overflow-wrap:anywhere;white-space:pre-wrap}.sample .label{color:var(--muted)}
.sample dl{display:grid;grid-template-columns:minmax(6rem,max-content) minmax(6.5rem,max-content) minmax(0,1fr);gap:.25rem .9rem;margin:.4rem 0 0;font-size:.86rem}.sample dt{font-weight:600}.sample dd{margin:0;overflow-wrap:anywhere;white-space:pre-wrap}.sample dd i{color:var(--muted)}
.lost,.wrong{color:var(--bad)}.gained{color:var(--good)}b.lost,b.gained{font-weight:600}
details.block>summary{color:var(--ink);font-size:.95rem;font-weight:600;padding:.35rem 0}
.data{max-height:22rem;overflow:auto}.data table{font-size:.78rem}
.flip h3{margin:0}.flip dl{display:grid;grid-template-columns:auto minmax(0,1fr);gap:.2rem .9rem;margin:.3rem 0 0;font-size:.86rem}.flip dt{color:var(--muted)}.flip dd{margin:0;overflow-wrap:anywhere;white-space:pre-wrap}
.right{color:var(--good)}
.tip{position:fixed;z-index:9;pointer-events:none;max-width:min(20rem,92vw);padding:.45rem .65rem;border-radius:6px;background:var(--ink);color:var(--paper);font-size:.78rem;line-height:1.4;visibility:hidden}
.tip div{display:flex;gap:1rem;justify-content:space-between}.tip b{font-weight:600}
footer{margin-top:4rem;padding-block:1.2rem 3rem;border-top:1px solid var(--line);color:var(--muted);font-size:.82rem}
@media (max-width:40rem){.narrow{display:inline}.contents{flex-wrap:nowrap;overflow-x:auto;white-space:nowrap;margin-inline:-1.25rem;padding-inline:1.25rem}.answer{padding:.7rem .9rem}
.sample dl{grid-template-columns:minmax(0,1fr) auto;gap:.1rem .6rem}.sample dd:not(.verdict){grid-column:1/-1;margin-bottom:.45rem}.filters label{flex:1 1 9rem}.filters select{flex:1}table.changes{width:100%;min-width:0}
.cards{margin-inline:0;padding:0;background:none}.headline,.headline tbody,.headline th,.headline td{display:block}.headline thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.headline tr{display:grid;grid-template-columns:repeat(auto-fill,minmax(6rem,1fr));gap:.3rem .5rem;padding:.55rem .6rem;border-bottom:1px solid var(--line)}
.headline tbody th{grid-column:1/-1}.headline th,.headline td{padding:0!important;border:0;white-space:normal}.headline tbody th,.headline tr.baseline th{position:static;background:none}.headline td::before{content:attr(data-column);display:block;color:var(--muted);font-size:.72rem;line-height:1.3}
.headline td{line-height:1.3}.facts{grid-template-columns:1fr 1fr}body{font-size:15px}header.top{padding-top:1.6rem}.methods{flex-wrap:nowrap;overflow-x:auto}.methods button{white-space:nowrap}figure.wide{padding:.7rem .6rem .4rem}}
@media print{.methods,.copy,.filters,.more,.contents,summary{display:none}body{background:#fff}}
`;
