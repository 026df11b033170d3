// Tables that readers sort, search, leaf through, sum up and copy. Only pages with tables load it. All rows
// stand in the page: without this script, and in print, they are there.
(() => {
  'use strict';
  const USUAL = 25;
  // Fewer rows are seen at a glance: they only sort.
  const FEWEST = 11;
  const MISSING = /^(nan|none|null|nat|<na>|n\/a)?$/i;
  const DATE = /^\d{4}-\d{2}(-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?( ?(Z|UTC|[-+]\d{2}:?\d{2}))?)?)?$/;
  const collator = new Intl.Collator(document.documentElement.lang || undefined, { numeric: true });
  const textOf = (it) => it.textContent.trim();
  const counted = (number) => number.toLocaleString('en');
  const made = (name, properties) => Object.assign(document.createElement(name), properties);
  const make = (name, parent, properties) => parent.appendChild(made(name, properties));

  // `1,234.5`, `−3 %`, `€ 10` and `inf` are numbers; NaN is what is none.
  const numberOf = (text) => {
    let plain = text.replace(/\u2212/g, '-').replace(/^([-+]?)[$€£¥]\s?/, '$1').replace(/\s?%$/, '');
    if (/^[-+]?\d{1,3}(,\d{3})+(\.\d*)?$/.test(plain)) plain = plain.replaceAll(',', '');
    plain = plain.replace(/^([-+]?)(inf|∞)$/i, '$1Infinity');
    return /^[-+]?((\d+\.?\d*|\.\d+)(e[-+]?\d+)?|Infinity)$/i.test(plain) ? Number(plain) : NaN;
  };
  const dateOf = (text) => Date.parse(DATE.test(text) && text.replace(' ', 'T').replace('UTC', 'Z').replace(' ', ''));
  // Fractions of a date below milliseconds are only in its text.
  const order = (kind, a, b) => (kind !== 'text' && a.value - b.value)
    || (kind !== 'number' && collator.compare(a.text, b.text));

  // The cells of a column, and what they all are.
  const read = (rows, at) => {
    const cells = rows.map((row) => textOf(row.cells[at])).map((text) => ({ text, missing: MISSING.test(text) }));
    const is = (parse) => cells.every((it) => it.missing || !Number.isNaN(it.value = parse(it.text)));
    return { cells, kind: is(numberOf) ? 'number' : is(dateOf) ? 'date' : 'text' };
  };

  const summary = ({ cells, kind }, shown) => {
    const present = shown.map((it) => cells[it]).filter((it) => !it.missing);
    const times = new Map();
    let [common, most, sum] = ['', 1, 0];
    for (const { text, value } of present) {
      const count = (times.get(text) ?? 0) + 1;
      times.set(text, count);
      if (count > most) [common, most] = [text, count];
      sum += value;
    }
    const missing = shown.length - present.length;
    const end = (sign) => present.reduce((a, b) => (sign * order(kind, b, a) > 0 ? b : a)).text;
    const said = [`${counted(times.size)} distinct`, missing > 0 && `${counted(missing)} missing`];
    if (kind === 'text') {
      said.push(most > 1 && `commonest ${common.slice(0, 40)} (${counted(most)})`);
    } else if (present.length > 0) {
      const mean = Number((sum / present.length).toPrecision(5));
      said.push(`min ${end(-1)}`, kind === 'number' && `mean ${mean}`, `max ${end(1)}`);
    }
    return said.filter(Boolean);
  };

  // The lowest heading above each column; of polars' two lines the names, not the types.
  const headings = (head, columns) => {
    const found = new Array(columns).fill(null);
    for (const row of head.rows) {
      let at = 0;
      for (const cell of row.cells) {
        if (cell.localName === 'th' && cell.colSpan === 1 && textOf(cell)) found[at] = cell;
        at += cell.rowSpan > 1 ? NaN : cell.colSpan;
      }
      if (at !== columns) return null;
    }
    return found;
  };

  // Only a plain grid with all its rows: what a library left out or joined would end up anywhere.
  const grid = (table) => {
    const rows = [...(table.tBodies[0]?.rows ?? [])];
    const joined = table.querySelector('table, tbody + tbody, tbody [rowspan], tbody [colspan]');
    if (!table.tHead || rows.length < 2 || joined) return null;
    const columns = rows[0].cells.length;
    const isElided = (row) => [...row.cells].every((it) => it.localName === 'th' || /^(\.{3}|…)$/.test(textOf(it)));
    if (rows.some((row) => row.cells.length !== columns || isElided(row))) return null;
    return { rows, heads: headings(table.tHead, columns) };
  };

  const enhance = (table) => {
    const { rows, heads } = grid(table) ?? {};
    if (!heads || table.querySelector('.nbc-sort')) return;
    const names = heads.map((it) => [...(it?.childNodes ?? [])].filter((part) => part.className !== 'nbc-table-type'));
    const columns = [];
    const column = (at) => (columns[at] ??= read(rows, at));
    let frame = table.closest('.nbc-table-frame');
    if (!frame) {
      const className = 'nbc-table-frame nbc-table-fit';
      frame = made('div', { className, tabIndex: 0, role: 'group', ariaLabel: 'Table' });
      table.before(frame);
      frame.append(table);
    }

    // Numbers of rows: as sorted, and of these what the search found.
    let sequence = rows.map((_, at) => at);
    let shown = sequence;
    let [page, size, words] = [0, rows.length > USUAL ? USUAL : Infinity, []];
    let texts, status, place, summaries, sorted, direction;

    const holds = (at) => {
      texts ??= rows.map((row) => [...row.cells].map(textOf).join('\n').toLocaleLowerCase());
      return words.every((it) => texts[at].includes(it));
    };
    const show = (to) => {
      shown = words.length ? sequence.filter(holds) : sequence;
      const pages = Math.ceil(shown.length / size) || 1;
      page = Math.min(to, pages - 1);
      for (const row of rows) row.hidden = true;
      shown.forEach((it, at) => {
        rows[it].hidden = false;
        rows[it].classList.toggle('nbc-row-off', Math.floor(at / size) !== page);
      });
      if (!status) return;
      status.textContent = `${words.length ? `${counted(shown.length)} of ` : ''}${counted(rows.length)} rows`;
      status.classList.toggle('nbc-table-part', words.length > 0);
      if (place) {
        place.text.textContent = `Page ${counted(page + 1)} of ${counted(pages)}`;
        place.back.ariaDisabled = String(page === 0);
        place.on.ariaDisabled = String(page === pages - 1);
      }
      [...(summaries?.cells ?? [])].forEach((cell, at) => {
        cell.replaceChildren(...summary(column(at), shown).map((textContent) => made('div', { textContent })));
      });
    };

    const sortBy = (at) => {
      const next = { ascending: 'descending', descending: null };
      direction = sorted === at && direction ? next[direction] : 'ascending';
      if (heads[sorted]) heads[sorted].ariaSort = null;
      sorted = at;
      heads[at].ariaSort = direction;
      sequence = rows.map((_, it) => it);
      if (direction) {
        const { cells, kind } = column(at);
        const sign = direction === 'ascending' ? 1 : -1;
        const compare = (a, b) => a.missing - b.missing || (a.missing ? 0 : sign * order(kind, a, b));
        sequence.sort((a, b) => compare(cells[a], cells[b]));
      }
      for (const it of sequence) table.tBodies[0].append(rows[it]);
      show(0);
    };

    heads.forEach((head, at) => {
      if (!head || head.querySelector('a, button, input, select')) return;
      const button = made('button', { type: 'button', className: 'nbc-sort', onclick: () => sortBy(at) });
      button.append(...names[at]);
      head.prepend(button);
    });
    if (rows.length < FEWEST) return;

    const tools = made('div', { className: 'nbc-table-tools' });
    frame.before(tools);
    const button = (parent, textContent, work) => make('button', parent, {
      type: 'button', className: 'bar-button', textContent,
      onclick: ({ currentTarget: it }) => it.ariaDisabled !== 'true' && work(it),
    });
    const live = (parent) => make('span', parent, { className: 'nbc-table-status', role: 'status' });
    make('input', tools, {
      type: 'search', placeholder: 'Search', ariaLabel: 'Search in the table',
      oninput: ({ target }) => {
        words = target.value.toLocaleLowerCase().split(/\s+/).filter(Boolean);
        show(0);
      },
    });
    status = live(tools);
    button(tools, 'Summary', (toggle) => {
      summaries?.remove();
      summaries = summaries ? null : make('tr', table.tHead, { className: 'nbc-table-summary' });
      for (const it of summaries ? heads : []) make('td', summaries, { className: it?.className ?? '' });
      toggle.ariaPressed = String(Boolean(summaries));
      show(page);
    }).ariaPressed = 'false';
    // RFC 4180. What a spreadsheet takes for a formula stays one.
    if (navigator.clipboard) {
      const quoted = (it) => (/[",\r\n]/.test(it) ? `"${it.replace(/"/g, '""')}"` : it);
      button(tools, 'Copy CSV', async (it) => {
        const lines = shown.map((at) => [...rows[at].cells].map(textOf));
        lines.unshift(names.map((it) => it.map(textOf).join('')));
        const csv = lines.map((line) => `${line.map(quoted).join(',')}\r\n`).join('');
        const copied = navigator.clipboard.writeText(csv);
        it.textContent = await copied.then(() => 'Copied', () => 'Not allowed');
        setTimeout(() => { it.textContent = 'Copy CSV'; }, 1500);
      });
    }
    if (rows.length > USUAL) {
      const className = 'nbc-table-tools nbc-table-pages';
      const bar = made('div', { className, role: 'group', ariaLabel: 'Pages of the table' });
      frame.after(bar);
      const turn = (by) => () => { show(page + by); frame.scrollTop = 0; };
      place = { back: button(bar, 'Previous', turn(-1)), text: live(bar), on: button(bar, 'Next', turn(1)) };
      const select = make('select', make('label', bar, { textContent: 'Rows per page ' }), {
        onchange: ({ target }) => {
          const first = page * size;
          size = Number(target.value);
          show(Math.floor(first / size));
        },
      });
      for (const it of [10, 25, 50, 100]) select.add(new Option(it, it, it === USUAL, it === USUAL));
    }
    show(0);
  };

  const start = (root) => root.querySelectorAll('table:is(.nbc-table, .x-dataframe)').forEach(enhance);
  // Whatever puts new outputs into the page says so.
  document.addEventListener('nbc-shown', (event) => start(event.target));
  if (document.readyState === 'loading') addEventListener('DOMContentLoaded', () => start(document)); else start(document);
})();
