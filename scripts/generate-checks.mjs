// Generates src/protocol/checks.generated.ts, plain code without typebox, from the message schemas (src/protocol/schemas.ts).
// With --print it prints the file instead of writing it; a test compares that with the committed file.
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))

async function loadSchemas() {
  const { outputFiles } = await build({
    entryPoints: [`${root}src/protocol/schemas.ts`],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'neutral',
    mainFields: ['module', 'main']
  })
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`)
}

/** Returns an expression that is true if `v` matches the schema. Throws for an unknown keyword. */
function condition(schema, v) {
  const known = new Set(['type', 'description', 'code'])
  const has = key => known.add(key) && schema[key] !== undefined
  const all = []
  if (has('const')) all.push(`${v} === ${JSON.stringify(schema.const)}`)
  else if (schema.type === 'string') {
    all.push(`typeof ${v} === 'string'`)
    if (has('pattern')) all.push(`/${schema.pattern}/.test(${v})`)
    if (has('minLength')) all.push(`${v}.length >= ${schema.minLength}`)
    if (has('maxLength')) all.push(`hasAtMostCharacters(${v}, ${schema.maxLength})`)
    if (has('maxBytes')) all.push(`hasAtMostBytes(${v}, ${schema.maxBytes})`)
  } else if (schema.type === 'integer') {
    if (!has('minimum') || !has('maximum')) throw new Error('an integer needs a minimum and a maximum')
    all.push(`isInteger(${v}, ${schema.minimum}, ${schema.maximum})`)
  } else if (schema.type === 'number') {
    all.push(`typeof ${v} === 'number'`)
    if (has('minimum')) all.push(`${v} >= ${schema.minimum}`)
  } else if (schema.type === undefined) all.push('true')
  else if (schema.type === 'boolean') all.push(`typeof ${v} === 'boolean'`)
  else if (schema.type === 'array' && has('items')) {
    all.push(`Array.isArray(${v})`, `${v}.every(${checkOf(schema.items)})`)
  } else if (schema.type === 'object' && has('patternProperties')) {
    const [values] = Object.values(schema.patternProperties)
    const options = [schema.maxProperties, schema.nameMaxBytes, schema.valueMaxBytes]
    for (const key of ['maxProperties', 'nameMaxBytes', 'valueMaxBytes']) has(key)
    all.push(
      options[0] !== undefined
        ? `isTextRecord(${v}, ${options.join(', ')})`
        : `(isObject(${v}) && Object.values(${v}).every(each => typeof each === '${values.type}'))`
    )
  } else if (schema.type === 'object' && has('properties')) {
    has('required')
    const members = Object.entries(schema.properties).map(([name, member]) => {
      if (condition(member, v) === 'true') return 'true'
      const check = `${checkOf(member)}(${v}['${name}'])`
      return schema.required?.includes(name) ? check : `(${v}['${name}'] === undefined || ${check})`
    })
    all.push(`isObject(${v})`)
    if (has('minProperties') && has('maxProperties')) {
      all.push(`hasMembers(${v}, ${schema.minProperties}, ${schema.maxProperties})`)
    }
    all.push(...members)
  } else throw new Error(`no rule for ${JSON.stringify(schema)}`)
  for (const key of Object.keys(schema)) if (!known.has(key) && !key.startsWith('~')) throw new Error(`unknown ${key}`)
  return all.filter((each, i) => each !== 'true' || i === 0).join(' && ')
}

const literal = text => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`

/** Texts and functions that several members share, by their source: one constant each keeps the browser bundle small. */
const sharedNames = new Map()

function shared(kind, source) {
  const known = sharedNames.get(source)
  if (known !== undefined) return known
  const name = `${kind}${sharedNames.size + 1}`
  sharedNames.set(source, name)
  return name
}

/** The name of a function that is true for a value that matches the schema. */
function checkOf(schema) {
  const matches = condition(schema, 'v')
  return shared('check', `${matches === 'true' ? '()' : '(v: unknown)'} => ${matches}`)
}

function sharedConstants() {
  return [...sharedNames].map(([source, name]) => `const ${name} = ${source}\n`).join('')
}

/** @param isExplained  whether a mismatch is explained to the peer; downstream it is only a reason to reconnect */
function members(schema, isExplained) {
  const rows = Object.entries(schema.properties)
    .filter(([name]) => name !== 'type')
    .map(([name, member]) => {
      const args = [`'${name}'`, checkOf(member)]
      if (isExplained) args.push(shared('expected', literal(member.description ?? 'text')))
      if (isExplained && member.code) args.push(`'${member.code}'`)
      const row = `${schema.required.includes(name) ? 'required' : 'optional'}(${args.join(', ')})`
      return `    ${member.type === 'object' ? `objectMember(${row})` : row}`
    })
  return `[\n${rows.join(',\n')}\n  ]`
}

/** Upstream messages that the JavaScript client checks: constants of their own, so that its bundle has no others. */
const requests = new Set([
  ...['validate', 'heartbeat', 'subscribe', 'unsubscribe', 'publish'],
  ...['attributes', 'call', 'callResult', 'history', 'presence', 'sessions']
])

function requestConstants(schemas) {
  const constants = [...requests].map(
    type => `export const ${type}Request = ${members(schemas[type], true)} as const\n`
  )
  return constants.join('\n')
}

function table(name, schemas) {
  const isRequest = type => name === 'upstreamMembers' && requests.has(type)
  const rows = Object.entries(schemas).map(
    ([type, schema]) => `  ${type}: ${isRequest(type) ? `${type}Request` : members(schema, name === 'upstreamMembers')}`
  )
  return `export const ${name} = {\n${rows.join(',\n')}\n} as const satisfies Record<string, readonly Member[]>\n`
}

const { upstream, downstream } = await loadSchemas()
const tables = `${requestConstants(upstream)}
${table('upstreamMembers', upstream)}
${table('downstreamMembers', downstream)}`
const output = `// Generated by scripts/generate-checks.mjs from schemas.ts. Do not edit: npm run generate.
import {
  hasAtMostBytes,
  hasAtMostCharacters,
  hasMembers,
  isInteger,
  isObject,
  isTextRecord,
  type Member,
  objectMember,
  optional,
  required
} from './check.js'

${sharedConstants()}
${tables}`

if (process.argv.includes('--print')) process.stdout.write(output)
else writeFileSync(`${root}src/protocol/checks.generated.ts`, output)
