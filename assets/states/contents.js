// Contents of outputs, packed into chunks that are loaded when one of their contents is first wanted.

// Reads a holder of packed JSON: its text, or the file that it names.
export const unpacked = async (holder) => {
  let bytes;
  if (holder.dataset.src) {
    const { src, integrity } = holder.dataset;
    const answer = await fetch(new URL(src, document.baseURI), { integrity });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    bytes = new Uint8Array(await answer.arrayBuffer());
  } else {
    const text = atob(holder.textContent.trim());
    bytes = new Uint8Array(text.length);
    for (let at = 0; at < text.length; at += 1) bytes[at] = text.charCodeAt(at);
  }
  // Some hosts unpack what they send.
  if (bytes[0] !== 0x1f) return JSON.parse(new TextDecoder().decode(bytes));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'))).json();
};

export class Contents {
  loaded = [];
  loading = [];

  constructor(sizes, read) {
    this.read = read;
    this.sizes = sizes;
    this.starts = sizes.map((_, at) => sizes.slice(0, at).reduce((sum, it) => sum + it, 0));
  }

  chunkOf(content) { return this.starts.findLastIndex((it) => it <= content); }

  // The content, or nothing while its chunk is not here.
  get(content) {
    const chunk = this.chunkOf(content);
    return this.loaded[chunk]?.[content - this.starts[chunk]];
  }

  load(chunk) {
    this.loading[chunk] ??= this.read(chunk).then(
      (contents) => { this.loaded[chunk] = contents; },
      (problem) => { this.loading[chunk] = undefined; throw problem; },
    );
    return this.loading[chunk];
  }

  // One at a time, when the browser has nothing to do, and not without end: all of it stays in memory.
  prefetch(chunk = 0) {
    if (chunk >= Math.min(this.sizes.length, 64) || navigator.connection?.saveData) return;
    const later = window.requestIdleCallback ?? ((task) => setTimeout(task, 200));
    later(() => this.load(chunk).then(() => this.prefetch(chunk + 1), () => {}));
  }
}
