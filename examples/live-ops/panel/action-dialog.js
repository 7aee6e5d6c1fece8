import { CommandLog } from './command-log.js'
import { byId } from './elements.js'
import { resultText } from './outcomes.js'

/** The dialog that asks before a command, and shows what became of it. */

const closeAfterMs = 1200

/**
 * @param options.title    what will happen
 * @param options.label    of the text field
 * @param options.text     its text at the start
 * @param options.button   label of the button
 * @param options.isGrave  it cannot be undone by another command
 * @param options.give     called with a key and the text; returns the command once it has an outcome
 */
export function openDialog({ title, label, text = '', button, isGrave = false, give }) {
  const dialog = byId('action')
  const [form, fields, field, submit] = ['action-form', 'action-fields', 'action-text', 'action-submit'].map(byId)
  const outcome = byId('action-outcome')
  // Made once for this dialog: however often it is submitted, it is one command.
  const key = CommandLog.newKey()
  byId('action-title').textContent = title
  byId('action-label').textContent = label
  Object.assign(field, { value: text })
  Object.assign(submit, { textContent: button, hidden: false })
  submit.classList.toggle('grave', isGrave)
  Object.assign(outcome, { textContent: '' })
  outcome.dataset.state = ''
  byId('action-cancel').textContent = 'Cancel'
  fields.disabled = false
  form.onsubmit = async event => {
    event.preventDefault()
    const given = field.value.trim()
    if (given === '') return
    fields.disabled = true
    outcome.textContent = 'Sent. Waiting for the server …'
    const { method, targets } = await give(key, given)
    const [target] = targets
    if (dialog.dataset.key !== key) return
    submit.hidden = true
    byId('action-cancel').textContent = 'Close'
    outcome.dataset.state = target.state
    outcome.textContent =
      target.state === 'done'
        ? `${resultText(method, target.result)}, in ${Math.round(target.ms)} ms`
        : `${target.text} (${target.code})`
    if (target.state === 'done') setTimeout(() => dialog.dataset.key === key && dialog.close(), closeAfterMs)
  }
  dialog.dataset.key = key
  dialog.onclose = () => {
    dialog.dataset.key = ''
  }
  byId('action-cancel').onclick = () => dialog.close()
  if (!dialog.open) dialog.showModal()
  field.select()
}
