// Buttons and forms.
import { enable } from '../elements.js';

export const button = (control) => {
  const [element] = control.own('button');
  const last = control.widget.values.length - 1;
  element.addEventListener('click', () => { if (control.draft < last) control.set(control.draft + 1); });
  return () => {
    element.setAttribute('aria-disabled', String(control.draft === last));
    control.hint(control.draft === last ? `${last} ${last === 1 ? 'press was' : 'presses were'} computed` : '');
  };
};

export const runButton = (control) => {
  control.own('button')[0].addEventListener('click', () => control.set(1));
  return () => {};
};

export const form = (control) => {
  const { page: { model }, live, w, widget: { parts: [part] } } = control;
  const sender = () => control.own('button').at(-1);
  const send = () => {
    model.draft[w] = 1 + model.indexOf(part, model.draft);
    control.page.act(w, true);
  };
  live.addEventListener('click', ({ target }) => { if (target.closest('button') === sender()) send(); });
  live.addEventListener('keydown', (event) => {
    // Typed text counts first.
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey || event.target.matches('input'))) setTimeout(send);
  });
  return () => {
    if (!sender()) return;
    enable(sender());
    const firsts = model.widgets.map((_, it) => model.first(it));
    const sent = control.draft === 0 ? model.indexOf(part, firsts) : control.draft - 1;
    if (sent === model.indexOf(part, model.draft)) delete sender().dataset.waiting; else sender().dataset.waiting = '';
  };
};
