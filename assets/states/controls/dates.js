// Fields of dates, one or two.
import { nearest, nearestPair } from '../values.js';

const fields = (control, ends) => {
  const all = control.widget.values.map(ends);
  const inputs = control.own('input');
  const days = all.flat().filter(Boolean).sort();
  const show = () => inputs.forEach((input, at) => { input.value = all[control.draft][at] ?? ''; });
  const act = (side) => {
    const chosen = inputs.map((it) => it.value);
    const away = ([it]) => (it ? Math.abs(Date.parse(it) - Date.parse(chosen[0])) : Infinity);
    if (chosen.every(Boolean)) {
      control.set(inputs.length > 1 ? nearestPair(all, chosen, side, Date.parse) : nearest(all, away));
    }
    show();
  };
  inputs.forEach((input, side) => {
    Object.assign(input, { min: days[0], max: days.at(-1) });
    if (inputs.length > 1) input.setAttribute('aria-label', side ? 'To' : 'From');
    let isTyped = false;
    // A date that is being typed passes through others; it counts when it exists or the reader is done.
    input.addEventListener('keydown', ({ key }) => { isTyped = key !== 'Enter'; if (!isTyped) act(side); });
    input.addEventListener('pointerdown', () => { isTyped = false; });
    input.addEventListener('change', () => { if (!isTyped || days.includes(input.value)) act(side); });
    input.addEventListener('blur', () => { if (isTyped) act(side); isTyped = false; });
  });
  return show;
};

export const date = (control) => fields(control, (it) => [it]);
export const dates = (control) => fields(control, (it) => it);
