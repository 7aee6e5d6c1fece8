import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Certificates for tests only: whoever reads this has the server's key. The authority's own key is lost. */

const authority = `-----BEGIN CERTIFICATE-----
MIIBhzCCAS6gAwIBAgITRY3VnWIn3Sym9TL/Tp10v4WvBDAKBggqhkjOPQQDAjAZ
MRcwFQYDVQQDDA50ZXN0LWF1dGhvcml0eTAgFw0yNjExMjkyMzQ2NTRaGA8yMTI2
MTEwNTIzNDY1NFowGTEXMBUGA1UEAwwOdGVzdC1hdXRob3JpdHkwWTATBgcqhkjO
PQIBBggqhkjOPQMBBwNCAATSuB0nbs/Ny8meMCTYdHHOMoIx8rxfqQrZAhE8MTSG
t5Eu5dyOtD6mvn68AyEUnpQigdL3crTShR/VMJSGdou2o1MwUTAdBgNVHQ4EFgQU
Mp6AuHU/O2hdyOjeWR1ZDw2oqo0wHwYDVR0jBBgwFoAUMp6AuHU/O2hdyOjeWR1Z
Dw2oqo0wDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNHADBEAiBKRhT9oJ5M
CwMbBhEkUngxh3EerSy5ECUoUaMextRtvAIgWoQnIcSuxmLgmr9pVQgs/JQFC1ZM
oaIwU+DopsCsY7k=
-----END CERTIFICATE-----
`

/** For `localhost` and 127.0.0.1, signed by {@link authority}. */
const certificate = `-----BEGIN CERTIFICATE-----
MIIBjzCCATWgAwIBAgIUDFh3n+gH4HTZ/mVa4aaLewxSgy0wCgYIKoZIzj0EAwIw
GTEXMBUGA1UEAwwOdGVzdC1hdXRob3JpdHkwIBcNMjYxMTI5MjM0NjU0WhgPMjEy
NjExMDUyMzQ2NTRaMBQxEjAQBgNVBAMMCWxvY2FsaG9zdDBZMBMGByqGSM49AgEG
CCqGSM49AwEHA0IABCIQUykJtvWK59xJUUCqPTtYy3L7S6UC6Q1WpJq2hvK9Rz+G
hr27xcHrDGvAve0Q7u9vkWVwTpITuBIfuVN1ITKjXjBcMBoGA1UdEQQTMBGCCWxv
Y2FsaG9zdIcEfwAAATAdBgNVHQ4EFgQUEfBNlRolw9x/ZxnjJG6lKgs8SCgwHwYD
VR0jBBgwFoAUMp6AuHU/O2hdyOjeWR1ZDw2oqo0wCgYIKoZIzj0EAwIDSAAwRQIh
AP2R51QkMSQdWvDu3tClIsKAxcjt8sP9Ki3T2J4ml27lAiB+3eGp+Gmb5NqtBnfB
luwjaYR0Fu2Nh6T5XK4O1bIwjg==
-----END CERTIFICATE-----
`

const privateKey = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgj/unXmjNrB5FoOXg
aaR3dhvFW5szYpVYrIWLnWyMpgGhRANCAAQiEFMpCbb1iufcSVFAqj07WMty+0ul
AukNVqSatobyvUc/hoa9u8XB6wxrwL3tEO7vb5FlcE6SE7gSH7lTdSEy
-----END PRIVATE KEY-----
`

export interface TlsFiles {
  /** Of the authority. */
  readonly ca: string
  readonly cert: string
  readonly key: string
}

/** Writes the files into a folder. */
export function writeTlsFiles(dir: string): TlsFiles {
  const files = { ca: join(dir, 'ca.pem'), cert: join(dir, 'server.pem'), key: join(dir, 'server.key') }
  writeFileSync(files.ca, authority)
  writeFileSync(files.cert, certificate)
  writeFileSync(files.key, privateKey)
  return files
}
