import type { downstream, upstream } from '../../protocol/schemas.js'

/** Documentation of each message besides its members. A message without a row does not compile. */

type UpstreamType = keyof typeof upstream
type DownstreamType = keyof typeof downstream

interface UpstreamRow {
  readonly summary: string
  /** The messages that answer it, besides `error`. */
  readonly answers: readonly DownstreamType[]
}

export const upstreamRows: Readonly<Record<UpstreamType, UpstreamRow>> = {
  authenticate: {
    summary: 'Proves that the client holds the secret. The first frame of a session.',
    answers: ['welcome']
  },
  validate: { summary: 'Asks whether a license key is good on a hardware id, now.', answers: ['validation'] },
  heartbeat: { summary: 'Is a sign of life.', answers: ['heartbeat'] },
  challengeResponse: { summary: 'Answers a fresh challenge.', answers: ['ack'] },
  subscribe: {
    summary: 'Joins a channel, with what was missed, or the newest, and with changes of presence.',
    answers: ['subscribed']
  },
  unsubscribe: { summary: 'Leaves a channel.', answers: ['ack'] },
  publish: { summary: 'Publishes to all subscribers of a channel.', answers: ['published'] },
  history: { summary: 'Reads the publications that a channel still keeps.', answers: ['history'] },
  attributes: { summary: 'Replaces the attributes that the session shows.', answers: ['ack'] },
  sessions: { summary: 'Lists the live sessions of a client.', answers: ['sessions'] },
  presence: { summary: 'Asks who has joined a channel.', answers: ['presence'] },
  call: { summary: 'Asks another session to do something. The outcome comes later.', answers: ['called'] },
  callResult: { summary: 'Answers a call that the session received.', answers: ['ack'] },
  bye: { summary: 'Leaves at once. The session ends after the answer.', answers: ['ack'] },
  poll: { summary: 'Ends an exchange on the bridge, and acknowledges frames.', answers: ['polled'] }
}

interface DownstreamRow {
  readonly summary: string
  /** Whether the gateway sends it unrequested. */
  readonly isUnprompted?: true
}

export const downstreamRows: Readonly<Record<DownstreamType, DownstreamRow>> = {
  challenge: {
    summary: 'Asks for a proof of the secret: unsigned before a session, signed within it.',
    isUnprompted: true
  },
  welcome: { summary: 'Opens the session, and proves that the gateway holds the secret.' },
  heartbeat: { summary: 'Answers a heartbeat.' },
  ping: { summary: 'Asks a silent client for a heartbeat. Only over ws.', isUnprompted: true },
  validation: { summary: 'States whether a license key is good.' },
  ack: { summary: 'Confirms a request that has no other answer.' },
  subscribed: { summary: 'Confirms a join, with the position in the channel.' },
  published: { summary: 'Confirms a publication, with its position.' },
  publication: { summary: 'Carries a publication of a joined channel.', isUnprompted: true },
  history: { summary: 'Lists publications of a channel, oldest first.' },
  sessions: { summary: 'Lists live sessions of a client.' },
  presence: { summary: 'Counts and lists the sessions in a channel.' },
  presenceChanged: { summary: 'Reports who joined and left a channel.', isUnprompted: true },
  call: { summary: 'Asks the session to do something: answer with callResult.', isUnprompted: true },
  called: { summary: 'Carries the answer to a call.' },
  unsubscribed: { summary: 'Ends a subscription.', isUnprompted: true },
  polled: { summary: 'Ends the answer to an exchange on the bridge.' },
  reconnect: {
    summary: 'Asks the client to open its next session: this instance stops. Only over ws.',
    isUnprompted: true
  },
  error: { summary: 'Refuses a request, or ends the session.', isUnprompted: true }
}
