/** What bytes are, by their magic numbers; names and declared types are never trusted. */
export type MediaFormat =
  | 'jpeg'
  | 'png'
  | 'apng'
  | 'webp'
  | 'gif'
  | 'avif'
  | 'tiff'
  | 'bmp'
  | 'wav'
  | 'flac'
  | 'mp3'
  | 'vorbis'
  | 'opus'
  | 'ogg'
  | 'aac'
  | 'mp4'
  | 'matroska'
  | 'avi'
  | 'flv'
  | 'mpegts'
  | 'mpegps'
  | 'aiff'
  | 'heic'
  | 'jxl'
  | 'jp2'
  | 'jxr'
  | 'ico'
  | 'exr'
  | 'hdr'
  | 'fits'
  | 'vips'
  | 'ppm'
  | 'psd'
  | 'dds'
  | 'qoi'
  | 'svg'
  | 'pdf'
  | 'html';

type Test = (bytes: Buffer) => boolean;

function has(text: string, offset = 0): Test {
  return (bytes) => bytes.toString('latin1', offset, offset + text.length) === text;
}

function all(...tests: Test[]): Test {
  return (bytes) => tests.every((test) => test(bytes));
}

function any(...tests: Test[]): Test {
  return (bytes) => tests.some((test) => test(bytes));
}

/** ISO base media files: the major brand tells pictures from films. */
function brand(...brands: string[]): Test {
  return (bytes) => has('ftyp', 4)(bytes) && brands.includes(bytes.toString('latin1', 8, 12));
}

/** Whether a file of the generic picture brand says that it is compatible with AVIF. */
function isGenericAvif(bytes: Buffer): boolean {
  if (!brand('mif1', 'msf1', 'miaf')(bytes)) return false;
  const end = Math.min(bytes.readUInt32BE(0), bytes.length, 256);
  for (let offset = 16; offset + 4 <= end; offset += 4) if (has('avif', offset)(bytes)) return true;
  return false;
}

/** Whether a PNG carries an animation control chunk before its first data chunk. */
function isAnimatedPng(bytes: Buffer): boolean {
  for (let offset = 8; offset + 8 <= bytes.length; offset += 12 + bytes.readUInt32BE(offset)) {
    const type = bytes.toString('latin1', offset + 4, offset + 8);
    if (type === 'acTL') return true;
    if (type === 'IDAT' || type === 'IEND') return false;
  }
  return false;
}

/** The first packet of an Ogg stream names its codec. */
function oggCodec(magic: string): Test {
  return (bytes) => has('OggS')(bytes) && has(magic, 27 + (bytes[26] ?? 0))(bytes);
}

/** MPEG audio frame header: 11 sync bits, a real version, layer III (or II), a real bit rate and sample rate. */
function isMpegAudioFrame(bytes: Buffer): boolean {
  const [a = 0, b = 0, c = 0] = bytes;
  const isSynced = a === 0xff && (b & 0xe0) === 0xe0;
  return isSynced && (b & 0x18) !== 0x08 && (b & 0x06) !== 0 && (c & 0xf0) !== 0xf0 && (c & 0x0c) !== 0x0c;
}

function isAdtsFrame(bytes: Buffer): boolean {
  return bytes[0] === 0xff && ((bytes[1] ?? 0) & 0xf6) === 0xf0;
}

function isTransportStream(bytes: Buffer): boolean {
  return bytes.length > 376 && bytes[0] === 0x47 && bytes[188] === 0x47 && bytes[376] === 0x47;
}

/** `P1` to `P7`, or a floating-point `PF` or `Pf`, and white space. */
function isPortableAnymap(bytes: Buffer): boolean {
  return /^P[1-7Ff]\s/.test(bytes.toString('latin1', 0, 3));
}

const MAGIC: readonly (readonly [MediaFormat, Test])[] = [
  ['jpeg', has('\xff\xd8\xff')],
  ['apng', all(has('\x89PNG\r\n\x1a\n'), isAnimatedPng)],
  ['png', has('\x89PNG\r\n\x1a\n')],
  ['webp', all(has('RIFF'), has('WEBP', 8))],
  ['gif', any(has('GIF87a'), has('GIF89a'))],
  ['avif', any(brand('avif', 'avis'), isGenericAvif)],
  ['heic', brand('heic', 'heix', 'hevc', 'heim', 'heis', 'mif1', 'msf1')],
  ['tiff', any(has('II*\0'), has('MM\0*'))],
  ['bmp', has('BM')],
  ['wav', all(any(has('RIFF'), has('RF64')), has('WAVE', 8))],
  ['flac', has('fLaC')],
  ['vorbis', oggCodec('\x01vorbis')],
  ['opus', oggCodec('OpusHead')],
  ['flac', oggCodec('\x7fFLAC')],
  ['ogg', has('OggS')],
  ['mp4', has('ftyp', 4)],
  ['mp4', any(has('moov', 4), has('mdat', 4), has('wide', 4))],
  ['matroska', has('\x1aE\xdf\xa3')],
  ['avi', all(has('RIFF'), has('AVI ', 8))],
  ['flv', has('FLV\x01')],
  ['mpegps', has('\x00\x00\x01\xba')],
  ['aiff', all(has('FORM'), any(has('AIFF', 8), has('AIFC', 8)))],
  ['jxl', any(has('\xff\x0a'), has('JXL ', 4))],
  ['jp2', any(has('jP  ', 4), has('\xff\x4f\xff\x51'))],
  ['jxr', has('II\xbc')],
  ['ico', any(has('\0\0\x01\0'), has('\0\0\x02\0'))],
  ['exr', has('v/1\x01')],
  ['hdr', any(has('#?RADIANCE'), has('#?RGBE'))],
  ['fits', has('SIMPLE  =')],
  ['vips', any(has('\x08\xf2\xa6\xb6'), has('\xb6\xa6\xf2\x08'))],
  ['ppm', isPortableAnymap],
  ['psd', has('8BPS')],
  ['dds', has('DDS ')],
  ['qoi', has('qoif')],
  ['pdf', has('%PDF-')],
  ['aac', isAdtsFrame],
  ['mp3', any(has('ID3'), isMpegAudioFrame)],
  ['mpegts', isTransportStream],
];

function sniffMarkup(bytes: Buffer): MediaFormat | undefined {
  const start = bytes
    .toString('latin1', 0, 1024)
    .replace(/^\xef\xbb\xbf/, '')
    .trimStart()
    .toLowerCase();
  if (!start.startsWith('<')) return undefined;
  if (start.includes('<svg')) return 'svg';
  return start.includes('<html') || start.includes('<!doctype html') ? 'html' : undefined;
}

/** The format of encoded media, or undefined where the bytes are nothing known. */
export function sniffFormat(bytes: Uint8Array): MediaFormat | undefined {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return MAGIC.find(([, test]) => test(view))?.[0] ?? sniffMarkup(view);
}
