// Inputs that work without a kernel. The build ran the notebook for every value that a reader can choose; this
// script finds the outputs of the chosen values and puts them into place. Only pages with states load it.
//
// A model names the widgets and holds, for each cell that they reach (a slot), a trie from values to contents.
// Contents are packed into chunks. All of it was checked by the build; nothing here makes code from strings.
import { read, written } from './address.js';
import { Contents, unpacked } from './contents.js';
import { keep } from './elements.js';
import { Model } from './model.js';
import { Page } from './page.js';
import { markupSetter } from './slots.js';

const follow = (page) => {
  addEventListener('popstate', ({ state }) => {
    const states = state?.states ?? read(location.hash);
    page.entries.cancel();
    // An anchor: the page stays as it is, also when the reader comes back to it.
    if (states === undefined) history.replaceState({ states: written(page.model) }, '');
    else { page.open(states); page.announcer.tell('Restored'); }
  });
  addEventListener('pagehide', () => page.entries.finish());
};

const start = async () => {
  const holders = new Map([...document.querySelectorAll('[data-states]')].map((it) => [it.dataset.states, it]));
  if (!holders.has('model')) return;
  keep(document);
  const setMarkup = markupSetter();
  const { widgets, slots: tries, chunks } = await unpacked(holders.get('model'));
  const contents = new Contents(chunks, (chunk) => unpacked(holders.get(String(chunk))));
  const page = new Page(new Model(widgets), { tries, contents, setMarkup });
  follow(page);
  page.bind(document);
  contents.prefetch();
  const asked = history.state?.states ?? read(location.hash) ?? '';
  if (asked) page.open(asked);
  history.replaceState({ states: written(page.model) }, '');
};

start().catch((problem) => {
  console.info(`nbc: the inputs of this page stay as they were built: ${problem.message}`);
});
