import { Buffer } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'

// A WebSocket client with as little of its own as can be: one load generator for all sides, cheap enough that a server
// is what is busy. Frames of one tick are sent in one write. Text frames only; every frame is masked, as it must be.

const mask = [0x37, 0xfa, 0x21, 0x3d]
const [text, close, ping] = [1, 8, 9]
const emptyPong = Buffer.from([0x8a, 0x80, ...mask])

/** Appends one masked frame to `out`. @returns where it ends */
function writeFrame(out, at, payload) {
  const length = Buffer.byteLength(payload, 'latin1')
  out[at++] = 0x80 | text
  if (length < 126) out[at++] = 0x80 | length
  else {
    out[at++] = 0x80 | 126
    out[at++] = length >> 8
    out[at++] = length & 255
  }
  for (const byte of mask) out[at++] = byte
  out.latin1Write(payload, at)
  for (let i = 0; i < length; i++) out[at + i] ^= mask[i & 3]
  return at + length
}

export class RawSocket {
  /** Called with each text; ASCII only, as everything here is. */
  onText = () => {}
  #tcp
  #out = []
  #bytes = 0
  #rest

  constructor(tcp) {
    this.#tcp = tcp
  }

  /** @returns {Promise<RawSocket>} an open socket; texts that came at once wait for the first turn of `onText` */
  static connect(url, path, headers = {}) {
    const { hostname, port } = new URL(url)
    const tcp = connect({ host: hostname, port: Number(port), noDelay: true })
    const lines = [
      `GET ${path} HTTP/1.1`,
      `Host: ${hostname}:${port}`,
      'Upgrade: websocket',
      'Connection: Upgrade',
      'Sec-WebSocket-Version: 13',
      `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
      ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
    ]
    tcp.write(`${lines.join('\r\n')}\r\n\r\n`)
    return new Promise((resolve, reject) => {
      let head = Buffer.alloc(0)
      tcp.on('error', reject)
      tcp.on('data', function onHead(chunk) {
        head = Buffer.concat([head, chunk])
        const end = head.indexOf('\r\n\r\n')
        if (end < 0) return
        tcp.off('data', onHead)
        const status = head.toString('latin1', 9, 12)
        if (status !== '101') {
          reject(new Error(`no upgrade: ${head.toString('latin1')}`))
          return
        }
        const socket = new RawSocket(tcp)
        tcp.on('data', data => socket.#read(data))
        resolve(socket)
        // The caller sets its listener first.
        if (head.length > end + 4) setImmediate(() => socket.#read(head.subarray(end + 4)))
      })
    })
  }

  send(payload) {
    if (this.#out.length === 0) process.nextTick(() => this.#flush())
    this.#out.push(payload)
    this.#bytes += payload.length + 8
  }

  #flush() {
    const out = Buffer.allocUnsafe(this.#bytes)
    let at = 0
    for (const payload of this.#out) at = writeFrame(out, at, payload)
    this.#out = []
    this.#bytes = 0
    this.#tcp.write(at === out.length ? out : out.subarray(0, at))
  }

  #read(chunk) {
    const data = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk])
    let at = 0
    while (at + 2 <= data.length) {
      let length = data[at + 1] & 127
      let start = at + 2
      if (length === 126) {
        if (at + 4 > data.length) break
        length = data.readUInt16BE(at + 2)
        start = at + 4
      } else if (length === 127) throw new Error('a frame of more than 64 KiB')
      if (start + length > data.length) break
      const opcode = data[at] & 15
      if (opcode === text) this.onText(data.latin1Slice(start, start + length))
      else if (opcode === ping) this.#tcp.write(emptyPong)
      else if (opcode === close && !this.closing) {
        throw new Error(`closed by the server: ${data.latin1Slice(start, start + length)}`)
      }
      at = start + length
    }
    this.#rest = at === data.length ? undefined : data.subarray(at)
  }

  destroy() {
    this.closing = true
    this.#tcp.destroy()
  }
}
