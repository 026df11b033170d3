// Tries from values to contents. A node is `[widget, children]`, with a child for each value of the widget; a leaf is
// the number of a content, or null for a state that was not computed.

export const widgetsOf = (trie) => {
  const found = new Set();
  const visit = (node) => {
    if (!Array.isArray(node)) return;
    found.add(node[0]);
    node[1].forEach(visit);
  };
  visit(trie);
  return found;
};

export const contentOf = (trie, indexOf) => {
  let node = trie;
  while (Array.isArray(node)) node = node[1][indexOf(node[0])];
  return node ?? null;
};

// Whether one of these widgets decides about the content of the present values.
export const isDecidedBy = (trie, indexOf, widgets) => {
  let node = trie;
  while (Array.isArray(node)) {
    if (widgets.includes(node[0])) return true;
    node = node[1][indexOf(node[0])];
  }
  return false;
};
