/** Countersign as a library: compose a gateway inside another program. `countersign/client` is the client's side. */
export { type App, type AppOptions, buildApp } from './app.js'
export { type Config, ConfigError, loadConfig } from './config/load.js'
export { openStore } from './store/open.js'
export { DataDirInUse, type Store, StoreUnavailable } from './store/store.js'
