// Charts of Vega and Vega-Lite, and their tooltips.
import { isDark, themed } from './theme.js';

// Rows of a tooltip: names and texts; no rows, no tooltip.
export const tipRows = (value) => {
  if (value === null || value === undefined || value === '') return [];
  const rows = typeof value === 'object' ? Object.entries(value) : [['', value]];
  return rows.map(([name, text]) => [name, String(typeof text === 'object' ? JSON.stringify(text) : text)]);
};

let tip;
const tipElement = () => {
  if (!tip) {
    tip = document.createElement('div');
    tip.className = 'nbc-chart-tip';
  }
  if (!tip.isConnected) document.body.append(tip);
  return tip;
};
export const hideTip = () => { if (tip) tip.hidden = true; };

const showTip = (_, event, __, value) => {
  const rows = tipRows(value);
  if (rows.length === 0) { hideTip(); return; }
  const box = tipElement();
  box.hidden = false;
  box.replaceChildren(...rows.map(([name, text]) => {
    const row = document.createElement('div');
    const label = document.createElement('span');
    label.textContent = name;
    row.append(label, text);
    return row;
  }));
  const { width, height } = box.getBoundingClientRect();
  const room = document.documentElement.clientWidth;
  box.style.left = `${Math.max(4, Math.min(event.clientX + 12, room - width - 8))}px`;
  box.style.top = `${event.clientY + height + 24 > innerHeight ? event.clientY - height - 8 : event.clientY + 14}px`;
};

const silent = { level: () => silent, error: () => silent, warn: () => silent, info: () => silent, debug: () => silent };
const refuse = () => Promise.reject(new Error('a chart of this page loads nothing'));
const sealed = { load: refuse, sanitize: refuse, http: refuse, file: refuse, options: {} };

export const drawVega = (stage, { spec, lite }, figure) => {
  const { vega, vegaLite, vegaExpression } = window;
  const config = figure.dataset.paper === 'own' ? {} : themed(getComputedStyle(document.body).color, isDark());
  const events = { defaults: { allow: true }, globalCursor: false, selector: false };
  const compiled = lite ? vegaLite.compile(spec, { config, logger: silent }).spec : spec;
  const parsed = vega.parse(compiled, { ...(lite ? {} : config), events }, { ast: true });
  const view = new vega.View(parsed, {
    expr: vegaExpression, loader: sealed, logger: silent, renderer: 'svg', container: stage, hover: true, tooltip: showTip,
  });
  return [() => view.finalize(), view.runAsync()];
};
