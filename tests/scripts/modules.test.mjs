// Modules of the scripts of pages, as `crates/verify/src/site/scripts.rs` lists them.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';

const root = new URL('../..', import.meta.url).pathname;
const assets = join(root, 'assets');
const list = readFileSync(join(root, 'crates/verify/src/site/scripts.rs'), 'utf8').split('#[cfg(test)]')[0];
const scripts = [...list.matchAll(/pub const (\w+): &str =\s*script!\[([^\]]*)\];/g)]
  .map(([, name, modules]) => [name, [...modules.matchAll(/"([\w/]+\.js)"/g)].map(([, path]) => path)]);
const text = (module) => readFileSync(join(assets, module), 'utf8');

test('every module is part of a script', () => {
  assert.deepEqual(scripts.map(([name]) => name), ['PAGE', 'CHARTS', 'TABLES', 'STATES', 'ISLAND']);
  const files = readdirSync(assets, { recursive: true }).filter((it) => it.endsWith('.js') && it.includes('/'));
  assert.deepEqual([...new Set(scripts.flatMap(([, modules]) => modules))].sort(), files.sort());
});

test('modules stand after those that they import', () => {
  for (const [name, modules] of scripts) {
    modules.forEach((module, at) => {
      for (const [, path] of text(module).matchAll(/^import [^;]* from '([^']+)';$/gm)) {
        const imported = normalize(join(dirname(module), path));
        assert.ok(modules.slice(0, at).includes(imported), `${name}: ${module} imports ${imported}`);
      }
    });
  }
});

test('names of modules that are joined differ', () => {
  for (const [name, modules] of scripts) {
    const names = modules.flatMap((module) => [...text(module)
      .matchAll(/^(?:export )?(?:async )?(?:const|let|class|function) (?:\{([^}]*)\}|(\w+))/gm)]
      .flatMap(([, several, one]) => one ?? several.split(',').map((it) => it.split(':').at(-1).trim())));
    assert.ok(names.length > 5, name);
    assert.deepEqual(names.filter((it, at) => names.indexOf(it) !== at), [], name);
  }
});

test('only main modules act when they are loaded', async () => {
  // No browser is here: a module that used one while it is loaded would fail.
  globalThis.HTMLElement ??= class {};
  const modules = new Set(scripts.flatMap(([, paths]) => paths));
  for (const module of modules) {
    if (module.endsWith('/main.js')) assert.ok(!/^export /m.test(text(module)), module);
    else assert.ok(Object.keys(await import(join(assets, module))).length > 0, module);
  }
});
