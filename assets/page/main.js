// The page's own script: theme, code, outline, anchors. The page is complete without it, so the
// controls that need it stay hidden, or are made here.
import { codeButtons, codeTools } from './code.js';
import { anchors, outline } from './headings.js';
import { known, showTheme, stored, themeButtons } from './theme.js';

// Before the first paint where the script stands in the page: no flash of the other theme.
showTheme(known(stored.get('theme')));
if (stored.get('wrap')) document.documentElement.dataset.wrap = '';

// Scrolling boxes must be within reach of the keyboard in every browser.
const scrollers = () => {
  for (const box of document.querySelectorAll('main :is(.nbc-out, .nbc-out pre, .nbc-out math, .nbc-table-frame, .dataflow-scroll)')) {
    const overflows = box.scrollWidth > box.clientWidth + 1 || box.scrollHeight > box.clientHeight + 1;
    if (!overflows || box.tabIndex >= 0 || !/auto|scroll/.test(getComputedStyle(box).overflow)) continue;
    box.tabIndex = 0;
    if (box.hasAttribute('role')) continue;
    box.setAttribute('role', 'group');
    box.setAttribute('aria-label', 'Output');
  }
};

const start = () => {
  for (const step of [themeButtons, codeButtons, codeTools, anchors, outline, scrollers]) step();
};
if (document.readyState === 'loading') addEventListener('DOMContentLoaded', start); else start();
// New outputs stand in the page.
addEventListener('nbc-shown', scrollers);
