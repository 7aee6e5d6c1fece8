// A game in TypeScript, compiled by scripts/check-roblox.mjs: the declarations fit the way in which they are used.
import Countersign from '@rbxts/countersign'

interface Chat {
  from: string
  text: string
}

const url = 'https://gateway.example.com'
const token = game.GetService('HttpService').GetSecret('countersign')
const ticket = { url, token, clientId: 'my-game', subscribe: ['chat'], publish: ['chat'] }
const client = Countersign.connect({ url, getTicket: Countersign.tickets(ticket), credentialTimeoutSeconds: 10 })

client.Error.Connect(failure => warn(failure.code, failure.message, failure.path))
client.StateChanged.Connect((state, previous) => print(previous, state, client.SessionId))
client.Gap.Connect((channel, position) => print(channel, position.offset))

const subscription = client.Subscribe<Chat>('chat', (data, publication) => print(data.from, publication.offset))
const [joined, refusal] = client.SubscribeAsync<Chat>('chat', data => print(data.text), { timeoutSeconds: 5 })
if (joined) joined.Disconnect()
else print(refusal?.code)
const [published, failure] = client.PublishAsync('chat', { from: 'server', text: 'hello' }, { idempotencyKey: 'k' })
print(published?.offset, failure?.outcome)
const [validation] = client.ValidateAsync('service', undefined, 'key')
print(validation?.valid)
subscription.Disconnect()
client.Subscribe<Chat>('chat', data => print(data.text), { last: 1, onPresence: change => print(change.joined.size()) })
const [history] = client.HistoryAsync<Chat>('chat', 20, { offset: 5, epoch: 'e' })
print(history?.publications[0]?.data.text, history?.publications[0]?.publisher, history?.more)
const [presence] = client.PresenceAsync('chat', { limit: 0 })
print(presence?.count, presence?.sessions[0]?.attributes)
const handling = client.Handle<{ player: string }>('kick', (data, info) => {
  print(data.player, info.from, info.expiresAt)
  return { kicked: true }
})
const [result, called] = client.CallAsync<{ kicked: boolean }>({ clientId: 'my-game' }, 'kick', { player: 'x' })
print(result?.kicked, called?.error?.code)
const [list] = client.SessionsAsync('my-game', { limit: 100, after: 'next' })
print(list?.sessions[0]?.attributes, list?.next)
client.SetAttributes({ mode: 'ranked' })
handling.Disconnect()
game.BindToClose(() => client.Close())
