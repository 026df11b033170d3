// The markup of tables.

export const textOf = (it) => it.textContent.trim();

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
export const grid = (table) => {
  const rows = [...(table.tBodies[0]?.rows ?? [])];
  const joined = table.querySelector('table, tbody + tbody, tbody [rowspan], tbody [colspan]');
  if (!table.tHead || rows.length < 2 || joined) return null;
  const columns = rows[0].cells.length;
  const isElided = (row) => [...row.cells].every((it) => it.localName === 'th' || /^(\.{3}|…)$/.test(textOf(it)));
  if (rows.some((row) => row.cells.length !== columns || isElided(row))) return null;
  const heads = headings(table.tHead, columns);
  return heads && { rows, heads };
};

export const made = (name, properties) => Object.assign(document.createElement(name), properties);
export const make = (name, parent, properties) => parent.appendChild(made(name, properties));

// The box around a table in which it scrolls.
export const frameOf = (table) => {
  let frame = table.closest('.nbc-table-frame');
  if (!frame) {
    frame = made('div', { className: 'nbc-table-frame nbc-table-fit', tabIndex: 0, role: 'group', ariaLabel: 'Table' });
    table.before(frame);
    frame.append(table);
  }
  return frame;
};

export const makeButton = (parent, textContent, work) => make('button', parent, {
  type: 'button', className: 'bar-button', textContent,
  onclick: ({ currentTarget: it }) => it.ariaDisabled !== 'true' && work(it),
});

export const makeStatus = (parent) => make('span', parent, { className: 'nbc-table-status', role: 'status' });
