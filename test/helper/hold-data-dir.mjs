// Opens the embedded store in the folder given and holds it until killed.
import { openEmbeddedStore } from '../../dist/store/embedded/index.js'

openEmbeddedStore(process.argv[2], Date.now)
process.send('open')
process.on('message', () => {})
