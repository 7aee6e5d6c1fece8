import { createSecureContext } from 'node:tls'
import { pipeWaitMs, readBoundedFile } from './read-file.js'

/** More than any certificate chain. */
const certificateBytes = 1024 * 1024

/** A certificate chain and its key, each as PEM text. */
export interface Certificate {
  readonly cert: string
  readonly key: string
}

/** The files of a {@link Certificate}. */
export interface CertificateFiles {
  readonly certFile: string
  readonly keyFile: string
  /** Their content, if another process has read them. */
  readonly content?: Certificate
}

function read(file: string, waitMs: number): string {
  try {
    return readBoundedFile(file, certificateBytes, waitMs).toString('latin1')
  } catch (error) {
    // The system's own message names the file.
    if (!(error instanceof Error) || 'code' in error) throw error
    throw Object.assign(new Error(`${file} ${error.message}`), { code: 'EUNREAD', syscall: 'read' })
  }
}

/**
 * @param waitMs  longest wait for each file that is a pipe, in milliseconds
 * @throws Error if a file cannot be read, or they do not hold a certificate and its key
 */
export function readCertificate({ certFile, keyFile }: CertificateFiles, waitMs: number = pipeWaitMs): Certificate {
  const certificate = { cert: read(certFile, waitMs), key: read(keyFile, waitMs) }
  createSecureContext(certificate)
  return certificate
}
