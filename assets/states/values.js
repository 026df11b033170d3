// The computed value that is nearest to the one that a reader asks for.

// Index of the item with the smallest distance.
export const nearest = (items, distance) => {
  const distances = items.map(distance);
  return distances.indexOf(Math.min(...distances));
};

// Two ends, of numbers or dates: the end that the reader moved is kept, the other follows.
export const nearestPair = (pairs, wanted, moved, number) => {
  const ends = wanted.map(number);
  if (ends[0] > ends[1]) ends[1 - moved] = ends[moved];
  const away = (value, at) => Math.abs(number(value[at]) - ends[at]);
  const scale = 1 + Math.max(...pairs.map((it) => away(it, 1 - moved)));
  return nearest(pairs, (it) => away(it, moved) * scale * scale + away(it, 1 - moved));
};

// The set that has the item as the reader clicked it, and else has most in common with the chosen items.
export const nearestSet = (sets, chosen, { value, checked }) => {
  const more = (of, than) => of.filter((it) => !than.includes(it)).length;
  const index = nearest(sets, (it) => (it.includes(value) === checked ? 0 : 1e6)
    + 2 * more(chosen, it) + 2.5 * more(it, chosen));
  return { index, isExact: more(chosen, sets[index]) + more(sets[index], chosen) === 0 };
};

// Distinct numbers of pairs in order, and their names. `1 – 5` names both ends; with steps they are indices, and only
// the label knows their names.
export const namedEnds = (pairs, labels) => {
  const names = new Map();
  pairs.forEach((it, at) => {
    const parts = labels[at].split(' – ');
    it.forEach((end, side) => names.set(end, parts.length === 2 ? parts[side] : String(end)));
  });
  return { ends: [...names.keys()].sort((a, b) => a - b), names };
};

// Numbers in order, and the attributes of a field for them. Null stands for an empty field.
export const numberField = (values) => {
  const ordered = values.filter((it) => it !== null).sort((a, b) => a - b);
  const step = ordered[1] - ordered[0];
  const isEven = ordered.every((it, at) => Math.abs(it - ordered[0] - at * step) < step * 1e-6);
  const attributes = { min: ordered[0], max: ordered.at(-1), step: isEven ? Number(step.toPrecision(12)) : 'any' };
  return { ordered, attributes };
};

export const sampled = ({ values, total }) => (total > values.length ? `${values.length} of ${total} values` : '');
