/** A page of the panel, and what a person does there. */

/** Longest time for one step in the page. */
const stepMs = 15_000

/** A page with a link's person, and what its console and its policy complain about. */
export async function openPanel(browser, link, options = {}) {
  const context = await browser.newContext(options)
  context.setDefaultTimeout(stepMs)
  const page = await context.newPage()
  const complaints = []
  const foreign = []
  page.on('pageerror', error => complaints.push(String(error)))
  page.on('console', message => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text())
  })
  page.on('request', request => {
    if (new URL(request.url()).origin !== new URL(link).origin) foreign.push(request.url())
  })
  await page.addInitScript(() => {
    addEventListener('securitypolicyviolation', event => console.error(`CSP: ${event.violatedDirective}`))
  })
  const response = await page.goto(link)
  return { context, page, complaints, foreign, response }
}

/** A person’s actions, and the page’s reactions. */
export function actionsOn(page) {
  const server = ({ jobId }) => page.locator(`.server[data-id="${jobId}"]`)
  const commands = () => page.locator('.command')
  const newest = () => commands().first()
  return {
    server,
    commands,
    newest,
    badge: text => newest().locator('.badge', { hasText: text }).waitFor(),
    async expand(of) {
      await server(of).locator('summary').click()
      await server(of).locator('.people li').first().waitFor()
    },
    /** Fills the dialog, and clicks its button twice. */
    async confirm(text) {
      await page.locator('#action-text').fill(text)
      await page.locator('#action-submit').dblclick()
    },
    outcome: text => page.locator('#action-outcome', { hasText: text }).waitFor(),
    /** The time of the newest command. */
    newestMs: async () => Number.parseInt(await newest().locator('.ms').textContent(), 10),
    closeDialog: () => page.locator('#action:not([open])').waitFor({ state: 'attached' })
  }
}
