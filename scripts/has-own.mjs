// Injected into the browser bundle in place of `Object.hasOwn`, which Safari 15.0 lacks.
const own = Object.prototype.hasOwnProperty

export const hasOwnForOldBrowsers = (object, name) => own.call(object, name)
