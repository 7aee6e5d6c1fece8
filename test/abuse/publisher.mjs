import { openRawSocket, signText } from '../helper/raw-client.mjs'

/** A client that sends messages as fast as the gateway answers them, over several sessions. */

/** Sessions that one client uses at once: the rate of frames is limited for each. */
const sessions = 5
/** Unanswered messages of each session. */
const inFlight = 32

/**
 * Sends messages until `until` (performance.now). A new session follows one that ended.
 * @param {(i: number) => object} messageAt  members of the i-th message, without `seq`
 * @returns {Promise<Record<string, number>>} how often each answer came, by its type or code
 */
export async function flood(url, credential, until, messageAt) {
  const answers = {}
  let sent = 0
  await Promise.all(Array.from({ length: sessions }, repeat))
  return answers

  async function repeat() {
    while (performance.now() < until) {
      const session = await openRawSocket(url, credential).catch(() => undefined)
      if (session === undefined) return
      await run(session)
    }
  }

  function run({ socket, clientKey, seq }) {
    let next = seq
    const send = () => {
      const { type, ...members } = messageAt(sent++)
      socket.send(signText(clientKey, JSON.stringify({ type, seq: next++, ...members })).toString())
    }
    return new Promise(resolve => {
      const timer = setTimeout(() => socket.close(), Math.max(0, until - performance.now()))
      socket.on('close', () => {
        clearTimeout(timer)
        resolve()
      })
      socket.on('message', data => {
        const { type, code, re } = JSON.parse(data)
        if (re === undefined) return
        const name = code ?? type
        answers[name] = (answers[name] ?? 0) + 1
        if (performance.now() < until) send()
      })
      for (let i = 0; i < inFlight; i++) send()
    })
  }
}
