// States in addresses: `name=label` for each input whose value is not its first one.

// Names begin as names of variables do.
export const keysOf = (widgets) => widgets.map(({ name }, w) => name || `~${w}`);

export const read = (hash) => (hash.startsWith('#?') ? hash.slice(2) : undefined);

// The present values. A label that occurs twice, or looks like an index, is written as its index.
export const written = (model) => {
  const keys = keysOf(model.widgets);
  const pairs = new Map();
  model.widgets.forEach(({ kind, labels }, w) => {
    const value = model.values[w];
    if (kind === 'group' || value === model.first(w)) return;
    const label = model.isForm(w) ? 'submitted' : labels[value];
    const isPlain = model.isForm(w) || (labels.indexOf(label) === value && !/^~\d+$/.test(label));
    pairs.set(encodeURIComponent(keys[w]), encodeURIComponent(isPlain ? label : `~${value}`));
  });
  return [...pairs].map((it) => it.join('=')).join('&');
};

// Index of a label, or of `~3`; negative when there is none.
export const indexIn = (labels, text) => {
  const spelled = /^~(\d{1,9})$/.exec(text ?? '');
  if (spelled && Number(spelled[1]) < labels.length) return Number(spelled[1]);
  return text === null ? -1 : labels.indexOf(text);
};

// A form gets the values of its parts, from the innermost on.
const submit = (model, isGiven, w) => {
  (model.widgets[w].parts ?? []).forEach((it) => submit(model, isGiven, it));
  if (model.isForm(w)) model.put(w, isGiven(w) ? 1 + model.indexOf(model.widgets[w].parts[0]) : 0);
};

// Takes values over; `isAsked` tells whether an output asks for an input. Gives whether all names and values are known.
export const restore = (model, states, isAsked) => {
  const { widgets } = model;
  const given = new URLSearchParams(states);
  const keys = keysOf(widgets);
  widgets.forEach(({ kind, labels = [] }, w) => {
    if (kind === 'group' || kind === 'form') return;
    const index = indexIn(labels, given.get(keys[w]));
    model.put(w, index < 0 ? model.first(w) : index);
  });
  widgets.forEach((_, w) => { if (model.owners[w].length === 0) submit(model, (it) => given.has(keys[it]), w); });
  const known = new Set();
  widgets.forEach(({ labels = [] }, w) => {
    // A widget that is made anew with other values has the same name: it counts where an output asks for it.
    const isOne = keys.indexOf(keys[w]) === keys.lastIndexOf(keys[w]);
    const counts = isOne || isAsked(w);
    if (!counts && model.values[w] !== model.first(w)) model.put(w, model.first(w));
    const text = given.get(keys[w]);
    if (counts && (model.isForm(w) || text === labels[model.values[w]] || text === `~${model.values[w]}`)) known.add(keys[w]);
    model.changed.add(w);
  });
  return [...given.keys()].every((it) => known.has(it));
};
