// The demo page: forms for the SDK, and a list of frames. It uses the SDK as any page does, but intercepts its WebSocket, so
// the user can act as a man in the middle.
import { createClient } from './countersign-client.js'
import { byId, dateText, detail, icon, make, parse } from './demo-elements.js'
import { addFrame, clearFrames } from './demo-frames.js'
import { addSent, replayLast, showOutcome, tampering } from './demo-interception.js'

const credentialFields = { clientId: byId('client-id'), keyId: byId('key-id'), secret: byId('secret') }
const licenseFields = { serviceId: byId('service-id'), hwid: byId('hwid'), key: byId('key') }

/** The current client, until the user disconnects or the client stops. */
let client
/** Whether it has ever had a session. */
let welcomed = false
/** The last unsigned error of a handshake: a hint. */
let hint

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
  // The SDK keeps trying, but a form needs an answer: without a session so far, the client is closed.
  own.on('trouble', ({ reason }) => {
    if (welcomed) return
    disconnect()
    showMessage(explainTrouble(reason, url), true)
  })
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

function explainTrouble(reason, url) {
  if (hint === 'AUTHENTICATION_FAILED') {
    return `Not connected: AUTHENTICATION_FAILED. Client id, key id or secret is wrong; the gateway does not reveal which.`
  }
  if (hint !== undefined || reason.startsWith('no credential')) return `Not connected: ${reason}`
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

const cheats = {
  replay() {
    showOutcome('The last frame is sent a second time, with its valid signature …')
    replayLast()
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

/** A frame that the SDK reports. */
function frame(direction, text, signed) {
  if (direction === 'up') return addSent(text)
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

// ── Small things ─────────────────────────────────────────────────────────────────────────────────────────────────────

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
byId('clear').addEventListener('click', clearFrames)
// Sends bye when the page is closed.
addEventListener('pagehide', disconnect)

const gateway = new URL('v1/ws', location.href)
gateway.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:'
byId('url').value = gateway.href
showState('disconnected')
