import assert from 'node:assert/strict';
import { after, before, describe, test, type TestContext } from 'node:test';
import { startServerProcess, type ServerProcess } from '../lib/support/cli.js';
import { startTestServer, type TestServer } from '../lib/media/support/http-server.js';
import { ask, metric, mustAsk, part, type AskOptions } from './support/ask.js';
import { dataUrl, readSample } from './support/samples.js';

const PICTURE = 'shape-1.png';
const OTHER_PICTURE = 'shape-2.jpg';
const ANY_ADDRESS = '--allow-private-media-addresses';

/** Serves the samples by their names and remembers who asked. */
function startMediaServer(t: TestContext): Promise<TestServer> {
  return startTestServer(t, (request, response) => {
    const file = (request.url ?? '').slice(1).split('?')[0]!;
    response.end(readSample(file));
  });
}

function useProcess(args: string[]): ServerProcess {
  const server = {} as ServerProcess;
  before(async () => Object.assign(server, await startServerProcess(['--log-level', 'warn', ...args])));
  after(() => server.stop());
  return server;
}

describe('with keys and the default caches', () => {
  const server = useProcess(['--api-key', 'alice', 'bob', '--kv-cache-gb', '0.05', ANY_ADDRESS]);
  const asAlice = (): AskOptions => ({ url: server.url, key: 'alice' });
  const asBob = (): AskOptions => ({ url: server.url, key: 'bob' });

  test('a known uuid is fetched, decoded and encoded once, whatever data comes with it', async (t) => {
    const media = await startMediaServer(t);
    const url = media.url(`/${PICTURE}`);
    const first = await mustAsk([part('image', url, 'known')], asAlice());
    assert.equal(first.usage.prompt_tokens_details.cached_media, 0);
    const { image_tokens: numTokens } = first.usage.prompt_tokens_details;
    assert.ok(numTokens > 0);
    const numEncoded = async (): Promise<number> =>
      (await metric('sensorium_encoder_cache_queries_total', asAlice())) -
      (await metric('sensorium_encoder_cache_hits_total', asAlice()));
    const numBefore = await numEncoded();
    for (const again of [url, null, media.url(`/${OTHER_PICTURE}`), dataUrl(OTHER_PICTURE)]) {
      const answer = await mustAsk([part('image', again, 'known')], asAlice());
      assert.equal(answer.text, first.text);
      assert.equal(answer.usage.prompt_tokens_details.cached_media, 1);
      assert.equal(answer.usage.prompt_tokens_details.image_tokens, numTokens);
      assert.ok(answer.usage.prompt_tokens_details.cached_tokens > 0);
    }
    assert.deepEqual(media.hits, [`/${PICTURE}`]);
    assert.equal(await numEncoded(), numBefore);
  });

  test('it holds for videos and sounds, and for every way to write an empty part', async (t) => {
    const media = await startMediaServer(t);
    for (const [modality, file] of [
      ['video', 'video-1.webp'],
      ['audio', 'speech-1.wav'],
    ] as const) {
      const url = media.url(`/${file}`);
      const first = await mustAsk([part(modality, url, `${modality}-1`)], asAlice());
      const empty = { type: `${modality}_url`, uuid: `${modality}-1` };
      for (const again of [part(modality, null, `${modality}-1`), empty]) {
        const answer = await mustAsk([again], asAlice());
        assert.equal(answer.text, first.text);
        assert.equal(answer.usage.prompt_tokens_details.cached_media, 1);
      }
    }
    const audio = { type: 'input_audio', input_audio: null, uuid: 'audio-1' };
    assert.equal((await ask([audio], asAlice())).status, 200);
    assert.equal(media.hits.length, 2);
  });

  test('usage of a stream tells the same', async () => {
    await mustAsk([part('image', dataUrl(PICTURE), 'streamed')], asAlice());
    const fields = { stream: true, stream_options: { include_usage: true } };
    const content = [part('image', null, 'streamed'), { type: 'text', text: 'Describe this image.' }];
    const response = await fetch(`${server.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: 'Bearer alice' },
      body: JSON.stringify({ messages: [{ role: 'user', content }], max_tokens: 4, ...fields }),
    });
    const events = (await response.text()).split('\n\n').map((event) => event.replace(/^data: /, ''));
    const usage = JSON.parse(events.find((event) => event.includes('"usage":{'))!).usage;
    assert.equal(usage.prompt_tokens_details.cached_media, 1);
    assert.ok(usage.prompt_tokens_details.cached_tokens > 0);
    assert.ok(usage.prompt_tokens_details.image_tokens > 0);
  });

  test('a miss names the part, its place and its uuid, and sending it again works', async () => {
    const parts = [part('image', dataUrl(PICTURE)), part('image', null, 'never seen')];
    const { status, error } = await ask(parts, asAlice());
    assert.equal(status, 404);
    assert.deepEqual(
      [error.code, error.index, error.uuid, error.param],
      ['media_cache_miss', 1, 'never seen', 'messages[0].content[1].image_url'],
    );
    parts[1] = part('image', dataUrl(OTHER_PICTURE), 'never seen');
    assert.equal((await ask(parts, asAlice())).status, 200);
    parts[1] = part('image', null, 'never seen');
    assert.equal((await ask(parts, asAlice())).status, 200);
  });

  test('one key neither sees nor changes what another one cached', async () => {
    const mine = await mustAsk([part('image', dataUrl(PICTURE), 'shared name')], asAlice());
    const miss = await ask([part('image', null, 'shared name')], asBob());
    assert.deepEqual([miss.status, miss.error.code], [404, 'media_cache_miss']);
    const theirs = await mustAsk([part('image', dataUrl(OTHER_PICTURE), 'shared name')], asBob());
    assert.notEqual(theirs.text, mine.text);
    assert.equal(theirs.usage.prompt_tokens_details.cached_tokens, 0);
    assert.equal((await mustAsk([part('image', null, 'shared name')], asAlice())).text, mine.text);
    const salted = { ...asAlice(), fields: { cache_salt: 'apart' } };
    assert.equal((await ask([part('image', null, 'shared name')], salted)).status, 404);
  });

  test('a uuid names one item of each modality', async () => {
    await mustAsk([part('image', dataUrl(PICTURE), 'same')], asAlice());
    assert.equal((await ask([part('audio', null, 'same')], asAlice())).error.code, 'media_cache_miss');
  });

  test('options part keys only of the modality they concern', async () => {
    await mustAsk([part('image', dataUrl(PICTURE), 'optioned')], asAlice());
    const statusWith = async (fields: object): Promise<number> =>
      (await ask([part('image', null, 'optioned')], { ...asAlice(), fields })).status;
    assert.equal(await statusWith({ mm_processor_kwargs: { fps: 1 } }), 200);
    assert.equal(await statusWith({ mm_processor_kwargs: { videos_kwargs: { max_pixels: 20000 } } }), 200);
    assert.equal(await statusWith({ media_io_kwargs: { video: { num_frames: 4 }, audio: {} } }), 200);
    assert.equal(await statusWith({ mm_processor_kwargs: { max_pixels: 20000 } }), 404);
    assert.equal(await statusWith({ media_io_kwargs: { image: { rgba_background_color: [0, 0, 0] } } }), 404);
  });

  test('many requests for one new uuid fetch and compute it once', async (t) => {
    let numAsked = 0;
    const media = await startTestServer(t, (_request, response) => {
      numAsked++;
      setTimeout(() => response.end(readSample(PICTURE)), 200);
    });
    const withData = part('image', media.url('/slow'), 'crowd');
    const first = ask([withData], asAlice());
    while (numAsked === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const others = [withData, withData, part('image', null, 'crowd'), part('image', null, 'crowd')];
    const answers = await Promise.all([first, ...others.map((one) => ask([one], asAlice()))]);
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 200, 200, 200, 200],
    );
    assert.equal(new Set(answers.map(({ text }) => text)).size, 1);
    assert.equal(numAsked, 1);
  });

  test('a request that names one item twice sends its data once', async () => {
    const parts = [part('image', dataUrl(PICTURE), 'twice'), part('image', null, 'twice')];
    const { usage } = await mustAsk(parts, asAlice());
    const alone = await mustAsk(parts.slice(1), asAlice());
    assert.equal(
      usage.prompt_tokens_details.image_tokens,
      2 * alone.usage.prompt_tokens_details.image_tokens,
    );
  });

  test('counters of both caches are told', async () => {
    for (const cache of ['media', 'prefix']) {
      for (const counter of ['queries_total', 'hits_total', 'evictions_total', 'bytes']) {
        const value = await metric(`sensorium_${cache}_cache_${counter}`, asAlice());
        assert.ok(counter === 'evictions_total' ? value >= 0 : value > 0, `${cache} ${counter}`);
      }
    }
  });
});

describe('with a small media cache', () => {
  const server = useProcess(['--mm-processor-cache-gb', '0.001', '--kv-cache-gb', '0.05']);

  test('the least recently used go first, by bytes, and a resend works', async () => {
    const options = { url: server.url };
    const statusOf = async (uuid: string): Promise<number> =>
      (await ask([part('image', null, uuid)], options)).status;
    await mustAsk([part('image', dataUrl(PICTURE), 'oldest')], options);
    const bytes = await metric('sensorium_media_cache_bytes', options);
    assert.ok(bytes > 0);
    assert.equal(await statusOf('oldest'), 200);
    const capacity = 0.0005 * 2 ** 30;
    const numOthers = Math.ceil(capacity / bytes) + 1;
    for (let i = 0; i < numOthers; i++)
      await mustAsk([part('image', dataUrl(OTHER_PICTURE), `new ${i}`)], options);
    assert.ok((await metric('sensorium_media_cache_evictions_total', options)) > 0);
    assert.ok((await metric('sensorium_media_cache_bytes', options)) <= capacity);
    assert.deepEqual([await statusOf('oldest'), await statusOf(`new ${numOthers - 1}`)], [404, 200]);
    await mustAsk([part('image', dataUrl(PICTURE), 'oldest')], options);
    assert.equal(await statusOf('oldest'), 200);
  });
});

describe('without caches', () => {
  const bare = useProcess([
    '--mm-processor-cache-gb',
    '0',
    '--no-enable-prefix-caching',
    '--kv-cache-gb',
    '0.02',
  ]);
  const prefixed = useProcess(['--mm-processor-cache-gb', '0', '--kv-cache-gb', '0.02']);

  test('uuids are ignored where nothing is cached: data decide, and must come', async () => {
    const options = { url: bare.url };
    const one = await mustAsk([part('image', dataUrl(PICTURE), 'name')], options);
    const other = await mustAsk([part('image', dataUrl(OTHER_PICTURE), 'name')], options);
    assert.notEqual(one.text, other.text);
    assert.equal(other.usage.prompt_tokens_details.cached_media, 0);
    const { status, error } = await ask([part('image', null, 'name')], options);
    assert.deepEqual([status, error.code, error.uuid], [404, 'media_cache_miss', 'name']);
  });

  test('with prefix caching alone a uuid without data is a miss, too', async () => {
    const options = { url: prefixed.url };
    const first = await mustAsk([part('image', dataUrl(PICTURE), 'name')], options);
    const again = await mustAsk([part('image', dataUrl(PICTURE), 'name')], options);
    assert.equal(again.text, first.text);
    assert.ok(again.usage.prompt_tokens_details.cached_tokens > 0);
    assert.equal((await ask([part('image', null, 'name')], options)).error.code, 'media_cache_miss');
  });
});
