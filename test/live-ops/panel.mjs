import assert from 'node:assert/strict'
import { startGameServer } from '../../examples/live-ops/game-server.mjs'
import { startExample } from './example.mjs'
import { actionsOn, openPanel } from './page.mjs'
import { checkGuesses, checkSignIn } from './sign-in.mjs'

/** The panel of examples/live-ops in a real Chromium, as moderators and owners use it. */

const game = 'game'

/**
 * @param createClient  of the JavaScript SDK
 * @param check         runs one named check
 */
export async function checkPanel({ browser, createClient, check }) {
  const example = await startExample(['--servers', '2', '--still', '--game', game])
  const { gatewayUrl, gameToken, links } = example
  const opened = []
  const addServer = () => {
    const server = startGameServer({ createClient, gatewayUrl, game, token: gameToken, isStill: true })
    opened.push(server)
    return server
  }
  try {
    const own = addServer()
    await checkSignIn({ browser, links, check })
    const moderator = await openPanel(browser, links.moderator)
    const owner = await openPanel(browser, links.owner, { colorScheme: 'dark', viewport: { width: 360, height: 740 } })
    await checkModerator({ moderator, own, check })
    await checkOnce({ moderator, own, check })
    await checkOwner({ moderator, owner, own, addServer, check })
    await checkOutcomes({ moderator, addServer, check })
    await checkPolicy({ moderator, owner, gatewayUrl, check })
    await checkAnotherPerson({ browser, links, check })
    await checkGuesses({ links, check })
    await moderator.context.close()
    await owner.context.close()
  } finally {
    for (const server of opened) await server.close()
    const code = await example.stop()
    await check('ends with everything that it has started', () => assert.equal(code, 0))
  }
}

async function checkModerator({ moderator, own, check }) {
  const { page, response } = moderator
  const see = actionsOn(page)

  await check('a link signs in, and leaves no password in the address', async () => {
    await page.locator('#state[data-state="connected"]').waitFor()
    assert.equal(new URL(page.url()).hash, '')
    assert.match(
      response.headers()['content-security-policy'],
      /^default-src 'none'; script-src 'self'; style-src 'self'/
    )
  })

  await check('lists the live servers with players, version and age', async () => {
    await page.locator('#server-count', { hasText: '3 live · 9 players' }).waitFor()
    const text = await see.server(own).textContent()
    for (const wanted of [/3 \/ 20/, /v412/, /up \d+ s/, /seen \d+ s ago/, /no config/]) assert.match(text, wanted)
  })

  await check('a moderator sees no shutdown, and may not set the configuration', async () => {
    await see.expand(own)
    assert.equal(await see.server(own).getByRole('button', { name: 'Announce here' }).count(), 1)
    assert.equal(await see.server(own).getByRole('button', { name: 'Shut down' }).count(), 0)
    assert.equal(await page.locator('#config-gravity').isDisabled(), true)
    assert.deepEqual(await page.locator('#may [data-may="false"]').allTextContents(), [
      '✕ shut servers down',
      '✕ set the configuration'
    ])
  })

  await check('a changed page gets no further: the gateway refuses', async () => {
    const codes = await page.evaluate(async () => {
      const { createClient } = await import('./countersign-client.js')
      const ticket = await (await fetch('/ticket', { method: 'POST' })).json()
      const client = createClient({ url: ticket.url, credential: ticket }).connect()
      const codeOf = promise =>
        promise.then(
          () => 'done',
          error => error.code
        )
      const codes = [
        await codeOf(client.call({ clientId: 'game' }, 'shutdown', { reason: 'x' })),
        await codeOf(client.publish('config', { gravity: 1 })),
        await codeOf(client.call({ clientId: 'bot' }, 'kick', {}))
      ]
      await client.close()
      return codes
    })
    assert.deepEqual(codes, ['PERMISSION_DENIED', 'PERMISSION_DENIED', 'PERMISSION_DENIED'])
    assert.equal(own.runs.shutdown, 0)
  })
}

async function checkOnce({ moderator, own, check }) {
  const { page } = moderator
  const see = actionsOn(page)

  await check('a double click kicks once, and shows the signed answer, its server and its time', async () => {
    const [player] = [...own.players].sort()
    await see
      .server(own)
      .getByRole('button', { name: `Kick ${player}` })
      .click()
    await see.confirm('spamming')
    await see.outcome(/^kicked; 2 players remain, in \d+ ms$/)
    await see.closeDialog()
    await see.badge('done')
    assert.equal(await see.commands().count(), 1)
    assert.deepEqual([own.runs.kick, own.players.has(player)], [1, false])
    assert.match(await see.newest().locator('.ms').textContent(), /^\d+ ms$/)
    await see.newest().locator('summary').click()
    const receipt = await see.newest().textContent()
    assert.match(receipt, new RegExp(`Session ${own.client.session.sessionId} answered. The signature was verified`))
    assert.match(await see.newest().locator('mark').textContent(), /^[0-9a-f]{64}$/)
    await see.server(own).locator('.players', { hasText: '2 / 20' }).waitFor()
    assert.equal(await see.server(own).locator('.people', { hasText: player }).count(), 0)
  })

  await check('a double click announces once to each server', async () => {
    await page.locator('#announce-text').fill('soon')
    await page.locator('#announce-submit').dblclick()
    await see.badge('3 done')
    assert.deepEqual([await see.commands().count(), own.runs.announce], [2, 1])
  })

  await check('a reload repeats no command, and an open command gets its answer afterwards', async () => {
    let release
    let runs = 0
    own.client.handle('announce', () => {
      runs += 1
      return new Promise(resolve => {
        release = () => resolve({ players: 2 })
      })
    })
    await see.server(own).getByRole('button', { name: 'Announce here' }).click()
    await see.confirm('slow')
    while (release === undefined) await new Promise(resolve => setTimeout(resolve, 10))
    await page.reload()
    await page.locator('#state[data-state="connected"]').waitFor()
    assert.equal(await see.commands().count(), 3)
    release()
    await see
      .newest()
      .locator('.badge', { hasText: /done|unknown/ })
      .waitFor()
    // On a busy machine the answer may come after its time.
    if (await see.newest().locator('.badge', { hasText: 'unknown' }).count()) {
      await see.newest().locator('summary').click()
      await see.newest().getByRole('button', { name: 'Ask again' }).click()
    }
    await see.badge('done')
    assert.deepEqual([runs, own.runs.kick, own.runs.announce], [1, 1, 1])
    assert.equal(await page.locator('.command .badge[data-state="done"]').count(), 3)
  })
}

async function checkOwner({ moderator, owner, own, addServer, check }) {
  const { page } = owner
  const see = actionsOn(page)

  await check('an owner sets the configuration once, and all servers and pages have it', async () => {
    await page.locator('#state[data-state="connected"]').waitFor()
    await page.locator('#config-gravity').fill('50')
    await page.locator('#config-submit').dblclick()
    await see.badge('done')
    await page.locator('#config-state', { hasText: /Number 1, set by owner-otto .* 3 of 3 servers have it/ }).waitFor()
    assert.equal(own.settings.gravity, 50)
    await moderator.page.locator('#config-state', { hasText: /Number 1, set by owner-otto/ }).waitFor()
    assert.equal(await moderator.page.locator('#config-gravity-value').textContent(), '50')
  })

  const late = addServer()
  await check('a late server appears by itself, with the configuration', async () => {
    await see.server(late).locator('.applied', { hasText: 'config 1' }).waitFor()
    assert.equal(late.settings.gravity, 50)
  })

  await check('an owner shuts it down: it answers, and leaves the list', async () => {
    await see.expand(late)
    await see.server(late).getByRole('button', { name: 'Shut down' }).click()
    await see.confirm('restarting')
    await see.outcome(/^closing; 3 players leave, in \d+ ms$/)
    await see.server(late).waitFor({ state: 'detached' })
    await see.closeDialog()
    assert.equal(late.runs.shutdown, 1)
  })

  await check('fits on a phone, in the dark', async () => {
    await see.expand(own)
    await see.newest().locator('summary').click()
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360)
    assert.equal(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), 'rgb(13, 18, 23)')
  })
}

async function checkOutcomes({ moderator, addServer, check }) {
  const { page } = moderator
  const see = actionsOn(page)
  const openDialog = async server => {
    await see.server(server).locator('summary').click()
    await see.server(server).getByRole('button', { name: 'Announce here' }).click()
  }

  await check('a command to a server that has stopped: not run, NO_RECEIVER, within 2 s', async () => {
    const stopped = addServer()
    await openDialog(stopped)
    await stopped.close()
    await see.confirm('too late')
    await see.outcome('It did not run: this server is no longer online (NO_RECEIVER)')
    await page.locator('#action-cancel').click()
    await see.badge('not run')
    await see.newest().locator('summary').click()
    await see.newest().locator('.seal', { hasText: 'The gateway answered. The signature was verified' }).waitFor()
    assert.equal(stopped.runs.announce, 0)
    assert.ok((await see.newestMs()) < 2000)
  })

  await check('a command to a server that hangs: unknown, and asking again brings its late answer', async () => {
    const slow = addServer()
    let release
    let runs = 0
    slow.client.handle('announce', () => {
      runs += 1
      return new Promise(resolve => {
        release = () => resolve({ players: 3 })
      })
    })
    await openDialog(slow)
    await see.confirm('hello')
    await see.outcome('No answer. It may have run, or not. (CALL_TIMEOUT)')
    assert.ok((await see.newestMs()) >= 1500)
    await page.locator('#action-cancel').click()
    release()
    await see.newest().locator('summary').click()
    await see.newest().getByRole('button', { name: 'Ask again' }).click()
    await see.badge('done')
    assert.equal(runs, 1)
  })
}

async function checkAnotherPerson({ browser, links, check }) {
  await check('a page whose person has changed in another tab begins again, with the other role', async () => {
    const { page, context } = await openPanel(browser, new URL('/', links.moderator).href)
    let drop
    await page.routeWebSocket(/\/v1\/ws$/, socket => {
      socket.connectToServer()
      drop = () => socket.close()
    })
    await page.goto(links.moderator)
    await page.reload()
    await page.locator('#who', { hasText: 'mia · moderator' }).waitFor()
    await page.locator('#state[data-state="connected"]').waitFor()
    const other = await context.newPage()
    await other.goto(links.owner)
    await other.locator('#state[data-state="connected"]').waitFor()
    await drop()
    await page.locator('#who', { hasText: 'otto · owner' }).waitFor()
    await other.getByRole('button', { name: 'Sign out' }).click()
    await other.locator('#sign-in').waitFor()
    assert.equal(await other.evaluate(() => sessionStorage.length), 0)
    await context.close()
  })
}

async function checkPolicy({ moderator, owner, gatewayUrl, check }) {
  await check('no errors, no third party, and no secret in the storage', async () => {
    for (const { page, context, complaints, foreign } of [moderator, owner]) {
      assert.deepEqual(complaints, [])
      assert.deepEqual(
        foreign.filter(url => !url.startsWith(gatewayUrl.replace('http', 'ws'))),
        []
      )
      const { cookies, origins } = await context.storageState({ indexedDB: true })
      assert.deepEqual([cookies.length, origins], [1, []])
      assert.ok(cookies[0].httpOnly && cookies[0].sameSite === 'Strict')
      assert.equal(await page.evaluate(() => document.cookie), '')
      assert.doesNotMatch(await page.evaluate(() => JSON.stringify(sessionStorage)), /cs_/)
    }
  })
}
