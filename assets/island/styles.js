// The policy forbids `<style>` elements and `style` attributes; style sheets and styles of the DOM do the same.
import { SheetElement } from '../shared/sheet.js';

const isStyle = (name) => String(name).toLowerCase() === 'style';

// In markup that the notebook's code writes, the attribute is there without effect.
const restyle = (element) => {
  const text = element.getAttribute?.('style');
  if (text && element.style && element.style.length === 0) element.style.cssText = text;
};

export const allowStyles = () => {
  customElements.define('nbc-sheet', SheetElement);
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
  new MutationObserver((records) => {
    for (const { addedNodes } of records) {
      for (const node of addedNodes) {
        restyle(node);
        node.querySelectorAll?.('[style]').forEach(restyle);
      }
    }
  }).observe(document.documentElement, { childList: true, subtree: true });
};
