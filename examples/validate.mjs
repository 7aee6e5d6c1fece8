// The command-line client: opens a session, validates a license key, and shows each frame.
import { parseArgs, styleText } from 'node:util'

const help = `node examples/validate.mjs --service <serviceId> --key <key> [--hwid <hwid>] [--url <ws url>] [--stay]

Validates a license key for a service and a hardware id. The credential comes from the environment: CLIENT_ID,
CLIENT_SECRET and optionally KEY_ID. node examples/setup.mjs creates one.

  --url    default ws://127.0.0.1:8080/v1/ws
  --stay   keep the session, with heartbeats, until Ctrl-C

  export CLIENT_ID=… KEY_ID=… CLIENT_SECRET=…
  node examples/validate.mjs --service example_service --hwid example_hwid --key example_key

Exit code: 0 VALID, 1 not valid, 2 no validation.
`
/** Longer values are cut, so that a frame fits on a line. */
const longestValue = 31
const exitCodes = { valid: 0, invalid: 1, trouble: 2 }

/** Ends the program without a validation, with one line that gives the reason. */
class Stop extends Error {}

function readArgs() {
  try {
    return parseArgs({
      options: {
        service: { type: 'string' },
        hwid: { type: 'string' },
        key: { type: 'string' },
        url: { type: 'string', default: 'ws://127.0.0.1:8080/v1/ws' },
        stay: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false }
      }
    }).values
  } catch (error) {
    throw new Stop(`${error.message}. Try --help`)
  }
}

function readCredential() {
  const { CLIENT_ID: clientId, KEY_ID: keyId, CLIENT_SECRET: secret } = process.env
  if (!clientId || !secret)
    throw new Stop('CLIENT_ID and CLIENT_SECRET must be set: node examples/setup.mjs creates them')
  return { clientId, secret, ...(keyId ? { keyId } : {}) }
}

async function loadSdk() {
  try {
    return await import('countersign/client')
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error
    throw new Stop('countersign is not built yet: run `npm start` or `npm run build` first')
  }
}

const color = (style, text) => (process.stdout.isTTY && !process.env.NO_COLOR ? styleText(style, text) : text)
const print = (...parts) => process.stdout.write(`${parts.join(' ')}\n`)

const shorten = text => (text.length > longestValue && !text.includes(' ') ? `${text.slice(0, 8)}…` : text)

/** Prints a frame on one line: direction, whether its signature was created or verified here, numbers, members. */
function printFrame({ direction, text, signed }) {
  const { type, seq, re, protocol: _protocol, signature, limits: _limits, ...members } = JSON.parse(text)
  const numbers = [seq === undefined ? '' : `seq ${seq}`, re === undefined ? '' : `re ${re}`].join(' ').trim()
  const mark = signed ? color('green', '✓') : color('yellow', '·')
  const tail = signature === undefined ? color('yellow', 'unsigned ') : color('dim', `${signature.slice(0, 8)}…`)
  const content = Object.entries(members)
    .map(([name, value]) => `${name}=${shorten(typeof value === 'string' ? value : JSON.stringify(value))}`)
    .join(' ')
  print(
    direction === 'up' ? '→' : '←',
    mark,
    type.padEnd(12),
    numbers.padEnd(11),
    tail.padEnd(9),
    color('dim', content)
  )
}

function printValidation({ valid, code, expiresAt, boundHwids, maxHwids }) {
  const until = expiresAt === undefined ? '' : `, until ${new Date(expiresAt).toISOString()}`
  const bindings = maxHwids === undefined ? '' : `, ${boundHwids} of ${maxHwids} hwids bound`
  print(`\n${color(valid ? ['green', 'bold'] : ['red', 'bold'], code)}${until}${bindings}`)
}

async function main() {
  const { service: serviceId, hwid, key, url, stay, help: wantsHelp } = readArgs()
  if (wantsHelp) {
    process.stdout.write(help)
    return
  }
  if (!serviceId || !key) throw new Stop('--service and --key are needed. Try --help')
  if (!URL.canParse(url) || !/^wss?:$/.test(new URL(url).protocol)) throw new Stop(`not a ws:// or wss:// URL: ${url}`)
  const credential = readCredential()
  const { createClient } = await loadSdk()

  const client = createClient({ url, credential })
  client.on('frame', printFrame)
  // Rejects after a permanent refusal, or the first failed try.
  const ended = new Promise((_resolve, reject) => {
    client.on('stopped', ({ code, message }) => reject(new Stop(`${code}: ${message}`)))
    client.on('trouble', ({ reason }) => reject(new Stop(`no session: ${reason}`)))
    process.once('SIGINT', () => reject(new Stop('interrupted')))
  })
  ended.catch(() => {})
  try {
    const license = { serviceId, key, ...(hwid === undefined ? {} : { hwid }) }
    const validation = await Promise.race([client.connect().validate(license), ended])
    printValidation(validation)
    process.exitCode = validation.valid ? exitCodes.valid : exitCodes.invalid
    if (stay) {
      print(color('dim', 'The session stays open. Ctrl-C ends it.\n'))
      await ended.catch(reason => {
        if (reason.message !== 'interrupted') throw reason
      })
    }
  } finally {
    await client.close()
  }
}

try {
  await main()
} catch (error) {
  // A RequestError has the code of the gateway.
  if (!(error instanceof Stop) && error.name !== 'RequestError') throw error
  process.stderr.write(`validate: ${error.code === undefined ? '' : `${error.code}: `}${error.message}\n`)
  process.exitCode = exitCodes.trouble
}
