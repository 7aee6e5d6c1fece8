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
function condition(schema, v, nesting = 0) {
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
    all.push(`typeof ${v} === 'number'`, `Number.isInteger(${v})`)
    if (has('minimum')) all.push(`${v} >= ${schema.minimum}`)
    if (has('maximum')) all.push(`${v} <= ${schema.maximum}`)
  } else if (schema.type === 'number') {
    all.push(`typeof ${v} === 'number'`)
    if (has('minimum')) all.push(`${v} >= ${schema.minimum}`)
  } else if (schema.type === undefined) all.push('true')
  else if (schema.type === 'boolean') all.push(`typeof ${v} === 'boolean'`)
  else if (schema.type === 'array' && has('items')) {
    const item = `v${nesting + 1}`
    all.push(`Array.isArray(${v})`, `${v}.every((${item}: unknown) => ${condition(schema.items, item, nesting + 1)})`)
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
      const check = condition(member, `${v}['${name}']`, nesting)
      return schema.required?.includes(name) ? check : `(${v}['${name}'] === undefined || (${check}))`
    })
    all.push(`isObject(${v})`, ...members)
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

function sharedConstants() {
  return [...sharedNames].map(([source, name]) => `const ${name} = ${source}\n`).join('')
}

/** @param isExplained  whether a mismatch is explained to the peer; downstream it is only a reason to reconnect */
function members(schema, isExplained) {
  const rows = Object.entries(schema.properties)
    .filter(([name]) => name !== 'type')
    .map(([name, member]) => {
      const fields = [
        `name: '${name}'`,
        `required: ${schema.required.includes(name)}`,
        ...(isExplained ? [`expected: ${shared('expected', literal(member.description ?? 'text'))}`] : []),
        ...(member.code ? [`code: '${member.code}'`] : []),
        ...(member.type === 'object' ? ['isObject: true'] : []),
        `check: ${shared('check', `${condition(member, 'v') === 'true' ? '()' : '(v: unknown)'} => ${condition(member, 'v')}`)}`
      ]
      return `    { ${fields.join(', ')} }`
    })
  return `[\n${rows.join(',\n')}\n  ]`
}

/** Upstream messages that the JavaScript client checks: constants of their own, so that its bundle has no others. */
const requests = new Set(['validate', 'heartbeat', 'subscribe', 'unsubscribe', 'publish'])

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
import { hasAtMostBytes, hasAtMostCharacters, isObject, isTextRecord, type Member } from './check.js'

${sharedConstants()}
${tables}`

if (process.argv.includes('--print')) process.stdout.write(output)
else writeFileSync(`${root}src/protocol/checks.generated.ts`, output)
