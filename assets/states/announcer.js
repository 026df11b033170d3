// Tells screen readers about changes, the last one after a moment of rest.
import { make } from './elements.js';

export class Announcer {
  updated = new Set();
  timer = 0;

  constructor() {
    this.status = document.body.appendChild(make('div', { className: 'nbc-hidden-label', role: 'status' }));
  }

  tell(text) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      const count = this.updated.size;
      this.status.textContent = `${text}; ${count} ${count === 1 ? 'output' : 'outputs'} updated`;
      this.updated = new Set();
    }, 400);
  }
}
