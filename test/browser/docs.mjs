import assert from 'node:assert/strict'

/** The API reference at `/docs`, as a person uses it. */

/**
 * @param check     runs one named check
 * @param openPage  opens a page and collects what its console and its policy complain about
 */
export async function checkDocs({ browser, gateway, check, openPage }) {
  const { context, page, complaints, response } = await openPage(browser, `${gateway.url}/docs`)
  const foreign = []
  page.on('request', request => {
    if (!/^(data:|blob:)/.test(request.url()) && !request.url().startsWith(gateway.url)) foreign.push(request.url())
  })
  const operation = page.locator('#operations-Clients-listClients')

  await check('the API reference comes with a strict policy and lists the operations', async () => {
    assert.match(
      response.headers()['content-security-policy'],
      /^default-src 'none'; script-src 'self'; style-src 'self'/
    )
    await operation.waitFor()
    assert.equal(await page.title(), 'Countersign HTTP API')
    assert.ok((await page.locator('.opblock').count()) > 25)
  })

  await check('a request without a token is refused, one with a pasted token succeeds', async () => {
    await operation.locator('.opblock-summary-control').click()
    await operation.getByRole('button', { name: 'Try it out' }).click()
    await operation.getByRole('button', { name: 'Execute' }).click()
    await operation.locator('.live-responses-table .response-col_status', { hasText: '401' }).waitFor()
    await page.locator('.auth-wrapper .authorize').first().click()
    await page.locator('.auth-container input').fill(gateway.adminToken())
    await page.locator('.auth-container').getByRole('button', { name: 'Apply credentials' }).click()
    await page.locator('.auth-container').getByRole('button', { name: 'Close' }).click()
    await operation.getByRole('button', { name: 'Execute' }).click()
    await operation.locator('.live-responses-table .response-col_status', { hasText: '200' }).waitFor()
  })

  await check('the reference stores no token, asks no third party, and violates no policy', async () => {
    assert.deepEqual(await context.storageState({ indexedDB: true }), { cookies: [], origins: [] })
    assert.equal(await page.evaluate(() => sessionStorage.length), 0)
    assert.deepEqual(foreign, [])
    // The browser itself reports the 401 above.
    assert.deepEqual(
      complaints.filter(text => !/responded with a status of 401/.test(text)),
      []
    )
  })
  await context.close()
}
