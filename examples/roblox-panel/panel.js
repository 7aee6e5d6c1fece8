// The page gets a ticket from its backend and connects to the gateway. Publications arrive signed. The game checks the bounds
// of the settings again.
import { createClient } from './countersign-client.js'

const longestChat = 200
/** The gateway keeps a publication for 5 minutes, unless its settings state otherwise. */
const repeatMs = 240_000

const find = id => document.getElementById(id)
/** Whether the settings are those of the game, and not only the first ones of the page. */
let wereSet = false
const settings = [...document.querySelectorAll('input[type="range"]')]

async function fetchTicket() {
  const answer = await fetch('/ticket')
  if (!answer.ok) throw new Error(await answer.text())
  return answer.json()
}

function show(from, text) {
  const line = document.createElement('li')
  line.textContent = `${from}: ${text}`
  find('chat').append(line)
  while (find('chat').children.length > longestChat) find('chat').firstElementChild.remove()
  line.scrollIntoView({ block: 'nearest' })
}

function publish(client, channel, data) {
  client.publish(channel, data).catch(error => show('this page', `not sent: ${error.message}`))
}

/** Publishes all settings each time: a game server that has just started gets only the newest publication. */
function publishSettings(client) {
  wereSet = true
  publish(client, 'config', Object.fromEntries(settings.map(({ name, value }) => [name, Number(value)])))
}

function showSettings(data) {
  wereSet = true
  for (const input of settings) {
    if (typeof data?.[input.name] !== 'number') continue
    input.value = data[input.name]
    input.nextElementSibling.value = input.value
  }
}

const { url } = await fetchTicket()
const client = createClient({ url, credential: fetchTicket })
client.on('state', state => {
  find('state').textContent = state
})
client.subscribe('chat', ({ data }) => show(String(data?.from ?? '?'), String(data?.text ?? '')))
client.subscribe('config', ({ data }) => showSettings(data), { last: 1 })
client.connect()
setInterval(() => wereSet && publishSettings(client), repeatMs)

find('say').addEventListener('submit', event => {
  event.preventDefault()
  publish(client, 'chat', { from: 'the web', text: find('text').value })
  find('text').value = ''
})
for (const input of settings) {
  input.addEventListener('input', () => {
    input.nextElementSibling.value = input.value
  })
  // `change` fires when the slider is released, so a move sends one message.
  input.addEventListener('change', () => publishSettings(client))
}
