// Runs one Luau file in luau-web: node --stack-size=4000 test/roblox/runtime/run.mjs roblox/test/x.spec.luau
//
// luau-web 1.4 is good under these rules, each of which stands for a fault of it:
//  1. one process a file, and never destroy(): its pointers outlive a state, its 18 MB do not grow
//  2. an object and a function of ours stay alive from the start: its collector loses their metatables otherwise
//  3. only strings, numbers and booleans cross; binary as hex: it cuts at NUL and spoils bytes that are not UTF-8
//  4. no string of 500 KB or more crosses
//  5. whoever waits yields to a scheduler of ours: an awaited promise would stop the whole machine
//  6. a larger stack (--stack-size=4000), for nested pcalls and coroutines
//  7. errors become text inside Luau, and chunk names begin with =
import { closeSync, openSync, readFileSync, readSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { LuauState } from 'luau-web'
import { resolveRequire } from './resolve.mjs'

const pieceBytes = 200_000
/** More answers than this at one time are a mistake of the spec. */
const maxRequests = 100

const [file] = process.argv.slice(2)
if (file === undefined) {
  console.error('usage: node --stack-size=4000 test/roblox/runtime/run.mjs FILE.luau')
  process.exit(2)
}

let exitCode
let failed = false
let requestBody = []
let requests = 0
const inFlight = new Set()
const responseBodies = new Map()
const answers = []
let wake = () => {}

/** What the prelude may ask of us. What a function here throws is raised in Luau, as text. */
const host = {
  host_print: text => {
    process.stdout.write(`${text}\n`)
  },
  host_fail: text => {
    failed = true
    process.stderr.write(`${text}\n`)
  },
  host_exit: code => {
    exitCode ??= code
  },
  host_environment: name => process.env[name],
  host_resolve: (from, path) => resolveRequire(from, path),
  host_load: path => state.loadstring(readFileSync(path, 'utf8'), `=${path}`, true),
  host_read_file: (path, offset, length) => {
    const bytes = Buffer.alloc(length)
    const descriptor = openSync(path, 'r')
    try {
      return bytes.subarray(0, readSync(descriptor, bytes, 0, length, offset)).toString('hex')
    } finally {
      closeSync(descriptor)
    }
  },
  host_request_body: hex => {
    requestBody.push(hex)
  },
  host_request: (method, url, headers) => {
    const body = Buffer.from(requestBody.join(''), 'hex')
    requestBody = []
    if (inFlight.size >= maxRequests) throw new Error(`more than ${maxRequests} requests at a time`)
    requests += 1
    const id = requests
    inFlight.add(id)
    ask(method, url, headers, body)
      .catch(error => ({ status: 0, text: String(error.cause?.message ?? error.message), headers: '', body: '' }))
      .then(answer => {
        answers.push({ id, ...answer })
        wake()
      })
    return id
  },
  host_response_body: id => {
    const rest = responseBodies.get(id) ?? ''
    responseBodies.set(id, rest.slice(pieceBytes * 2))
    return rest.slice(0, pieceBytes * 2)
  }
}

async function ask(method, url, headerLines, body) {
  const headers = headerLines
    .split('\n')
    .filter(Boolean)
    .map(line => [line.slice(0, line.indexOf(': ')), line.slice(line.indexOf(': ') + 2)])
  const response = await fetch(url, { method, headers, redirect: 'manual', ...(body.length > 0 ? { body } : {}) })
  const bytes = Buffer.from(await response.arrayBuffer())
  const lines = [...response.headers].map(([name, value]) => `${name}: ${value}`)
  return { status: response.status, text: response.statusText, headers: lines.join('\n'), body: bytes.toString('hex') }
}

/** Until an answer has come, or that many seconds are over; without end if negative. */
function waitForWork(seconds) {
  if (answers.length > 0) return undefined
  return new Promise(resolve => {
    const timer = seconds < 0 ? undefined : setTimeout(resolve, seconds * 1000)
    wake = () => {
      clearTimeout(timer)
      resolve()
    }
  })
}

const state = await LuauState.createAsync({ keep_object: {}, keep_function: () => 0, ...host })
const prelude = fileURLToPath(new URL('prelude.luau', import.meta.url))
const [require, main, pump, deliver, print] = await state.loadstring(readFileSync(prelude, 'utf8'), '=prelude', true)()
state.env.set('require', require, true)
state.env.set('print', print, true)

await main(file)
for (;;) {
  const [seconds] = await pump()
  if (exitCode !== undefined || (seconds < 0 && inFlight.size === 0)) break
  await waitForWork(seconds)
  for (const { id, status, text, headers, body } of answers.splice(0)) {
    inFlight.delete(id)
    responseBodies.set(id, body)
    await deliver(id, status, text, headers)
    responseBodies.delete(id)
  }
}
// The pipe to whoever reads the results may still be full.
process.stdout.write('', () => process.exit(failed ? 1 : (exitCode ?? 0)))
