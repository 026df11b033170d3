// Plotly and BokehJS write `<style>` elements, `style` attributes and short markup from strings, which the
// policy forbids. The same effect is had through the style sheets and the text of the DOM.
import { SheetElement } from '../shared/sheet.js';

let areAllowed = false;
export const allowStyles = () => {
  if (areAllowed) return;
  areAllowed = true;

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
      // Markup of the states of inputs, whose script may come before or after this one.
      if (window.trustedTypes?.isHTML(text)) {
        markup.set.call(this, text);
        return;
      }
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
};
