// The demo page: forms for the SDK, and a list of frames. It uses the SDK as any page does, but intercepts its WebSocket, so
// the user can act as a man in the middle.
import { createClient } from './countersign-client.js'

/** @typedef {'signed' | 'verified' | 'unsigned' | 'replayed' | 'changed' | 'dropped' | 'forged'} Mark */

const maxFrames = 200
const encoder = new TextEncoder()

/**
 * @param {string} id
 * @returns {any}
 */
const byId = id => document.getElementById(id)

const credentialFields = { clientId: byId('client-id'), keyId: byId('key-id'), secret: byId('secret') }
const licenseFields = { serviceId: byId('service-id'), hwid: byId('hwid'), key: byId('key') }

/** The current client, until the user disconnects or the client stops. */
let client
/** Whether it has ever had a session. */
let welcomed = false
/** The last unsigned error of a handshake: a hint. */
let hint

// ── The tapped socket ────────────────────────────────────────────────────────────────────────────────────────────────

/** Changes to apply to the next matching frame of a direction; undefined passes frames unchanged. */
const tampering = {
  /** @type {undefined | ((text: string) => string | undefined)} */ up: undefined,
  /** @type {undefined | ((text: string) => string | undefined)} */ down: undefined
}
/** @type {TappedSocket | undefined} */
let live
/** The last frame that the client signed in this session. */
let lastSent = ''
/** Frames that {@link tampering} changed: the frame that the client sent, and the frame that went out. */
const tamperd = new Map()

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
    if (passed !== text) tamperd.set(text, passed)
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

// ── Connection ───────────────────────────────────────────────────────────────────────────────────────────────────────

const stateTexts = { disconnected: 'Disconnected', connecting: 'Connecting …', connected: 'Connected' }

function showState(state) {
  const pill = byId('state')
  pill.dataset.state = state
  pill.textContent = state === 'connecting' && welcomed ? 'Reconnecting …' : stateTexts[state]
  const wanted = state !== 'disconnected'
  byId('credential').disabled = wanted
  byId('credential').hidden = wanted && welcomed
  byId('session').hidden = !(wanted && welcomed)
  byId('secret-note').hidden = wanted && welcomed
  byId('connect').textContent = wanted ? 'Disconnect' : 'Connect'
  byId('connect').classList.toggle('primary', !wanted)
  byId('heartbeat').hidden = !(wanted && welcomed)
  byId('ask-hint').hidden = wanted
  for (const id of ['heartbeat', 'ask', 'replay', 'change', 'drop', 'forge']) byId(id).disabled = state !== 'connected'
}

function showMessage(text, bad = false) {
  byId('message').textContent = text
  byId('message').classList.toggle('bad', bad)
}

/** @returns what is wrong with the address, or undefined */
function problemOf(address) {
  if (!URL.canParse(address) || !/^wss?:$/.test(new URL(address).protocol)) {
    return 'The gateway must be an address like wss://example.com/v1/ws'
  }
  const plain = new URL(address).protocol === 'ws:' && location.protocol === 'https:'
  return plain ? 'A page from https:// can only connect to wss://' : undefined
}

function connect() {
  const url = byId('url').value.trim()
  const problem = problemOf(url)
  if (problem !== undefined) return showMessage(problem, true)
  const { clientId, keyId, secret } = credentialFields
  welcomed = false
  hint = undefined
  showMessage('')
  const own = createClient({
    url,
    credential: {
      clientId: clientId.value.trim(),
      ...(keyId.value.trim() === '' ? {} : { keyId: keyId.value.trim() }),
      secret: secret.value.trim()
    }
  })
  client = own
  own.on('state', showState)
  own.on('welcome', showSession)
  own.on('frame', ({ direction, text, signed }) => frame(direction, text, signed))
  // The SDK keeps trying, but a form needs an answer, so the client is closed after this event.
  own.on('trouble', ({ reason, tries }) =>
    queueMicrotask(() => {
      disconnect()
      showMessage(explainTrouble(reason, tries, url), true)
    })
  )
  own.on('stopped', ({ code, message }) => {
    client = undefined
    showMessage(`The gateway has ended the connection permanently, with a signature: ${code} (${message})`, true)
  })
  own.connect()
}

function disconnect() {
  client?.close()
  client = undefined
  showMessage('')
}

function explainTrouble(reason, tries, url) {
  if (hint === 'AUTHENTICATION_FAILED') {
    return `Not connected: AUTHENTICATION_FAILED, ${tries} times. Client id, key id or secret is wrong; the gateway does not reveal which.`
  }
  if (hint !== undefined) return `Not connected: ${reason}`
  return `Not connected: no answer from ${url}. Is the gateway running, and may pages from ${location.origin} connect (COUNTERSIGN_ALLOWED_ORIGINS)?`
}

function showSession({ clientId, keyId, sessionId, heartbeatInterval, expiresAt }) {
  welcomed = true
  showMessage('')
  showState('connected')
  byId('session').replaceChildren(
    ...detail('Client', clientId, keyId),
    ...detail('Session', sessionId),
    ...detail('Heartbeat', `every ${heartbeatInterval} s`),
    ...detail('Until', dateText(expiresAt))
  )
  if (byId('outcome').dataset.pending === 'true') {
    byId('outcome').dataset.pending = 'false'
    byId('outcome').append(' Connected again: a new challenge, new keys.')
  }
}

function detail(name, ...values) {
  return [make('dt', '', name), ...values.map(value => make('dd', '', value))]
}

// ── Validate ─────────────────────────────────────────────────────────────────────────────────────────────────────────

const codeTexts = {
  VALID: 'The key is valid on this hardware now.',
  NOT_FOUND: 'No license with this key for this service, or the client may not use the service.',
  REVOKED: 'The license was revoked.',
  SUSPENDED: 'The license is suspended.',
  NOT_YET_VALID: 'The license has not started yet.',
  EXPIRED: 'The license has ended.',
  HWID_REQUIRED: 'The request has no hardware id.',
  HWID_BANNED: 'This hardware is banned for this license.',
  HWID_MISMATCH: 'The license is bound to other hardware.',
  TOO_MANY_HWIDS: 'All hwid bindings of the license are in use by other hardware.',
  TOO_MANY_SESSIONS: 'The allowed number of other sessions uses it already.'
}

function licenseOf() {
  const { serviceId, hwid, key } = licenseFields
  return {
    serviceId: serviceId.value.trim(),
    ...(hwid.value === '' ? {} : { hwid: hwid.value }),
    key: key.value
  }
}

async function validate(request) {
  const startedAt = performance.now()
  try {
    const answer = await client.validate(request)
    const elapsedMs = Math.round(performance.now() - startedAt)
    showValidation(answer.valid ? 'valid' : 'invalid', answer.code, codeTexts[answer.code] ?? '', [
      ...(answer.expiresAt === undefined ? [] : detail('Expires', dateText(answer.expiresAt))),
      ...(answer.maxHwids === undefined ? [] : detail('Hwids', `${answer.boundHwids} of ${answer.maxHwids} bound`)),
      ...detail('Request', `${request.hwid ?? 'no hwid'} · ${request.key}`),
      ...detail('Answered', `within ${elapsedMs} ms`)
    ])
  } catch (error) {
    if (error.code !== 'CLOSED') showValidation('trouble', error.code ?? 'ERROR', `No validation: ${error.message}`, [])
    else byId('verdict').replaceChildren()
  }
}

function showValidation(kind, code, text, details) {
  const badge = make('p', 'badge')
  badge.append(icon(kind === 'valid' ? 'check' : kind === 'invalid' ? 'cross' : 'dash'), make('strong', '', code))
  const list = make('dl', 'details')
  list.append(...details)
  byId('verdict').dataset.verdict = kind
  byId('verdict').replaceChildren(badge, make('p', 'meaning', text), list)
}

// ── In the middle ────────────────────────────────────────────────────────────────────────────────────────────────────

/** @param {string} text @param {string} [refusal] who refused the frame */
function showOutcome(text, refusal) {
  byId('outcome').replaceChildren(...(refusal === undefined ? [] : [make('strong', '', refusal), ' ']), text)
  byId('outcome').dataset.pending = 'true'
}

const cheats = {
  replay() {
    showOutcome('The last frame is sent a second time, with its valid signature …')
    addFrame('up', lastSent, 'replayed')
    live?.inject(lastSent)
  },
  change() {
    showOutcome('A validate is sent, and one letter of its key is changed in transit …')
    tampering.up = text => text.replace(/("key":")(.)/, (_all, before, letter) => before + (letter === 'x' ? 'y' : 'x'))
    void validate(licenseOf())
  },
  drop() {
    showOutcome('A validate is dropped in transit; the heartbeat behind it arrives …')
    tampering.up = () => undefined
    void validate(licenseOf())
    client.heartbeat().catch(() => {})
  },
  forge() {
    showOutcome('A made-up key is validated, and the answer is changed to VALID in transit …')
    tampering.down = text =>
      /^\{"type":"validation".*"valid":false/.test(text)
        ? text.replace('"valid":false', '"valid":true').replace(/"code":"[A-Z_]+"/, '"code":"VALID"')
        : undefined
    void validate({ ...licenseOf(), key: 'made-up-key' })
  }
}

// ── Frames ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/** @type {Record<Mark, { icon: string, label: string, meaning: string }>} */
const marks = {
  signed: { icon: 'check', label: 'signed', meaning: "signed here with the session's client key" },
  verified: { icon: 'check', label: 'verified', meaning: "verified here with the session's server key, then parsed" },
  unsigned: { icon: 'dash', label: 'unsigned', meaning: 'unsigned: only a hint' },
  replayed: {
    icon: 'cross',
    label: 'replayed',
    meaning: 'a copy of an earlier frame: the signature is valid, the seq is not'
  },
  changed: {
    icon: 'cross',
    label: 'changed',
    meaning: 'changed after it was signed: this is what the gateway received'
  },
  dropped: { icon: 'cross', label: 'dropped', meaning: 'signed here, but it never reached the gateway' },
  forged: {
    icon: 'cross',
    label: 'forged',
    meaning: 'changed after the gateway signed it: this is what the client received'
  }
}

const meanings = {
  challenge: 'A random token. Only a holder of the secret can answer it, and only once.',
  authenticate: 'The proof: the token, signed with the secret. The secret itself is never sent.',
  welcome: 'The gateway’s own proof: it is signed with a key that only a holder of the secret can derive.',
  validate: 'The request: is this license key valid for this service on this hardware?',
  validation: 'The result. “re” is the seq of the request.',
  heartbeat: 'Keeps the session alive. The answer contains the clock of the gateway.',
  challengeResponse: 'The answer to a challenge within the session: the peer still holds the secret.',
  ack: 'Acknowledged.',
  bye: 'The client closes the session.',
  reconnect: 'This instance is about to stop: the client moves to another.',
  error: 'The reason of a refusal. Within a session errors are signed too, so only the gateway can end it.'
}

/** A frame that the SDK reports. */
function frame(direction, text, signed) {
  if (direction === 'up') {
    lastSent = text
    if (!tamperd.has(text)) return addFrame('up', text, 'signed')
    const became = tamperd.get(text)
    tamperd.delete(text)
    return addFrame('up', became ?? text, became === undefined ? 'dropped' : 'changed')
  }
  const message = parse(text)
  if (message?.type === 'error') {
    if (!signed) hint = message.code
    if (!welcomed && !signed) showMessage(`${message.code}: trying again …`, true)
    else if (byId('outcome').dataset.pending === 'true') {
      showOutcome(
        `${message.code} (${message.message}). The error is signed and ends the session.`,
        'Refused by the gateway:'
      )
    }
  }
  addFrame('down', text, signed ? 'verified' : 'unsigned')
}

function parse(text) {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** A short summary of a frame. */
function summaryOf(message) {
  switch (message.type) {
    case 'challenge':
      return `${message.challengeToken?.slice(0, 10)}…`
    case 'authenticate':
      return message.clientId
    case 'welcome':
      return `session ${message.sessionId?.slice(0, 8)}…`
    case 'validate':
      return [message.hwid, message.key].filter(Boolean).join(' · ')
    case 'validation':
    case 'error':
      return message.code
    default:
      return ''
  }
}

/** @param {'up' | 'down'} direction @param {string} text @param {Mark} mark */
function addFrame(direction, text, mark) {
  const message = parse(text) ?? {}
  const at = new Date()
  const row = byId('frame-template').content.firstElementChild.cloneNode(true)
  const part = name => row.querySelector(name)
  Object.assign(row.dataset, { direction, mark, type: message.type })
  if (message.type === 'validation') row.dataset.valid = String(message.valid)
  part('.way use').setAttribute('href', direction === 'up' ? '#up' : '#down')
  part('.way .unseen').textContent = direction === 'up' ? 'sent' : 'received'
  part('.type').textContent = message.type ?? 'not JSON'
  part('.numbers').replaceChildren(...number('seq', message.seq), ...number('re', message.re))
  part('.gist').textContent = summaryOf(message)
  part('.mark use').setAttribute('href', `#${marks[mark].icon}`)
  part('.mark span').textContent = marks[mark].label
  part('time').dateTime = at.toISOString()
  part('time').textContent = `${at.toLocaleTimeString('en-GB')}.${String(at.getMilliseconds()).padStart(3, '0')}`
  part('details').addEventListener('toggle', () => fill(part('.inside'), text, mark, message.type), { once: true })
  addRow(row)
}

function number(name, value) {
  return value === undefined ? [] : [make('small', '', name), ` ${value} `]
}

/** A line between two connections. A repeated line shows a count. */
function addBreak(text) {
  const first = byId('frames').firstElementChild
  if (first?.dataset.text === text) {
    first.dataset.times = String(Number(first.dataset.times) + 1)
    first.textContent = `${text} · ${first.dataset.times} times`
    return
  }
  const row = make('li', 'break', text)
  Object.assign(row.dataset, { text, times: '1' })
  addRow(row)
}

function addRow(row) {
  const list = byId('frames')
  list.prepend(row)
  while (list.childElementCount > maxFrames) list.lastElementChild?.remove()
  countFrames()
}

function countFrames() {
  const frames = byId('frames').querySelectorAll('.frame').length
  byId('count').textContent = frames === 0 ? '' : frames >= maxFrames ? `the last ${frames}` : String(frames)
  byId('empty').hidden = byId('frames').childElementCount > 0
  byId('clear').hidden = byId('frames').childElementCount === 0
}

/** The details of a frame: its signed text, and separately its signature. */
function fill(inside, text, mark, type) {
  const tail = /^(.+),"signature":"([0-9a-f]{64})"\}$/s.exec(text)
  const signedText = tail === null ? text : `${tail[1]}}`
  const message = parse(signedText)
  const json = make('pre', 'json')
  paint(json, message === undefined ? text : JSON.stringify(message, null, 2))
  inside.append(make('p', 'meaning', meanings[type] ?? ''), json)
  if (tail !== null) {
    const signature = make('p', 'signature')
    signature.append(make('span', '', 'signature'), make('code', '', tail[2]))
    inside.append(signature)
  }
  const foot = make('p', 'foot')
  foot.append(make('span', '', `${encoder.encode(text).length} bytes · ${marks[mark].meaning}`))
  if (navigator.clipboard !== undefined) foot.append(copyButton(text))
  inside.append(foot)
}

function copyButton(text) {
  const button = make('button', 'quiet', 'Copy as sent')
  button.type = 'button'
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(text).catch(() => {})
    button.textContent = 'Copied'
  })
  return button
}

/** Renders JSON in colors, without interpreting it as HTML. */
function paint(parent, json) {
  let end = 0
  for (const match of json.matchAll(/("(?:\\.|[^"\\])*")(\s*:)?|-?\d[\d.eE+-]*|true|false|null/g)) {
    parent.append(json.slice(end, match.index))
    const kind = match[2] !== undefined ? 'name' : match[1] !== undefined ? 'text' : 'value'
    parent.append(make('span', kind, match[1] ?? match[0]), match[2] ?? '')
    end = match.index + match[0].length
  }
  parent.append(json.slice(end))
}

// ── Small things ─────────────────────────────────────────────────────────────────────────────────────────────────────

function make(tag, className, text = '') {
  const element = document.createElement(tag)
  if (className !== '') element.className = className
  element.textContent = text
  return element
}

function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
  svg.setAttribute('class', 'icon')
  svg.setAttribute('aria-hidden', 'true')
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use')
  use.setAttribute('href', `#${name}`)
  svg.append(use)
  return svg
}

function dateText(time) {
  return new Date(time).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' })
}

/** Fills the fields from the output of `examples/setup.mjs` or an answer of the admin API. */
function readCredential(text) {
  const answer = parse(text)
  const read = name => new RegExp(`\\b${name}=["']?([^\\s"']+)`).exec(text)?.[1]
  return {
    clientId: answer?.clientId ?? read('CLIENT_ID'),
    keyId: answer?.keyId ?? read('KEY_ID'),
    secret: answer?.secret ?? read('CLIENT_SECRET')
  }
}

byId('credential').addEventListener('paste', event => {
  const pasted = readCredential(event.clipboardData?.getData('text') ?? '')
  if (pasted.clientId === undefined || pasted.secret === undefined) return
  event.preventDefault()
  for (const [name, field] of Object.entries(credentialFields)) field.value = pasted[name] ?? ''
  byId('connect').focus()
  showMessage('All three fields are filled in.')
})
byId('connection').addEventListener('submit', event => {
  event.preventDefault()
  if (client === undefined) connect()
  else disconnect()
})
byId('validate').addEventListener('submit', event => {
  event.preventDefault()
  if (client !== undefined) void validate(licenseOf())
})
byId('heartbeat').addEventListener('click', () => client?.heartbeat().catch(() => {}))
for (const [name, cheat] of Object.entries(cheats)) byId(name).addEventListener('click', cheat)
byId('clear').addEventListener('click', () => {
  byId('frames').replaceChildren()
  countFrames()
})
// Sends bye when the page is closed.
addEventListener('pagehide', disconnect)

const gateway = new URL('v1/ws', location.href)
gateway.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:'
byId('url').value = gateway.href
showState('disconnected')
