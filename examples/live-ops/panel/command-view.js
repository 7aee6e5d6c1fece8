import { canRepeat } from './command-log.js'
import { byId, make } from './elements.js'
import { resultText } from './outcomes.js'

/** The list of commands: what was asked, which server answered, in which time, and the signed frame of the answer. */

const badges = { open: 'waiting', done: 'done', refused: 'refused', unsent: 'not run', unknown: 'unknown' }
const signatureLength = 64

function badgeOf(targets) {
  const counts = {}
  for (const { state } of targets) counts[state] = (counts[state] ?? 0) + 1
  const states = Object.keys(counts)
  const text = states
    .map(state => (targets.length === 1 ? badges[state] : `${counts[state]} ${badges[state]}`))
    .join(', ')
  const worst = ['open', 'unknown', 'refused', 'unsent', 'done'].find(state => states.includes(state)) ?? 'done'
  return make('span', { class: 'badge', data: { state: worst } }, text || 'no server')
}

/** The time until the outcome; with several servers the longest. */
function timeOf(targets) {
  const times = targets.flatMap(({ state, ms }) => (state === 'open' || ms === undefined ? [] : [ms]))
  if (times.length === 0) return ''
  return `${targets.length > 1 ? '≤ ' : ''}${Math.round(Math.max(...times))} ms`
}

function gistOf({ data = {} }) {
  const { player, reason, text, ...rest } = data
  if (player !== undefined) return `${player}: ${reason}`
  return (
    text ??
    reason ??
    Object.entries(rest)
      .map(([name, value]) => `${name} ${value}`)
      .join(', ')
  )
}

function receiptOf({ frame, answeredBy, key, state }) {
  if (frame === undefined) return [make('p', { class: 'soft' }, `No signed frame is here. Key ${key}`)]
  const cut = frame.length - signatureLength - 2
  const text = make('pre', {}, frame.slice(0, cut), make('mark', {}, frame.slice(cut, -2)), frame.slice(-2))
  const by = answeredBy !== undefined ? `Session ${answeredBy}` : state === 'refused' ? 'The server' : 'The gateway'
  return [make('p', { class: 'seal' }, `${by} answered. The signature was verified on this page.`), text]
}

export class CommandView {
  #log
  #elements = new Map()

  /** @param log  the {@link CommandLog} */
  constructor(log) {
    this.#log = log
    byId('commands').replaceChildren()
  }

  /** @param command  the one that has changed; undefined: any */
  show(command) {
    const { commands } = this.#log
    for (const each of command === undefined ? commands : [command]) this.#draw(each)
    for (const [key, element] of this.#elements) {
      if (commands.some(each => each.key === key)) continue
      element.remove()
      this.#elements.delete(key)
    }
    byId('no-commands').hidden = commands.length > 0
  }

  #draw(command) {
    const { key, method, targets, givenAt, isResumed } = command
    const label = targets.length === 1 ? targets[0].label : `${targets.length} servers`
    const time = new Date(givenAt).toLocaleTimeString()
    const summary = make(
      'summary',
      {},
      make('strong', {}, method),
      make('code', { class: 'where' }, label),
      make('span', { class: 'gist' }, gistOf(command)),
      make('span', { class: 'ms' }, timeOf(targets)),
      badgeOf(targets),
      make('time', {}, `${time}${isResumed ? ' · before a reload' : ''}`)
    )
    const known = this.#elements.get(key)
    const isOpen = known?.firstChild.open ?? false
    const details = make('details', { open: isOpen }, summary, ...targets.map(target => this.#target(command, target)))
    const element = known ?? make('li', { class: 'command', data: { key } })
    element.replaceChildren(details)
    this.#elements.set(key, element)
    if (known !== undefined) return
    const next = this.#log.commands[this.#log.commands.indexOf(command) + 1]
    byId('commands').insertBefore(element, this.#elements.get(next?.key) ?? null)
  }

  #target(command, target) {
    const { label, state, code, text, ms, result } = target
    const line = make('p', { class: 'line' }, make('code', {}, label), ' ')
    if (state === 'done') line.append(`${resultText(command.method, result)}, in ${Math.round(ms)} ms`)
    else if (state === 'open') line.append('waiting for the answer …')
    else line.append(make('strong', { class: 'code', data: { state } }, code), ` ${text}`)
    const inside = make('div', { class: 'inside' }, line)
    if (state === 'unknown' && canRepeat(command)) {
      const onclick = () => void this.#log.repeat(command, target)
      inside.append(make('button', { type: 'button', class: 'small', onclick }, 'Ask again, without running it twice'))
    }
    if (state !== 'open') inside.append(...receiptOf(target))
    return inside
  }
}
