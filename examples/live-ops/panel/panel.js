// The panel: connects to the gateway with a ticket from the backend, and shows what the role may do. The gateway enforces it.
import { CommandLog } from './command-log.js'
import { CommandView } from './command-view.js'
import { ConfigView } from './config-view.js'
import { createClient } from './countersign-client.js'
import { byId, make } from './elements.js'
import { Receipts } from './receipts.js'
import { ServerList } from './server-list.js'
import { ServerView } from './server-view.js'
import { askToSignIn, fetchTicket, signInByLink, signOut } from './sign-in-view.js'

const stateTexts = { disconnected: 'Disconnected', connecting: 'Connecting …', connected: 'Connected' }
const methods = {
  state: 'see the players',
  kick: 'kick players',
  announce: 'announce',
  shutdown: 'shut servers down',
  config: 'set the configuration'
}

/** @returns a ticket, once a user is signed in */
async function firstTicket() {
  for (;;) {
    try {
      return await fetchTicket()
    } catch (error) {
      if (error.status !== 401) byId('sign-in-message').textContent = error.message
      await askToSignIn()
    }
  }
}

/**
 * A ticket for a later session. If another user has signed in meanwhile, or the user has signed out, the page begins
 * again.
 */
async function nextTicket(clientId) {
  try {
    const ticket = await fetchTicket()
    if (ticket.clientId === clientId) return ticket
  } catch (error) {
    if (error.status !== 401) throw error
  }
  location.reload()
  throw new Error('signed out')
}

function showRole({ name, role }, may) {
  byId('who').textContent = `${name} · ${role}`
  byId('may').replaceChildren(
    ...Object.entries(methods).map(([method, text]) =>
      make('li', { data: { may: String(may(method)) } }, `${may(method) ? '✓' : '✕'} ${text}`)
    )
  )
}

function bindAnnouncement(log, list, isAllowed) {
  const [form, field, button] = ['announce-form', 'announce-text', 'announce-submit'].map(byId)
  byId('announce').hidden = !isAllowed
  const show = () => {
    button.disabled = field.value.trim() === '' || list.servers.length === 0
  }
  form.oninput = show
  form.onsubmit = event => {
    event.preventDefault()
    if (button.disabled) return
    const text = field.value.trim()
    // An empty form cannot be submitted, so a double click is one announcement.
    field.value = ''
    show()
    void log.call(CommandLog.newKey(), 'announce', { text }, list.servers)
  }
  return show
}

async function start() {
  const ticket = await firstTicket()
  const { url, game, may: allowed, clientId } = ticket
  const may = method =>
    method === 'config' ? allowed.publish.includes('config') : allowed.call.includes(`${game}/${method}`)
  let isFirst = true
  const client = createClient({
    url,
    credential: async () => {
      if (!isFirst) return nextTicket(clientId)
      isFirst = false
      return ticket
    }
  })
  const log = new CommandLog({
    client,
    receipts: new Receipts(client),
    storage: sessionStorage,
    clientId,
    onChange: command => commandView.show(command)
  })
  const commandView = new CommandView(log)
  const list = new ServerList({ client, game, onChange: failure => showServers(failure) })
  const serverView = new ServerView({ list, client, log, may })
  const onPresence = () => void list.refresh()
  const configView = new ConfigView({ client, log, mayPublish: may('config'), onPresence })
  const showAnnouncement = bindAnnouncement(log, list, may('announce'))
  function showServers(failure) {
    serverView.show(failure)
    configView.showServers(list.servers)
    showAnnouncement()
  }

  byId('sign-in').hidden = true
  byId('panel').hidden = false
  showRole(ticket, may)
  client.on('state', state => {
    byId('state').dataset.state = state
    byId('state').textContent = stateTexts[state]
    if (state === 'connected') void list.refresh()
  })
  client.on('trouble', ({ reason }) => {
    byId('trouble').textContent = `No connection: ${reason}`
  })
  client.on('welcome', () => {
    byId('trouble').textContent = ''
  })
  client.on('stopped', ({ code }) => {
    byId('trouble').textContent = `The gateway has ended this session: ${code}. Reload the page.`
  })
  document.addEventListener('visibilitychange', () => document.hidden || void list.refresh())
  byId('sign-out').onclick = async () => {
    list.stop()
    await signOut().catch(() => {})
    await client.close()
    sessionStorage.clear()
    location.reload()
  }
  client.connect()
  log.resume()
}

await signInByLink()
await start()
