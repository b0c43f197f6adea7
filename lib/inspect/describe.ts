import type { Inspection, MemoryNeed } from './inspect.js';

const GIB = 2 ** 30;
const MIB = 2 ** 20;

function bytes(count: number): string {
  return count >= GIB ? `${(count / GIB).toFixed(1)} GiB` : `${(count / MIB).toFixed(1)} MiB`;
}

function parameters(count: number): string {
  return count >= 1e9 ? `${(count / 1e9).toFixed(2)} billion` : `${(count / 1e6).toFixed(1)} million`;
}

function memoryLine({ dtype, weightBytes, kvBytes }: MemoryNeed): string {
  const contexts = kvBytes.map(({ numTokens, numBytes }) => `${bytes(numBytes)} for ${numTokens} tokens`);
  const cache = contexts.length === 0 ? '' : `, KV cache of one request ${contexts.join(', ')}`;
  return `  ${dtype}: weights ${bytes(weightBytes)}${cache}`;
}

/** An inspection as lines for a terminal. */
export function describeInspection(inspection: Inspection): string[] {
  const { name, architecture, family, modalities, storedTypes, problems } = inspection;
  const types = storedTypes.map(({ type }) => type).join(', ');
  return [
    `${name}: ${architecture}${family === undefined ? ' (not supported)' : ''}`,
    `takes: ${['text', ...modalities].join(', ')}`,
    `parameters: ${parameters(inspection.numParameters)} in ${inspection.numTensors} tensors, stored as ${types || 'nothing'} (${bytes(inspection.storedBytes)})`,
    ...(inspection.maxModelLen === undefined ? [] : [`longest context: ${inspection.maxModelLen} tokens`]),
    'memory:',
    ...inspection.memory.map(memoryLine),
    `chat template: ${inspection.hasChatTemplate ? 'its own' : 'none of its own'}`,
    ...(problems.length === 0
      ? ['problems: none found']
      : ['problems:', ...problems.map((problem) => `  - ${problem}`)]),
  ];
}
