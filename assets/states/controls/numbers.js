// Sliders, ranges and fields of numbers.
import { make } from '../elements.js';
import { namedEnds, nearest, nearestPair, numberField } from '../values.js';

const fill = (input) => {
  const { min, max, value } = input;
  input.style.setProperty('--nbc-fill', `${max > min ? (100 * (value - min)) / (max - min) : 0}%`);
};

// A field of numbers: what is typed goes to the nearest value.
const typed = (control, input, all) => {
  const { ordered, attributes } = numberField(all);
  Object.assign(input, attributes);
  const show = () => { input.value = all[control.draft] ?? ''; };
  // The arrows go from value to value, however far apart those are; what is typed waits until it is whole.
  input.addEventListener('input', (event) => {
    const shown = all[control.draft];
    if ((event.inputType && event.inputType !== 'insertReplacementText') || input.value === '' || shown === null) return;
    const next = ordered[ordered.indexOf(shown) + (input.valueAsNumber > shown ? 1 : -1)];
    if (next !== undefined) control.set(all.indexOf(next));
    show();
  });
  input.addEventListener('change', () => {
    const away = (it) => (it === null ? Infinity : Math.abs(it - input.valueAsNumber));
    control.set(input.value === '' ? all.indexOf(null) : nearest(all, away));
    show();
  });
  return show;
};

export const number = (control) => typed(control, control.own('input')[0], control.widget.values);

export const slider = (control) => {
  const { labels, name } = control.widget;
  const [input] = control.own('input');
  const [text] = control.own('.nbc-widget-value');
  const title = control.title();
  // The text of the value stands in the label too, and would be read twice.
  input.setAttribute('aria-label', control.own('.nbc-hidden-label')[0] && name ? name : title);
  Object.assign(input, { min: 0, max: labels.length - 1, step: 1 });
  const tell = (at) => {
    input.setAttribute('aria-valuetext', labels[at]);
    if (text) text.textContent = labels[at];
    fill(input);
  };
  const waits = control.isPatient;
  input.addEventListener('input', () => { if (waits) tell(input.value); else control.set(Number(input.value), false); });
  input.addEventListener('change', () => control.set(Number(input.value)));
  // marimo's `include_input`.
  let showField = () => {};
  const numbers = labels.map(Number);
  if (control.own('.nbc-widget-typed')[0] && numbers.every(Number.isFinite)) {
    const field = make('input', { type: 'number', ariaLabel: `${title}, as a number` });
    (text ?? input).after(field);
    showField = typed(control, field, numbers);
  }
  return () => { input.value = control.draft; tell(control.draft); showField(); };
};

// Both inputs lie on one line and only their thumbs take the pointer: beside them, the nearer one comes.
const framed = (inputs, last) => {
  const frame = make('span', { className: 'nbc-range' });
  inputs[0].before(frame);
  frame.append(...inputs);
  frame.addEventListener('click', ({ target, clientX }) => {
    if (target !== frame) return;
    const { left, width } = frame.getBoundingClientRect();
    const part = (clientX - left - 9) / (width - 18);
    const at = last * (getComputedStyle(frame).direction === 'rtl' ? 1 - part : part);
    const side = nearest(inputs, (it) => Math.abs(it.value - at));
    inputs[side].value = Math.round(at);
    inputs[side].focus();
    inputs[side].dispatchEvent(new Event('change'));
  });
  return frame;
};

export const range = (control) => {
  const { values: pairs, labels } = control.widget;
  const inputs = control.own('input');
  const [text] = control.own('.nbc-widget-value');
  const waits = control.isPatient;
  const { ends, names } = namedEnds(pairs, labels);
  const last = ends.length - 1;
  const frame = framed(inputs, last);
  inputs.forEach((input, side) => {
    Object.assign(input, { min: 0, max: last, step: 1 });
    const act = (isFinal) => control.set(nearestPair(pairs, inputs.map((it) => ends[it.value]), side, Number), isFinal);
    input.addEventListener('input', () => { if (!waits) act(false); });
    input.addEventListener('change', () => act(true));
  });
  return () => {
    inputs.forEach((input, side) => {
      const end = pairs[control.draft][side];
      input.value = ends.indexOf(end);
      input.setAttribute('aria-valuetext', names.get(end));
      fill(input);
      frame.style.setProperty(side ? '--nbc-to' : '--nbc-from', input.style.getPropertyValue('--nbc-fill'));
    });
    // When both thumbs meet at the end, the lower one must be on top to be moved at all.
    inputs[0].style.zIndex = Number(inputs[0].value) > last / 2 ? 1 : 0;
    if (text) text.textContent = labels[control.draft];
  };
};
