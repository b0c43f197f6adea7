import { SensoriumError } from '../errors.js';
import type { NativeAddon } from '../native/addon.js';
import type { CheckpointFiles } from './checkpoint-files.js';
import { expandPlaceholders, writeOneRun } from './expand.js';
import { specialToken, type SpecialToken } from './special-tokens.js';
import type { PlaceholderTokens, Processor } from './types.js';
import {
  processImage,
  processVideo,
  readVideoSampling,
  readVisionRules,
  withRequestedLimits,
} from './vision-rules.js';

/** Qwen2-VL and Qwen2.5-VL: pictures and clips as 2x2-merged patches between vision_start and vision_end. */
export function createQwen2VlProcessor(
  family: string,
  files: CheckpointFiles,
  addon: NativeAddon,
): Processor {
  const imageRules = readVisionRules(files.imageProcessor, 'preprocessor_config.json');
  const videoRules = readVisionRules(files.videoProcessor, 'video_preprocessor_config.json');
  const { placeholders } = readVisionTokens(files);
  return {
    family,
    modalities: ['image', 'video'],
    placeholders,
    samplingRate: 16_000,
    videoSampling: readVideoSampling(files.videoProcessor, videoRules.temporalPatchSize),
    async process(media, options) {
      if (media.kind === 'image') return processImage(addon, media, withRequestedLimits(imageRules, options));
      if (media.kind === 'video') return processVideo(addon, media, withRequestedLimits(videoRules, options));
      throw new SensoriumError('unsupported_modality', 'This model does not take audio input.');
    },
    expand: (tokenIds, items) => expandPlaceholders(tokenIds, items, placeholders, writeOneRun),
  };
}

/** Control tokens of Qwen's vision models. */
export interface VisionTokens {
  placeholders: Record<'image' | 'video', PlaceholderTokens>;
  startId: number;
  endId: number;
}

/** Throws `invalid_checkpoint` where the checkpoint names one nowhere. */
export function readVisionTokens(files: CheckpointFiles): VisionTokens {
  const { config } = files;
  const start = specialToken(files, config, ['vision_start_token_id'], '<|vision_start|>');
  const end = specialToken(files, config, ['vision_end_token_id'], '<|vision_end|>');
  const image = specialToken(files, config, ['image_token_id', 'image_token_index'], '<|image_pad|>');
  const video = specialToken(files, config, ['video_token_id', 'video_token_index'], '<|video_pad|>');
  const placeholder = ({ id, text }: SpecialToken): PlaceholderTokens => ({
    token: text,
    tokenId: id,
    spelling: start.text + text + end.text,
  });
  return {
    placeholders: { image: placeholder(image), video: placeholder(video) },
    startId: start.id,
    endId: end.id,
  };
}
