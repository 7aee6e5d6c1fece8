declare module 'fs-native-extensions' {
  /** Whether an exclusive lock on the open file was granted. It ends with the process, or when the file is closed. */
  export function tryLock(fd: number): boolean
}
