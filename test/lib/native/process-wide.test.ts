import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import sharp from 'sharp';
import { loadAddon } from '../../../lib/native/load.js';

const addon = loadAddon();

/** Scheduling policies of this process's threads: 0 is the usual one, 5 the idle class. */
function policies(): number[] {
  return readdirSync('/proc/self/task').map((thread) => {
    const fields = readFileSync(`/proc/self/task/${thread}/stat`, 'utf8').split(') ')[1]!.split(' ');
    return Number(fields[38]);
  });
}

test(
  'all threads that decode media give way, and no other',
  { skip: process.platform === 'linux' ? false : 'only Linux has the idle class' },
  async () => {
    const poolSize = Number(process.env['UV_THREADPOOL_SIZE'] ?? 4);
    await addon.lowerWorkerPriority();
    assert.equal(policies().filter((policy) => policy === 5).length, poolSize);
    const { data } = await sharp({ create: { width: 64, height: 64, channels: 3, background: 'red' } })
      .raw()
      .toBuffer({ resolveWithObject: true });
    assert.equal(data[0], 255);
    const main = readFileSync(`/proc/self/task/${process.pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
    assert.equal(Number(main[38]), 0);
  },
);

test('released arrays are empty; those that share their memory stay', async () => {
  const { data } = await sharp({ create: { width: 64, height: 64, channels: 3, background: 'red' } })
    .raw()
    .toBuffer({ resolveWithObject: true });
  addon.release(data);
  assert.equal(data.length, 0);
  const own = new Uint8Array(100);
  addon.release(own);
  addon.release(own);
  assert.equal(own.length, 0);
  const whole = new Uint8Array(100).fill(7);
  addon.release(whole.subarray(10));
  assert.equal(whole[50], 7);
  addon.release('text' as never);
});
