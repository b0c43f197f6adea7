import { invalidTensor } from './failure.js';
import { isNpy, parseNpy } from './npy.js';
import { isSafetensors, isWholeSafetensors, parseSafetensors } from './safetensors.js';
import type { TensorView } from './tensor-view.js';
import { isTorchSave, parseTorchSave } from './torch-save.js';

export { viewOfArray } from './array.js';
export { packNumbers } from './numbers.js';
export { toDense } from './dense.js';
export { denseBytes, sliceView, type TensorView } from './tensor-view.js';

/** Whether the bytes are a file of torch.save, npy or safetensors, which no picture, film or sound begins like. */
export const isTensorFile = (bytes: Uint8Array): boolean =>
  isTorchSave(bytes) || isNpy(bytes) || isWholeSafetensors(bytes);

/**
 * The tensor of a file of torch.save or npy, or the named ones of safetensors; the first bytes tell. Throws
 * `invalid_embedding`.
 */
export function parseTensorFile(bytes: Uint8Array): TensorView | Map<string, TensorView> {
  if (isTorchSave(bytes)) return parseTorchSave(bytes);
  if (isNpy(bytes)) return parseNpy(bytes);
  if (isSafetensors(bytes)) return parseSafetensors(bytes);
  throw invalidTensor('is no file of torch.save, npy or safetensors');
}
