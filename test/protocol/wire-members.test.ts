import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import ts from 'typescript'
import { downstream, upstream } from '../../src/protocol/schemas.js'
import { type Direction, type MessageMembers, readSpecification } from './specification.js'

/** PROTOCOL.md, the schemas and the gateway name the same members of messages. */

type Schemas = Readonly<Record<string, { readonly properties: Readonly<Record<string, unknown>> }>>
const schemas: Readonly<Record<Direction, Schemas>> = { upstream, downstream }

const specification = readSpecification(type => (Object.hasOwn(upstream, type) ? 'upstream' : 'downstream'))

function membersOf(table: Schemas): MessageMembers {
  const names = ({ properties }: { properties: object }) => Object.keys(properties).filter(name => name !== 'type')
  return new Map(Object.entries(table).map(([type, schema]) => [type, new Set(names(schema))]))
}

function sorted(members: MessageMembers): Record<string, readonly string[]> {
  return Object.fromEntries([...members].map(([type, names]): [string, string[]] => [type, [...names].sort()]).sort())
}

for (const direction of ['upstream', 'downstream'] as const) {
  t.test(`PROTOCOL.md and the schemas name the same ${direction} members`, async t => {
    t.same(sorted(membersOf(schemas[direction])), sorted(specification[direction]))
  })
}

/** Parts of src that neither receive upstream messages nor send downstream ones. */
const notGateway = /^src\/(protocol|client|cli|conformance)\//

/** Names of properties that the gateway's sources write in object literals, and read by access or destructuring. */
function propertyNames(): { written: ReadonlySet<string>; read: ReadonlySet<string> } {
  const written = new Set<string>()
  const read = new Set<string>()
  const visit = (node: ts.Node): void => {
    if (ts.isPropertyAssignment(node) || ts.isShorthandPropertyAssignment(node)) written.add(node.name.getText())
    else if (ts.isPropertyAccessExpression(node)) read.add(node.name.text)
    else if (ts.isBindingElement(node)) read.add((node.propertyName ?? node.name).getText())
    // Hot paths write JSON text: `{"type":"publication","seq":${seq},…`.
    else if (ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node)) {
      for (const [, name = ''] of node.text.matchAll(/"(\w+)":/g)) written.add(name)
    }
    ts.forEachChild(node, visit)
  }
  const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).map(name => join('src', name))
  for (const file of files.filter(name => name.endsWith('.ts') && !notGateway.test(name))) {
    visit(ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true))
  }
  return { written, read }
}

t.test('the gateway reads every upstream member and writes every downstream member', async t => {
  const { written, read } = propertyNames()
  const unused = (members: MessageMembers, used: ReadonlySet<string>) =>
    [...members].flatMap(([type, names]) => [...names].filter(name => !used.has(name)).map(name => `${type}.${name}`))
  t.same(unused(specification.upstream, read), [], 'read')
  t.same(unused(specification.downstream, written), [], 'written')
})
