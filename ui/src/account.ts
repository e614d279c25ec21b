import { byId } from './dom'
import { signOut, whoAmI } from './people'
import { Refusal } from './request'

const box = byId('account', HTMLElement)
const who = byId('account-name', HTMLElement)
const enter = byId('account-enter', HTMLAnchorElement)
const leave = byId('account-leave', HTMLButtonElement)

/** Keeps the header true: who is signed in, with a way out, or a way in. */
export function showAccount(): void {
  leave.addEventListener('click', () => {
    signOut().then(
      () => {
        guest()
        enter.focus()
        byId('toast', HTMLElement).textContent = 'You are signed out.'
      },
      (cause: unknown) => {
        byId('toast', HTMLElement).textContent = cause instanceof Error ? cause.message : ''
        if (cause instanceof Refusal && cause.status === 401) guest()
      },
    )
  })
  // A page out of the browser's memory may be older than the last sign-out.
  window.addEventListener('pageshow', event => {
    if (event.persisted) void look()
  })
  void look()
}

async function look(): Promise<void> {
  const user = await whoAmI().catch(() => undefined)
  if (user === undefined) {
    guest()
    return
  }
  who.textContent = user.name || user.email
  who.title = user.email
  who.hidden = leave.hidden = false
  enter.hidden = true
  box.classList.remove('unsettled')
}

function guest(): void {
  who.hidden = leave.hidden = true
  enter.hidden = false
  box.classList.remove('unsettled')
}
