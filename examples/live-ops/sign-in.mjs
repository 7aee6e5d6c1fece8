import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

/** A login with names and passwords in memory. Use your own instead: the backend needs only {@link SignIn.find}. */

const signedInMs = 12 * 60 * 60 * 1000
const maxSignedIn = 1000
const maxFailures = 10
const failuresMs = 60_000
const cookie = 'liveops'

const hash = text => createHash('sha256').update(text).digest()

/** Why a sign-in failed, with its HTTP status. */
export class SignInRefused extends Error {
  constructor(status, message) {
    super(message)
    this.status = status
  }
}

export class SignIn {
  #accounts
  #isSecure
  /** By the hash of the cookie. */
  #people = new Map()
  #failures = []

  /**
   * @param {{ name: string, role: 'moderator' | 'owner', password: string }[]} accounts
   * @param {boolean} isSecure  whether the page is served over HTTPS
   */
  constructor(accounts, isSecure) {
    this.#accounts = accounts
    this.#isSecure = isSecure
  }

  /** @returns the value of `set-cookie`. @throws SignInRefused */
  enter(name, password) {
    const now = Date.now()
    this.#failures = this.#failures.filter(at => at > now - failuresMs)
    if (this.#failures.length >= maxFailures) throw new SignInRefused(429, 'too many tries; wait a minute')
    const account = this.#accounts.find(each => each.name === name)
    if (!timingSafeEqual(hash(account?.password ?? ''), hash(String(password))) || account === undefined) {
      this.#failures.push(now)
      throw new SignInRefused(401, 'the name or the password is wrong')
    }
    const value = randomBytes(24).toString('base64url')
    const [oldest] = this.#people.keys()
    if (this.#people.size >= maxSignedIn) this.#people.delete(oldest)
    const { role } = account
    this.#people.set(hash(value).toString('hex'), { name, role, until: now + signedInMs })
    return this.#write(value, signedInMs / 1000)
  }

  /** @returns the person who sent a request, `{ name, role }`, or undefined */
  find(request) {
    const person = this.#people.get(this.#keyOf(request))
    return person !== undefined && person.until > Date.now() ? person : undefined
  }

  /** @returns the value of `set-cookie` */
  leave(request) {
    this.#people.delete(this.#keyOf(request))
    return this.#write('', 0)
  }

  #keyOf(request) {
    const value = new RegExp(`(?:^|; )${cookie}=([\\w-]+)`).exec(request.headers.cookie ?? '')?.[1]
    return value === undefined ? undefined : hash(value).toString('hex')
  }

  #write(value, seconds) {
    return `${cookie}=${value}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${seconds}${this.#isSecure ? '; Secure' : ''}`
  }
}
