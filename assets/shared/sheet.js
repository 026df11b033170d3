// Stands in for `<style>` elements, which the policy forbids, in scripts that write them: the same rules as a style
// sheet of the document.
export class SheetElement extends HTMLElement {
  #text = '';
  #root = null;
  sheet = new CSSStyleSheet();
  get textContent() { return this.#text; }
  set textContent(text) { this.#text = String(text ?? ''); this.sheet.replaceSync(this.#text); }
  get innerHTML() { return this.#text; }
  set innerHTML(text) { this.textContent = text; }
  get innerText() { return this.#text; }
  set innerText(text) { this.textContent = text; }
  appendChild(node) { this.textContent = this.#text + node.data; return node; }
  append(...nodes) { this.textContent = this.#text + nodes.map((it) => it.data ?? it).join(''); }
  connectedCallback() {
    this.hidden = true;
    this.#root = this.getRootNode();
    this.#root.adoptedStyleSheets = [...this.#root.adoptedStyleSheets, this.sheet];
  }
  disconnectedCallback() {
    if (!this.#root) return;
    this.#root.adoptedStyleSheets = this.#root.adoptedStyleSheets.filter((it) => it !== this.sheet);
    this.#root = null;
  }
}
