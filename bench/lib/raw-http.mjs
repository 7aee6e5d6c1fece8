import { Buffer } from 'node:buffer'
import { connect } from 'node:net'

// An HTTP/1.1 client that keeps its connection and has one request out at a time, as small as the WebSocket's.

export class RawHttp {
  #tcp
  #host
  #rest = Buffer.alloc(0)
  #answered
  #failed
  #idle = Promise.resolve()
  #headers

  /** @param {Record<string, string>} headers  sent with every request */
  constructor(url, headers = {}) {
    this.#headers = Object.entries(headers)
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join('')
    const { hostname, port } = new URL(url)
    this.#host = `${hostname}:${port}`
    this.#tcp = connect({ host: hostname, port: Number(port), noDelay: true })
    this.#tcp.on('data', chunk => this.#read(chunk))
    this.#tcp.on('error', error => this.#failed?.(error))
    this.#tcp.on('close', () => this.#failed?.(new Error('the server closed the connection')))
  }

  /** One request after another. @returns {Promise<{ status: number, body: string }>} */
  ask(method, path, body = '', contentType = 'application/json') {
    const answer = this.#idle.then(() => this.#send(method, path, body, contentType))
    this.#idle = answer.catch(() => {})
    return answer
  }

  #send(method, path, body, contentType) {
    return new Promise((resolve, reject) => {
      this.#answered = resolve
      this.#failed = reject
      const type = body === '' ? '' : `Content-Type: ${contentType}\r\n`
      const length = method === 'GET' ? '' : `Content-Length: ${Buffer.byteLength(body)}\r\n`
      this.#tcp.write(
        `${method} ${path} HTTP/1.1\r\nHost: ${this.#host}\r\n${this.#headers}${type}${length}\r\n${body}`
      )
    })
  }

  #read(chunk) {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    const end = this.#rest.indexOf('\r\n\r\n')
    if (end < 0) return
    const head = this.#rest.latin1Slice(0, end)
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0)
    if (this.#rest.length < end + 4 + length) return
    const body = this.#rest.latin1Slice(end + 4, end + 4 + length)
    this.#rest = this.#rest.subarray(end + 4 + length)
    this.#failed = undefined
    this.#answered({ status: Number(head.slice(9, 12)), body })
  }

  destroy() {
    this.#failed = undefined
    this.#tcp.destroy()
  }
}
