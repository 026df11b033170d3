// Slots: the places of outputs that inputs reach.
import { keep, make } from './elements.js';
import { patch } from './patch.js';
import { contentOf, isDecidedBy, widgetsOf } from './trie.js';

// Position of the focus in an output, so that it can go to the same place of the next one.
const focused = (element) => {
  const active = document.activeElement;
  if (!element.contains(active) || active === element) return () => {};
  const reachable = 'a[href], button, input, select, textarea, summary, [tabindex]';
  const key = active.closest('[data-widget]')?.dataset.widget;
  const places = () => [...((key && element.querySelector(`[data-widget="${key}"]`)) || element).querySelectorAll(reachable)];
  const at = places().indexOf(active);
  return () => {
    if (element.contains(document.activeElement)) return;
    element.tabIndex = -1;
    (places()[at] ?? element).focus({ preventScroll: true });
  };
};

// The one policy by which strings become markup. The script of charts wraps `innerHTML`, and lets trusted markup pass.
export const markupSetter = () => {
  const createHTML = (html) => html;
  const policy = window.trustedTypes?.createPolicy('nbc-states', { createHTML }) ?? { createHTML };
  return (element, html) => { element.innerHTML = policy.createHTML(html); };
};

export class Slots {
  constructor({ tries, contents, setMarkup }, model, bind) {
    this.contents = contents;
    this.bind = bind;
    this.setMarkup = setMarkup;
    this.indexOf = (w) => model.indexOf(w);
    this.all = [];
    for (const element of document.querySelectorAll('.nbc-slot')) {
      const trie = tries[element.dataset.slot];
      if (trie === undefined) continue;
      const content = contentOf(trie, this.indexOf);
      this.all.push({ element, trie, widgets: widgetsOf(trie), wanted: content, shown: content, sheet: null });
    }
  }

  isAsked(widgets) { return this.all.some(({ trie }) => isDecidedBy(trie, this.indexOf, widgets)); }

  // Shows the contents for the present values in slots that these widgets reach; gives the slots that change.
  update(widgets) {
    const isReached = (slot) => [...widgets].some((it) => slot.widgets.has(it));
    return this.all.filter((slot) => isReached(slot) && this.place(slot));
  }

  place(slot) {
    const content = contentOf(slot.trie, this.indexOf);
    if (content === slot.wanted) return false;
    slot.wanted = content;
    if (content === slot.shown) slot.element.removeAttribute('aria-busy');
    else if (content === null) this.swap(slot, 'This state was not computed.');
    else if (this.contents.get(content)) this.swap(slot);
    else {
      slot.element.setAttribute('aria-busy', 'true');
      // The last choice is shown, whichever chunk arrives last.
      const isWanted = () => slot.wanted === content && slot.shown !== content;
      this.contents.load(this.contents.chunkOf(content)).then(
        () => { if (isWanted()) this.swap(slot); },
        () => { if (isWanted()) this.swap(slot, 'This state could not be loaded.'); },
      );
    }
    return true;
  }

  swap(slot, message) {
    const { element, wanted } = slot;
    const [html, css, charts] = message ? ['', ''] : this.contents.get(wanted);
    const focus = focused(element);
    if (!slot.sheet) {
      slot.sheet = new CSSStyleSheet();
      document.adoptedStyleSheets = [...document.adoptedStyleSheets, slot.sheet];
    }
    slot.sheet.replaceSync(css);
    if (message) element.replaceChildren(make('p', { className: 'nbc-note', textContent: message }));
    else {
      const template = document.createElement('template');
      this.setMarkup(template, html);
      keep(template.content);
      patch(element, template.content);
    }
    element.removeAttribute('aria-busy');
    // A state that failed to load may be tried again.
    slot.shown = message && wanted !== null ? undefined : wanted;
    if (slot.shown === undefined) slot.wanted = undefined;
    this.bind(element);
    focus();
    element.dispatchEvent(new CustomEvent('nbc-shown', { bubbles: true, detail: charts }));
  }
}
