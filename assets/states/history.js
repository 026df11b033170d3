// One entry of the browser's history for each thing that a reader does; a drag is one.

export class Entries {
  last = { w: -1, time: 0, isOpen: false };
  writing = 0;

  constructor(written) { this.written = written; }

  write(method) {
    this.cancel();
    const states = this.written();
    const address = states ? `#?${states}` : location.href.split('#')[0];
    try { history[method]({ states }, '', address); } catch { /* Browsers refuse too many at once. */ }
  }

  cancel() {
    clearTimeout(this.writing);
    this.writing = 0;
  }

  finish() { if (this.writing) this.write('replaceState'); }

  remember(w, isFinal, isSame = false) {
    const time = Date.now();
    const { last } = this;
    const isMore = isSame || (w === last.w && (last.isOpen || time - last.time < 1000));
    if (isMore) this.writing ||= setTimeout(() => this.write('replaceState'), 200);
    else {
      this.finish();
      this.write('pushState');
    }
    this.last = { w, time, isOpen: !isFinal };
  }
}
