import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { LLM } from '../../../lib/llm.js';
import { embeddedModelPath } from '../../../lib/llm/package-root.js';
import { FakeHub, type FakeFile } from '../hub/support/fake-hub.js';
import { runCli } from '../support/cli.js';

function demoFiles(): Map<string, FakeFile> {
  const folder = embeddedModelPath();
  const names = readdirSync(folder).filter((name) => statSync(path.join(folder, name)).isFile());
  return new Map(
    names.map((name) => {
      const content = readFileSync(path.join(folder, name));
      return [name, { content, isLfs: name.endsWith('.safetensors') }];
    }),
  );
}

describe('a model on the Hub', () => {
  const hub = new FakeHub('owner/demo-model', demoFiles());
  let downloadDir: string;
  let endpoint: string;
  before(async () => {
    endpoint = await hub.start();
    process.env['HF_ENDPOINT'] = endpoint;
    downloadDir = mkdtempSync(path.join(tmpdir(), 'hub-model-'));
  });
  after(async () => {
    delete process.env['HF_ENDPOINT'];
    await hub.stop();
    rmSync(downloadDir, { recursive: true });
  });

  it('is fetched by its name, tells how far, and answers', async () => {
    const shares: number[] = [];
    const llm = await LLM.load({
      model: 'owner/demo-model',
      downloadDir,
      onDownload: ({ doneBytes, totalBytes }) => shares.push(doneBytes / totalBytes),
    });
    try {
      assert.equal(llm.modelId, 'owner/demo-model');
      assert.equal(shares.at(-1), 1);
      const { outputs } = await llm.generate('the image shows', { maxTokens: 3, temperature: 0 });
      assert.equal(outputs[0]!.tokenIds.length, 3);
    } finally {
      await llm.close();
    }
  });

  it('is run and inspected from the cache, offline too', async () => {
    const numRequests = hub.requests.length;
    const env = { HF_ENDPOINT: endpoint };
    const flags = ['owner/demo-model', '--download-dir', downloadDir];
    const run = await runCli(['run', ...flags, '--offline', '--prompt', 'the', '--max-tokens', '2'], { env });
    assert.equal(run.code, 0, run.stderr);
    assert.equal(hub.requests.length, numRequests);
    const inspect = await runCli(['inspect', ...flags, '--json'], { env });
    assert.equal(inspect.code, 0, inspect.stderr);
    assert.deepEqual((JSON.parse(inspect.stdout) as { problems: string[] }).problems, []);
  });

  it('that is not there is told as such', async () => {
    const { code, stderr } = await runCli(
      ['run', 'owner/nothing', '--download-dir', downloadDir, '--prompt', 'x'],
      {
        env: { HF_ENDPOINT: endpoint },
      },
    );
    assert.equal(code, 1);
    assert.match(stderr, /no model 'owner\/nothing'/);
  });
});
