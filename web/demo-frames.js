// The list of frames of the demo page: each with its direction, its mark, and what it means.
import { byId, make, parse } from './demo-elements.js'

/** @typedef {'signed' | 'verified' | 'unsigned' | 'replayed' | 'changed' | 'dropped' | 'forged'} Mark */

const maxFrames = 200
const encoder = new TextEncoder()

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
export function addFrame(direction, text, mark) {
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
export function addBreak(text) {
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

export function clearFrames() {
  byId('frames').replaceChildren()
  countFrames()
}
