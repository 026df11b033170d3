// Charts of Bokeh.

let before = Promise.resolve();
let listening;

// BokehJS listens to the window for as long as there is one: one drawing after the other, it is known which one.
export const prepareBokeh = () => {
  window.Bokeh.set_log_level('off');
  const { addEventListener: add } = EventTarget.prototype;
  if (!window.visualViewport) return;
  visualViewport.addEventListener = (type, listener) => {
    add.call(visualViewport, type, listener, { signal: listening.signal });
  };
};

export const drawBokeh = (stage, { doc, root }) => {
  const { Bokeh } = window;
  let views;
  const mine = new AbortController();
  const done = before.then(async () => {
    listening = mine;
    views = await Bokeh.embed.embed_item({ doc, root_id: root, target_id: stage });
  });
  before = done.catch(() => {});
  const free = () => {
    mine.abort();
    // BokehJS keeps a list of all documents.
    const at = Bokeh.documents.indexOf(views.roots[0].model.document);
    if (at >= 0) Bokeh.documents.splice(at, 1);
    views.clear();
  };
  return [free, done];
};
