// Runs an output of a notebook in a frame of its own: the only script of an island that stands in its file as a
// script. Everything of the notebook is data until here, and of its code the policy lets through only what the
// build saw.
(() => {
  'use strict';
  // No policy governs these two.
  delete self.RTCPeerConnection;
  delete self.webkitRTCPeerConnection;
  // Scripts of the notebook go on only where this was done.
  Object.defineProperty(self, 'nbcIsland', { value: true });

  // The policy forbids `<style>` elements and `style` attributes; style sheets and styles of the DOM do the same.
  customElements.define('nbc-sheet', SheetElement);
  const isStyle = (name) => String(name).toLowerCase() === 'style';
  const { createElement, createElementNS } = Document.prototype;
  Document.prototype.createElement = function (name, options) {
    return isStyle(name) && this === document ? new SheetElement() : createElement.call(this, name, options);
  };
  Document.prototype.createElementNS = function (space, name, options) {
    const isPlain = space === document.documentElement.namespaceURI && isStyle(name) && this === document;
    return isPlain ? new SheetElement() : createElementNS.call(this, space, name, options);
  };
  const { setAttribute } = Element.prototype;
  Element.prototype.setAttribute = function (name, value) {
    if (isStyle(name) && this.style) this.style.cssText = value;
    else setAttribute.call(this, name, value);
  };

  // In markup that the notebook's code writes, the attribute is there without effect.
  const restyle = (element) => {
    const text = element.getAttribute?.('style');
    if (text && element.style && element.style.length === 0) element.style.cssText = text;
  };
  new MutationObserver((records) => {
    for (const { addedNodes } of records) {
      for (const node of addedNodes) {
        restyle(node);
        node.querySelectorAll?.('[style]').forEach(restyle);
      }
    }
  }).observe(document.documentElement, { childList: true, subtree: true });

  const holder = document.getElementById('island');
  const { html, styles, scripts, widget } = JSON.parse(holder.textContent);
  holder.remove();
  for (const text of styles) {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(text);
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  }
  const parsed = new DOMParser().parseFromString(html, 'text/html');
  for (const { name, value } of parsed.body.attributes) document.body.setAttribute(name, value);
  document.head.append(...parsed.head.childNodes);
  document.body.replaceChildren(...parsed.body.childNodes);
  for (const element of document.querySelectorAll('[data-nbc-style]')) {
    element.style.cssText = element.dataset.nbcStyle;
    delete element.dataset.nbcStyle;
  }

  // BokehJS makes functions from texts, which the policy forbids; the build made them from the texts that it found.
  const functions = new Map();
  self.nbcFunction = (key, made) => functions.set(JSON.stringify(key), made);
  self.Function = new Proxy(Function, {
    construct: (target, parts) => functions.get(JSON.stringify(parts)) ?? Reflect.construct(target, parts),
  });
  // BokehJS knows functions by it.
  self.Function.prototype.constructor = self.Function;

  if (widget) self.nbcWidget = (code) => show(code, widget);

  for (const place of document.querySelectorAll('script[data-nbc-script]')) {
    const { text, is_module: isModule } = scripts[place.dataset.nbcScript];
    const script = createElement.call(document, 'script');
    if (place.id) script.id = place.id;
    if (isModule) script.type = 'module';
    script.text = text;
    place.replaceWith(script);
  }

  // An anywidget without Python: values change in the page and are sent nowhere.
  async function show(code, { state, buffers }) {
    for (const { path, data } of buffers) {
      const bytes = Uint8Array.from(atob(data), (it) => it.charCodeAt(0));
      const target = path.slice(0, -1).reduce((it, key) => it?.[key], state);
      if (target) target[path.at(-1)] = new DataView(bytes.buffer);
    }
    const handlers = new Map();
    const tell = (event, ...values) => [...(handlers.get(event) ?? [])].forEach((it) => it(...values));
    const model = {
      get: (name) => state[name],
      set(name, value) {
        const changes = typeof name === 'object' ? name : { [name]: value };
        for (const [key, it] of Object.entries(changes)) {
          state[key] = it;
          tell(`change:${key}`, model, it);
        }
        tell('change', model);
      },
      save_changes() {},
      send() {},
      on(events, handler) {
        for (const event of events.split(/\s+/)) handlers.set(event, [...(handlers.get(event) ?? []), handler]);
      },
      once(event, handler) { this.on(event, handler); },
      off(event, handler) {
        if (!event) handlers.clear();
        else handlers.set(event, handler ? (handlers.get(event) ?? []).filter((it) => it !== handler) : []);
      },
      widget_manager: { get_model: () => Promise.reject(new Error('an island holds one widget')) },
    };
    const experimental = { invoke: () => Promise.reject(new Error('there is no Python here')) };
    const hooks = typeof code.default === 'function' ? await code.default() : code.default ?? code;
    await hooks.initialize?.({ model, experimental });
    await (hooks.render ?? code.render)?.({ model, el: document.getElementById('nbc-widget'), experimental });
  }
})();
