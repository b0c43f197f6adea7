import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ChatCompletionMessageParam } from 'openai/resources/chat/completions';

const FOLDER = fileURLToPath(new URL('../../../../models/demo/samples/', import.meta.url));

export interface Sample {
  files: string[];
  kind: 'image' | 'video' | 'audio';
  question: string;
  expected: string;
  /** What the trained model says in the reference. */
  model: string;
}

export const SAMPLES = JSON.parse(readFileSync(`${FOLDER}expected.json`, 'utf8')) as Sample[];

const MEDIA_TYPES: Record<string, string> = {
  png: 'image/png',
  jpg: 'image/jpeg',
  mp4: 'video/mp4',
  wav: 'audio/wav',
  mp3: 'audio/mpeg',
};

export const readSample = (file: string): Buffer => readFileSync(FOLDER + file);
export const mediaTypeOf = (file: string): string => MEDIA_TYPES[file.split('.').pop()!]!;
export const dataUrl = (file: string): string =>
  `data:${mediaTypeOf(file)};base64,${readSample(file).toString('base64')}`;

/** The question about the sample's files, in the reference's order: media first. */
export function messagesFor(
  sample: Sample,
  urlOf: (file: string) => string = dataUrl,
): ChatCompletionMessageParam[] {
  const media = sample.files.map((file) => ({
    type: `${sample.kind}_url`,
    [`${sample.kind}_url`]: { url: urlOf(file) },
  }));
  const content = [...media, { type: 'text', text: sample.question }];
  return [{ role: 'user', content }] as unknown as ChatCompletionMessageParam[];
}
