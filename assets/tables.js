// Tables that readers sort, search, leaf through, sum up and copy. Only pages with tables load it. All rows
// stand in the page: without this script, and in print, they are simply there.
(() => {
  'use strict';
  const SIZES = [10, 25, 50, 100];
  const USUAL = 25;
  // Fewer rows are seen at a glance: they only sort.
  const FEWEST = 6;
  const MISSING = /^(nan|none|null|nat|<na>|n\/a)?$/i;
  const DATE = /^\d{4}-\d{2}(-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?( ?(Z|UTC|[-+]\d{2}:?\d{2}))?)?)?$/;
  const collator = new Intl.Collator(document.documentElement.lang || undefined, { numeric: true });
  const counted = (number) => number.toLocaleString('en');
  const rowCount = (number) => `${counted(number)} row${number === 1 ? '' : 's'}`;

  const make = (name, parent, properties) => {
    const made = Object.assign(document.createElement(name), properties);
    parent.append(made);
    return made;
  };

  // `1,234.5`, `−3 %`, `€ 10` and `inf` are numbers; NaN is what is none.
  const numberOf = (text) => {
    let plain = text.replace(/\u2212/g, '-').replace(/^([-+]?)[$€£¥]\s?/, '$1').replace(/\s?%$/, '');
    if (/^[-+]?\d{1,3}(,\d{3})+(\.\d*)?$/.test(plain)) plain = plain.replaceAll(',', '');
    if (/^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(plain)) return Number(plain);
    const infinite = /^([-+]?)(inf|infinity|∞)$/i.exec(plain);
    return infinite ? Number(`${infinite[1]}Infinity`) : NaN;
  };
  const dateOf = (text) => (DATE.test(text)
    ? Date.parse(text.replace(' ', 'T').replace(/ ?UTC$/, 'Z').replace(' ', ''))
    : NaN);
  const order = (a, b) => (a > b) - (a < b);
  const orders = {
    number: (a, b) => order(a.value, b.value),
    // What is finer than a millisecond is only in the text.
    date: (a, b) => order(a.value, b.value) || order(a.text, b.text),
    text: (a, b) => collator.compare(a.text, b.text),
  };

  // The cells of a column, in the order of the notebook, and what they all are.
  const read = (rows, at) => {
    const cells = rows.map((row) => ({ text: row.cells[at].textContent.trim() }));
    const present = cells.filter((it) => !MISSING.test(it.text));
    const is = (parse) => present.length > 0 && present.every((it) => {
      it.value = parse(it.text);
      return !Number.isNaN(it.value);
    });
    return { cells, kind: is(numberOf) ? 'number' : is(dateOf) ? 'date' : 'text' };
  };

  const summary = ({ cells, kind }, shown) => {
    const present = shown.map((it) => cells[it]).filter((it) => !MISSING.test(it.text));
    const times = new Map();
    for (const { text } of present) times.set(text, (times.get(text) ?? 0) + 1);
    const said = [`${counted(times.size)} distinct`];
    if (present.length < shown.length) said.push(`${counted(shown.length - present.length)} missing`);
    if (present.length === 0) return said;
    if (kind === 'text') {
      let common = ['', 0];
      for (const entry of times) if (entry[1] > common[1]) common = entry;
      const text = common[0].length > 40 ? `${common[0].slice(0, 40)}…` : common[0];
      if (common[1] > 1) said.push(`commonest ${text} (${counted(common[1])})`);
      return said;
    }
    let [least, most, sum] = [present[0], present[0], 0];
    for (const it of present) {
      if (orders[kind](it, least) < 0) least = it;
      if (orders[kind](it, most) > 0) most = it;
      sum += it.value;
    }
    said.push(`min ${least.text}`);
    if (kind === 'number') said.push(`mean ${Number((sum / present.length).toPrecision(5))}`);
    said.push(`max ${most.text}`);
    return said;
  };

  // The lowest heading above each column; of polars' two lines the names, not the types.
  const headings = (head, columns) => {
    const found = new Array(columns).fill(null);
    for (const row of head.rows) {
      let at = 0;
      for (const cell of row.cells) {
        if (cell.rowSpan > 1) return null;
        if (cell.localName === 'th' && cell.colSpan === 1 && cell.textContent.trim()) found[at] = cell;
        at += cell.colSpan;
      }
      if (at !== columns) return null;
    }
    return found;
  };

  // Only a plain grid with all its rows: what a library left out or joined would end up anywhere.
  const grid = (table) => {
    const rows = [...(table.tBodies[0]?.rows ?? [])];
    if (!table.tHead || table.tBodies.length !== 1 || rows.length < 2) return null;
    if (table.querySelector('table, tbody [rowspan], tbody [colspan]')) return null;
    const columns = rows[0].cells.length;
    const isElided = (row) => [...row.querySelectorAll('td')].every((it) => /^(\.{3}|…)$/.test(it.textContent.trim()));
    if (rows.some((row) => row.cells.length !== columns || isElided(row))) return null;
    const heads = headings(table.tHead, columns);
    return heads && { rows, heads };
  };

  const enhance = (table) => {
    const found = grid(table);
    if (!found || table.dataset.tools !== undefined) return;
    table.dataset.tools = '';
    const { rows, heads } = found;
    const body = table.tBodies[0];
    const names = heads.map((it) => {
      if (!it) return '';
      const type = it.querySelector('.nbc-table-type')?.textContent ?? '';
      return it.textContent.slice(0, it.textContent.length - type.length).trim();
    });
    const columns = [];
    const column = (at) => (columns[at] ??= read(rows, at));
    let frame = table.closest('.nbc-table-frame');
    if (!frame) {
      frame = document.createElement('div');
      frame.className = 'nbc-table-frame';
      frame.tabIndex = 0;
      frame.setAttribute('role', 'group');
      frame.setAttribute('aria-label', 'Table');
      table.before(frame);
      frame.append(table);
    }

    // Numbers of rows: in the order that is shown, and those that the search found.
    let sequence = rows.map((_, at) => at);
    let shown = sequence;
    let texts = null;
    let [page, size, words] = [0, rows.length > USUAL ? USUAL : Infinity, []];
    let [sorted, direction] = [-1, 'none'];
    let status, place, summaries;

    const text = (at) => {
      texts ??= rows.map((row) => Array.from(row.cells, (it) => it.textContent).join('\n').toLocaleLowerCase());
      return texts[at];
    };
    const say = (where, what) => { if (where && where.textContent !== what) where.textContent = what; };
    const show = () => {
      shown = words.length ? sequence.filter((at) => words.every((it) => text(at).includes(it))) : sequence;
      const pages = Math.max(1, Math.ceil(shown.length / size));
      page = Math.min(page, pages - 1);
      const kept = new Set(shown);
      const here = new Set(size === Infinity ? shown : shown.slice(page * size, (page + 1) * size));
      rows.forEach((row, at) => {
        row.hidden = !kept.has(at);
        row.classList.toggle('nbc-row-off', kept.has(at) && !here.has(at));
      });
      say(status, words.length ? `${counted(shown.length)} of ${rowCount(rows.length)}` : rowCount(rows.length));
      status?.classList.toggle('nbc-table-part', words.length > 0);
      if (place) {
        say(place.text, `Page ${counted(page + 1)} of ${counted(pages)}`);
        place.back.setAttribute('aria-disabled', String(page === 0));
        place.on.setAttribute('aria-disabled', String(page === pages - 1));
      }
      if (summaries) sumUp();
    };

    const sumUp = () => {
      [...summaries.cells].forEach((cell, at) => {
        cell.replaceChildren();
        for (const it of summary(column(at), shown)) make('div', cell, { textContent: it });
      });
    };

    const sortBy = (at) => {
      const next = { none: 'ascending', ascending: 'descending', descending: 'none' };
      direction = sorted === at ? next[direction] : 'ascending';
      heads[sorted]?.removeAttribute('aria-sort');
      sorted = at;
      sequence = rows.map((_, it) => it);
      if (direction !== 'none') {
        heads[at].setAttribute('aria-sort', direction);
        const { cells, kind } = column(at);
        const sign = direction === 'ascending' ? 1 : -1;
        const missing = cells.map((it) => MISSING.test(it.text));
        sequence.sort((a, b) => missing[a] - missing[b]
          || (missing[a] ? 0 : sign * orders[kind](cells[a], cells[b])) || a - b);
      }
      const all = document.createDocumentFragment();
      for (const it of sequence) all.append(rows[it]);
      body.append(all);
      page = 0;
      show();
    };

    heads.forEach((head, at) => {
      if (!head || head.querySelector('a, button, input, select')) return;
      const button = document.createElement('button');
      Object.assign(button, { type: 'button', className: 'nbc-sort', title: 'Sort' });
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener('click', () => sortBy(at));
    });
    if (rows.length < FEWEST) return;

    const button = (parent, label, work) => {
      const made = make('button', parent, { type: 'button', className: 'bar-button', textContent: label });
      made.addEventListener('click', () => { if (made.getAttribute('aria-disabled') !== 'true') work(made); });
      return made;
    };
    const tools = document.createElement('div');
    tools.className = 'nbc-table-tools';
    frame.before(tools);
    const search = make('input', tools, { type: 'search', placeholder: 'Search', autocomplete: 'off' });
    search.setAttribute('aria-label', 'Search in the table');
    search.addEventListener('input', () => {
      words = search.value.toLocaleLowerCase().split(/\s+/).filter(Boolean);
      page = 0;
      show();
    });
    status = make('span', tools, { className: 'nbc-table-status' });
    status.setAttribute('role', 'status');
    const sums = button(tools, 'Summary', () => {
      const isOn = !summaries;
      sums.setAttribute('aria-pressed', String(isOn));
      if (isOn) {
        summaries = make('tr', table.tHead, { className: 'nbc-table-summary' });
        heads.forEach(() => make('td', summaries, {}));
        sumUp();
      } else {
        summaries.remove();
        summaries = undefined;
      }
    });
    sums.setAttribute('aria-pressed', 'false');
    // RFC 4180. Cells are copied as they are: a text that a spreadsheet takes for a formula stays one.
    if (navigator.clipboard) {
      const quoted = (it) => (/[",\r\n]/.test(it) ? `"${it.replaceAll('"', '""')}"` : it);
      button(tools, 'Copy CSV', async (made) => {
        const lines = shown.map((at) => Array.from(rows[at].cells, (it) => it.textContent.trim()));
        const csv = [names, ...lines].map((line) => `${line.map(quoted).join(',')}\r\n`).join('');
        try {
          await navigator.clipboard.writeText(csv);
          made.textContent = 'Copied';
          say(status, `${rowCount(shown.length)} copied`);
        } catch {
          made.textContent = 'Not allowed';
        }
        setTimeout(() => { made.textContent = 'Copy CSV'; show(); }, 1500);
      });
    }
    if (rows.length > USUAL) {
      const bar = document.createElement('div');
      bar.className = 'nbc-table-tools nbc-table-pages';
      bar.setAttribute('role', 'group');
      bar.setAttribute('aria-label', 'Pages of the table');
      frame.after(bar);
      const turn = (by) => () => { page += by; show(); frame.scrollTop = 0; };
      const back = button(bar, 'Previous', turn(-1));
      place = { back, text: make('span', bar, { className: 'nbc-table-status' }), on: button(bar, 'Next', turn(1)) };
      place.text.setAttribute('role', 'status');
      const label = make('label', bar, { textContent: 'Rows per page ' });
      const select = make('select', label, {});
      for (const it of SIZES) select.add(new Option(String(it), String(it), it === USUAL, it === USUAL));
      select.addEventListener('change', () => {
        page = Math.floor((page * size) / Number(select.value));
        size = Number(select.value);
        show();
      });
    }
    show();
  };

  const start = (root) => {
    for (const table of root.querySelectorAll('table:is(.nbc-table, .x-dataframe)')) enhance(table);
  };
  // Whatever puts new outputs into the page says so.
  document.addEventListener('nbc-shown', (event) => start(event.target));
  if (document.readyState === 'loading') addEventListener('DOMContentLoaded', () => start(document)); else start(document);
})();
