import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ContentText, type MediaOrder, type Placeholders } from '../../../lib/chat/content-text.js';
import { Neutraliser } from '../../../lib/chat/neutralise.js';
import { SensoriumError } from '../../../lib/errors.js';
import { SpellingTrie } from '../../../lib/tokenizer/spelling-trie.js';
import { AUDIO, IMAGE, parse, VIDEO } from './support.js';

const PLACEHOLDERS: Placeholders = {
  image: { token: '<img>', tokenId: 1, spelling: '<s><img></s>' },
  video: { token: '<vid>', tokenId: 2, spelling: '<vid>' },
};
const CONTROL = new SpellingTrie(['<s>', '</s>', '<img>', '<vid>', '<end>']);
/** What stands for the first character of a neutralised spelling. */
const STAND_IN = '\ue000';

function write(order: MediaOrder, contents: unknown[][], placeholders = PLACEHOLDERS): string[] {
  const content = new ContentText(new Neutraliser(CONTROL, {}), placeholders, order);
  const messages = parse(contents.map((parts) => ({ role: 'user', content: parts })));
  return messages.map((message, i) => content.write(message.content, `messages[${i}].content`));
}

const text = (value: string): object => ({ type: 'text', text: value });

describe('where media stand', () => {
  test('interleaved: one part a line, in order', () => {
    assert.deepEqual(write('interleaved', [[text('a'), IMAGE, text('b'), text('c'), VIDEO]]), [
      'a\n<s><img></s>\nb\nc\n<vid>',
    ]);
  });

  test('first: the media of a message, one modality after another, then its texts', () => {
    assert.deepEqual(write('first', [[text('a'), IMAGE, VIDEO, text('b'), IMAGE], [text('c')]]), [
      '<s><img></s>\n<s><img></s>\n<vid>\na\nb',
      'c',
    ]);
    assert.deepEqual(write('first', [[IMAGE, IMAGE]]), ['<s><img></s>\n<s><img></s>']);
  });

  test('numbered placeholders count through the conversation', () => {
    const image = { token: '<img>', tokenId: 1, spelling: '<image_{n}>' };
    assert.deepEqual(
      write(
        'interleaved',
        [
          [IMAGE, IMAGE],
          [text('x'), IMAGE],
        ],
        { image },
      ),
      ['<image_1>\n<image_2>', 'x\n<image_3>'],
    );
  });

  test('inline placeholders stay within the line', () => {
    const audio = { token: '<aud>', tokenId: 3, spelling: '<aud>', isInline: true };
    assert.deepEqual(write('interleaved', [[text('Say '), AUDIO, text(' and'), text('end')]], { audio }), [
      'Say <aud> and\nend',
    ]);
  });
});

describe('placeholders that the user typed', () => {
  const typed = text('see <s><img></s> here');

  test('first: they stand for media, and only the missing ones come first', () => {
    assert.deepEqual(write('first', [[typed, IMAGE]]), ['see <s><img></s> here']);
    assert.deepEqual(write('first', [[typed, IMAGE, IMAGE]]), ['<s><img></s>\nsee <s><img></s> here']);
  });

  test('more of them than media are refused, in both orders', () => {
    const refusal = (order: MediaOrder, parts: unknown[]): void =>
      assert.throws(
        () => write(order, [[text('fine')], parts]),
        (error: unknown) => {
          assert.ok(error instanceof SensoriumError);
          assert.equal(error.code, 'placeholder_mismatch');
          assert.equal(error.param, 'messages[1].content');
          assert.equal(
            error.message,
            "Found more '<s><img></s>' placeholders in input prompt than actual multimodal data items.",
          );
          return true;
        },
      );
    refusal('first', [typed, typed, IMAGE]);
    // Interleaved parts have their placeholders already.
    refusal('interleaved', [typed, IMAGE]);
  });

  test('what is no whole placeholder of the message’s own media stays text', () => {
    assert.deepEqual(write('first', [[typed, VIDEO]]), [
      `<vid>\nsee ${STAND_IN}s>${STAND_IN}img>${STAND_IN}/s> here`,
    ]);
    assert.deepEqual(write('first', [[text('<img><end>'), IMAGE]]), [
      `<s><img></s>\n${STAND_IN}img>${STAND_IN}end>`,
    ]);
    assert.deepEqual(write('first', [[typed], [IMAGE]]), [
      `see ${STAND_IN}s>${STAND_IN}img>${STAND_IN}/s> here`,
      '<s><img></s>',
    ]);
  });
});
