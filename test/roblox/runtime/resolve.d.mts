export function resolveRequire(from: string, path: string): string
