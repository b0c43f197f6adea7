import { Busboy, type BusboyFileStream } from '@fastify/busboy';
import { SensoriumError } from '../errors.js';
import type { NodeRequest } from './types.js';

const MAX_FIELDS = 64;
const MAX_FIELD_BYTES = 2 ** 20;

/** A form: texts by name, and one file. */
export interface FormBody {
  fields: Map<string, string[]>;
  /** Absent: none was sent. */
  file?: { fieldName: string; bytes: Uint8Array } | undefined;
}

export interface FormLimits {
  maxBytes: number;
  tooLarge: () => SensoriumError;
  /** Told of every piece that is held; may refuse it by throwing. */
  onBytes: (numBytes: number) => void;
}

const malformed = (reason: string, cause?: unknown): SensoriumError =>
  new SensoriumError('invalid_value', `The form is not valid: ${reason}.`, { cause });

function contentTypeOf(request: NodeRequest): string {
  const contentType = request.headers['content-type'] ?? '';
  if (/^multipart\/form-data\s*;/i.test(contentType.trim())) return contentType;
  throw new SensoriumError(
    'unsupported_content_type',
    `The body must be a form: send 'Content-Type: multipart/form-data', not '${contentType.slice(0, 100)}'.`,
  );
}

/** Reads a multipart form with at most one file, counted while it streams in. */
export function readForm(request: NodeRequest, limits: FormLimits): Promise<FormBody> {
  const contentType = contentTypeOf(request);
  return new Promise((resolve, reject) => {
    const reader = new FormReader(limits);
    const parser = createParser(contentType);
    const fail = (error: unknown): void => {
      request.unpipe(parser);
      // The rest is read away by whoever answers.
      request.pause();
      parser.removeAllListeners();
      parser.on('error', () => undefined);
      reject(error instanceof SensoriumError ? error : malformed('it does not parse', error));
    };
    const guarded =
      <Arguments extends unknown[]>(take: (...values: Arguments) => void) =>
      (...values: Arguments): void => {
        try {
          take(...values);
        } catch (error) {
          fail(error);
        }
      };
    parser.on(
      'field',
      guarded((name: string | undefined, value: string, isNameCut: boolean, isCut: boolean) =>
        reader.takeField(name ?? '', value, isNameCut || isCut),
      ),
    );
    parser.on(
      'file',
      guarded((name: string | undefined, stream: BusboyFileStream) => {
        // A part that ends too early is told here too, even after the form was refused.
        stream.on('error', fail);
        reader.takeFile(name ?? '', stream, guarded);
      }),
    );
    parser.on('partsLimit', () => fail(malformed(`it has more than ${MAX_FIELDS} fields`)));
    parser.on('filesLimit', () => fail(malformed('it has more than one file')));
    parser.on('fieldsLimit', () => fail(malformed(`it has more than ${MAX_FIELDS} fields`)));
    parser.on('error', fail);
    parser.on(
      'finish',
      guarded(() => resolve(reader.finish())),
    );
    const onLeft = (cause?: Error): void =>
      fail(
        new SensoriumError('request_cancelled', 'The client left before the body was complete.', { cause }),
      );
    request.once('error', onLeft).once('aborted', () => onLeft());
    request.pipe(parser);
  });
}

function createParser(contentType: string): InstanceType<typeof Busboy> {
  try {
    return new Busboy({
      headers: { 'content-type': contentType },
      limits: {
        fields: MAX_FIELDS,
        parts: MAX_FIELDS,
        files: 1,
        fieldSize: MAX_FIELD_BYTES,
        fieldNameSize: 256,
      },
    });
  } catch (error) {
    throw malformed('its content type names no boundary', error);
  }
}

type Guard = <Arguments extends unknown[]>(
  take: (...values: Arguments) => void,
) => (...values: Arguments) => void;

class FormReader {
  private readonly fields = new Map<string, string[]>();
  private readonly chunks: Buffer[] = [];
  private fileName: string | undefined;
  private numBytes = 0;

  constructor(private readonly limits: FormLimits) {}

  takeField(name: string, value: string, isCut: boolean): void {
    if (isCut)
      throw new SensoriumError('invalid_value', `The field '${name.slice(0, 64)}' is too long.`, {
        param: name.slice(0, 64),
      });
    this.count(value.length);
    this.fields.set(name, [...(this.fields.get(name) ?? []), value]);
  }

  takeFile(name: string, stream: BusboyFileStream, guarded: Guard): void {
    this.fileName = name;
    stream.on(
      'data',
      guarded((chunk: Buffer) => {
        this.count(chunk.length);
        this.chunks.push(chunk);
      }),
    );
  }

  private count(numBytes: number): void {
    this.numBytes += numBytes;
    if (this.numBytes > this.limits.maxBytes) throw this.limits.tooLarge();
    this.limits.onBytes(numBytes);
  }

  finish(): FormBody {
    const { fields, fileName } = this;
    if (fileName === undefined) return { fields };
    return { fields, file: { fieldName: fileName, bytes: Buffer.concat(this.chunks) } };
  }
}
