/** A message whose members are already encoded, so that data keeps its text: it is neither parsed nor encoded again. */
export interface FrameText {
  readonly type: 'publication' | 'call' | 'called'
  /** Everything after `seq`, and the closing brace. */
  readonly members: string
}

/** @returns the text to sign */
export function withSeq({ type, members }: FrameText, seq: number): string {
  return `{"type":"${type}","seq":${seq},${members}`
}
