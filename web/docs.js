// The reference: loads /openapi.json and lays it out, call by call.
import { boundsOf, contentOf, curlOf, exampleOf, membersOf, resolve, typeOf } from './docs-schema.js'
import { blocks, inline, json, make } from './docs-text.js'

const content = document.getElementById('content')
const index = document.getElementById('index')
const filter = document.getElementById('filter')
const found = document.getElementById('found')
const methods = ['get', 'post', 'put', 'patch', 'delete']
const copiedMs = 1500

/** What the filter looks at, and what it hides: one of each call. */
const calls = []

function badge(method) {
  return make('span', { class: 'method', 'data-method': method }, method.toUpperCase())
}

/** A path, with places to break it. */
function pathOf(path) {
  const parts = path
    .split(/(?=\/)/)
    .flatMap(part => [
      make('wbr'),
      ...part.split(/(\{\w+\})/).map(each => (each.startsWith('{') ? make('em', {}, each) : each))
    ])
  return make('code', { class: 'path' }, ...parts)
}

function bounds(api, schema) {
  return boundsOf(api, schema).flatMap((each, i) => [
    ...(i === 0 ? [] : [' · ']),
    typeof each === 'string' ? each : make('code', {}, String(each.code))
  ])
}

/** @param {{ name: string, required: boolean, schema: object, description?: string }[]} rows */
function members(api, rows, { showOptional = true } = {}) {
  return make(
    'dl',
    { class: 'members' },
    ...rows.map(({ name, required, schema, description = schema.description ?? '' }) => {
      const limits = bounds(api, schema)
      return make(
        'div',
        {},
        make(
          'dt',
          {},
          make('code', {}, name),
          make('span', { class: 'kind' }, typeOf(api, schema)),
          ...(required || !showOptional ? [] : [make('span', { class: 'optional' }, 'optional')])
        ),
        make(
          'dd',
          {},
          ...(description === '' ? [] : [make('p', {}, ...inline(description))]),
          ...(limits.length === 0 ? [] : [make('p', { class: 'bounds' }, ...limits)])
        )
      )
    })
  )
}

async function copy(text, source) {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    // Without HTTPS there is no clipboard: it is marked, for the reader's own Ctrl+C.
    getSelection()?.selectAllChildren(source)
    return false
  }
}

function panel(title, code, text) {
  const source = make('pre', { class: 'json', tabindex: '0', 'aria-label': title }, code)
  const head = make('div', { class: 'panel-head' }, make('h4', {}, title))
  if (text !== undefined) {
    const button = make('button', { class: 'quiet', type: 'button' }, 'Copy')
    button.addEventListener('click', async () => {
      button.textContent = (await copy(text, source)) ? 'Copied' : 'Marked'
      setTimeout(() => {
        button.textContent = 'Copy'
      }, copiedMs)
    })
    head.append(button)
  }
  return make('section', { class: 'panel' }, head, source)
}

function parameters(api, operation, place, title) {
  const rows = (operation.parameters ?? []).filter(each => each.in === place)
  return rows.length === 0 ? [] : [make('h4', {}, title), members(api, rows)]
}

function body(api, operation) {
  const [, given] = contentOf(operation.requestBody) ?? []
  if (given === undefined) return []
  const { description = '' } = resolve(api, given)
  return [
    make('h4', {}, 'Body'),
    ...(description === '' ? [] : [make('p', { class: 'about' }, ...inline(description))]),
    members(api, membersOf(api, given))
  ]
}

function success(api, status, response) {
  const [type, schema] = contentOf(response) ?? []
  const rows = schema === undefined ? [] : membersOf(api, schema)
  const line = make(
    'p',
    { class: 'status' },
    make('b', { 'data-good': true }, status),
    ' ',
    ...inline(response.description)
  )
  if (type !== undefined && type !== 'application/json') line.append(' ', make('code', {}, type))
  return [line, ...(rows.length === 0 ? [] : [members(api, rows)])]
}

function answers(api, operation) {
  const all = Object.entries(operation.responses)
  // A 503 of /readyz is no error but an answer of its own.
  const isError = ([, response]) => contentOf(response)?.[1].$ref === '#/components/schemas/Error'
  const errors = all.filter(isError)
  return [
    make('h4', {}, 'Answers'),
    ...all.filter(each => !isError(each)).flatMap(([status, response]) => success(api, status, response)),
    ...(errors.length === 0
      ? []
      : [
          make(
            'details',
            { class: 'errors' },
            make('summary', { class: 'errors-head' }, `Errors: ${errors.map(([status]) => status).join(', ')}`),
            ...errors.map(([status, { description }]) =>
              make('p', { class: 'status' }, make('b', {}, status), ' ', ...inline(description))
            )
          )
        ])
  ]
}

function needs({ security = [] }) {
  const scopes = security.flatMap(each => Object.values(each).flat())
  if (scopes.length === 0) return make('p', { class: 'needs' }, 'Needs no token.')
  const names = scopes.flatMap((scope, i) => [...(i === 0 ? [] : [' or ']), make('code', {}, scope)])
  return make('p', { class: 'needs' }, 'Needs the scope ', ...names, '.')
}

function inside(api, path, method, operation) {
  const origin = new URL(api.servers?.[0]?.url ?? '/', location.href).href.replace(/\/$/, '')
  const curl = curlOf(api, origin, method, path, operation)
  const [, first] = Object.entries(operation.responses)[0]
  const [type, schema] = contentOf(first) ?? []
  return make(
    'div',
    { class: 'call-body' },
    make(
      'div',
      { class: 'words' },
      ...(operation.description === undefined ? [] : blocks(operation.description)),
      needs(operation),
      ...parameters(api, operation, 'path', 'Path'),
      ...parameters(api, operation, 'query', 'Query'),
      ...body(api, operation),
      ...answers(api, operation)
    ),
    make(
      'div',
      { class: 'panels' },
      panel('Example', make('code', {}, curl), curl),
      ...(type === 'application/json' ? [panel('Answer', json(exampleOf(api, schema)))] : [])
    )
  )
}

function callOf(api, path, method, operation) {
  const details = make(
    'details',
    { class: 'call', id: operation.operationId },
    make('summary', {}, badge(method), pathOf(path), make('h3', {}, operation.summary))
  )
  // What is inside is made when it is first looked at.
  details.addEventListener('toggle', () => {
    if (details.open && details.children.length === 1) details.append(inside(api, path, method, operation))
  })
  const link = make('a', { href: `#${operation.operationId}` }, badge(method), make('span', {}, operation.summary))
  const entry = make('li', {}, link)
  const text = `${method} ${path} ${operation.summary} ${operation.operationId}`.toLowerCase()
  calls.push({ text, parts: [details, entry] })
  return { details, entry }
}

function group(api, tag) {
  const id = `tag-${tag.name.toLowerCase().replace(/\W+/g, '-')}`
  const all = Object.entries(api.paths).flatMap(([path, item]) =>
    methods
      .filter(method => item[method]?.tags?.includes(tag.name))
      .map(method => callOf(api, path, method, item[method]))
  )
  const entries = make('ul', {}, ...all.map(({ entry }) => entry))
  index.append(make('section', {}, make('h2', {}, make('a', { href: `#${id}` }, tag.name)), entries))
  return make(
    'section',
    { class: 'group', 'aria-labelledby': id },
    make('h2', { id }, tag.name),
    make('p', { class: 'about' }, ...inline(tag.description ?? '')),
    make('div', { class: 'card calls' }, ...all.map(({ details }) => details))
  )
}

/** The description's own chapters come last. */
function chapter(text) {
  const [title = '', ...rest] = text.split('\n')
  const id = `about-${title.toLowerCase().replace(/\W+/g, '-')}`
  index.append(make('section', {}, make('h2', {}, make('a', { href: `#${id}` }, title))))
  return make(
    'section',
    { class: 'group', 'aria-labelledby': id },
    make('h2', { id }, title),
    make('div', { class: 'card prose' }, ...blocks(rest.join('\n').trim()))
  )
}

function intro(api, text) {
  const schemes = Object.values(api.components?.securitySchemes ?? {})
  return make(
    'section',
    { class: 'card prose', 'aria-label': 'About' },
    ...blocks(text.trim()),
    make('h3', {}, 'Authorization'),
    ...schemes.flatMap(({ description = '' }) => blocks(description)),
    make('p', {}, ...inline('In the examples `TOKEN` is such a token: `TOKEN=$(cat data/admin.token)`.'))
  )
}

function showFound() {
  const words = filter.value.toLowerCase().split(/\s+/)
  let count = 0
  for (const { text, parts } of calls) {
    const fits = words.every(word => text.includes(word))
    if (fits) count++
    for (const part of parts) part.hidden = !fits
  }
  for (const section of document.querySelectorAll('.group:has(.call), #index section:has(li)')) {
    section.hidden = section.querySelector('.call:not([hidden]), li:not([hidden])') === null
  }
  found.textContent = filter.value === '' ? '' : `${count} of ${calls.length} calls`
}

/** Opens the call that the address names. */
function goToHash() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)))
  if (target === null) return
  if (target instanceof HTMLDetailsElement) target.open = true
  target.scrollIntoView()
}

try {
  const answer = await fetch('openapi.json')
  if (!answer.ok) throw new Error(`the gateway answered ${answer.status}`)
  const api = await answer.json()
  document.getElementById('title').append(' ', make('small', {}, api.info.version))
  document.getElementById('subtitle').textContent = api.info.summary
  const [text = '', ...chapters] = api.info.description.split(/^## /m)
  content.replaceChildren(intro(api, text), ...api.tags.map(tag => group(api, tag)), ...chapters.map(chapter))
  filter.disabled = false
  filter.addEventListener('input', showFound)
  addEventListener('hashchange', goToHash)
  goToHash()
} catch (error) {
  content.replaceChildren(
    make('p', { class: 'message bad', role: 'alert' }, `The document could not be loaded: ${error.message}.`)
  )
}
