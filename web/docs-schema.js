// What the document's schemas say, in words; and what a call looks like.

/** A body of fewer characters stays on one line. */
const shortBody = 40
/** Deeper members are left to the example. */
const maxDepth = 4
const number = new Intl.NumberFormat('en-US')

/** A schema, or what it refers to. */
export function resolve(api, schema) {
  const name = /^#\/components\/schemas\/(.+)$/.exec(schema?.$ref ?? '')?.[1]
  return name === undefined ? schema : api.components.schemas[name]
}

export function typeOf(api, given) {
  const schema = resolve(api, given)
  return []
    .concat(schema.type ?? 'anything')
    .map(type => {
      if (type === 'array') return `array of ${typeOf(api, schema.items)}s`
      if (type === 'object' && typeof schema.additionalProperties === 'object') {
        return `map of ${typeOf(api, schema.additionalProperties)}s`
      }
      return type === 'string' && schema.format === 'date-time' ? 'time' : type
    })
    .join(' or ')
}

function range(low, high, unit) {
  const least = low === undefined ? '' : number.format(low)
  const most = high === undefined ? '' : number.format(high)
  const many = unit === '' ? '' : ` ${(high ?? low) === 1 ? unit : `${unit}s`}`
  if (low > 0 && high !== undefined) return `${least} to ${most}${many}`
  if (high !== undefined) return unit === '' && low === 0 ? `0 to ${most}` : `at most ${most}${many}`
  return low > 0 ? `at least ${least}${many}` : ''
}

/** Bounds of a schema, each a text or `{code}`. */
export function boundsOf(api, given) {
  const schema = resolve(api, given)
  const found = [
    ...(schema.enum ?? []).map(code => ({ code })),
    range(schema.minimum, schema.maximum, ''),
    range(schema.minItems, schema.maxItems, 'item'),
    schema.uniqueItems ? 'no two alike' : '',
    range(schema.minProperties, schema.maxProperties, 'member'),
    schema.format === 'date-time' ? '' : range(schema.minLength, schema.maxLength, 'character'),
    schema.pattern === undefined ? '' : { code: schema.pattern }
  ].filter(each => each !== '')
  const items = schema.items === undefined ? undefined : resolve(api, schema.items)
  return items === undefined || items.properties ? found : [...found, ...boundsOf(api, items)]
}

/**
 * The members of an object, those of its members included.
 * @returns {{ name: string, required: boolean, schema: object }[]}
 */
export function membersOf(api, given, prefix = '', depth = 0) {
  const schema = resolve(api, given)
  return Object.entries(schema.properties ?? {}).flatMap(([name, member]) => {
    const path = prefix + name
    const whole = resolve(api, member)
    const row = { name: path, required: schema.required?.includes(name) ?? false, schema: whole }
    if (depth >= maxDepth) return [row]
    const inner = whole.items === undefined ? whole : resolve(api, whole.items)
    return [row, ...membersOf(api, inner, whole.items === undefined ? `${path}.` : `${path}[].`, depth + 1)]
  })
}

/** What a value of it may look like. */
export function exampleOf(api, given) {
  const schema = resolve(api, given)
  if (schema.examples !== undefined) return schema.examples[0]
  if (schema.enum !== undefined) return schema.enum[0]
  const [type] = [].concat(schema.type)
  if (type === 'object') {
    const members = Object.entries(schema.properties ?? {})
    return Object.fromEntries(members.map(([name, member]) => [name, exampleOf(api, member)]))
  }
  if (type === 'array') return [exampleOf(api, schema.items)]
  if (type === 'integer' || type === 'number') return schema.minimum ?? 0
  return type === 'boolean' ? true : '…'
}

/** @returns {[string, object] | undefined} the content type and schema of a body */
export function contentOf(holder) {
  const [content] = Object.entries(holder?.content ?? {})
  return content === undefined ? undefined : [content[0], content[1].schema]
}

function jsonOf(value) {
  const text = JSON.stringify(value)
  return text.length < shortBody ? text : JSON.stringify(value, null, 2).replaceAll('\n', '\n  ')
}

const quote = text => `'${text.replaceAll("'", "'\\''")}'`

/** @param {string} origin  where the API is, without a final `/` */
export function curlOf(api, origin, method, path, operation) {
  const examples = new Map(
    (operation.parameters ?? []).map(each => [each.name, each.example ?? exampleOf(api, each.schema)])
  )
  const address = origin + path.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(examples.get(name)))
  const body = contentOf(operation.requestBody)
  const verb = method === 'get' || (method === 'post' && body !== undefined) ? '' : `-X ${method.toUpperCase()} `
  return [
    `curl ${verb}${address}`,
    ...(operation.security?.length ? ['-H "authorization: Bearer $TOKEN"'] : []),
    ...(body === undefined ? [] : [`-H 'content-type: ${body[0]}'`, `-d ${quote(jsonOf(exampleOf(api, body[1])))}`])
  ].join(' \\\n  ')
}
