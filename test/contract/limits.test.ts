import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { BadRequestError } from 'openai';
import { runCli } from '../lib/support/cli.js';
import { mediaTypeOf, readSample, SAMPLES } from './support/samples.js';
import { useServer } from './support/server.js';

const PICTURE = SAMPLES.find(({ kind }) => kind === 'image')!.files[0]!;

describe('limits of parts', () => {
  const service = useServer([
    '--limit-mm-per-prompt.image',
    '2',
    '--limit-mm-per-prompt.video.count',
    '1',
    '--limit-mm-per-prompt.audio=0',
    '--allow-private-media-addresses',
  ]);
  let numFetched = 0;
  let url: string;
  const host = createServer((_request, response) => {
    numFetched++;
    response.setHeader('content-type', mediaTypeOf(PICTURE)).end(readSample(PICTURE));
  });
  before(async () => {
    await new Promise<void>((resolve) => host.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(host.address() as AddressInfo).port}/picture`;
  });
  after(() => host.close());

  async function refusalOf(...contents: object[][]): Promise<BadRequestError> {
    const before = numFetched;
    const messages = contents.map((content) => ({ role: 'user', content }));
    const asked = { model: service.model, messages, max_tokens: 1 };
    const error = await service.client.chat.completions.create(asked as never).then(
      () => assert.fail('nothing was refused'),
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof BadRequestError, String(error));
    assert.equal(numFetched, before);
    return error;
  }
  const part = (kind: string): object => ({ type: `${kind}_url`, [`${kind}_url`]: { url } });

  test('within the limit all is fetched', async () => {
    const messages = [
      { role: 'user', content: [part('image'), part('image'), { type: 'text', text: 'What?' }] },
    ];
    await service.client.chat.completions.create({ model: service.model, messages, max_tokens: 1 } as never);
    assert.ok(numFetched > 0);
  });

  test('one too many, anywhere in the conversation, is refused before anything is fetched', async () => {
    const error = await refusalOf([part('image')], [part('image'), part('image')]);
    assert.equal(error.code, 'too_many_media');
    assert.equal(error.param, 'messages[1].content[1]');
    assert.match(
      error.message,
      /At most 2 image\(s\) may be provided in one prompt\. Set `--limit-mm-per-prompt`/,
    );
    assert.equal((error.error as { limit?: number }).limit, 2);
    assert.equal((await refusalOf([part('video'), part('video')])).param, 'messages[0].content[1]');
    assert.match((await refusalOf([part('audio')])).message, /At most 0 audio\(s\)/);
  });
});

describe('embeddings only', () => {
  const service = useServer(['--limit-mm-per-prompt', '{"image":0}', '--enable-mm-embeds']);

  test('raw pictures are refused, embeddings are read', async () => {
    const create = (content: object[]): Promise<unknown> =>
      service.client.chat.completions.create({
        model: service.model,
        messages: [{ role: 'user', content }],
      } as never);
    await assert.rejects(create([{ type: 'image_url', image_url: { url: 'https://e.x/a' } }]), {
      status: 400,
      code: 'too_many_media',
    });
    const known = { type: 'image_embeds', image_embeds: null, uuid: 'unknown' };
    await assert.rejects(create([known]), { status: 404, code: 'media_cache_miss' });
    const broken = { type: 'image_embeds', image_embeds: 'AAAA' };
    await assert.rejects(create([broken]), { status: 400, code: 'invalid_embedding' });
  });
});

test('limits that are none end the start, naming the flag’s key', async () => {
  const cases: [args: string[], told: RegExp][] = [
    [['--limit-mm-per-prompt', '{"smell":1}'], /smell/],
    [['--limit-mm-per-prompt', '{"image":-1}'], /image/],
    [['--limit-mm-per-prompt', '{"video":{"count":1,"frames":3}}'], /frames/],
    [['--limit-mm-per-prompt', '{"image":{"length":3}}'], /length/],
    [['--limit-mm-per-prompt.image', 'many'], /image/],
    [['--limit-mm-per-prompt.video.num_frames', '0'], /num_frames/],
  ];
  for (const [args, told] of cases) {
    const { code, stderr } = await runCli(['serve', '--port', '0', ...args]);
    assert.equal(code, 2, args.join(' '));
    assert.match(stderr, told);
  }
});
