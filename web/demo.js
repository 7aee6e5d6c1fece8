// The demo page: a form around the SDK, and a list of the frames that pass. The SDK is used as any page would use it;
// only the socket below it is tapped, so that one can play the one in the middle.
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
const questionFields = { serviceId: byId('service-id'), hwid: byId('hwid'), key: byId('key') }

/** The client in use, until one disconnects or it gives up. */
let client
/** Whether it was ever welcomed. */
let welcomed = false
/** The last unsigned error of a handshake: a hint. */
let hint

// ── The tapped socket ────────────────────────────────────────────────────────────────────────────────────────────────

/** What the one in the middle does with the next frame that fits; absent: lets it pass. */
const meddling = {
  /** @type {undefined | ((text: string) => string | undefined)} */ up: undefined,
  /** @type {undefined | ((text: string) => string | undefined)} */ down: undefined
}
/** @type {TappedSocket | undefined} */
let live
/** The last frame that this page's client signed in this session. */
let lastSent = ''
/** Frames on which {@link meddling} laid hands: what the client believes it sent, and what became of it. */
const meddled = new Map()

class TappedSocket extends WebSocket {
  constructor(url, protocols) {
    super(url, protocols)
    live = this
    meddling.down = undefined
    this.addEventListener('close', ({ code, reason }) => addBreak(closeText(code, reason)))
  }

  send(text) {
    const meddle = meddling.up
    meddling.up = undefined
    const passed = meddle === undefined ? text : meddle(text)
    if (passed !== text) meddled.set(text, passed)
    if (passed !== undefined) super.send(passed)
  }

  /** Past the client: it does not know of this frame. */
  inject(text) {
    super.send(text)
  }

  set onmessage(listener) {
    super.onmessage = event => {
      const forged = meddling.down?.(event.data)
      if (forged === undefined) return listener(event)
      meddling.down = undefined
      addFrame('down', forged, 'forged')
      listener(new MessageEvent('message', { data: forged }))
      // The client lets go of a connection whose frames do not verify.
      if (this.readyState === WebSocket.OPEN) tell('The forged frame was taken. That must never happen.')
      else
        tell(
          'the signature does not verify, so nothing of the answer was read, and the client hung up.',
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

function say(text, bad = false) {
  byId('message').textContent = text
  byId('message').classList.toggle('bad', bad)
}

/** @returns what is wrong with the address, if anything */
function faultOf(address) {
  if (!URL.canParse(address) || !/^wss?:$/.test(new URL(address).protocol)) {
    return 'The gateway is an address like wss://example.com/v1/ws'
  }
  const plain = new URL(address).protocol === 'ws:' && location.protocol === 'https:'
  return plain ? 'A page from https:// may only connect to wss://' : undefined
}

function connect() {
  const url = byId('url').value.trim()
  const fault = faultOf(url)
  if (fault !== undefined) return say(fault, true)
  const { clientId, keyId, secret } = credentialFields
  welcomed = false
  hint = undefined
  say('')
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
  // The SDK would go on trying; a form is better off with an answer. Once it is done with this event it can be closed.
  own.on('trouble', ({ reason, tries }) =>
    queueMicrotask(() => {
      disconnect()
      say(explainTrouble(reason, tries, url), true)
    })
  )
  own.on('stopped', ({ code, message }) => {
    client = undefined
    say(`The gateway ended this for good, and signed it: ${code} (${message})`, true)
  })
  own.connect()
}

function disconnect() {
  client?.close()
  client = undefined
  say('')
}

function explainTrouble(reason, tries, url) {
  if (hint === 'AUTHENTICATION_FAILED') {
    return `Not connected: AUTHENTICATION_FAILED, ${tries} times. Client id, key id or secret is wrong; the gateway never says which.`
  }
  if (hint !== undefined) return `Not connected: ${reason}`
  return `Not connected: nothing answers at ${url}. Is the gateway running, and may pages from ${location.origin} connect (COUNTERSIGN_ALLOWED_ORIGINS)?`
}

function showSession({ clientId, keyId, sessionId, heartbeatInterval, expiresAt }) {
  welcomed = true
  say('')
  showState('connected')
  byId('session').replaceChildren(
    ...fact('Client', clientId, keyId),
    ...fact('Session', sessionId),
    ...fact('Heartbeat', `every ${heartbeatInterval} s`),
    ...fact('Until', dateText(expiresAt))
  )
  if (byId('outcome').dataset.pending === 'true') {
    byId('outcome').dataset.pending = 'false'
    byId('outcome').append(' Connected again: a new challenge, new keys.')
  }
}

function fact(name, ...values) {
  return [make('dt', '', name), ...values.map(value => make('dd', '', value))]
}

// ── Validate ─────────────────────────────────────────────────────────────────────────────────────────────────────────

const verdictTexts = {
  VALID: 'The key is good on this hardware, now.',
  NOT_FOUND: 'No license with this key for this service, or the client may not ask for it.',
  REVOKED: 'The license was revoked.',
  SUSPENDED: 'The license is suspended.',
  NOT_YET_VALID: 'The license has not started yet.',
  EXPIRED: 'The license has ended.',
  HWID_REQUIRED: 'The question came without a hardware id.',
  HWID_BANNED: 'This hardware is banned for this license.',
  HWID_MISMATCH: 'The license has one seat, and other hardware holds it.',
  TOO_MANY_HWIDS: 'Other hardware holds all seats of the license.',
  TOO_MANY_SESSIONS: 'As many other sessions as allowed use it already.'
}

function question() {
  const { serviceId, hwid, key } = questionFields
  return {
    serviceId: serviceId.value.trim(),
    ...(hwid.value === '' ? {} : { hwid: hwid.value }),
    key: key.value
  }
}

async function ask(asked) {
  const askedAt = performance.now()
  try {
    const answer = await client.validate(asked)
    const took = Math.round(performance.now() - askedAt)
    showVerdict(answer.valid ? 'valid' : 'invalid', answer.code, verdictTexts[answer.code] ?? '', [
      ...(answer.expiresAt === undefined ? [] : fact('Expires', dateText(answer.expiresAt))),
      ...(answer.maxHwids === undefined ? [] : fact('Seats', `${answer.boundHwids} of ${answer.maxHwids} bound`)),
      ...fact('Asked', `${asked.hwid ?? 'no hwid'} · ${asked.key}`),
      ...fact('Answered', `within ${took} ms`)
    ])
  } catch (error) {
    if (error.code !== 'CLOSED') showVerdict('trouble', error.code ?? 'ERROR', `No verdict: ${error.message}`, [])
    else byId('verdict').replaceChildren()
  }
}

function showVerdict(kind, code, text, facts) {
  const badge = make('p', 'badge')
  badge.append(icon(kind === 'valid' ? 'check' : kind === 'invalid' ? 'cross' : 'dash'), make('strong', '', code))
  const list = make('dl', 'facts')
  list.append(...facts)
  byId('verdict').dataset.verdict = kind
  byId('verdict').replaceChildren(badge, make('p', 'meaning', text), list)
}

// ── In the middle ────────────────────────────────────────────────────────────────────────────────────────────────────

/** @param {string} text @param {string} [refusal] who held out */
function tell(text, refusal) {
  byId('outcome').replaceChildren(...(refusal === undefined ? [] : [make('strong', '', refusal), ' ']), text)
  byId('outcome').dataset.pending = 'true'
}

const cheats = {
  replay() {
    tell('The last frame is sent a second time, with its good signature …')
    addFrame('up', lastSent, 'replayed')
    live?.inject(lastSent)
  },
  change() {
    tell('A validate goes out, and one letter of its key is changed on the way …')
    meddling.up = text => text.replace(/("key":")(.)/, (_all, before, letter) => before + (letter === 'x' ? 'y' : 'x'))
    void ask(question())
  },
  drop() {
    tell('A validate is dropped on the way; the heartbeat behind it arrives …')
    meddling.up = () => undefined
    void ask(question())
    client.heartbeat().catch(() => {})
  },
  forge() {
    tell('A made-up key is asked for, and the answer is turned into VALID on the way …')
    meddling.down = text =>
      /^\{"type":"validation".*"valid":false/.test(text)
        ? text.replace('"valid":false', '"valid":true').replace(/"code":"[A-Z_]+"/, '"code":"VALID"')
        : undefined
    void ask({ ...question(), key: 'made-up-key' })
  }
}

// ── Frames ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/** @type {Record<Mark, { icon: string, label: string, says: string }>} */
const marks = {
  signed: { icon: 'check', label: 'signed', says: "signed here with the session's client key" },
  verified: { icon: 'check', label: 'verified', says: "verified here with the session's server key, then parsed" },
  unsigned: { icon: 'dash', label: 'unsigned', says: 'unsigned: no more than a hint' },
  replayed: {
    icon: 'cross',
    label: 'replayed',
    says: 'a copy of an earlier frame: the signature is good, its turn is over'
  },
  changed: { icon: 'cross', label: 'changed', says: 'changed after it was signed: this is what the gateway received' },
  dropped: { icon: 'cross', label: 'dropped', says: 'signed here, but it never reached the gateway' },
  forged: {
    icon: 'cross',
    label: 'forged',
    says: 'changed after the gateway signed it: this is what the client received'
  }
}

const meanings = {
  challenge: 'A random token. Whoever holds the secret can answer it, and only once.',
  authenticate: 'The proof: the token, signed with the secret. The secret itself is never sent.',
  welcome: 'The gateway’s own proof: it is signed with a key that only a holder of the secret can derive.',
  validate: 'The question: is this license key good for this service on this hardware?',
  validation: 'The verdict. “re” names the frame that it answers.',
  heartbeat: 'A sign of life. The answer tells the gateway’s clock.',
  challengeResponse: 'The answer to a challenge within the session: the peer still holds the secret.',
  ack: 'Taken.',
  bye: 'The client leaves.',
  reconnect: 'This instance is about to stop: the client moves to another.',
  error: 'Why something was refused. Within a session this too is signed, so nobody else can end it.'
}

/** A frame that the SDK reports. */
function frame(direction, text, signed) {
  if (direction === 'up') {
    lastSent = text
    if (!meddled.has(text)) return addFrame('up', text, 'signed')
    const became = meddled.get(text)
    meddled.delete(text)
    return addFrame('up', became ?? text, became === undefined ? 'dropped' : 'changed')
  }
  const message = parse(text)
  if (message?.type === 'error') {
    if (!signed) hint = message.code
    if (!welcomed && !signed) say(`${message.code}: trying again …`, true)
    else if (byId('outcome').dataset.pending === 'true') {
      tell(`${message.code} (${message.message}). It says so signed, and ends the session.`, 'Refused by the gateway:')
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

/** What a frame is about, in a few words. */
function gistOf(message) {
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
  part('.gist').textContent = gistOf(message)
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

/** A line between two connections. The same one again only counts. */
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

/** The inside of a frame: its signed text, and apart from it its signature. */
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
  foot.append(make('span', '', `${encoder.encode(text).length} bytes · ${marks[mark].says}`))
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

/** JSON in colors, without any HTML of its own. */
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

/** What `examples/setup.mjs` prints, or the admin API answers: it fills all fields. */
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
  say('All three are filled in.')
})
byId('connection').addEventListener('submit', event => {
  event.preventDefault()
  if (client === undefined) connect()
  else disconnect()
})
byId('validate').addEventListener('submit', event => {
  event.preventDefault()
  if (client !== undefined) void ask(question())
})
byId('heartbeat').addEventListener('click', () => client?.heartbeat().catch(() => {}))
for (const [name, cheat] of Object.entries(cheats)) byId(name).addEventListener('click', cheat)
byId('clear').addEventListener('click', () => {
  byId('frames').replaceChildren()
  countFrames()
})
// A page that goes says bye.
addEventListener('pagehide', disconnect)

const gateway = new URL('v1/ws', location.href)
gateway.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:'
byId('url').value = gateway.href
showState('disconnected')
