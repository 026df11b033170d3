// Values of the inputs. A value is an index into the values that the build computed. The draft is the index that a
// control shows; it becomes the value at once, and inside a form when the reader submits the form.

export class Model {
  // Inputs that got another value since outputs were last brought up to date.
  changed = new Set();

  constructor(widgets) {
    this.widgets = widgets;
    this.draft = widgets.map((_, w) => this.first(w));
    this.values = [...this.draft];
    this.owners = widgets.map(() => []);
    widgets.forEach(({ parts = [] }, w) => parts.forEach((it) => this.owners[it].push(w)));
  }

  first(w) { return this.widgets[w].initial ?? 0; }

  isForm(w) { return this.widgets[w].kind === 'form'; }

  // An input and its parts, and their parts.
  below(w) { return [w, ...(this.widgets[w].parts ?? []).flatMap((it) => this.below(it))]; }

  // An input and those that it is a part of.
  above(w) { return [w, ...this.owners[w].flatMap((it) => this.above(it))]; }

  formOf(w) { return this.above(w).slice(1).find((it) => this.isForm(it)); }

  // The number of values. A form has one more: not submitted.
  size(w) {
    const { kind, values, parts } = this.widgets[w];
    if (kind !== 'group' && kind !== 'form') return values.length;
    return (parts ?? []).reduce((product, it) => product * this.size(it), 1) + (this.isForm(w) ? 1 : 0);
  }

  indexOf(w, from = this.values) {
    const { kind, parts = [] } = this.widgets[w];
    return kind === 'group' ? parts.reduce((sum, it) => sum * this.size(it) + this.indexOf(it, from), 0) : from[w];
  }

  put(w, index) {
    if (this.values[w] === index && this.draft[w] === index) return;
    this.values[w] = this.draft[w] = index;
    this.above(w).forEach((it) => this.changed.add(it));
  }

  // The draft of an input becomes its value.
  settle(w) {
    const around = this.above(w);
    for (const it of this.below(w)) { this.values[it] = this.draft[it]; this.changed.add(it); }
    for (const it of around) this.changed.add(it);
    // Inputs that its cells make anew start again.
    for (const other of around.flatMap((it) => this.widgets[it].resets ?? [])) {
      this.below(other).forEach((one) => this.put(one, this.first(one)));
    }
    // A press lasts until something else changes; outputs that only the press reaches stay.
    this.widgets.forEach(({ kind }, it) => {
      if (kind === 'run_button' && it !== w) this.values[it] = this.draft[it] = 0;
    });
  }

  takeChanged() {
    const { changed } = this;
    this.changed = new Set();
    return changed;
  }
}
