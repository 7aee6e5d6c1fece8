import assert from 'node:assert/strict'
import { openPanel } from './page.mjs'

/** Signing in at the backend of examples/live-ops, and what it refuses. */

export async function checkSignIn({ browser, links, check }) {
  await check('refuses a wrong password, and signs in with the right one', async () => {
    const { origin, hash } = new URL(links.moderator)
    const [name, password] = hash.slice(1).split(':')
    const { context, page } = await openPanel(browser, `${origin}/`)
    await page.getByLabel('Name').fill(name)
    await page.getByLabel('Password').fill('wrong')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.locator('#sign-in-message', { hasText: 'the name or the password is wrong' }).waitFor()
    await page.getByLabel('Password').fill(password)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.locator('#state[data-state="connected"]').waitFor()
    assert.equal((await page.locator('#who').textContent()).trim(), `${name} · moderator`)
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.locator('#sign-in').waitFor()
    await context.close()
  })

  await check('the backend answers only its own page: no other origin, host or file', async () => {
    const { origin } = new URL(links.moderator)
    const ticket = headers => fetch(`${origin}/ticket`, { method: 'POST', headers })
    assert.equal((await ticket({ origin: 'http://foreign.example' })).status, 403)
    assert.equal((await ticket({})).status, 403)
    assert.equal((await ticket({ origin })).status, 401)
    assert.equal((await fetch(`${origin}/../backend.mjs`)).status, 404)
    assert.equal((await fetch(`${origin}/%2e%2e/sign-in.mjs`)).status, 404)
    const large = { method: 'POST', headers: { origin }, body: 'x'.repeat(5000) }
    assert.equal((await fetch(`${origin}/sign-in`, large)).status, 413)
  })
}

export async function checkGuesses({ links, check }) {
  await check('the backend limits password guesses', async () => {
    const { origin } = new URL(links.moderator)
    const guess = { method: 'POST', headers: { origin }, body: '{"name":"mia","password":"no"}' }
    const statuses = []
    for (let tries = 0; tries < 11; tries++) statuses.push((await fetch(`${origin}/sign-in`, guess)).status)
    assert.deepEqual([statuses[0], statuses.at(-1)], [401, 429])
  })
}
