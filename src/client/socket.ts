/** The part of a WebSocket that the client uses, common to browsers and Node. */
export interface ClientSocket {
  send(text: string): void
  close(code?: number, reason?: string): void
}

export interface SocketEvents {
  /** A text message, in UTF-8. Other messages are ignored. */
  onMessage(frame: Uint8Array): void
  /** Called once, even if the connection was never established. `reason`: for people. */
  onClose(reason: string): void
}

/** Opens a socket with the subprotocol `countersign.v1`. */
export type OpenSocket = (url: string, events: SocketEvents) => ClientSocket

/** Why a connection ended, from its close frame. */
export function closeReason(code: number, reason: string): string {
  return `the connection closed with ${code}${reason === '' ? '' : ` ${reason}`}`
}
