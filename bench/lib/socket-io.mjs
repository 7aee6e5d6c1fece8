import { RawHttp } from './raw-http.mjs'
import { RawSocket } from './raw-ws.mjs'

// Clients of Socket.IO that speak its protocol (engine.io 4, socket.io 5) and do no more than they must.

export class SocketIoSession {
  socket
  #id = 0

  static async open(url) {
    const session = new SocketIoSession()
    const socket = await RawSocket.connect(url, '/socket.io/?EIO=4&transport=websocket')
    session.socket = socket
    const next = () => new Promise(resolve => (socket.onText = resolve))
    await next()
    const connected = next()
    socket.send('40')
    const answer = await connected
    if (!answer.startsWith('40{')) throw new Error(`no session: ${answer}`)
    return session
  }

  /** An event that wants an acknowledgement. */
  text(event, data) {
    return `42${this.#id++}["${event}",${data}]`
  }

  async ask(event, data) {
    const answered = new Promise(resolve => (this.socket.onText = resolve))
    this.socket.send(this.text(event, data))
    return answered
  }

  close() {
    this.socket.destroy()
  }
}

/** Over HTTP: events go up by POST, acknowledgements come down by GET, each on a connection of its own. */
export class SocketIoPolling {
  #up
  #down
  #path
  #id = 0

  static async open(url) {
    const session = new SocketIoPolling()
    session.#up = new RawHttp(url)
    session.#down = new RawHttp(url)
    const { body } = await session.#up.ask('GET', '/socket.io/?EIO=4&transport=polling')
    session.#path = `/socket.io/?EIO=4&transport=polling&sid=${JSON.parse(body.slice(1)).sid}`
    await session.#up.ask('POST', session.#path, '40', 'text/plain;charset=UTF-8')
    const connected = await session.#down.ask('GET', session.#path)
    if (!connected.body.startsWith('40{')) throw new Error(`no session: ${connected.body}`)
    return session
  }

  /** One event, and its acknowledgement. */
  async request(event, data) {
    const down = this.#down.ask('GET', this.#path)
    await this.#up.ask('POST', this.#path, `42${this.#id++}["${event}",${data}]`, 'text/plain;charset=UTF-8')
    const { status, body } = await down
    if (status !== 200 || !body.startsWith('43')) throw new Error(`no acknowledgement: ${status} ${body}`)
  }

  close() {
    this.#up.destroy()
    this.#down.destroy()
  }
}
