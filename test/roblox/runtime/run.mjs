// Runs one Luau file in luau-web: node --stack-size=4000 test/roblox/runtime/run.mjs roblox/test/x.spec.luau
//
// luau-web 1.4 has defects. These rules avoid them:
//  1. one process per file, and no destroy(): pointers outlive a state, and its 18 MB of memory do not grow
//  2. keep one object and one function alive from the start: the collector loses their metatables otherwise
//  3. pass only strings, numbers and booleans, binary data as hex: it cuts at NUL and corrupts bytes that are not UTF-8
//  4. pass no string of 500 KB or more
//  5. let threads yield to our own scheduler: awaiting a promise would block all threads
//  6. use a larger stack (--stack-size=4000), for nested pcalls and coroutines
//  7. pass errors as text inside Luau, and begin chunk names with =
import { closeSync, openSync, readFileSync, readSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { LuauState } from 'luau-web'
import { resolveRequire } from './resolve.mjs'

const pieceBytes = 200_000
/** Bound of concurrent requests; a spec that exceeds it has a bug. */
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
let resumeLoop = () => {}

/** The functions for the prelude. An exception in one is raised in Luau, as text. */
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
    if (inFlight.size >= maxRequests) throw new Error(`more than ${maxRequests} concurrent requests`)
    requests += 1
    const id = requests
    inFlight.add(id)
    ask(method, url, headers, body)
      .catch(error => ({ status: 0, text: String(error.cause?.message ?? error.message), headers: '', body: '' }))
      .then(answer => {
        answers.push({ id, ...answer })
        resumeLoop()
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

/** Waits for a response, for at most this many seconds; without a bound if negative. */
function waitForWork(seconds) {
  if (answers.length > 0) return undefined
  return new Promise(resolve => {
    const timer = seconds < 0 ? undefined : setTimeout(resolve, seconds * 1000)
    resumeLoop = () => {
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
// Flush stdout before the exit.
process.stdout.write('', () => process.exit(failed ? 1 : (exitCode ?? 0)))
