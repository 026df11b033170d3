// Charts, islands and themes: addresses in values, tooltips, colours, models of widgets.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { loads } from '../../assets/charts/addresses.js';
import { isDark, themed } from '../../assets/charts/theme.js';
import { tipRows } from '../../assets/charts/vega.js';
import { modelOf, withBuffers } from '../../assets/island/widget.js';
import { known, nextOf } from '../../assets/page/theme.js';

test('values that load something are known', () => {
  const loading = ['url(https://a.test/x.png)', 'URL( "//a.test")', 'image-set("a.png" 1x)', 'src("a")', 'u\\72l(a)', 'image(a)',
    'url(data:image/png;base64,AA==) url(https://a.test)', "url('data:text/html,x')"];
  for (const value of loading) assert.ok(loads(value), value);
  const plain = ['red', 'rgb(1, 2, 3)', 'url(#gradient)', "url('#a')", 'url(data:image/png;base64,AA==)', 'translate(3, 4)', 'image'];
  for (const value of plain) assert.ok(!loads(value), value);
});

test('a tooltip has a row for each field', () => {
  assert.deepEqual(tipRows({ a: 1, b: { c: 2 }, d: null }), [['a', '1'], ['b', '{"c":2}'], ['d', 'null']]);
  assert.deepEqual(tipRows('text'), [['', 'text']]);
  assert.deepEqual(tipRows(0), [['', '0']]);
  for (const nothing of [null, undefined, '']) assert.deepEqual(tipRows(nothing), []);
});

test('the theme of the page goes before that of the system', () => {
  const isDarkWith = (theme, matches) => {
    globalThis.document = { documentElement: { dataset: { theme } } };
    globalThis.matchMedia = () => ({ matches });
    return isDark();
  };
  assert.deepEqual([['dark', false], ['light', true], [undefined, true], [undefined, false]].map((it) => isDarkWith(...it)), [true, false, true, false]);
  assert.equal(themed('#111', true).axis.gridColor, '#fff3');
  assert.equal(themed('#111', false).text.fill, '#111');
});

test('themes follow each other, and unknown ones are none', () => {
  assert.deepEqual(['auto', 'light', 'dark'].map(nextOf), ['light', 'dark', 'auto']);
  assert.deepEqual(['dark', 'pink', null].map(known), ['dark', 'auto', 'auto']);
});

test('a widget hears of its changes', () => {
  const heard = [];
  const model = modelOf({ a: 1 });
  const handler = (_, value) => heard.push(value);
  model.on('change:a change:b', handler);
  model.on('change', () => heard.push('any'));
  model.set('a', 2);
  model.set({ a: 3, b: 4 });
  assert.deepEqual([heard, model.get('b')], [[2, 'any', 3, 4, 'any'], 4]);
  model.off('change:a', handler);
  model.set('a', 5);
  model.off();
  model.set('a', 6);
  assert.deepEqual(heard.slice(5), ['any']);
});

test('buffers stand where the state names them', () => {
  const state = withBuffers({ list: [{}] }, [{ path: ['list', 0, 'data'], data: 'AQI=' }, { path: ['gone', 'x'], data: 'AQI=' }]);
  assert.equal(state.list[0].data.getUint8(1), 2);
  assert.equal('gone' in state, false);
});
