// Values of cells: numbers, dates or texts, and their order.

const MISSING = /^(nan|none|null|nat|<na>|n\/a)?$/i;
const DATE = /^\d{4}-\d{2}(-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?( ?(Z|UTC|[-+]\d{2}:?\d{2}))?)?)?$/;

// `1,234.5`, `−3 %`, `€ 10` and `inf` are numbers; everything else gives NaN.
export const numberOf = (text) => {
  let plain = text.replace(/\u2212/g, '-').replace(/^([-+]?)[$€£¥]\s?/, '$1').replace(/\s?%$/, '');
  if (/^[-+]?\d{1,3}(,\d{3})+(\.\d*)?$/.test(plain)) plain = plain.replaceAll(',', '');
  plain = plain.replace(/^([-+]?)(inf|∞)$/i, '$1Infinity');
  return /^[-+]?((\d+\.?\d*|\.\d+)(e[-+]?\d+)?|Infinity)$/i.test(plain) ? Number(plain) : NaN;
};

export const dateOf = (text) => Date.parse(DATE.test(text) && text.replace(' ', 'T').replace('UTC', 'Z').replace(' ', ''));

// Compares two values of a column. Fractions of a date below milliseconds are only in its text.
export const ordering = (lang) => {
  const collator = new Intl.Collator(lang || undefined, { numeric: true });
  return (kind, a, b) => (kind !== 'text' && a.value - b.value) || (kind !== 'number' && collator.compare(a.text, b.text));
};

// A column of cells, and the kind of all its values.
export const columnOf = (texts) => {
  const cells = texts.map((text) => ({ text, missing: MISSING.test(text) }));
  const is = (parse) => cells.every((it) => it.missing || !Number.isNaN(it.value = parse(it.text)));
  return { cells, kind: is(numberOf) ? 'number' : is(dateOf) ? 'date' : 'text' };
};

// Numbers of rows in the order of a column; missing values come last in both directions.
export const sortedRows = ({ cells, kind }, direction, order) => {
  const sign = direction === 'ascending' ? 1 : -1;
  const compare = (a, b) => a.missing - b.missing || (a.missing ? 0 : sign * order(kind, a, b));
  return cells.map((_, at) => at).sort((a, b) => compare(cells[a], cells[b]));
};

export const counted = (number) => number.toLocaleString('en');

// Facts about the shown values of a column.
export const summary = ({ cells, kind }, shown, order) => {
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

// RFC 4180. Text that a spreadsheet takes for a formula stays as it is.
export const csv = (lines) => {
  const quoted = (it) => (/[",\r\n]/.test(it) ? `"${it.replace(/"/g, '""')}"` : it);
  return lines.map((line) => `${line.map(quoted).join(',')}\r\n`).join('');
};
