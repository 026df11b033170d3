// Small helpers for elements, and what is known about those that are inputs.

export const make = (name, properties, ...children) => {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
};

// Elements of an input itself, without those of inputs inside it.
export const own = (live, selector) => [...live.querySelectorAll(selector)].filter((it) => it.closest('[data-widget]') === live);

// Inputs that work: the function that shows their value, and whether they only hold other inputs.
export const bound = new WeakMap();
// Controls that this script enabled.
export const enabled = new WeakSet();
export const enable = (control) => { control.disabled = false; enabled.add(control); };

// Tables as the build made them, before scripts add to them.
export const built = new WeakMap();
export const keep = (root) => {
  for (const it of root.querySelectorAll('[data-widget]')) if (it.querySelector('table')) built.set(it, it.cloneNode(true));
};
