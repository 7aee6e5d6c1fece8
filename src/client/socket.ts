/** The little that the client asks of a WebSocket, so that browsers' and Node's look alike. */
export interface ClientSocket {
  send(text: string): void
  close(code?: number, reason?: string): void
}

export interface SocketEvents {
  /** One text message, in UTF-8. Anything else a gateway could send is passed over. */
  onMessage(frame: Uint8Array): void
  /** Once, also where the connection never stood. */
  onClose(code: number): void
}

/** Opens a socket with the subprotocol `countersign.v1`. */
export type OpenSocket = (url: string, events: SocketEvents) => ClientSocket
