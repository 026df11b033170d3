// Draws the charts of a page. Only pages that hold charts load it. A chart is data that the build checked;
// the runtimes (Vega, Plotly, BokehJS) are files that nbc chose, named by their digest in the page's policy.
// Until a chart is drawn, or where it cannot be, its still picture stays.
(() => {
  'use strict';
  const figures = document.querySelectorAll('figure[data-chart]');
  if (figures.length === 0) return;

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
        // What is more than text the browser refuses.
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
  const views = new Map();
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
    views.get(figure)?.finalize();
    const config = figure.dataset.paper === 'own' ? {} : themed();
    const events = { defaults: { allow: true }, globalCursor: false, selector: false };
    const compiled = lite ? vegaLite.compile(spec, { config, logger: silent }).spec : spec;
    const parsed = vega.parse(compiled, { ...(lite ? {} : config), events }, { ast: true });
    const view = new vega.View(parsed, {
      expr: vegaExpression, loader: sealed, logger: silent, renderer: 'svg', container: stage, hover: true, tooltip: showTip,
    });
    views.set(figure, view);
    return view.runAsync();
  }

  // Plotly ---------------------------------------------------------------------------------------------------
  const plotlyConfig = { displaylogo: false, showSendToCloud: false, plotlyServerURL: '', showLink: false, responsive: true };

  function drawPlotly(stage, { data, layout, frames }) {
    return window.Plotly.newPlot(stage, { data, layout, frames, config: plotlyConfig });
  }

  // Bokeh ----------------------------------------------------------------------------------------------------
  function drawBokeh(stage, { doc, root }) {
    window.Bokeh.set_log_level('off');
    return window.Bokeh.embed.embed_item({ doc, root_id: root, target_id: stage });
  }

  const drawers = { vega: drawVega, plotly: drawPlotly, bokeh: drawBokeh };

  async function draw(figure) {
    const kind = figure.dataset.chart;
    const still = figure.querySelector('.nbc-chart-still');
    let stage = figure.querySelector('.nbc-chart-stage');
    if (!stage) {
      stage = document.createElement('div');
      stage.className = 'nbc-chart-stage';
      figure.append(stage);
    }
    try {
      await runtime(kind);
      const data = JSON.parse(document.getElementById(`${figure.id}-data`).textContent);
      await drawers[kind](stage, data, figure);
      figure.dataset.state = 'drawn';
      if (still) still.hidden = true;
    } catch (problem) {
      stage.remove();
      figure.dataset.state = 'failed';
      if (still) still.hidden = false;
      console.info(`nbc: the chart ${figure.id} stays a picture: ${problem.message}`);
    }
  }

  const observer = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      observer.unobserve(target);
      draw(target);
    }
  }, { rootMargin: '600px 0px' });
  figures.forEach((it) => observer.observe(it));
  // On paper every chart is in view.
  addEventListener('beforeprint', () => {
    for (const figure of figures) if (figure.dataset.state === undefined) draw(figure);
  });

  let wasDark = isDark();
  function followTheme() {
    if (isDark() === wasDark) return;
    wasDark = isDark();
    for (const figure of views.keys()) if (figure.dataset.paper !== 'own') draw(figure);
  }
  new MutationObserver(followTheme).observe(document.documentElement, { attributeFilter: ['data-theme'] });
  prefersDark.addEventListener('change', followTheme);
})();
