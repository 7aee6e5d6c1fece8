import { readFileSync } from 'node:fs'
import ts from 'typescript'

/** Reads from PROTOCOL.md which members each message has. Its messages are TypeScript interfaces and member tables. */

export type Direction = 'upstream' | 'downstream'
/** Names of members, without `type` and `signature`, by message type. */
export type MessageMembers = ReadonlyMap<string, ReadonlySet<string>>

const text = readFileSync('PROTOCOL.md', 'utf8')

/** Members of any message, which the schemas leave out: the type selects the schema, the tail is not part of it. */
const implicit = new Set(['type', 'signature'])

class MemberTable {
  readonly upstream = new Map<string, Set<string>>()
  readonly downstream = new Map<string, Set<string>>()

  add(direction: Direction, type: string, members: Iterable<string>): void {
    const known = this[direction].get(type) ?? new Set()
    for (const member of members) if (!implicit.has(member)) known.add(member)
    this[direction].set(type, known)
  }
}

/** `interface Name { type: 'name'; … }  // up` in the code blocks. `directionOf` decides for those without such a comment. */
function readInterfaces(table: MemberTable, directionOf: (type: string) => Direction): void {
  const blocks = [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(match => match[1] ?? '')
  const file = ts.createSourceFile('protocol.ts', blocks.join('\n'), ts.ScriptTarget.Latest, true)
  for (const node of file.statements) {
    if (!ts.isInterfaceDeclaration(node)) continue
    const members = node.members.filter(ts.isPropertySignature)
    const type = members.find(member => member.name.getText(file) === 'type')?.type?.getText(file)
    const name = /^'(\w+)'$/.exec(type ?? '')?.[1]
    if (name === undefined) continue
    const comment = /^[ ]*\/\/ (up|down)\b/.exec(file.text.slice(node.end))?.[1]
    table.add(
      comment === undefined ? directionOf(name) : (`${comment}stream` as Direction),
      name,
      members.map(member => member.name.getText(file))
    )
  }
}

/** The rows of a table below a heading, as lists of cells. `| member |` begins its header row. */
function* memberTables(): Generator<{ heading: string; rows: readonly (readonly string[])[] }> {
  let heading = ''
  let rows: string[][] | undefined
  for (const line of [...text.split('\n'), '']) {
    if (line.startsWith('### ')) heading = line
    const cells = line.startsWith('|') ? line.split('|').slice(1, -1) : undefined
    if (rows !== undefined && cells !== undefined) rows.push(cells.map(cell => cell.trim()))
    else if (rows !== undefined) {
      yield { heading, rows: rows.slice(1) }
      rows = undefined
    } else if (cells?.[0]?.trim() === 'member') rows = []
  }
}

/** The member tables of messages: the row of `type` names the message, or else the heading of the section does. */
function readTables(table: MemberTable, directionOf: (type: string) => Direction): void {
  for (const { heading, rows } of memberTables()) {
    const typeRow = rows.find(([names]) => names?.includes('`type`'))
    const type = /"(\w+)"/.exec(typeRow?.[1] ?? '')?.[1] ?? /^### [\d.]+ `(\w+)`$/.exec(heading)?.[1]
    if (type === undefined) continue
    const names = rows.flatMap(([cell = '']) => [...cell.matchAll(/`(\w+)`/g)].map(match => match[1] ?? ''))
    table.add(directionOf(type), type, names)
  }
}

/** `Upstream `{type: "heartbeat", …}`` in running text. */
function readInline(table: MemberTable): void {
  for (const [, direction = '', type = '', members = ''] of text.matchAll(
    /\b(upstream|downstream)[^.`]*?\s`\{type: "(\w+)", ([^}]*)\}`/gi
  )) {
    const names = members.split(',').map(member => member.trim().split(/[?:]/)[0] ?? '')
    table.add(direction.toLowerCase() as Direction, type, names)
  }
}

/** The rows `| `validate` {serviceId, hwid?, key} | …` of §7.1. They leave out `seq`. */
function readOverview(table: MemberTable): void {
  for (const [, type = '', members = ''] of text.matchAll(/^\| `(\w+)`(?: \{([^}]*)\})? \| `(?:\w+)`/gm)) {
    const names = members.split(',').map(member => member.trim().replace('?', ''))
    table.add('upstream', type, ['seq', ...names.filter(Boolean)])
  }
}

/** @param directionOf  the direction of a message type that exists in one direction only */
export function readSpecification(directionOf: (type: string) => Direction): Record<Direction, MessageMembers> {
  const table = new MemberTable()
  readOverview(table)
  readInterfaces(table, directionOf)
  readTables(table, directionOf)
  readInline(table)
  return { upstream: table.upstream, downstream: table.downstream }
}
