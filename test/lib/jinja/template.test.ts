import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { formatDate } from '../../../lib/jinja/strftime.js';
import { Template } from '../../../lib/jinja/template.js';

const VARIABLES = {
  s: '  Hello, World\n\n',
  t: 'abcabc',
  l: [3, 1, 2],
  d: { b: 1, a: 'x', c: null, e: true, g: [1, 'q'] },
  n: 5,
  m: [
    { role: 'user', content: 'hi', k: 1 },
    { role: 'assistant', content: 'yo' },
  ],
};

const render = (source: string, variables: Record<string, unknown> = VARIABLES): string =>
  new Template(source).render(variables);

/** What Jinja2 3.1 renders with VARIABLES. */
function rendersAs(cases: Record<string, string>): void {
  for (const [source, expected] of Object.entries(cases)) {
    test(source, () => assert.equal(render(source), expected));
  }
}

describe('methods of strings', () =>
  rendersAs({
    "{{ s.strip('\\n') }}|": '  Hello, World|',
    "{{ s.lstrip(' H') }}|": 'ello, World\n\n|',
    "{{ t.strip('ac') }} {{ t.rstrip('c') }}": 'bcab abcab',
    '{{ s.strip() }}|{{ s.rstrip() }}|': 'Hello, World|  Hello, World|',
    "{{ 'a,b,c'.rsplit(',', 1) | join('|') }} {{ 'a\\nb\\n'.splitlines() | join('|') }}": 'a,b|c a|b',
    "{{ t.find('c') }} {{ t.rfind('c') }} {{ t.find('z') }} {{ t.count('a') }}": '2 5 -1 2',
    "{{ '-'.join(['a', 'b']) }} {{ '{} and {x}'.format('a', x=1) }}": 'a-b a and 1',
    "{{ 'hello World'.capitalize() }} {{ t.removeprefix('abc') }} {{ t.removesuffix('abc') }}":
      'Hello world abc abc',
    "{{ '12'.isdigit() }} {{ 'a1'.isdigit() }} {{ 'ab'.isalpha() }} {{ 'AB'.isupper() }}":
      'True False True True',
    "{{ t.startswith(('x', 'ab')) }} {{ t.split('b')[-1] }} {{ t.upper() }}": 'True c ABCABC',
  }));

describe('values are printed as in Python', () =>
  rendersAs({
    '{{ true }} {{ none }} {{ n == 5 }} {{ missing }}|': 'True None True |',
    '{{ l }} {{ d }}': "[3, 1, 2] {'b': 1, 'a': 'x', 'c': None, 'e': True, 'g': [1, 'q']}",
    '{{ ["it\'s", \'"\', \'both \\\'"\', "\\n"] }}': "[\"it's\", '\"', 'both \\'\"', '\\n']",
    '{{ d | tojson }}': '{"b": 1, "a": "x", "c": null, "e": true, "g": [1, "q"]}',
    "{{ 'a' ~ 1 ~ true ~ none }} {{ (1, 2) }}": 'a1TrueNone (1, 2)',
    '{% if none %}{% endif %}{% set x = none %}{% for i in [] %}{% endfor %}|': '|',
  }));

describe('operators', () =>
  rendersAs({
    "{{ 'x' * 3 }} {{ 2 * 'ab' }} {{ [1] * 2 }} {{ 'a' < 'b' }}": 'xxx abab [1, 1] True',
    '{{ [1] == [1] }} {{ {"a": [1]} == {"a": [1]} }} {{ [1] != [2] }} {{ 1 == true }}': 'True True True True',
    "{{ [1] in [[1]] }} {{ 'bc' in t }} {{ 'a' in d }} {{ 9 not in l }}": 'True True True True',
    "{{ (m | selectattr('role', 'equalto', 'z') | list) == [] }}": 'True',
    '{{ m[0] == m[0] }} {{ m[0] == m[1] }} {{ missing == none }} {{ none == none }}': 'True False False True',
  }));

describe('filters', () =>
  rendersAs({
    "{{ l | reject('in', [1]) | list }} {{ l | select('odd') | list }} {{ l | select('gt', 1) | list }}":
      '[3, 2] [3, 1] [3, 2]',
    "{{ d.keys() | reject('in', ['a', 'b']) | join(',') }}": 'c,e,g',
    "{{ m | selectattr('role', '==', 'user') | list | length }} {{ m | rejectattr('role', 'in', ['user']) | list | length }}":
      '1 1',
    "{{ m | selectattr('k', 'undefined') | map(attribute='role') | join }} {{ m | selectattr('k') | list | length }}":
      'assistant 1',
    "{{ ['a', 'b'] | map('upper') | join }} {{ m | map(attribute='k', default='-') | join(',') }}": 'AB 1,-',
    "{{ m | join(',', attribute='role') }} {{ [1, none] | join(',') }}": 'user,assistant 1,None',
    "{{ s | trim('\\n') }}|{{ s | trim }}|": '  Hello, World|Hello, World|',
    "{{ 'abc' | list }} {{ d | list }} {{ t | first }} {{ t | reverse }} {{ l | count }}":
      "['a', 'b', 'c'] ['b', 'a', 'c', 'e', 'g'] a cbacba 3",
    '{{ l | max }} {{ l | min }} {{ l | sum }} {{ m | sum(attribute="k", start=2) if false else 0 }}':
      '3 1 6 0',
    "{{ '<a&b>' | e }} {{ 3.14159 | round(2) }} {{ 2.5 | round }} {{ true | string }}":
      '&lt;a&amp;b&gt; 3.14 2.0 True',
  }));

describe('statements', () =>
  rendersAs({
    '{% for c in t %}{{ c }}-{% endfor %}': 'a-b-c-a-b-c-',
    "{% for c in t if c != 'b' %}{{ loop.index }}{{ c }}{% endfor %}": '1a2c3a4c',
    '{% for x in l %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% endfor %}': '32',
    "{% raw %}{{ x }} \\ '{% endraw %}|": "{{ x }} \\ '|",
    '{% generation %}a{% endgeneration %}': 'a',
    '  {% if true %}\n  in\n  {% endif %}\nend\n': '  in\nend',
    "{% macro f(a, b='q') %}{{ a }}-{{ b }}{% endmacro %}{{ f(1) }} {{ f(b=1, a=2) }}": '1-q 2-1',
    '{% set ns = namespace(a=1) %}{% for i in l %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }}': '7',
  }));

describe('loops', () =>
  rendersAs({
    '{% for x in l %}a{% if x == 1 %}b{% continue %}{% endif %}c{% endfor %}': 'acabac',
    '{% for x in l %}a{% if x == 1 %}b{% break %}{% endif %}c{% endfor %}': 'acab',
    '{% for x in [1] %}a{% break %}{% else %}E{% endfor %}': 'aE',
    '{% for x in l %}{% if loop.first %}{% set y = 1 %}{% endif %}[{{ y }}]{% endfor %}{{ y }}': '[1][][]',
    '{% set k = 0 %}{% for x in l %}{% set k = k + 1 %}{{ k }}{% endfor %}{{ k }}': '1110',
    '{% for a, b in [(1, 2), [3, 4]] %}{{ a }}{{ b }}{% endfor %}': '1234',
    "{% for a in 'ab' %}{% for b in 'xyz' %}{{ loop.cycle('o', 'e') }}{% endfor %}{% endfor %}": 'oeooeo',
    '{% for x in l if x > 1 %}{{ loop.index }}/{{ loop.length }}{{ loop.previtem }}{{ loop.nextitem }} {% endfor %}':
      '1/22 2/23 ',
  }));

describe('dictionaries have their methods, whatever their keys', () =>
  rendersAs({
    "{% for k, v in {'items': [1], 'get': 2}.items() %}{{ k }}={{ v }};{% endfor %}": 'items=[1];get=2;',
    "{{ {'items': [1]}['items'] }} {{ {'get': 1}.get('get') }} {{ {'keys': 1}.keys() | list }}":
      "[1] 1 ['keys']",
  }));

describe('strings are of characters', () =>
  rendersAs({
    "{{ 'x😀y'.find('y') }} {{ 'x😀y'.rfind('y') }} {{ 'x😀y' | length }} {{ ' 😀 '.strip() }}": '2 2 3 😀',
    "{{ '😀x😀'.strip('😀') }} {{ '\ufeffx' | trim | length }} {{ '\u0085x\u001c' | trim | length }}":
      'x 2 1',
    "{{ ''.splitlines() }} {{ 'a\r'.splitlines() }} {{ 'a\n\n'.splitlines() }}": "[] ['a'] ['a', '']",
    "{{ '-'.join('abc') }} {{ missing | default }}|{{ missing | d('q') }} {{ '' | default('e', boolean=True) }}":
      'a-b-c |q e',
    '{{ d is iterable }} {{ missing is iterable }} {{ n is iterable }} {{ 1.5 is float }}':
      'True True False True',
  }));

test('a long text is trimmed and counted in little memory', () => {
  const length = 2 ** 23;
  const text = `  ${'\u6c49'.repeat(length)} `;
  const before = process.memoryUsage().heapUsed;
  assert.equal(render('{{ t | trim | length }}', { t: text }), String(length));
  assert.ok(process.memoryUsage().heapUsed - before < 64 * 2 ** 20);
});

test('what Python refuses is refused', () => {
  for (const source of [
    "{{ 'a' + 1 }}",
    "{{ 'a' + d }}",
    "{{ 'x' * 100000000 }}",
    '{{ [] * 1000000000 }}',
    "{{ 'abc'.index('z') }}",
    '{% for a, b in [(1, 2, 3)] %}{% endfor %}',
    '{{ range(1000000) }}',
    '{% for x in 5 %}{% endfor %}',
    "{{ l | select('no such test') | list }}",
    "{{ raise_exception('stop') }}",
  ])
    assert.throws(() => render(source), Error, source);
});

test('variables go before globals of their name', () => {
  assert.equal(render('{{ range }}', { range: 'mine' }), 'mine');
});

test('dates are English and as C writes them', () => {
  const date = new Date(2024, 6, 4, 15, 5, 9);
  assert.equal(formatDate(date, '%d %b %Y'), '04 Jul 2024');
  assert.equal(
    formatDate(date, '%A, %B %-d, %y at %I:%M:%S %p (%j) 100%% %Q'),
    'Thursday, July 4, 24 at 03:05:09 PM (186) 100% %Q',
  );
  assert.match(render("{{ strftime_now('%Y-%m-%d') }}", {}), /^\d{4}-\d\d-\d\d$/);
});
