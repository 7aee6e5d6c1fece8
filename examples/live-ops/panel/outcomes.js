/** Describes the outcome of a command. Only what is certain is stated as certain. */

const whyNot = {
  NO_RECEIVER: 'this server is no longer online',
  PERMISSION_DENIED: 'your role does not allow it',
  RATE_LIMITED: 'too many commands at once; try again in a moment'
}

/**
 * @param error  what `client.call` or `client.publish` rejected with
 * @returns `{ state, code, text }`; state: `refused` (by the server's handler), `unsent` (it certainly did not run), or
 * `unknown` (it may have run)
 */
export function outcomeOf(error) {
  const { code = 'FAILED', outcome, message } = error
  if (code === 'CALL_FAILED') {
    return { state: 'refused', code: error.error.code, text: `The server refused: ${error.error.message}` }
  }
  if (outcome === 'unknown') return { state: 'unknown', code, text: 'No answer. It may have run, or not.' }
  return { state: 'unsent', code, text: `It did not run: ${whyNot[code] ?? message}` }
}

/** The result of a command that ran, in a few words. */
export function resultText(method, result) {
  if (method === 'config') return `published as number ${result.offset}`
  if (method === 'kick') return `kicked; ${players(result?.players)} remain`
  if (method === 'announce') return `shown to ${players(result?.players)}`
  if (method === 'shutdown') return `closing; ${players(result?.players)} leave`
  return JSON.stringify(result) ?? 'done'
}

function players(count) {
  return count === 1 ? '1 player' : `${count ?? '?'} players`
}
