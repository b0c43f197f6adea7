import assert from 'node:assert/strict';
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { test } from 'node:test';
import { readEvents, readJson, startServer, until } from './support/harness.js';

const SLOW = { tokens: Array<string>(500).fill('x'), tokenDelayMs: 5 };

test('a client that leaves aborts its request, streaming or not', async (t) => {
  for (const stream of [true, false]) {
    const { chat, llm } = await startServer(t, SLOW);
    const controller = new AbortController();
    const pending = chat({ stream }, { signal: controller.signal }).then((response) => response.text());
    await until(() => llm.requests.length === 1);
    controller.abort();
    await assert.rejects(pending);
    await until(() => llm.numAborted === 1);
  }
});

test('a client that stops reading is cut off and its request aborted', async (t) => {
  const tokens = Array<string>(2_000).fill('x'.repeat(20_000));
  const { llm, url } = await startServer(t, { tokens, tokenDelayMs: 1 }, { stallTimeoutMs: 100 });
  const request = httpRequest(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
  });
  const closed = new Promise<void>((resolve) => request.on('close', () => resolve()));
  request.on('error', () => undefined);
  request.on('response', (response: IncomingMessage) => response.on('error', () => undefined).pause());
  request.end(JSON.stringify({ messages: [{ role: 'user', content: 'hi' }], stream: true }));
  await until(() => llm.numAborted === 1);
  request.destroy();
  await closed;
});

test('many prompts wait for one slow reader without a warning, and nothing is lost', async (t) => {
  const tokens = Array<string>(40).fill('x'.repeat(60_000));
  const { url } = await startServer(t, { tokens });
  const warnings: Error[] = [];
  const onWarning = (warning: Error): number => warnings.push(warning);
  process.on('warning', onWarning);
  t.after(() => process.off('warning', onWarning));
  const response = await fetch(`${url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ prompt: Array<string>(12).fill('x'), stream: true }),
  });
  await new Promise((resolve) => setTimeout(resolve, 300));
  const events = await readEvents(response);
  const text = events.slice(0, -1).map((event) => event.choices[0].text);
  assert.equal(text.join('').length, 12 * 40 * 60_000);
  assert.equal(events.at(-1), '[DONE]');
  assert.deepEqual(warnings, []);
});

test('closing lets running requests finish and refuses new ones', async (t) => {
  const { chat, llm, url, running } = await startServer(
    t,
    { tokens: Array<string>(30).fill('x'), tokenDelayMs: 10 },
    { shutdownGraceMs: 10_000 },
  );
  const first = chat({ stream: true });
  await until(() => llm.requests.length === 1);
  const closing = running.close();
  const refused = await chat();
  assert.equal(refused.status, 503);
  assert.equal((await readJson(refused)).error.code, 'shutting_down');
  assert.equal((await fetch(`${url}/health`)).status, 503);
  const events = await readEvents(await first);
  assert.equal(events.filter((event) => event.choices?.[0]?.delta.content === 'x').length, 30);
  assert.equal(events.at(-1), '[DONE]');
  await closing;
  assert.ok(llm.isClosed);
  await assert.rejects(fetch(`${url}/health`));
});

test('requests that outlive the grace are aborted', async (t) => {
  const { chat, llm, running } = await startServer(t, SLOW, { shutdownGraceMs: 50 });
  const pending = chat({ stream: true });
  await until(() => llm.requests.length === 1);
  await running.close();
  assert.equal(llm.numAborted, 1);
  const events = await readEvents(await pending);
  assert.equal(events.at(-2).error.code, 'request_cancelled');
});

test('connections are kept alive between requests', async (t) => {
  const { url, running } = await startServer(t);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  let numConnections = 0;
  running.server.on('connection', () => numConnections++);
  const get = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const request = httpRequest(`${url}/version`, { agent }, (response) =>
        response.resume().on('end', resolve),
      );
      request.on('error', reject).end();
    });
  for (let i = 0; i < 3; i++) await get();
  assert.equal(numConnections, 1);
});
