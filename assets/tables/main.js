// Tables that readers sort, search, leaf through, sum up and copy. Only pages with tables load it. All rows
// stand in the page: without this script, and in print, they are there.
import { enhance } from './view.js';

const start = (root) => root.querySelectorAll('table:is(.nbc-table, .x-dataframe)').forEach(enhance);
// Scripts that put new outputs into the page say so.
document.addEventListener('nbc-shown', (event) => start(event.target));
if (document.readyState === 'loading') addEventListener('DOMContentLoaded', () => start(document)); else start(document);
