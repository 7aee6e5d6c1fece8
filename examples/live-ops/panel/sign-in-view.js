import { byId } from './elements.js'

/** Signing in and out. */

async function send(path, body) {
  const answer = await fetch(path, { method: 'POST', body: JSON.stringify(body ?? {}) })
  if (!answer.ok) throw Object.assign(new Error(await answer.text()), { status: answer.status })
  return answer.status === 204 ? undefined : answer.json()
}

/** @returns a ticket and the permissions of its role. @throws with `status` 401 if no user is signed in */
export const fetchTicket = () => send('/ticket')
export const signOut = () => send('/sign-out')

/** A link of run.mjs signs in: `#name:password`. It is removed from the address at once. */
export async function signInByLink() {
  const [, name, password] = /^#([\w-]+):([\w-]+)$/.exec(location.hash) ?? []
  if (name === undefined) return
  history.replaceState(null, '', location.pathname)
  await send('/sign-in', { name, password }).catch(error => {
    byId('sign-in-message').textContent = error.message
  })
}

/** Shows the form, and returns once a user is signed in. */
export function askToSignIn() {
  byId('sign-in').hidden = false
  byId('panel').hidden = true
  return new Promise(resolve => {
    byId('sign-in-form').onsubmit = async event => {
      event.preventDefault()
      const { name, password } = byId('sign-in-form').elements
      try {
        await send('/sign-in', { name: name.value.trim(), password: password.value })
        password.value = ''
        byId('sign-in-message').textContent = ''
        resolve()
      } catch (error) {
        byId('sign-in-message').textContent = error.message
      }
    }
  })
}
