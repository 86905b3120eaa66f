/**
 * What a picture's first bytes say of it: its kind and size. Nothing is unpacked.
 *
 * Only kinds that browsers draw without running anything are known here: no SVG, no HTML, whatever a sender calls them.
 *
 * Source: ITU T.81 B.2.2 (JPEG frames); W3C "Portable Network Graphics", 11.2.2; "Graphics Interchange Format" 89a, 18;
 * "WebP Container Specification".
 */

export type PictureType = 'image/jpeg' | 'image/png' | 'image/webp' | 'image/gif';

export interface PictureHead {
  readonly contentType: PictureType;
  readonly width: number;
  readonly height: number;
}

/** Of a picture that we draw, or make anew. */
export const MAX_PIXELS = 64_000_000;

/** Kind and size of the picture in `data`; null for anything else, and for one of no pixel or more than we draw. */
export function pictureHead(data: Uint8Array): PictureHead | null {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const head = readPng(view) ?? readGif(view) ?? readWebp(view) ?? readJpeg(view);
  if (head === null) return null;
  const pixels = head.width * head.height;
  return pixels > 0 && pixels <= MAX_PIXELS ? head : null;
}

function says(view: DataView, at: number, text: string): boolean {
  if (at + text.length > view.byteLength) return false;
  return Array.from(text).every((letter, index) => view.getUint8(at + index) === letter.charCodeAt(0));
}

function readPng(view: DataView): PictureHead | null {
  if (view.byteLength < 24 || !says(view, 0, '\x89PNG\r\n\x1a\n') || !says(view, 12, 'IHDR')) return null;
  return { contentType: 'image/png', width: view.getUint32(16), height: view.getUint32(20) };
}

function readGif(view: DataView): PictureHead | null {
  if (view.byteLength < 10 || !(says(view, 0, 'GIF87a') || says(view, 0, 'GIF89a'))) return null;
  return { contentType: 'image/gif', width: view.getUint16(6, true), height: view.getUint16(8, true) };
}

function readWebp(view: DataView): PictureHead | null {
  if (view.byteLength < 30 || !says(view, 0, 'RIFF') || !says(view, 8, 'WEBP')) return null;
  const size = webpSize(view);
  return size && { contentType: 'image/webp', width: size[0], height: size[1] };
}

function webpSize(view: DataView): readonly [number, number] | null {
  if (says(view, 12, 'VP8X')) return [1 + uint24(view, 24), 1 + uint24(view, 27)];
  if (says(view, 12, 'VP8L')) {
    const bits = view.getUint32(21, true);
    return [1 + (bits & 0x3fff), 1 + ((bits >>> 14) & 0x3fff)];
  }
  if (says(view, 12, 'VP8 ')) return [view.getUint16(26, true) & 0x3fff, view.getUint16(28, true) & 0x3fff];
  return null;
}

function uint24(view: DataView, at: number): number {
  return view.getUint16(at, true) | (view.getUint8(at + 2) << 16);
}

/** The size stands in the frame's header, behind segments that say how long they are. */
function readJpeg(view: DataView): PictureHead | null {
  if (view.byteLength < 4 || view.getUint16(0) !== 0xffd8) return null;
  for (let at = 2; at + 9 <= view.byteLength;) {
    if (view.getUint8(at) !== 0xff) return null;
    const marker = view.getUint8(at + 1);
    if (marker === 0xff) {
      at += 1; // fill
    } else if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
      return { contentType: 'image/jpeg', width: view.getUint16(at + 7), height: view.getUint16(at + 5) };
    } else if (marker === 0xda || marker === 0xd9) {
      return null;
    } else {
      at += 2 + view.getUint16(at + 2);
    }
  }
  return null;
}
