// Choices: lists, texts, radio buttons and check boxes.
import { make } from '../elements.js';
import { nearestSet, sampled } from '../values.js';
import { nextSerial } from './control.js';

const options = (control, select) => {
  select.replaceChildren(...control.widget.labels.map((label, at) => make('option', { value: at, textContent: label || '—' })));
  select.addEventListener('change', () => control.set(Number(select.value)));
  return () => { select.value = control.draft; };
};

export const choice = (control) => options(control, control.own('select')[0]);

// A text has no range: the values that the author named are a choice.
export const text = (control) => {
  const [input] = control.own('input, textarea');
  const select = make('select');
  input.replaceWith(select);
  return options(control, select);
};

// Boxes of which some are chosen: a set that was not computed goes to the nearest that has what was clicked.
export const subset = (control, root, boxes, sets) => {
  for (const box of boxes) {
    if (!sets.some((it) => it.includes(box.value))) Object.assign(box, { disabled: true, title: 'Not computed' });
  }
  const show = () => { for (const box of boxes) box.checked = sets[control.draft].includes(box.value); };
  root.addEventListener('change', ({ target }) => {
    if (!boxes.includes(target)) return;
    const chosen = boxes.filter((it) => it.checked).map((it) => it.value);
    const { index, isExact } = nearestSet(sets, chosen, target);
    control.set(index);
    show();
    const note = 'That choice was not computed; this is the nearest that was.';
    control.hint(isExact ? sampled(control.widget) : `${note} ${sampled(control.widget)}`);
    if (!isExact) control.tell(note);
  });
  return show;
};

export const multi = (control) => {
  const [select] = control.own('select');
  const [row] = control.own('.nbc-widget-row');
  const boxes = [...select.options].map((it) => make('input', { type: 'checkbox', value: it.textContent }));
  const list = make('span', { className: 'nbc-widget-options' }, ...boxes.map((box) => make('label', { className: 'nbc-widget-option' }, box, ` ${box.value}`)));
  select.remove();
  // A label holds one control only.
  const group = make('div', { className: 'nbc-widget-row', role: 'group' }, ...row.childNodes, list);
  group.setAttribute('aria-label', control.title());
  row.replaceWith(group);
  return subset(control, list, boxes, control.widget.values);
};

export const radio = (control) => {
  const { values } = control.widget;
  const inputs = control.own('input');
  control.own('[role="group"]')[0]?.setAttribute('role', 'radiogroup');
  const indices = inputs.map(({ parentElement: { textContent } }) => {
    const exact = values.indexOf(textContent.slice(1));
    return exact < 0 ? values.indexOf(textContent.trim()) : exact;
  });
  const name = `nbc-radio-${nextSerial()}`;
  inputs.forEach((input, at) => {
    input.name = name;
    if (indices[at] < 0) Object.assign(input, { disabled: true, title: 'Not computed' });
    input.addEventListener('change', () => control.set(indices[at]));
  });
  return () => inputs.forEach((input, at) => { input.checked = indices[at] === control.draft; });
};

export const check = (control) => {
  const { values } = control.widget;
  const [input] = control.own('input');
  input.addEventListener('change', () => control.set(values.indexOf(input.checked)));
  return () => { input.checked = values[control.draft] === true; };
};
