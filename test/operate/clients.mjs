import { createClient } from '../../dist/client/node.js'

/** Real clients of the JavaScript SDK, for cases that count who comes back. */

const welcomeMs = 20_000
/** Above the longest pause of a client between two attempts to connect, which is 20 s. */
const validateMs = 30_000

/**
 * Creates clients and connects each, spread over the gateways.
 * @param gateways  of one store; the first one gets the admin calls
 * @returns {Promise<object[]>} per client: its credential, the client, and what happened to it
 */
export async function connectClients(gateways, count) {
  const [first] = gateways
  const connected = []
  for (let i = 0; i < count; i++) {
    const { body: credential } = await first.admin('POST', '/clients', { clientId: `client-${i}`, publish: ['room'] })
    connected.push(await connect(gateways[i % gateways.length].url, credential))
  }
  return connected
}

async function connect(url, credential) {
  const client = createClient({ url: `${url.replace('http', 'ws')}/v1/ws`, credential })
  const seen = { credential, client, welcomes: 0, stopped: [], lost: [] }
  client.on('stopped', ({ code }) => seen.stopped.push(code))
  client.on('lost', ({ reason }) => seen.lost.push(reason))
  await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${credential.clientId}: no welcome`)), welcomeMs)
    client.on('welcome', () => {
      seen.welcomes++
      clearTimeout(timer)
      resolve()
    })
    client.connect()
  })
  return seen
}

/** How many have a session that answers: each validates a license. @returns the codes, `error` where there was none */
export async function validateAll(clients, request) {
  const validate = async ({ client }) => {
    try {
      return (await client.validate(request, { timeoutMs: validateMs })).code
    } catch (error) {
      return error.code ?? 'error'
    }
  }
  return Promise.all(clients.map(validate))
}
