import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ByteBudget } from '../../../lib/media/budget.js';
import { rejectsWith } from './support/errors.js';

describe('byte budget', () => {
  test('admits in order of arrival as bytes come back', async () => {
    const budget = new ByteBudget(100);
    const first = await budget.acquire(80);
    const order: string[] = [];
    const large = budget.acquire(90).then((lease) => (order.push('large'), lease));
    const small = budget.acquire(10).then((lease) => (order.push('small'), lease));
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(order, [], 'a small one does not overtake');
    first.shrink(5);
    assert.equal(budget.usedBytes, 5 + 90);
    (await large).release();
    (await small).release();
    first.release();
    first.release();
    assert.deepEqual(order, ['large', 'small']);
    assert.equal(budget.usedBytes, 0);
  });

  test('a wish beyond all of it is served alone', async () => {
    const budget = new ByteBudget(100);
    const lease = await budget.acquire(1_000_000);
    assert.equal(lease.numBytes, 100);
    lease.release();
    assert.equal(budget.usedBytes, 0);
  });

  test('waiting is bounded in time and in number, and ends with its caller', async () => {
    const budget = new ByteBudget(10, { maxWaitMs: 20, maxWaiters: 2 });
    const held = await budget.acquire(10);
    const leaving = new AbortController();
    const late = budget.acquire(1);
    const left = budget.acquire(1, leaving.signal);
    await rejectsWith(budget.acquire(1), 'rate_limited');
    leaving.abort();
    await rejectsWith(left, 'request_cancelled');
    assert.equal((await rejectsWith(late, 'rate_limited')).status, 429);
    held.release();
    assert.equal(budget.usedBytes, 0);
    (await budget.acquire(10)).release();
    await rejectsWith(budget.acquire(1, leaving.signal), 'request_cancelled');
  });

  test('a waiter that leaves lets the next one in', async () => {
    const budget = new ByteBudget(10);
    const held = await budget.acquire(5);
    const leaving = new AbortController();
    const left = budget.acquire(10, leaving.signal);
    const next = budget.acquire(5);
    leaving.abort();
    await rejectsWith(left, 'request_cancelled');
    (await next).release();
    held.release();
    assert.equal(budget.usedBytes, 0);
  });
});

test('a caller may wait for less than the budget lets it', async () => {
  const budget = new ByteBudget(10);
  const lease = await budget.acquire(10);
  await rejectsWith(budget.acquire(1, undefined, 5), 'rate_limited');
  lease.release();
  assert.equal((await budget.acquire(10, undefined, 5)).numBytes, 10);
});

test('a holder takes more before those who hold nothing, and waits for it a moment only', async () => {
  const budget = new ByteBudget(10);
  const [holder, other] = [await budget.acquire(4), await budget.acquire(4)];
  await holder.grow(3);
  await holder.grow(5);
  assert.equal(budget.usedBytes, 9);
  const newcomer = budget.acquire(2);
  const growth = holder.grow(7);
  other.release();
  await growth;
  assert.equal(holder.numBytes, 7);
  (await newcomer).release();
  await holder.grow(1_000);
  assert.equal(holder.numBytes, 10);
  holder.release();
  const [first, second] = [await budget.acquire(5), await budget.acquire(5)];
  await Promise.all([
    rejectsWith(first.grow(6), 'rate_limited'),
    rejectsWith(second.grow(6), 'rate_limited'),
  ]);
  assert.equal(budget.usedBytes, 10);
  first.release();
  second.release();
  assert.equal(budget.usedBytes, 0);
});
