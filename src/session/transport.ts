/** The connection of a session. */
export interface Transport {
  readonly name: 'ws'
  /** Sends one frame. Frames arrive in the order of the calls. */
  send(frame: string): void
  /** Bytes passed to `send` that are still in this process. */
  readonly bufferedBytes: number
  /** Frames passed to `send` that are still in this process. */
  readonly bufferedFrames: number
  /** Closes after all frames sent before. A peer that does not answer the close is cut off soon after. */
  close(code: number, reason: string): void
  /** Stops reading: further input stays in the network's buffers. */
  pause(): void
  resume(): void
}
