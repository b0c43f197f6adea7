import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import sharp from 'sharp';
import { loadAddon } from '../../../lib/native/load.js';

const addon = loadAddon();

/** How much a thread of this process gives way: 0 is usual, 19 the most. */
function nicenessOf(thread: string): number {
  const fields = readFileSync(`/proc/self/task/${thread}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return Number(fields[16]);
}

test(
  'all threads that decode media give way, and no other',
  { skip: process.platform === 'linux' ? false : 'threads have a niceness of their own on Linux only' },
  async () => {
    const poolSize = Number(process.env['UV_THREADPOOL_SIZE'] ?? 4);
    await addon.lowerWorkerPriority();
    const levels = readdirSync('/proc/self/task').map(nicenessOf);
    assert.equal(levels.filter((niceness) => niceness === 19).length, poolSize);
    const { data } = await sharp({ create: { width: 64, height: 64, channels: 3, background: 'red' } })
      .raw()
      .toBuffer({ resolveWithObject: true });
    assert.equal(data[0], 255);
    assert.ok(nicenessOf(`${process.pid}`) < 19);
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
