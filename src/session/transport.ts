/** The little that a session asks of what carries it. A socket is one; nothing here knows of sockets. */
export interface Transport {
  readonly name: 'ws'
  /** Sends one frame, after all that were sent before it. */
  send(frame: string): void
  /** Bytes that were sent and have not left this process. */
  readonly bufferedBytes: number
  /** Frames that were sent and have not left this process. */
  readonly bufferedFrames: number
  /** Says goodbye once everything sent has left; then the peer is let go, soon, whether it answers or not. */
  close(code: number, reason: string): void
  /** Stops and resumes reading: what the peer sends meanwhile waits in its own network. */
  pause(): void
  resume(): void
}
