// The binder of each kind of input. It takes a control and gives back what shows the current value.
import { button, form, runButton } from './buttons.js';
import { check, choice, multi, radio, text } from './choices.js';
import { table, tabs } from './containers.js';
import { date, dates } from './dates.js';
import { number, range, slider } from './numbers.js';

export const binders = {
  slider, range, number, choice, text, multi, radio, check, date, dates, button, run_button: runButton, tabs, table, form,
  group: () => () => {},
};
