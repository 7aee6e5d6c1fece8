/** What both entries export. */
export type { PublishOptions, RequestOptions } from './calls.js'
export type { SubscribeOptions } from './client.js'
export { CountersignClient } from './client.js'
export type { Credential, CredentialOption, GivenCredential, TicketResponse } from './credential.js'
export { RequestError, type RequestErrorDetails, type RequestOutcome } from './errors.js'
export type { Fault } from './events.js'
export type {
  Attributes,
  ClientEvents,
  ClientOptions,
  ClientState,
  Joined,
  Position,
  Publication,
  PublicationHandler,
  Published,
  SessionInfo,
  Subscription,
  Validation,
  Welcome
} from './options.js'
