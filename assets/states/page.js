// The page: readers change inputs, outputs and the address follow.
import { restore, written } from './address.js';
import { Announcer } from './announcer.js';
import { Control } from './controls/control.js';
import { binders } from './controls/binders.js';
import { bound, enable, make, own } from './elements.js';
import { Entries } from './history.js';
import { Slots } from './slots.js';
import { sampled } from './values.js';

export class Page {
  announcer = new Announcer();
  frame = 0;

  constructor(model, outputs) {
    this.model = model;
    this.slots = new Slots(outputs, model, (root) => this.bind(root));
    this.entries = new Entries(() => written(model));
    this.resetButton = make('button', { type: 'button', className: 'bar-button', textContent: 'Reset', title: 'All inputs as they were', hidden: true });
    this.resetButton.dataset.action = 'reset';
    this.resetButton.addEventListener('click', () => this.reset());
    document.querySelector('.bar-actions')?.prepend(this.resetButton);
  }

  // Makes inputs work.
  bind(root) {
    for (const live of root.querySelectorAll('[data-widget]')) {
      const widget = this.model.widgets[live.dataset.widget];
      const binder = widget && binders[widget.kind];
      // One value is no choice, and what the page does not know stays as it is.
      if (!binder || (widget.values?.length === 1 && !widget.parts?.length)) continue;
      const control = new Control(this, live);
      const [box] = own(live, '[role="group"]');
      if (box && !box.hasAttribute('aria-label')) box.setAttribute('aria-label', control.title() || 'Inputs');
      if (!bound.has(live) && !this.bindOne(control, binder)) continue;
      live.dataset.ready = '';
      bound.get(live).show();
    }
  }

  bindOne(control, binder) {
    const { live, widget } = control;
    const isHolder = ['tabs', 'group', 'form'].includes(widget.kind);
    const titled = own(live, '.nbc-widget[title]');
    try {
      const show = binder(control);
      if (!isHolder) for (const it of own(live, ':is(input, select, textarea, button):not([title])')) enable(it);
      bound.set(live, { show, isHolder });
      for (const it of titled) it.removeAttribute('title');
      if (widget.kind !== 'button' && !isHolder) control.hint(sampled(widget));
      return true;
    } catch (problem) {
      console.info(`nbc: an input stays as it was: ${problem.message}`);
      return false;
    }
  }

  show(w) {
    for (const live of document.querySelectorAll(`[data-widget="${w}"]`)) bound.get(live)?.show();
  }

  flush() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    const changed = this.model.takeChanged();
    for (const slot of this.slots.update(changed)) this.announcer.updated.add(slot);
    changed.forEach((w) => this.show(w));
    this.resetButton.hidden = written(this.model) === '';
  }

  // The reader chose a value. With `isFinal` false they are still moving.
  set(w, index, isFinal = true) {
    const { draft, widgets } = this.model;
    if (index < 0) return;
    if (draft[w] === index && widgets[w].kind !== 'run_button') {
      if (isFinal && this.frame) this.flush();
      if (isFinal) this.entries.remember(w, true, true);
      return;
    }
    draft[w] = index;
    this.act(w, isFinal);
  }

  act(w, isFinal) {
    if (this.model.formOf(w) !== undefined) {
      this.model.above(w).forEach((it) => this.show(it));
      return;
    }
    this.model.settle(w);
    this.show(w);
    if (isFinal) this.flush(); else this.frame ||= requestAnimationFrame(() => this.flush());
    this.entries.remember(w, isFinal);
    this.tellChange(w);
  }

  tellChange(w) {
    const { kind, name, labels } = this.model.widgets[w];
    const live = document.querySelector(`[data-widget="${w}"]`);
    const isPressed = kind === 'button' || kind === 'run_button';
    const isForm = kind === 'form';
    const pressed = live && (isPressed || isForm) && own(live, 'button').at(-1)?.textContent.trim();
    const title = pressed || (live && new Control(this, live).title()) || name || kind;
    if (isPressed) this.announcer.tell(`${title}: pressed`);
    else this.announcer.tell(isForm ? `${title}: submitted` : `${title}: ${labels?.[this.model.draft[w]] ?? ''}`);
  }

  restore(states) {
    const isKnown = restore(this.model, states, (w) => this.slots.isAsked(this.model.above(w)));
    this.entries.last.w = -1;
    this.flush();
    return isKnown;
  }

  // Shows the states of an address.
  open(states) {
    if (this.restore(states) || document.querySelector('.page-note[role="status"]')) return;
    const textContent = 'This link names values that this page does not have. They are shown as the page was built.';
    document.querySelector('main .cell')?.before(make('p', { className: 'page-note', role: 'status', textContent }));
  }

  reset() {
    this.restore('');
    this.entries.write('pushState');
    this.announcer.tell('Reset');
    // It hides itself, and the focus would be nowhere.
    document.querySelector('main')?.focus({ preventScroll: true });
  }
}
