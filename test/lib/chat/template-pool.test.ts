import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { detectContentFormat } from '../../../lib/chat/content-format.js';
import { TemplatePool, type TemplatePoolOptions } from '../../../lib/chat/template-pool.js';
import { SensoriumError } from '../../../lib/errors.js';

const pools: TemplatePool[] = [];
after(() => pools.forEach((pool) => pool.close()));

async function openPool(source: string, options: Partial<TemplatePoolOptions> = {}): Promise<TemplatePool> {
  const pool = new TemplatePool([source], { maxWorkers: 1, ...options });
  pools.push(pool);
  await pool.start();
  return pool;
}

const hasCode = (code: string) => (error: unknown) => error instanceof SensoriumError && error.code === code;

/** Misbehaves when `evil` is set. */
const whenEvil = (statements: string): string => `{% if evil %}${statements}{% endif %}hello {{ name }}`;

const NESTED_LOOPS =
  '{% for a in range(30000) %}{% for b in range(30000) %}{% set c = b %}{% endfor %}{% endfor %}';

test('an endless template is stopped, and the next rendering works', async () => {
  const pool = await openPool(whenEvil(NESTED_LOOPS), { timeoutMs: 300 });
  const evil = pool.render(0, { evil: true });
  const waiting = pool.render(0, { name: 'behind' });
  await assert.rejects(evil, hasCode('template_timeout'));
  assert.equal(await waiting, 'hello behind');
  assert.equal(await pool.render(0, { name: 'again' }), 'hello again');
});

test('a template that eats memory is stopped, and the next rendering works', async () => {
  const doubling =
    '{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = ns.l + ns.l %}{% endfor %}';
  const pool = await openPool(whenEvil(doubling), { maxHeapMb: 32, timeoutMs: 20_000 });
  await assert.rejects(pool.render(0, { evil: true }), hasCode('invalid_template'));
  assert.equal(await pool.render(0, { name: 'again' }), 'hello again');
});

test('an output that is too long is refused', async () => {
  const pool = await openPool('{{ text }}', { maxOutputLength: 10 });
  await assert.rejects(pool.render(0, { text: 'x'.repeat(11) }), hasCode('invalid_template'));
  assert.equal(await pool.render(0, { text: 'short' }), 'short');
});

test('an exception raised by the template carries its words', async () => {
  const pool = await openPool("{{ raise_exception('roles must alternate') }}");
  await assert.rejects(pool.render(0, {}), (error: SensoriumError) => {
    assert.equal(error.code, 'invalid_template');
    assert.match(error.message, /roles must alternate/);
    return true;
  });
});

test('a template that does not compile is refused at the start', async () => {
  await assert.rejects(openPool('{% for x in %}'), hasCode('invalid_template'));
});

test('renderings beyond the queue are refused', async () => {
  const pool = await openPool(whenEvil(NESTED_LOOPS), { timeoutMs: 300, maxQueued: 1 });
  const busy = pool.render(0, { evil: true });
  const queued = pool.render(0, { name: 'queued' });
  await assert.rejects(pool.render(0, { name: 'beyond' }), hasCode('queue_full'));
  await assert.rejects(busy, hasCode('template_timeout'));
  assert.equal(await queued, 'hello queued');
});

test('content formats', () => {
  const loop = (inner: string): string => `{% for message in messages %}${inner}{% endfor %}`;
  assert.equal(detectContentFormat(loop('{{ message.content }}')), 'string');
  assert.equal(
    detectContentFormat(loop('{% for part in message.content %}{{ part.text }}{% endfor %}')),
    'openai',
  );
  assert.equal(
    detectContentFormat(
      loop("{% for p in message['content'] | selectattr('type', 'equalto', 'text') %}{% endfor %}"),
    ),
    'openai',
  );
  const renamed =
    '{% set loop_messages = messages %}{% for m in loop_messages %}{% for c in m.content %}{% endfor %}{% endfor %}';
  assert.equal(detectContentFormat(renamed), 'openai');
  const sliced =
    '{% set rest = messages[1:] %}{% for m in rest %}{% for c in m["content"] %}{% endfor %}{% endfor %}';
  assert.equal(detectContentFormat(sliced), 'openai');
  const macro = '{% macro show(content) %}{% for c in content %}{% endfor %}{% endmacro %}';
  assert.equal(detectContentFormat(macro), 'openai');
  assert.equal(detectContentFormat(loop('{% for call in message.tool_calls %}{% endfor %}')), 'string');
});

test('an answer that came while this thread was busy is not too late', async () => {
  const pool = await openPool(whenEvil(''), { timeoutMs: 200 });
  await pool.render(0, { name: 'first' });
  const rendering = pool.render(0, { name: 'second' });
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);
  assert.equal(await rendering, 'hello second');
});
