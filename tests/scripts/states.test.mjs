// States of a page: values of inputs, tries, contents, addresses and entries of the history.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';

import { indexIn, read, restore, written } from '../../assets/states/address.js';
import { Contents } from '../../assets/states/contents.js';
import { Entries } from '../../assets/states/history.js';
import { Model } from '../../assets/states/model.js';
import { contentOf, isDecidedBy, widgetsOf } from '../../assets/states/trie.js';
import { namedEnds, nearest, nearestPair, nearestSet, numberField, sampled } from '../../assets/states/values.js';

const input = (name, labels, more = {}) => ({ kind: 'choice', name, values: labels, labels, ...more });
const BUTTON = { kind: 'run_button', name: 'go', values: [0, 1], labels: ['not pressed', 'pressed'] };

// Two inputs in a group in a form, an input that starts others again, and a button.
const A = 0; const B = 1; const GROUP = 2; const FORM = 3; const OUTER = 4; const INNER = 5; const GO = 6;
const model = () => new Model([
  input('a', ['1', '2', '3']), input('b', ['u', 'v'], { initial: 1 }), { kind: 'group', parts: [A, B] },
  { kind: 'form', name: 'form', parts: [GROUP] }, input('outer', ['p', 'q'], { resets: [INNER] }), input('inner', ['x', 'y']), BUTTON,
]);
const choose = (it, w, index) => { it.draft[w] = index; it.settle(w); };

test('a group has a value for each combination of its parts, and a form one more', () => {
  const it = model();
  assert.deepEqual([A, GROUP, FORM].map((w) => it.size(w)), [3, 6, 7]);
  const indices = [];
  for (const a of [0, 1, 2]) for (const b of [0, 1]) indices.push(it.indexOf(GROUP, [a, b]));
  assert.deepEqual(indices, [0, 1, 2, 3, 4, 5]);
  assert.equal(it.indexOf(GROUP), 1);
  assert.equal(it.formOf(A), FORM);
  assert.equal(it.formOf(FORM), undefined);
  assert.deepEqual([it.below(FORM), it.above(B)], [[FORM, GROUP, A, B], [B, GROUP, FORM]]);
});

test('a value that settles tells all that hold it', () => {
  const it = model();
  choose(it, A, 2);
  assert.deepEqual([...it.takeChanged()].sort(), [A, GROUP, FORM]);
  assert.equal(it.values[A], 2);
  assert.equal(it.takeChanged().size, 0);
});

test('inputs that another makes anew start again, and a press ends', () => {
  const it = model();
  choose(it, INNER, 1);
  choose(it, GO, 1);
  assert.deepEqual([it.values[INNER], it.values[GO]], [1, 1]);
  choose(it, OUTER, 1);
  assert.deepEqual([it.values[INNER], it.draft[INNER], it.values[GO]], [0, 0, 0]);
  assert.ok(it.takeChanged().has(INNER));
});

test('a trie leads from values to a content', () => {
  const trie = [OUTER, [[INNER, [0, 1]], [GO, [2, null]]]];
  assert.deepEqual([...widgetsOf(trie)], [OUTER, INNER, GO]);
  assert.deepEqual([...widgetsOf(7)], []);
  const at = (values) => contentOf(trie, (w) => values[w]);
  assert.equal(at({ [OUTER]: 0, [INNER]: 1 }), 1);
  assert.equal(at({ [OUTER]: 1, [GO]: 0 }), 2);
  assert.equal(at({ [OUTER]: 1, [GO]: 1 }), null);
  assert.equal(at({ [OUTER]: 2 }), null);
  assert.ok(isDecidedBy(trie, () => 0, [INNER]));
  assert.ok(!isDecidedBy(trie, () => 0, [GO]));
});

test('contents are loaded by chunks, once', async () => {
  const asked = [];
  const it = new Contents([2, 0, 3], async (chunk) => { asked.push(chunk); return [`${chunk}a`, `${chunk}b`, `${chunk}c`]; });
  assert.deepEqual([0, 1, 2, 4].map((content) => it.chunkOf(content)), [0, 0, 2, 2]);
  assert.equal(it.get(3), undefined);
  await Promise.all([it.load(2), it.load(2)]);
  assert.deepEqual([it.get(2), it.get(3), it.get(0), asked], ['2a', '2b', undefined, [2]]);
});

test('a chunk that failed is asked for again', async () => {
  let times = 0;
  const it = new Contents([1], async () => {
    times += 1;
    if (times === 1) throw new Error('status 503');
    return ['here'];
  });
  await assert.rejects(it.load(0), /503/);
  await it.load(0);
  assert.equal(it.get(0), 'here');
});

test('the nearest value is found', () => {
  assert.equal(nearest([1, 5, 10], (it) => Math.abs(it - 7)), 1);
  const pairs = [[0, 0], [0, 2], [1, 2], [2, 2]];
  assert.equal(nearestPair(pairs, ['1', '2'], 0, Number), 2);
  // Ends that cross: the moved one stays.
  assert.equal(nearestPair(pairs, [2, 1], 0, Number), 3);
  assert.equal(nearestPair(pairs, [2, 0], 1, Number), 0);
});

test('a set has the clicked item', () => {
  const sets = [[], ['x'], ['y'], ['x', 'y'], ['x', 'z']];
  const click = (chosen, value) => nearestSet(sets, chosen, { value, checked: chosen.includes(value) });
  assert.deepEqual(click(['x', 'y'], 'y'), { index: 3, isExact: true });
  assert.deepEqual(click(['x', 'y', 'z'], 'z'), { index: 4, isExact: false });
  assert.deepEqual(click(['z'], 'x'), { index: 0, isExact: false });
});

test('ends of a range have the names of its labels', () => {
  const { ends, names } = namedEnds([[0, 2], [2, 10]], ['low – mid', 'mid – high']);
  assert.deepEqual([ends, [...names]], [[0, 2, 10], [[0, 'low'], [2, 'mid'], [10, 'high']]]);
  assert.deepEqual([...namedEnds([[3, 4]], ['all']).names.values()], ['3', '4']);
});

test('a field of numbers has a step where values are even', () => {
  assert.deepEqual(numberField([0.3, null, 0.1, 0.2]), { ordered: [0.1, 0.2, 0.3], attributes: { min: 0.1, max: 0.3, step: 0.1 } });
  assert.equal(numberField([1, 2, 10]).attributes.step, 'any');
  assert.equal(numberField([5]).attributes.step, 'any');
  assert.equal(sampled({ values: [1, 2], total: 9 }), '2 of 9 values');
  assert.equal(sampled({ values: [1, 2], total: 2 }), '');
});

const always = () => true;

test('an address names values that are not the first', () => {
  const it = model();
  assert.equal(written(it), '');
  choose(it, OUTER, 1);
  choose(it, B, 0);
  assert.equal(written(it), 'b=u&outer=q');
  choose(it, FORM, 1 + it.indexOf(GROUP));
  assert.equal(written(it), 'b=u&form=submitted&outer=q');
  assert.equal(read('#?a=1'), 'a=1');
  assert.equal(read('#cell-1'), undefined);
});

test('labels that are no names are indices in an address', () => {
  const it = new Model([input('k & k', ['a', 'b', 'b', '~1', 'ä=&'])]);
  const addresses = [1, 2, 3, 4].map((value) => { choose(it, 0, value); return written(it); });
  assert.deepEqual(addresses, ['k%20%26%20k=b', 'k%20%26%20k=~2', 'k%20%26%20k=~3', 'k%20%26%20k=%C3%A4%3D%26']);
  for (const [at, address] of addresses.entries()) {
    const other = new Model(it.widgets);
    assert.ok(restore(other, address, always), address);
    assert.equal(other.values[0], at + 1);
  }
});

test('every state comes back from its address', () => {
  for (const a of [0, 1, 2]) for (const outer of [0, 1]) for (const sent of [false, true]) {
    const it = model();
    choose(it, A, a);
    choose(it, OUTER, outer);
    if (sent) choose(it, FORM, 1 + it.indexOf(GROUP));
    const other = model();
    assert.ok(restore(other, written(it), always));
    assert.deepEqual(other.values, it.values);
    assert.equal(written(other), written(it));
  }
});

test('an address may be of another page', () => {
  const it = model();
  assert.ok(!restore(it, 'outer=q&gone=1', always));
  assert.equal(it.values[OUTER], 1);
  assert.ok(!restore(it, 'outer=none', always));
  assert.equal(it.values[OUTER], 0);
  assert.ok(!restore(it, 'outer=~9', always));
  assert.ok(restore(it, 'outer=~1', always));
  assert.deepEqual([indexIn(['a', '~0'], '~0'), indexIn(['a'], null), indexIn(['a'], '~7')], [0, -1, -1]);
});

test('of inputs with one name the one that is asked for counts', () => {
  const it = new Model([input('n', ['0', '1']), input('n', ['0', '1', '2'])]);
  assert.ok(restore(it, 'n=1', (w) => w === 1));
  assert.deepEqual(it.values, [0, 1]);
  assert.ok(!restore(it, 'n=2', (w) => w === 0));
});

beforeEach(() => {
  mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 10_000 });
  globalThis.location = { href: 'https://a.test/page.html#?old' };
  const calls = [];
  const note = (method) => ({ states }, _, address) => calls.push([method, states, address]);
  globalThis.history = { calls, pushState: note('push'), replaceState: note('replace') };
});
afterEach(() => mock.timers.reset());

test('a drag is one entry of the history', () => {
  let states = 'n=1';
  const it = new Entries(() => states);
  it.remember(0, false);
  states = 'n=2';
  it.remember(0, false);
  it.remember(0, true);
  mock.timers.tick(300);
  assert.deepEqual(globalThis.history.calls, [['push', 'n=1', '#?n=1'], ['replace', 'n=2', '#?n=2']]);
  mock.timers.tick(2000);
  states = '';
  it.remember(0, true);
  assert.deepEqual(globalThis.history.calls.at(-1), ['push', '', 'https://a.test/page.html']);
});

test('another input writes what the last one still has to write', () => {
  let states = 'a=1';
  const it = new Entries(() => states);
  it.remember(0, true);
  states = 'a=2';
  it.remember(0, true);
  it.remember(1, true);
  mock.timers.tick(1000);
  assert.deepEqual(globalThis.history.calls.map(([method]) => method), ['push', 'replace', 'push']);
});
