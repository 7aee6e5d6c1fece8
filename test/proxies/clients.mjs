import { randomBytes } from 'node:crypto'
import { connect as connectHttp2 } from 'node:http2'
import { request as requestHttps } from 'node:https'
import WebSocket from 'ws'
import { loopback, until } from '../helper/processes.mjs'

/** Clients of the proxies: the SDK as built, the SDK from a chosen address with chosen headers, and plain HTTP. */

const answerMs = 10_000
const insecure = { rejectUnauthorized: false }
const built = path => import(new URL(`../../dist/${path}`, import.meta.url).href)

/** Counts the events of a client. */
function watch(client) {
  const watched = { client, sessionId: undefined, welcomes: 0, reconnects: 0, stopped: undefined }
  client.on('welcome', ({ sessionId }) => {
    watched.sessionId = sessionId
    watched.welcomes++
  })
  client.on('stopped', ({ code }) => {
    watched.stopped = code
  })
  client.on('frame', ({ direction, text, signed }) => {
    if (direction === 'down' && signed && JSON.parse(text).type === 'reconnect') watched.reconnects++
  })
  return watched
}

async function connected(client) {
  const watched = watch(client)
  client.connect()
  try {
    await until('the client is welcomed', answerMs, () => watched.sessionId)
  } catch (error) {
    client.close()
    throw error
  }
  return watched
}

/** The SDK, as applications use it. */
export async function connectClient(url, credential) {
  const { createClient } = await built('client/node.js')
  return connected(createClient({ url, credential }))
}

/** The SDK over a socket from a chosen address, with headers that a browser could not send. */
export async function connectFrom(port, credential, localAddress, headers) {
  const { CountersignClient } = await built('client/node.js')
  const { createNodeMac } = await built('protocol/mac-node.js')
  const openSocket = (url, { onMessage, onClose }) => {
    const socket = new WebSocket(url, 'countersign.v1', { ...insecure, family: 4, localAddress, headers })
    socket.on('message', onMessage)
    socket.on('close', onClose)
    socket.on('error', () => {})
    return { send: text => socket.send(text), close: (code, reason) => socket.close(code, reason) }
  }
  const platform = {
    createMac: createNodeMac,
    openSocket,
    random: Math.random,
    nonce: () => randomBytes(24).toString('base64url'),
    now: Date.now,
    setTimer: setTimeout,
    clearTimer: clearTimeout,
    reportFault: error => console.error(error),
    warn: line => console.warn(line),
    onWake: () => () => {}
  }
  return connected(new CountersignClient(platform, { url: `wss://localhost:${port}/v1/ws`, credential }))
}

/** One request over HTTP/1.1 and TLS; its target is sent unchanged. */
export function get(port, path, { address = loopback, localAddress, headers } = {}) {
  return new Promise((resolve, reject) => {
    const options = { ...insecure, host: address, port, path, localAddress, servername: 'localhost', agent: false }
    const request = requestHttps({ ...options, headers: { host: `localhost:${port}`, ...headers } }, response => {
      let body = ''
      response.setEncoding('utf8').on('data', text => {
        body += text
      })
      response.once('end', () => resolve({ status: response.statusCode, version: response.httpVersion, body }))
    })
    request.setTimeout(answerMs, () => request.destroy(new Error(`no answer to ${path}`)))
    request.once('error', reject).end()
  })
}

/** Runs over a connection of HTTP/2, after the proxy has sent its settings. */
export async function overHttp2(port, run) {
  const session = connectHttp2(`https://localhost:${port}`, insecure)
  session.on('error', () => {})
  try {
    await until('the proxy sends its HTTP/2 settings', answerMs, () => session.remoteSettings?.maxFrameSize)
    return await run(session)
  } finally {
    session.destroy()
  }
}

/** @returns the status, and the start of the body: all of it, or the first piece of a stream that stays open */
export function askHttp2(session, headers) {
  return new Promise((resolve, reject) => {
    const stream = session.request(headers, { endStream: headers[':method'] !== 'CONNECT' })
    let status
    stream.setTimeout(answerMs, () => reject(new Error('no answer over HTTP/2')))
    stream.once('error', reject)
    stream.once('response', answer => {
      status = answer[':status']
    })
    stream.once('data', body => resolve({ status, body: body.toString() }))
    stream.once('end', () => resolve({ status, body: '' }))
  })
}
