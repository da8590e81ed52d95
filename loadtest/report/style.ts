// The looks of the report, in light and dark.

export const STYLE = `
:root {
  --ground: #fbfbfa; --sheet: #fff; --ink: #1c2024; --faint: #5c6470; --line: #dfe2e6; --grid: #eceef1;
  --good: #1a7f45; --bad: #c0352b; --unsure: #8a6100; --late: rgb(176 124 0 / 0.13);
  --c1: #0067a8; --c2: #b8500f; --c3: #8b3fa0; --c4: #00785a; --c5: #a1272f;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14171a; --sheet: #1b1f23; --ink: #e6e8ea; --faint: #9aa3ad; --line: #343a41; --grid: #272c32;
    --good: #5ccb8a; --bad: #ff8078; --unsure: #e5b94c; --late: rgb(229 185 76 / 0.13);
    --c1: #63b3ed; --c2: #f2a36b; --c3: #d29be6; --c4: #5fcfae; --c5: #ff8a8a;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 28px 20px 60px; }
h1 { font-size: 26px; line-height: 1.2; margin: 0; display: flex; flex-wrap: wrap; gap: 12px; align-items: center; }
h2 { font-size: 17px; margin: 34px 0 10px; }
p { margin: 6px 0; max-width: 80ch; }
.faint { color: var(--faint); }
.badge { font-size: 14px; font-weight: 600; padding: 2px 10px; border-radius: 12px; border: 1px solid currentColor; }
.passed, .better { color: var(--good); } .failed, .worse { color: var(--bad); }
.unsure, .interrupted { color: var(--unsure); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 10px; margin: 20px 0 0; }
.tile { background: var(--sheet); border: 1px solid var(--line); border-radius: 8px; padding: 10px 14px; }
.tile b { display: block; font-size: 22px; line-height: 1.3; font-variant-numeric: tabular-nums; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr)); gap: 14px; }
figure { margin: 0; background: var(--sheet); border: 1px solid var(--line); border-radius: 8px; padding: 12px 12px 6px; min-width: 0; }
figcaption { font-weight: 600; margin: 0 0 6px 4px; }
figcaption span { font-weight: 400; color: var(--faint); }
.uplot, .uplot .u-legend { font: 12px/1.4 system-ui, sans-serif; color: var(--ink); }
.u-legend .u-value { font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; }
table.sheet { border-collapse: collapse; width: 100%; background: var(--sheet); border: 1px solid var(--line); }
.sheet th, .sheet td { text-align: left; padding: 6px 12px; border-top: 1px solid var(--line); vertical-align: top; }
.sheet th { font-weight: 600; color: var(--faint); font-size: 13px; }
.sheet td.number { font-variant-numeric: tabular-nums; }
ul { margin: 6px 0; padding-left: 20px; }
pre { background: var(--sheet); border: 1px solid var(--line); border-radius: 8px; padding: 12px; overflow-x: auto; font-size: 13px; }
summary { cursor: pointer; color: var(--faint); }
`;
