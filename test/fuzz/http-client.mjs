import { request } from 'node:http'

/** Status that stands for no answer in time. It counts as a failure of the gateway, like every 5xx. */
const noAnswer = 599

/**
 * Sends one request.
 * @param {string} url
 * @param {{ agent: import('node:http').Agent, method: string, path?: string, headers?: object, body?: Buffer | string, answerMs: number }} options
 * @returns {Promise<{ status: number, text: string }>} status 0 if the gateway refused or cut the connection
 */
export function send(url, { agent, method, path, headers = {}, body, answerMs }) {
  // As it is, where the parts of a URL would be corrected.
  const rawPath = path === undefined ? {} : { path }
  return new Promise(resolve => {
    const outgoing = request(url, { agent, method, headers, timeout: answerMs, ...rawPath }, answer => {
      const chunks = []
      answer.on('data', chunk => chunks.push(chunk))
      answer.on('end', () => resolve({ status: answer.statusCode, text: Buffer.concat(chunks).toString() }))
      answer.on('error', () => resolve({ status: 0, text: 'cut' }))
    })
    outgoing.on('timeout', () => {
      outgoing.destroy()
      resolve({ status: noAnswer, text: `no answer in ${answerMs} ms` })
    })
    outgoing.on('error', () => resolve({ status: 0, text: 'refused' }))
    outgoing.end(body)
  })
}
