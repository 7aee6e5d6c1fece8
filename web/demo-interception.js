// The network between the SDK and the gateway, as a man in the middle: the page replaces the WebSocket that the SDK opens.
import { byId, make } from './demo-elements.js'
import { addBreak, addFrame } from './demo-frames.js'

/** Changes to apply to the next matching frame of a direction; undefined passes frames unchanged. */
export const tampering = {
  /** @type {undefined | ((text: string) => string | undefined)} */ up: undefined,
  /** @type {undefined | ((text: string) => string | undefined)} */ down: undefined
}
/** @type {TappedSocket | undefined} */
let live
/** The last frame that the client signed in this session. */
let lastSent = ''
/** Frames that {@link tampering} changed: the frame that the client sent, and the frame that went out. */
const changedFrames = new Map()

class TappedSocket extends WebSocket {
  constructor(url, protocols) {
    super(url, protocols)
    live = this
    tampering.down = undefined
    this.addEventListener('close', ({ code, reason }) => addBreak(closeText(code, reason)))
  }

  send(text) {
    const tamper = tampering.up
    tampering.up = undefined
    const passed = tamper === undefined ? text : tamper(text)
    if (passed !== text) changedFrames.set(text, passed)
    if (passed !== undefined) super.send(passed)
  }

  /** Sends a frame without the client. */
  inject(text) {
    super.send(text)
  }

  set onmessage(listener) {
    super.onmessage = event => {
      const forged = tampering.down?.(event.data)
      if (forged === undefined) return listener(event)
      tampering.down = undefined
      addFrame('down', forged, 'forged')
      listener(new MessageEvent('message', { data: forged }))
      // The client closes a connection whose frames do not verify.
      if (this.readyState === WebSocket.OPEN) showOutcome('The forged frame was accepted. That must never happen.')
      else
        showOutcome(
          'the signature does not verify, so the client did not parse the answer and closed the connection.',
          'Refused by this page:'
        )
    }
  }
}
globalThis.WebSocket = TappedSocket

function closeText(code, reason) {
  if (code === 1006) return 'no connection'
  if (code === 1005) return 'connection dropped by the client'
  return `connection closed · ${code}${reason === '' ? '' : ` ${reason}`}`
}

/** @param {string} text @param {string} [refusal] who refused the frame */
export function showOutcome(text, refusal) {
  byId('outcome').replaceChildren(...(refusal === undefined ? [] : [make('strong', '', refusal), ' ']), text)
  byId('outcome').dataset.pending = 'true'
}

/** Lists a frame that the client signed, with what became of it on its way. */
export function addSent(text) {
  lastSent = text
  if (!changedFrames.has(text)) return addFrame('up', text, 'signed')
  const became = changedFrames.get(text)
  changedFrames.delete(text)
  addFrame('up', became ?? text, became === undefined ? 'dropped' : 'changed')
}

/** Sends the last frame again. */
export function replayLast() {
  addFrame('up', lastSent, 'replayed')
  live?.inject(lastSent)
}
