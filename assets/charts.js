// Draws the charts of a page. Only pages that hold charts load it. A chart is data that the build checked;
// the runtimes (Vega, Plotly, BokehJS) are files that nbc chose, named by their digest in the page's policy.
// Until a chart is drawn, or where it cannot be, its still picture stays. What inputs change comes from `states.js`,
// which tells by an event what a place shows; until the new chart is drawn, the old one stays.
(() => {
  'use strict';

  // The one policy by which strings become code: the browser compares each with the page's digests.
  const same = (text) => text;
  const policy = window.trustedTypes?.createPolicy('nbc', { createScript: same, createScriptURL: same })
    ?? { createScript: same, createScriptURL: same };

  async function unpacked(base64) {
    const bytes = Uint8Array.from(atob(base64.trim()), (it) => it.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
    return new Response(stream).text();
  }

  async function load(kind) {
    const holder = document.querySelector(`script[data-runtime="${kind}"]`);
    const script = document.createElement('script');
    if (kind !== 'vega') allowStyles();
    if (holder.dataset.src) {
      const loaded = new Promise((resolve, reject) => {
        script.onload = resolve;
        script.onerror = () => reject(new Error('not loaded'));
      });
      script.integrity = holder.dataset.integrity;
      script.src = policy.createScriptURL(new URL(holder.dataset.src, document.baseURI).href);
      document.head.append(script);
      await loaded;
    } else {
      script.text = policy.createScript(await unpacked(holder.textContent));
      document.head.append(script);
    }
    if (kind === 'bokeh') {
      window.Bokeh.set_log_level('off');
      limitListening();
    }
  }

  const loading = new Map();
  function runtime(kind) {
    if (!loading.has(kind)) loading.set(kind, load(kind));
    return loading.get(kind);
  }

  // A figure may compute a colour that is an address. The policy would refuse the request; it is not even made.
  const address = /\\|image|src\(|url\((?!["']?(#|data:image\/))/i;
  const loads = (value) => /[(\\]/.test(value) && address.test(value.replace(/url\(["']?data:image\/[^)]*\)/gi, ''));
  const { setAttribute } = Element.prototype;
  Element.prototype.setAttribute = function (name, value) {
    const isStyle = String(name).toLowerCase() === 'style' && this.style;
    if (isStyle) this.style.cssText = loads(String(value)) ? '' : value;
    else if (!(this instanceof SVGElement && loads(String(value)))) setAttribute.call(this, name, value);
  };
  const { setProperty } = CSSStyleDeclaration.prototype;
  CSSStyleDeclaration.prototype.setProperty = function (name, value, ...rest) {
    if (!loads(String(value))) setProperty.call(this, name, value, ...rest);
  };

  // Plotly and BokehJS write `<style>` elements, `style` attributes and short markup from strings, which the
  // policy forbids. The same effect is had through the style sheets and the text of the DOM.
  let stylesAllowed = false;
  function allowStyles() {
    if (stylesAllowed) return;
    stylesAllowed = true;

    customElements.define('nbc-sheet', SheetElement);

    const { createElement } = Document.prototype;
    Document.prototype.createElement = function (name, options) {
      const isStyle = this === document && String(name).toLowerCase() === 'style';
      return isStyle ? new SheetElement() : createElement.call(this, name, options);
    };
    const markup = Object.getOwnPropertyDescriptor(Element.prototype, 'innerHTML');
    Object.defineProperty(Element.prototype, 'innerHTML', {
      ...markup,
      set(text) {
        const plain = String(text ?? '').replace('&times;', '\u00d7');
        // Anything more than text the browser refuses.
        if (/[<&]/.test(plain)) markup.set.call(this, plain);
        else this.textContent = plain;
      },
    });
    // BokehJS reads the values in its tooltips as pages; here they are the text that they are.
    DOMParser.prototype.parseFromString = function (text) {
      const made = document.implementation.createHTMLDocument('');
      made.body.textContent = text;
      return made;
    };
  }

  const prefersDark = matchMedia('(prefers-color-scheme: dark)');
  function isDark() {
    const { theme } = document.documentElement.dataset;
    return theme === 'dark' || (theme !== 'light' && prefersDark.matches);
  }

  // Vega -----------------------------------------------------------------------------------------------------
  const tip = document.createElement('div');
  tip.className = 'nbc-chart-tip';
  tip.hidden = true;

  function showTip(_, event, __, value) {
    tip.hidden = value === null || value === undefined || value === '';
    if (tip.hidden) return;
    const rows = typeof value === 'object' ? Object.entries(value) : [['', value]];
    tip.replaceChildren(...rows.map(([name, text]) => {
      const row = document.createElement('div');
      const label = document.createElement('span');
      label.textContent = name;
      row.append(label, String(typeof text === 'object' ? JSON.stringify(text) : text));
      return row;
    }));
    if (!tip.isConnected) document.body.append(tip);
    const { width, height } = tip.getBoundingClientRect();
    const room = document.documentElement.clientWidth;
    tip.style.left = `${Math.max(4, Math.min(event.clientX + 12, room - width - 8))}px`;
    tip.style.top = `${event.clientY + height + 24 > innerHeight ? event.clientY - height - 8 : event.clientY + 14}px`;
  }

  const silent = { level: () => silent, error: () => silent, warn: () => silent, info: () => silent, debug: () => silent };
  const refuse = () => Promise.reject(new Error('a chart of this page loads nothing'));
  const sealed = { load: refuse, sanitize: refuse, http: refuse, file: refuse, options: {} };

  // Colours of the page, where the chart asks for none of its own.
  function themed() {
    const ink = getComputedStyle(document.body).color;
    const line = isDark() ? '#fff3' : '#0002';
    const texts = { labelColor: ink, titleColor: ink };
    return {
      background: null,
      axis: { ...texts, domainColor: line, gridColor: line, tickColor: line },
      legend: texts,
      header: texts,
      title: { color: ink, subtitleColor: ink },
      style: { 'guide-label': { fill: ink }, 'guide-title': { fill: ink }, 'group-title': { fill: ink }, cell: { stroke: line } },
      mark: {},
      text: { fill: ink },
    };
  }

  function drawVega(stage, { spec, lite }, figure) {
    const { vega, vegaLite, vegaExpression } = window;
    const config = figure.dataset.paper === 'own' ? {} : themed();
    const events = { defaults: { allow: true }, globalCursor: false, selector: false };
    const compiled = lite ? vegaLite.compile(spec, { config, logger: silent }).spec : spec;
    const parsed = vega.parse(compiled, { ...(lite ? {} : config), events }, { ast: true });
    const view = new vega.View(parsed, {
      expr: vegaExpression, loader: sealed, logger: silent, renderer: 'svg', container: stage, hover: true, tooltip: showTip,
    });
    return [() => view.finalize(), view.runAsync()];
  }

  // Plotly ---------------------------------------------------------------------------------------------------
  const plotlyConfig = { displaylogo: false, showSendToCloud: false, plotlyServerURL: '', showLink: false, responsive: true };

  function drawPlotly(stage, { data, layout, frames }) {
    const { Plotly } = window;
    return [() => Plotly.purge(stage), Plotly.newPlot(stage, { data, layout, frames, config: plotlyConfig })];
  }

  // Bokeh ----------------------------------------------------------------------------------------------------
  let before = Promise.resolve();
  let listening;
  // BokehJS listens to the window for as long as there is one: one drawing after the other, it is known which one.
  function limitListening() {
    const { addEventListener: add } = EventTarget.prototype;
    if (!window.visualViewport) return;
    visualViewport.addEventListener = (type, listener) => {
      add.call(visualViewport, type, listener, { signal: listening.signal });
    };
  }

  function drawBokeh(stage, { doc, root }) {
    const { Bokeh } = window;
    let views;
    const mine = new AbortController();
    const done = before.then(async () => {
      listening = mine;
      views = await Bokeh.embed.embed_item({ doc, root_id: root, target_id: stage });
    });
    before = done.catch(() => {});
    const free = () => {
      mine.abort();
      // BokehJS keeps a list of all documents.
      const at = Bokeh.documents.indexOf(views.roots[0].model.document);
      if (at >= 0) Bokeh.documents.splice(at, 1);
      views.clear();
    };
    return [free, done];
  }

  // Each gives what frees a drawing, and the promise that it is there.
  const drawers = { vega: drawVega, plotly: drawPlotly, bokeh: drawBokeh };

  // State of each figure: its data, its drawing, and the function that frees the drawing.
  const known = new Map();
  const of = (figure) => {
    if (!known.has(figure)) known.set(figure, { json: document.getElementById(`${figure.id}-data`)?.textContent });
    return known.get(figure);
  };
  const free = (figure) => {
    tip.hidden = true;
    try { known.get(figure).free?.(); } catch { /* It was half drawn. */ }
    known.get(figure).free = undefined;
  };

  async function drawOnce(figure, it) {
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
    free(figure);
    old?.remove();
    it.free = freeing;
    still.hidden = figure.dataset.state === 'drawn';
    if (!still.hidden) free(figure);
  }

  async function draw(figure) {
    const it = of(figure);
    if (it.isBusy) return;
    it.isBusy = true;
    // A reader may be faster than a drawing: the last data count.
    while (figure.isConnected && it.drawn !== it.json) await drawOnce(figure, it);
    it.isBusy = false;
    sweep();
  }

  // Drawings of figures that are gone.
  function sweep() {
    for (const [figure, { isBusy }] of known) {
      if (figure.isConnected || isBusy) continue;
      observer.unobserve(figure);
      free(figure);
      known.delete(figure);
    }
  }

  const observer = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      observer.unobserve(target);
      draw(target);
    }
  }, { rootMargin: '600px 0px' });
  document.querySelectorAll('figure[data-chart]').forEach((it) => { of(it); observer.observe(it); });
  document.addEventListener('nbc-shown', ({ target, detail }) => {
    const data = new Map(detail ?? []);
    for (const figure of target.querySelectorAll('figure[data-chart]')) {
      const it = of(figure);
      it.json = data.get(figure.id) ?? it.json;
      if (it.drawn !== it.json) observer.observe(figure);
    }
    sweep();
  });
  // On paper every chart is in view.
  addEventListener('beforeprint', () => known.forEach((_, figure) => draw(figure)));

  let wasDark = isDark();
  function followTheme() {
    if (isDark() === wasDark) return;
    wasDark = isDark();
    for (const [figure, it] of known) {
      if (figure.dataset.chart !== 'vega' || figure.dataset.paper === 'own' || it.drawn === undefined) continue;
      it.drawn = null;
      draw(figure);
    }
  }
  new MutationObserver(followTheme).observe(document.documentElement, { attributeFilter: ['data-theme'] });
  prefersDark.addEventListener('change', followTheme);
})();
