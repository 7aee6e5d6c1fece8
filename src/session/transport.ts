/** What a session needs from the connection that carries it. */
export interface Transport {
  readonly name: 'ws'
  /** Sends one frame. Frames arrive in the order of the calls. */
  send(frame: string): void
  /** Bytes that were passed to `send` and are still in this process. */
  readonly bufferedBytes: number
  /** Frames that were passed to `send` and are still in this process. */
  readonly bufferedFrames: number
  /** Closes after everything sent before has left. A peer that does not answer the close is cut off soon after. */
  close(code: number, reason: string): void
  /** Stops reading: what the client sends stays in the network's buffers. */
  pause(): void
  resume(): void
}
