import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { drawBars } from '../bars.mjs'

// Results of a suite: bench/results/<name>.md and .svg.

const root = fileURLToPath(new URL('../..', import.meta.url))

export const log = text => process.stderr.write(`${text}\n`)

export const us = value => (value >= 100 ? `${value.toFixed(0)} µs` : `${value.toFixed(1)} µs`)
export const ms = value => `${value.toFixed(value < 10 ? 1 : 0)} ms`
export const kib = bytes => `${(bytes / 1024).toFixed(1)} KiB`

export function table(head, rows) {
  return [head, head.map(() => '---'), ...rows].map(row => `| ${row.join(' | ')} |`).join('\n')
}

/**
 * A ratio held against a bar.
 * @param {{ value: number, low: number, high: number }} ratio
 * @param {{ most?: number, least?: number }} bar
 */
export function held(what, ratio, { most, least }) {
  const isMet = most === undefined ? ratio.value >= least : ratio.value <= most
  const wanted = most === undefined ? `≥ ${least}` : `≤ ${most}`
  const spread = ratio.low === undefined ? '' : ` (${ratio.low.toFixed(2)} – ${ratio.high.toFixed(2)})`
  return [what, `**${ratio.value.toFixed(2)}**${spread}`, wanted, isMet ? 'met' : '**missed**']
}

export const barHead = ['bar', 'measured (middle half of the rounds)', 'wanted', '']

function commit() {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root, encoding: 'utf8' }).trim()
  } catch {
    return 'no repository'
  }
}

/** The Node of the gateway if it is another than that of this process (`--node`). */
function otherNode() {
  const { BENCH_NODE: node } = process.env
  if (node === undefined) return ''
  return `, the gateway on Node ${execFileSync(node, ['--version'], { encoding: 'utf8' }).trim()}`
}

/** Where and how it was measured, in one paragraph. */
function circumstances(versions) {
  const [{ model }] = cpus()
  const peers = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  const load = loadavg()[0].toFixed(1)
  return (
    `Node ${process.version}${otherNode()}, ${cpus().length} × ${model}, load average ${load} at the end ` +
    `(${new Date().toISOString().slice(0, 10)}, ${commit()}). ${peers.join(', ')}.`
  )
}

/**
 * @param {{ name: string, title: string, intro: string, sections: string[], panels: object[], versions: object }} report
 */
export function write({ out, name, title, intro, sections, panels, versions }) {
  mkdirSync(out, { recursive: true })
  const body = [`# ${title}`, intro, circumstances(versions), `![](${name}.svg)`, ...sections].join('\n\n')
  writeFileSync(join(out, `${name}.md`), `${body}\n`)
  writeFileSync(join(out, `${name}.svg`), drawBars(title, panels))
  log(`\n${sections.join('\n\n')}\n\n→ ${join(out, name)}.md`)
}
