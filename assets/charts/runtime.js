// Loads the program of a kind of charts, once for a page.
import { prepareBokeh } from './bokeh.js';
import { allowStyles } from './styles.js';

// The one policy by which strings become code: the browser compares each with the page's digests.
const same = (text) => text;
let policy;
export const createPolicy = () => {
  policy = window.trustedTypes?.createPolicy('nbc', { createScript: same, createScriptURL: same })
    ?? { createScript: same, createScriptURL: same };
};

const unpacked = async (base64) => {
  const bytes = Uint8Array.from(atob(base64.trim()), (it) => it.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Response(stream).text();
};

const load = async (kind) => {
  const holder = document.querySelector(`script[data-runtime="${kind}"]`);
  const script = document.createElement('script');
  if (kind !== 'vega') allowStyles();
  if (holder.dataset.src) {
    const loaded = new Promise((resolve, reject) => {
      script.onload = resolve;
      script.onerror = () => reject(new Error('not loaded'));
    });
    script.integrity = holder.dataset.integrity;
    script.src = policy.createScriptURL(new URL(holder.dataset.src, document.baseURI).href);
    document.head.append(script);
    await loaded;
  } else {
    script.text = policy.createScript(await unpacked(holder.textContent));
    document.head.append(script);
  }
  if (kind === 'bokeh') prepareBokeh();
};

const loading = new Map();
export const runtime = (kind) => {
  if (!loading.has(kind)) loading.set(kind, load(kind));
  return loading.get(kind);
};
