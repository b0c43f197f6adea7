import type { Transcription, TranscriptionSegment, TranscriptionWord } from './types.js';

const pad = (value: number, width: number): string => String(value).padStart(width, '0');

/** `00:01:02,345` with the given decimal mark. */
function clock(seconds: number, mark: string): string {
  const ms = Math.max(0, Math.round(seconds * 1000));
  const parts = [Math.floor(ms / 3_600_000), Math.floor(ms / 60_000) % 60, Math.floor(ms / 1000) % 60];
  return `${parts.map((part) => pad(part, 2)).join(':')}${mark}${pad(ms % 1000, 3)}`;
}

/** Segments that say something, each in one line that no reader takes for a time. */
function captions({ segments }: Transcription): (TranscriptionSegment & { line: string })[] {
  return segments
    .map((segment) => ({
      ...segment,
      line: segment.text
        .trim()
        .replaceAll('-->', '->')
        .replace(/\s*\n\s*/g, ' '),
    }))
    .filter(({ line }) => line !== '');
}

/** SubRip subtitles. */
export function toSrt(transcription: Transcription): string {
  return captions(transcription)
    .map(({ start, end, line }, i) => `${i + 1}\n${clock(start, ',')} --> ${clock(end, ',')}\n${line}\n`)
    .join('\n');
}

/** WebVTT subtitles. */
export function toVtt(transcription: Transcription): string {
  const cues = captions(transcription).map(
    ({ start, end, line }) => `${clock(start, '.')} --> ${clock(end, '.')}\n${line}\n`,
  );
  return `WEBVTT\n\n${cues.join('\n')}`;
}

/** Seconds without the noise of binary fractions. */
const seconds = (value: number): number => Math.round(value * 1000) / 1000;

/** Without the blanks around them, as OpenAI tells them. */
const toWords = (words: readonly TranscriptionWord[]): object[] =>
  words
    .map(({ word, start, end }) => ({ word: word.trim(), start: seconds(start), end: seconds(end) }))
    .filter(({ word }) => word !== '');

/** OpenAI's `verbose_json`: with words where the transcription has them, with segments unless they are not wanted. */
export function toVerboseJson(transcription: Transcription, hasSegments = true): object {
  const { task, language, duration, text, segments, words } = transcription;
  return {
    task,
    language,
    duration: seconds(duration),
    text,
    ...(words !== undefined && { words: toWords(words) }),
    ...(hasSegments && { segments: toSegments(segments) }),
    usage: durationUsage(transcription),
  };
}

const toSegments = (segments: readonly TranscriptionSegment[]): object[] =>
  segments.map((segment) => ({
    id: segment.id,
    seek: segment.seek,
    start: seconds(segment.start),
    end: seconds(segment.end),
    text: segment.text,
    tokens: segment.tokens,
    temperature: segment.temperature,
    avg_logprob: segment.avgLogprob,
    compression_ratio: segment.compressionRatio,
    no_speech_prob: segment.noSpeechProbability ?? 0,
  }));

export const durationUsage = ({ duration }: Transcription): object => ({
  type: 'duration',
  seconds: Math.ceil(duration),
});
