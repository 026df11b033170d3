// One input in the page: its markup and its widget. Binders get it, and give back the function that shows its value.
import { make, own } from '../elements.js';

let serial = 0;
// A number for names of controls that belong together.
export const nextSerial = () => { serial += 1; return serial; };

export class Control {
  constructor(page, live) {
    this.page = page;
    this.live = live;
    this.w = Number(live.dataset.widget);
    this.widget = page.model.widgets[this.w];
  }

  // Index of the value that the control is to show.
  get draft() { return this.page.model.draft[this.w]; }

  // With marimo's `debounce` a value counts when the reader lets go.
  get isPatient() { return this.own('.nbc-widget-debounced').length > 0; }

  own(selector) { return own(this.live, selector); }

  set(index, isFinal) { this.page.set(this.w, index, isFinal); }

  tell(text) { this.page.announcer.tell(text); }

  title() { return this.own('.nbc-widget-label')[0]?.textContent.trim() || this.widget.name || ''; }

  hint(text) {
    let [place] = this.own('.nbc-widget-hint');
    if (!place && text) {
      place = make('span', { className: 'nbc-widget-hint', ariaLive: 'polite' });
      (this.own('.nbc-widget')[0] ?? this.live).append(place);
    }
    if (place && place.textContent !== text) place.textContent = text;
  }
}
