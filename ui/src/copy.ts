import { byId, make } from './dom'

/** A button that copies the text that it is asked for at the click. */
export function copyButton(label: string, text: () => string): HTMLButtonElement {
  const button = make('button', { type: 'button', class: 'copy', 'aria-label': label }, 'Copy')
  button.addEventListener('click', () => {
    void copy(text()).then(done => {
      button.textContent = done ? 'Copied' : 'Select and copy'
      byId('toast', HTMLElement).textContent = done
        ? 'Copied to the clipboard.'
        : 'The browser did not allow copying.'
      window.setTimeout(() => {
        button.textContent = 'Copy'
        byId('toast', HTMLElement).textContent = ''
      }, 1600)
    })
  })
  return button
}

async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    return copyBySelection(text)
  }
}

/** For pages on plain http from another machine, where there is no clipboard. */
function copyBySelection(text: string): boolean {
  const area = make('textarea', { class: 'offscreen', readonly: '', 'aria-hidden': 'true' })
  area.value = text
  const focused = document.activeElement
  document.body.append(area)
  area.select()
  const done = document.execCommand('copy')
  area.remove()
  if (focused instanceof HTMLElement) focused.focus()
  return done
}
