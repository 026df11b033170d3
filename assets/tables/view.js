// One table that the reader sorts, searches, leafs through, sums up and copies.
import { frameOf, grid, made, make, makeButton, makeStatus, textOf } from './grid.js';
import { columnOf, counted, csv, ordering, sortedRows, summary } from './values.js';

const USUAL = 25;
// Fewer rows are seen at a glance: they only sort.
const FEWEST = 11;

class View {
  columns = [];
  words = [];
  page = 0;

  constructor(table, { rows, heads }) {
    Object.assign(this, { table, rows, heads, frame: frameOf(table) });
    this.order = ordering(document.documentElement.lang);
    this.names = heads.map((it) => [...(it?.childNodes ?? [])].filter((part) => part.className !== 'nbc-table-type'));
    // Numbers of rows: as sorted, and of these what the search found.
    this.sequence = this.shown = rows.map((_, at) => at);
    this.size = rows.length > USUAL ? USUAL : Infinity;
  }

  column(at) { return (this.columns[at] ??= columnOf(this.rows.map((row) => textOf(row.cells[at])))); }

  holds(at) {
    this.texts ??= this.rows.map((row) => [...row.cells].map(textOf).join('\n').toLocaleLowerCase());
    return this.words.every((it) => this.texts[at].includes(it));
  }

  show(to) {
    const { rows, size, words } = this;
    const shown = this.shown = words.length ? this.sequence.filter((it) => this.holds(it)) : this.sequence;
    const pages = Math.ceil(shown.length / size) || 1;
    this.page = Math.min(to, pages - 1);
    for (const row of rows) row.hidden = true;
    shown.forEach((it, at) => {
      rows[it].hidden = false;
      rows[it].classList.toggle('nbc-row-off', Math.floor(at / size) !== this.page);
    });
    if (this.status) this.tell(pages);
  }

  tell(pages) {
    const { page, place, rows, shown, status, summaries, words } = this;
    status.textContent = `${words.length ? `${counted(shown.length)} of ` : ''}${counted(rows.length)} rows`;
    status.classList.toggle('nbc-table-part', words.length > 0);
    if (place) {
      place.text.textContent = `Page ${counted(page + 1)} of ${counted(pages)}`;
      place.back.ariaDisabled = String(page === 0);
      place.on.ariaDisabled = String(page === pages - 1);
    }
    [...(summaries?.cells ?? [])].forEach((cell, at) => {
      const facts = summary(this.column(at), shown, this.order);
      cell.replaceChildren(...facts.map((textContent) => made('div', { textContent })));
    });
  }

  sortBy(at) {
    const { heads, rows, sorted, table } = this;
    const next = { ascending: 'descending', descending: null };
    this.direction = sorted === at && this.direction ? next[this.direction] : 'ascending';
    if (heads[sorted]) heads[sorted].ariaSort = null;
    this.sorted = at;
    heads[at].ariaSort = this.direction;
    this.sequence = this.direction ? sortedRows(this.column(at), this.direction, this.order) : rows.map((_, it) => it);
    for (const it of this.sequence) table.tBodies[0].append(rows[it]);
    this.show(0);
  }

  addSorting() {
    this.heads.forEach((head, at) => {
      if (!head || head.querySelector('a, button, input, select')) return;
      const button = made('button', { type: 'button', className: 'nbc-sort', onclick: () => this.sortBy(at) });
      button.append(...this.names[at]);
      head.prepend(button);
    });
  }

  addTools() {
    const tools = made('div', { className: 'nbc-table-tools' });
    this.frame.before(tools);
    make('input', tools, {
      type: 'search', placeholder: 'Search', ariaLabel: 'Search in the table',
      oninput: ({ target }) => {
        this.words = target.value.toLocaleLowerCase().split(/\s+/).filter(Boolean);
        this.show(0);
      },
    });
    this.status = makeStatus(tools);
    makeButton(tools, 'Summary', (toggle) => {
      this.summaries?.remove();
      this.summaries = this.summaries ? null : make('tr', this.table.tHead, { className: 'nbc-table-summary' });
      for (const it of this.summaries ? this.heads : []) make('td', this.summaries, { className: it?.className ?? '' });
      toggle.ariaPressed = String(Boolean(this.summaries));
      this.show(this.page);
    }).ariaPressed = 'false';
    if (navigator.clipboard) makeButton(tools, 'Copy CSV', (it) => this.copy(it));
  }

  async copy(button) {
    const lines = this.shown.map((at) => [...this.rows[at].cells].map(textOf));
    lines.unshift(this.names.map((it) => it.map(textOf).join('')));
    const copied = navigator.clipboard.writeText(csv(lines));
    button.textContent = await copied.then(() => 'Copied', () => 'Not allowed');
    setTimeout(() => { button.textContent = 'Copy CSV'; }, 1500);
  }

  addPages() {
    const className = 'nbc-table-tools nbc-table-pages';
    const bar = made('div', { className, role: 'group', ariaLabel: 'Pages of the table' });
    this.frame.after(bar);
    const turn = (by) => () => { this.show(this.page + by); this.frame.scrollTop = 0; };
    this.place = { back: makeButton(bar, 'Previous', turn(-1)), text: makeStatus(bar), on: makeButton(bar, 'Next', turn(1)) };
    const select = make('select', make('label', bar, { textContent: 'Rows per page ' }), {
      onchange: ({ target }) => {
        const first = this.page * this.size;
        this.size = Number(target.value);
        this.show(Math.floor(first / this.size));
      },
    });
    for (const it of [10, 25, 50, 100]) select.add(new Option(it, it, it === USUAL, it === USUAL));
  }
}

export const enhance = (table) => {
  const found = grid(table);
  if (!found || table.querySelector('.nbc-sort')) return;
  const view = new View(table, found);
  view.addSorting();
  if (found.rows.length < FEWEST) return;
  view.addTools();
  if (found.rows.length > USUAL) view.addPages();
  view.show(0);
};
