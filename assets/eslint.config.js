// Lints of the scripts of pages and of their unit tests.

const browser = ['AbortController', 'Blob', 'CSSStyleDeclaration', 'CSSStyleSheet', 'CustomEvent', 'DOMParser', 'DecompressionStream',
  'Document', 'Element', 'Event', 'EventTarget', 'HTMLElement', 'IntersectionObserver', 'MutationObserver', 'Node', 'Option', 'Response',
  'SVGElement', 'TextDecoder', 'URL', 'URLSearchParams', 'addEventListener', 'atob', 'cancelAnimationFrame', 'clearTimeout', 'console',
  'customElements', 'document', 'fetch', 'getComputedStyle', 'history', 'innerHeight', 'localStorage', 'location', 'matchMedia', 'navigator',
  'requestAnimationFrame', 'self', 'setTimeout', 'visualViewport', 'window'];

const recommended = ['constructor-super', 'for-direction', 'getter-return', 'no-async-promise-executor', 'no-case-declarations',
  'no-class-assign', 'no-compare-neg-zero', 'no-cond-assign', 'no-const-assign', 'no-constant-binary-expression', 'no-constant-condition',
  'no-control-regex', 'no-debugger', 'no-delete-var', 'no-dupe-args', 'no-dupe-class-members', 'no-dupe-else-if', 'no-dupe-keys',
  'no-duplicate-case', 'no-empty-character-class', 'no-empty-pattern', 'no-empty-static-block', 'no-ex-assign', 'no-extra-boolean-cast',
  'no-fallthrough', 'no-func-assign', 'no-global-assign', 'no-import-assign', 'no-invalid-regexp', 'no-irregular-whitespace',
  'no-loss-of-precision', 'no-misleading-character-class', 'no-new-native-nonconstructor', 'no-nonoctal-decimal-escape', 'no-obj-calls',
  'no-octal', 'no-prototype-builtins', 'no-redeclare', 'no-regex-spaces', 'no-self-assign', 'no-setter-return',
  'no-shadow-restricted-names', 'no-sparse-arrays', 'no-this-before-super', 'no-undef', 'no-unexpected-multiline', 'no-unreachable',
  'no-unsafe-finally', 'no-unsafe-negation', 'no-unsafe-optional-chaining', 'no-unused-labels', 'no-unused-private-class-members',
  'no-useless-backreference', 'no-useless-catch', 'no-useless-escape', 'no-with', 'require-yield', 'use-isnan', 'valid-typeof'];

const stricter = ['array-callback-return', 'default-case-last', 'eqeqeq', 'no-duplicate-imports', 'no-eval', 'no-implied-eval', 'no-new-func',
  'no-self-compare', 'no-template-curly-in-string', 'no-throw-literal', 'no-unmodified-loop-condition',
  'no-unreachable-loop', 'no-useless-rename', 'no-var', 'object-shorthand', 'prefer-const', 'prefer-template', 'no-multi-str'];

// Modules are joined into one script by `crates/verify/src/site/scripts.rs`, which takes out imports, the word `export`
// and comments, line by line. This rule holds what that needs.
const joinable = {
  meta: { type: 'problem', schema: [] },
  create: (context) => {
    const report = (node, message) => context.report({ node, message });
    const isOneLine = ({ loc }) => loc.start.line === loc.end.line;
    const refused = (what) => (node) => report(node, `the joined script has no ${what}`);
    return {
      ImportDeclaration(node) {
        const isPlain = (it) => it.type === 'ImportSpecifier' && it.imported.name === it.local.name;
        if (!node.specifiers.length || !node.specifiers.every(isPlain)) report(node, 'import names as they are');
        if (node.loc.start.column !== 0) report(node, 'imports begin a line');
      },
      ExportNamedDeclaration(node) {
        if (!node.declaration || node.loc.start.column !== 0) report(node, 'export names where they are declared, at the beginning of a line');
      },
      ExportDefaultDeclaration: refused('default'),
      ExportAllDeclaration: refused('exports'),
      ImportExpression: refused('imports'),
      MetaProperty: refused('`import.meta`'),
      'Program > ExpressionStatement > AwaitExpression': refused('top-level `await`'),
      TemplateElement(node) { if (!isOneLine(node)) report(node, 'a literal ends on its line'); },
      Program() {
        for (const it of context.sourceCode.getAllComments()) if (!isOneLine(it)) report(it, 'use line comments');
      },
    };
  },
};

const rules = Object.fromEntries([...recommended, ...stricter].map((it) => [it, 'error']));

export default [
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    files: ['assets/**/*.js', 'tests/scripts/**/*.mjs'],
    languageOptions: { ecmaVersion: 2023, sourceType: 'module' },
    rules: {
      ...rules,
      'no-empty': ['error', { allowEmptyCatch: false }],
      'no-unused-vars': ['error', { args: 'after-used', argsIgnorePattern: '^_' }],
      'max-lines': ['error', 300],
      'max-lines-per-function': ['error', 60],
      'max-len': ['error', { code: 170 }],
    },
  },
  {
    files: ['assets/*/**/*.js'],
    plugins: { nbc: { rules: { joinable } } },
    languageOptions: { globals: Object.fromEntries(browser.map((it) => [it, 'readonly'])) },
    rules: { 'nbc/joinable': 'error' },
  },
  {
    files: ['tests/scripts/**/*.mjs'],
    languageOptions: { globals: { URL: 'readonly', setTimeout: 'readonly' } },
  },
];
