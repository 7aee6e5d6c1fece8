/** @returns the first frames that fit, at least one. A frame costs one byte more, for its line feed. */
export function framesWithin(frames: readonly string[], maxBytes: number): readonly string[] {
  let remainingBytes = maxBytes
  for (const [i, frame] of frames.entries()) {
    remainingBytes -= Buffer.byteLength(frame) + 1
    if (remainingBytes < 0 && i > 0) return frames.slice(0, i)
  }
  return frames
}
