// Draws the charts of a page. Only pages that hold charts load it. A chart is data that the build checked;
// the runtimes (Vega, Plotly, BokehJS) are files that nbc chose, named by their digest in the page's policy.
// Until a chart is drawn, or where it cannot be, its still picture stays. The script of inputs tells by an event which
// chart a place shows; until the new chart is drawn, the old one stays.
import { guardAddresses } from './addresses.js';
import { Figures } from './figures.js';
import { createPolicy } from './runtime.js';
import { onThemeChange } from './theme.js';

createPolicy();
guardAddresses();
const figures = new Figures();
document.querySelectorAll('figure[data-chart]').forEach((it) => figures.add(it));
document.addEventListener('nbc-shown', ({ target, detail }) => figures.update(target, new Map(detail ?? [])));
// On paper every chart is in view.
addEventListener('beforeprint', () => figures.drawAll());
onThemeChange(() => figures.recolor());
