// Runs an output of a notebook in a frame of its own: the only script of an island that stands in its file as a
// script. Everything of the notebook is data until here, and of its code the policy lets through only what the
// build saw. Before it stands a line that stops it where the file has an origin.
import { allowStyles } from './styles.js';
import { show } from './widget.js';

// No policy governs these two.
delete self.RTCPeerConnection;
delete self.webkitRTCPeerConnection;
// Scripts of the notebook go on only where this was done.
Object.defineProperty(self, 'nbcIsland', { value: true });

const { createElement } = Document.prototype;
allowStyles();

// Puts the markup and the style sheets of the notebook into the document.
const place = ({ html, styles }) => {
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
};

// BokehJS makes functions from texts, which the policy forbids; the build made them from the texts that it found.
const offerFunctions = () => {
  const functions = new Map();
  self.nbcFunction = (key, made) => functions.set(JSON.stringify(key), made);
  self.Function = new Proxy(Function, {
    construct: (target, parts) => functions.get(JSON.stringify(parts)) ?? Reflect.construct(target, parts),
  });
  // BokehJS knows functions by it.
  self.Function.prototype.constructor = self.Function;
};

const run = (scripts) => {
  for (const at of document.querySelectorAll('script[data-nbc-script]')) {
    const { text, is_module: isModule } = scripts[at.dataset.nbcScript];
    const script = createElement.call(document, 'script');
    if (at.id) script.id = at.id;
    if (isModule) script.type = 'module';
    script.text = text;
    at.replaceWith(script);
  }
};

const holder = document.getElementById('island');
const island = JSON.parse(holder.textContent);
holder.remove();
place(island);
offerFunctions();
if (island.widget) self.nbcWidget = (code) => show(code, island.widget);
run(island.scripts);
