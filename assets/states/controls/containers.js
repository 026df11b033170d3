// Tabs, and tables of which rows are chosen.
import { make } from '../elements.js';
import { subset } from './choices.js';
import { nextSerial } from './control.js';

export const tabs = (control) => {
  const { values } = control.widget;
  const panels = () => control.own('.nbc-tab').filter((it) => it.parentElement === control.own('.nbc-tabs')[0]);
  // It does not bubble, but can be caught on the way down.
  control.live.addEventListener('toggle', ({ target }) => {
    const index = values.indexOf(String(panels().indexOf(target)));
    if (index >= 0 && target.open) control.set(index);
  }, true);
  return () => {
    const panel = panels()[values[control.draft]];
    if (panel && !panel.open) panel.open = true;
  };
};

export const table = (control) => {
  const sets = control.widget.values.map((it) => it.map(String));
  const type = sets.every((it) => it.length < 2) ? 'radio' : 'checkbox';
  const none = sets.findIndex((it) => it.length === 0);
  const [element] = control.own('table');
  const name = `nbc-rows-${nextSerial()}`;
  const boxes = [...element.tBodies[0].rows].map((row, at) => {
    const box = make('input', { type, name, value: at, className: 'nbc-pick' });
    box.setAttribute('aria-label', row.cells[0]?.textContent.trim() || `Row ${at + 1}`);
    // No column of its own: the script of tables counts them.
    row.cells[0]?.prepend(box);
    return box;
  });
  const clear = make('button', { type: 'button', className: 'nbc-pick-none', textContent: 'Clear the selection' });
  if (none >= 0) control.live.append(clear);
  clear.addEventListener('click', () => control.set(none));
  const showBoxes = subset(control, element, boxes, sets);
  return () => {
    showBoxes();
    for (const box of boxes) box.closest('tr').classList.toggle('nbc-picked', box.checked);
    clear.disabled = control.draft === none;
  };
};
