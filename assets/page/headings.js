// Links to headings, and the outline.
import { make } from './code.js';

export const anchors = () => {
  for (const heading of document.querySelectorAll('main :is(h1, h2, h3, h4, h5, h6)[id]')) {
    if (heading.closest('a, summary, button')) continue;
    const anchor = make('a', heading, { className: 'anchor', href: `#${heading.id}`, textContent: '#' });
    anchor.setAttribute('aria-label', 'Link to this heading');
  }
};

// The outline is open beside the text, folded above it, and marks what is being read.
export const outline = () => {
  const fold = document.querySelector('details.outline-fold');
  if (!fold) return;
  const wide = matchMedia('(min-width: 70.01rem)');
  const adapt = () => { fold.open = wide.matches; };
  wide.addEventListener('change', adapt);
  adapt();
  const links = new Map();
  for (const link of fold.querySelectorAll('a')) {
    const heading = document.getElementById(decodeURIComponent(link.hash.slice(1)));
    if (heading) links.set(heading, link);
  }
  const headings = [...links.keys()];
  const mark = () => {
    const current = headings.filter((it) => it.getBoundingClientRect().top < innerHeight / 4).pop();
    for (const [heading, link] of links) {
      if (heading === current) link.setAttribute('aria-current', 'true'); else link.removeAttribute('aria-current');
    }
  };
  // Everything above counts as seen, so that a jump past a heading is noticed too.
  const seen = new IntersectionObserver(mark, { rootMargin: '1000000px 0px -75% 0px' });
  for (const heading of headings) seen.observe(heading);
};
