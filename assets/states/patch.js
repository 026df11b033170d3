// Patches elements in place: an input under the reader's hand, the focus and the position of scrolling boxes stay.
import { bound, built, enabled } from './elements.js';

const isElement = (node) => node.nodeType === Node.ELEMENT_NODE;
const keyOf = (node) => (isElement(node) ? node.dataset.widget ?? node.querySelector('[data-widget]')?.dataset.widget : undefined);

// The node from `at` on that becomes the one with this key, or null when there is none.
const matching = (at, key) => {
  if (key === undefined) return at && keyOf(at) === undefined ? at : null;
  let match = at;
  while (match && keyOf(match) !== key) match = match.nextSibling;
  return match;
};

const removeUntil = (from, end) => {
  let at = from;
  while (at !== end) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
};

export const patch = (old, next) => {
  const wanted = [...next.childNodes];
  const keys = new Set(wanted.map(keyOf));
  for (const it of [...old.childNodes]) if (!keys.has(keyOf(it)) && keyOf(it) !== undefined) it.remove();
  let at = old.firstChild;
  for (const node of wanted) {
    const match = matching(at, keyOf(node));
    if (match) {
      removeUntil(at, match);
      at = match.nextSibling;
      patchNode(match, node);
    } else old.insertBefore(node, at);
  }
  removeUntil(at, null);
};

const patchAttributes = (old, node, isChart) => {
  // A drawing stays until the script of charts has drawn its successor.
  const isOurs = (name) => (old.nodeName === 'DETAILS' && name === 'open') || (enabled.has(old) && name === 'disabled')
    || (isChart && name === 'data-state');
  for (const { name } of [...old.attributes]) if (!node.hasAttribute(name) && !isOurs(name)) old.removeAttribute(name);
  for (const { name, value } of node.attributes) {
    if (old.getAttribute(name) !== value && !isOurs(name)) old.setAttribute(name, value);
  }
};

const patchNode = (old, node) => {
  if (old.nodeName !== node.nodeName || (isElement(node) && old.dataset.widget !== node.dataset.widget)) old.replaceWith(node);
  else if (!isElement(node)) { if (old.data !== node.data) old.data = node.data; }
  else if (bound.has(old) && !bound.get(old).isHolder) {
    // A table may have other rows in another state.
    if (built.has(old) && !built.get(old).isEqualNode(node)) old.replaceWith(node);
  } else if (old.matches('svg, math, table[data-tools]')) { if (!old.isEqualNode(node)) old.replaceWith(node); }
  else if (old.dataset.chart !== node.dataset.chart) old.replaceWith(node);
  else {
    const isChart = node.matches('figure[data-chart]');
    patchAttributes(old, node, isChart);
    if (isChart) old.firstChild.replaceChildren(...node.firstChild.childNodes); else patch(old, node);
  }
};
