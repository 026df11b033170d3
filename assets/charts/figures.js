// Figures of the page: drawn when they come into view, and again when their data change.
import { drawBokeh } from './bokeh.js';
import { drawPlotly } from './plotly.js';
import { runtime } from './runtime.js';
import { drawVega, hideTip } from './vega.js';

// Each gives what frees a drawing, and the promise that it is there.
const drawers = { vega: drawVega, plotly: drawPlotly, bokeh: drawBokeh };

export class Figures {
  // State of each figure: its data, its drawing, and the function that frees the drawing.
  known = new Map();

  constructor() {
    this.observer = new IntersectionObserver((entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        this.observer.unobserve(target);
        this.draw(target);
      }
    }, { rootMargin: '600px 0px' });
  }

  of(figure) {
    const { known } = this;
    if (!known.has(figure)) known.set(figure, { json: document.getElementById(`${figure.id}-data`)?.textContent });
    return known.get(figure);
  }

  add(figure) { this.of(figure); this.observer.observe(figure); }

  // New data for the figures in a place, and new figures.
  update(place, data) {
    for (const figure of place.querySelectorAll('figure[data-chart]')) {
      const it = this.of(figure);
      it.json = data.get(figure.id) ?? it.json;
      if (it.drawn !== it.json) this.observer.observe(figure);
    }
    this.sweep();
  }

  drawAll() { this.known.forEach((_, figure) => this.draw(figure)); }

  // Draws figures again that take their colours from the page.
  recolor() {
    for (const [figure, it] of this.known) {
      if (figure.dataset.chart !== 'vega' || figure.dataset.paper === 'own' || it.drawn === undefined) continue;
      it.drawn = null;
      this.draw(figure);
    }
  }

  async draw(figure) {
    const it = this.of(figure);
    if (it.isBusy) return;
    it.isBusy = true;
    // A reader may be faster than a drawing: the last data count.
    while (figure.isConnected && it.drawn !== it.json) await this.drawOnce(figure, it);
    it.isBusy = false;
    this.sweep();
  }

  async drawOnce(figure, it) {
    const { json } = it;
    it.drawn = json;
    const old = figure.querySelector('.nbc-chart-stage');
    const stage = document.createElement('div');
    const still = figure.querySelector('.nbc-chart-still');
    let freeing;
    stage.className = 'nbc-chart-stage';
    try {
      await runtime(figure.dataset.chart);
      if (!figure.isConnected) return;
      // Both are there for a moment, the new one out of sight.
      figure.dataset.state = 'drawing';
      figure.append(stage);
      const drawing = drawers[figure.dataset.chart](stage, JSON.parse(json), figure);
      [freeing] = drawing;
      await drawing[1];
      figure.dataset.state = 'drawn';
    } catch (problem) {
      figure.dataset.state = 'failed';
      stage.remove();
      console.info(`nbc: the chart ${figure.id} stays a picture: ${problem.message}`);
    }
    this.free(figure);
    old?.remove();
    it.free = freeing;
    still.hidden = figure.dataset.state === 'drawn';
    if (!still.hidden) this.free(figure);
  }

  free(figure) {
    const it = this.known.get(figure);
    hideTip();
    try { it.free?.(); } catch { /* It was half drawn. */ }
    it.free = undefined;
  }

  // Frees the drawings of figures that are gone.
  sweep() {
    for (const [figure, { isBusy }] of this.known) {
      if (figure.isConnected || isBusy) continue;
      this.observer.unobserve(figure);
      this.free(figure);
      this.known.delete(figure);
    }
  }
}
