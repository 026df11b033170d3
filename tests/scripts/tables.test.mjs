// Values of tables: numbers, dates, their order and summaries.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { columnOf, csv, dateOf, numberOf, ordering, sortedRows, summary } from '../../assets/tables/values.js';

const order = ordering('en');

test('numbers have many spellings', () => {
  const spelled = {
    '1,234.5': 1234.5, '\u22123 %': -3, '€ 10': 10, '-$5': -5, inf: Infinity, '-∞': -Infinity, '.5': 0.5, '1e-3': 0.001, '7.': 7, 0: 0,
  };
  for (const [text, number] of Object.entries(spelled)) assert.equal(numberOf(text), number, text);
  for (const text of ['', '1,23', '1.2.3', 'ten', '0x10', '1 2', 'Infinite', '--1', '12,3456']) assert.ok(Number.isNaN(numberOf(text)), text);
});

test('dates are those of ISO 8601', () => {
  assert.equal(dateOf('2024-02-29'), Date.UTC(2024, 1, 29));
  assert.equal(dateOf('2024-01-01 12:30:00 UTC'), Date.UTC(2024, 0, 1, 12, 30));
  assert.equal(dateOf('2024-01-01T12:30:00+02:00'), Date.UTC(2024, 0, 1, 10, 30));
  assert.equal(dateOf('2024-05'), Date.UTC(2024, 4, 1));
  for (const text of ['2024', '1.2.2024', 'May 2024', '2024-13-01', '']) assert.ok(Number.isNaN(dateOf(text)), text);
});

const sorted = (texts, direction) => sortedRows(columnOf(texts), direction, order).map((at) => texts[at]);

test('a column sorts by the kind of all its values', () => {
  assert.equal(columnOf(['1', 'NaN', '2']).kind, 'number');
  assert.equal(columnOf(['2024-01-01', 'NaT']).kind, 'date');
  assert.equal(columnOf(['1', '2024-01-01']).kind, 'text');
  assert.deepEqual(sorted(['10', '9', '1,000'], 'ascending'), ['9', '10', '1,000']);
  assert.deepEqual(sorted(['10', '9', '1,000'], 'descending'), ['1,000', '10', '9']);
  assert.deepEqual(sorted(['item 10', 'item 9', 'Item 1'], 'ascending'), ['Item 1', 'item 9', 'item 10']);
  assert.deepEqual(sorted(['2024-01-02', '2023-12-31'], 'ascending'), ['2023-12-31', '2024-01-02']);
});

test('missing values are last in both directions, and equal ones stay', () => {
  assert.deepEqual(sorted(['None', '2', '', '1'], 'ascending'), ['1', '2', 'None', '']);
  assert.deepEqual(sorted(['None', '2', '', '1'], 'descending'), ['2', '1', 'None', '']);
  assert.deepEqual(sortedRows(columnOf(['1', '1.0', '0']), 'ascending', order), [2, 0, 1]);
});

test('fractions of a millisecond decide', () => {
  const texts = ['2024-01-01 00:00:00.000002', '2024-01-01 00:00:00.000001'];
  assert.deepEqual(sorted(texts, 'ascending'), [...texts].reverse());
});

test('a summary tells about the shown rows', () => {
  const numbers = columnOf(['1', '2', '4', 'NaN', '1,000']);
  assert.deepEqual(summary(numbers, [0, 1, 2, 3], order), ['3 distinct', '1 missing', 'min 1', 'mean 2.3333', 'max 4']);
  assert.deepEqual(summary(numbers, [3], order), ['0 distinct', '1 missing']);
  assert.deepEqual(summary(columnOf(['a', 'b', 'a']), [0, 1, 2], order), ['2 distinct', 'commonest a (2)']);
  assert.deepEqual(summary(columnOf(['a', 'b']), [0, 1], order), ['2 distinct']);
});

test('rows are copied as RFC 4180 says', () => {
  assert.equal(csv([['a', 'b,c'], ['say "x"', 'two\nlines']]), 'a,"b,c"\r\n"say ""x""","two\nlines"\r\n');
});
