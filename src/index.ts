/** Countersign as a library: runs a gateway inside another program. The client SDK is `countersign/client`. */
export { type App, type AppOptions, buildApp } from './app.js'
export { type Config, ConfigError, loadConfig } from './config/load.js'
export { openStore } from './store/open.js'
export { DataDirInUse, type Store, StoreUnavailable } from './store/store.js'
