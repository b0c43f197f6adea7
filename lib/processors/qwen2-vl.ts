import { SensoriumError } from '../errors.js';
import type { NativeAddon } from '../native/addon.js';
import type { CheckpointFiles } from './checkpoint-files.js';
import { processVisionEmbeddings, readHiddenSize } from './embeddings.js';
import { expandPlaceholders, writeOneRun } from './expand.js';
import { specialToken } from './special-tokens.js';
import type { PlaceholderTokens, Processor } from './types.js';
import {
  createFrameResizer,
  processImage,
  processVideo,
  readVideoSampling,
  readVisionRules,
  withRequestedLimits,
} from './vision-rules.js';

const DEFAULT_HIDDEN_SIZE = 8192;

/** Qwen2-VL and Qwen2.5-VL: pictures and clips as 2x2-merged patches between vision_start and vision_end. */
export function createQwen2VlProcessor(
  family: string,
  files: CheckpointFiles,
  addon: NativeAddon,
): Processor {
  const imageRules = readVisionRules(files.imageProcessor, 'preprocessor_config.json');
  const videoRules = readVisionRules(files.videoProcessor, 'video_preprocessor_config.json');
  const placeholders = readPlaceholders(files);
  return {
    family,
    modalities: ['image', 'video'],
    placeholders,
    samplingRate: 16_000,
    videoSampling: readVideoSampling(files.videoProcessor, videoRules.temporalPatchSize),
    frameResizer: (size, numFrames, options) =>
      createFrameResizer(addon, size, withRequestedLimits(videoRules, options), numFrames),
    async process(media, options) {
      if (media.kind === 'image') return processImage(addon, media, withRequestedLimits(imageRules, options));
      if (media.kind === 'video') return processVideo(addon, media, withRequestedLimits(videoRules, options));
      throw new SensoriumError('unsupported_modality', 'This model does not take audio input.');
    },
    processEmbeddings(modality, tensors) {
      if (modality === 'audio') {
        throw new SensoriumError('unsupported_modality', 'This model does not take audio input.');
      }
      const width = readHiddenSize(files.config, DEFAULT_HIDDEN_SIZE);
      const { mergeSize } = modality === 'image' ? imageRules : videoRules;
      return processVisionEmbeddings(addon, modality, tensors, { width, mergeSize });
    },
    expand: (tokenIds, items) => expandPlaceholders(tokenIds, items, placeholders, writeOneRun),
  };
}

/** Throws `invalid_checkpoint` where the checkpoint names a token nowhere. */
export function readPlaceholders(files: CheckpointFiles): Record<'image' | 'video', PlaceholderTokens> {
  const { config } = files;
  const start = specialToken(files, config, ['vision_start_token_id'], '<|vision_start|>').text;
  const end = specialToken(files, config, ['vision_end_token_id'], '<|vision_end|>').text;
  const image = specialToken(files, config, ['image_token_id', 'image_token_index'], '<|image_pad|>');
  const video = specialToken(files, config, ['video_token_id', 'video_token_index'], '<|video_pad|>');
  return {
    image: { token: image.text, tokenId: image.id, spelling: start + image.text + end },
    video: { token: video.text, tokenId: video.id, spelling: start + video.text + end },
  };
}
