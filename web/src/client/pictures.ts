/**
 * Pictures as they go out: made anew from their pixels, so that no place, camera, time or comment goes with them.
 *
 * A picture of too many pixels is refused before it is unpacked.
 */

import { MAX_PREVIEW_BYTES, type Preview } from '../attachment.ts';
import type { Bytes } from '../codec.ts';
import { pictureHead, type PictureType } from '../picture.ts';

const PREVIEW_PIXELS = 320;
const QUALITY = 0.9;
/** Longest side and JPEG's quality, until a preview is small enough. */
const PREVIEWS = [
  [PREVIEW_PIXELS, 0.75],
  [PREVIEW_PIXELS, 0.5],
  [PREVIEW_PIXELS / 2, 0.5],
  [PREVIEW_PIXELS / 4, 0.3],
] as const;

/** A picture without metadata. */
export interface CleanPicture {
  readonly contentType: PictureType;
  readonly content: Bytes;
}

/** The picture in `data`, upright; null if it is of no kind that we know, damaged, or too large. */
export async function drawn(data: Bytes): Promise<{ bitmap: ImageBitmap; contentType: PictureType } | null> {
  const head = pictureHead(data);
  if (head === null) return null;
  try {
    const bitmap = await createImageBitmap(new Blob([data], { type: head.contentType }));
    return { bitmap, contentType: head.contentType };
  } catch {
    return null;
  }
}

/** The picture made anew. A moving one cannot be: null. */
export async function clean(bitmap: ImageBitmap, contentType: PictureType): Promise<CleanPicture | null> {
  if (contentType === 'image/gif') return null;
  const content = await encoded(canvasOf(bitmap, bitmap.width, bitmap.height, contentType === 'image/jpeg'), {
    type: contentType,
    quality: QUALITY,
  });
  return content && { contentType, content };
}

/** A small picture of it, or null if none is small enough. */
export async function previewOf(bitmap: ImageBitmap): Promise<Preview | null> {
  for (const [side, quality] of PREVIEWS) {
    const scale = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
    const size = [bitmap.width, bitmap.height].map((length) => Math.max(1, Math.round(length * scale)));
    const content = await encoded(canvasOf(bitmap, size[0] ?? 1, size[1] ?? 1, true), { type: 'image/jpeg', quality });
    if (content !== null && content.length <= MAX_PREVIEW_BYTES) return { contentType: 'image/jpeg', content };
  }
  return null;
}

function canvasOf(bitmap: ImageBitmap, width: number, height: number, opaque: boolean): OffscreenCanvas {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d');
  if (context === null) return canvas;
  if (opaque) {
    context.fillStyle = 'white';
    context.fillRect(0, 0, width, height);
  }
  context.imageSmoothingQuality = 'high';
  context.drawImage(bitmap, 0, 0, width, height);
  return canvas;
}

/** Null where this browser does not write that kind. */
async function encoded(canvas: OffscreenCanvas, options: ImageEncodeOptions): Promise<Bytes | null> {
  const blob = await canvas.convertToBlob(options);
  return blob.type === options.type ? new Uint8Array(await blob.arrayBuffer()) : null;
}
