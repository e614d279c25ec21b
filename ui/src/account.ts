import { byId } from './dom'
import { signOut, type User, whoAmI } from './people'
import { Refusal } from './request'

const box = byId('account', HTMLElement)
const who = byId('account-name', HTMLElement)
const enter = byId('account-enter', HTMLAnchorElement)
const bell = byId('account-bell', HTMLElement)
const leave = byId('account-leave', HTMLButtonElement)

/** Keeps the header true: who is signed in, with a way out, or a way in. */
export function showAccount(): void {
  leave.addEventListener('click', () => {
    leaving().then(
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
  ring(user)
  who.textContent = user.name || user.email
  who.title = user.email
  who.hidden = leave.hidden = false
  enter.hidden = true
  box.classList.remove('unsettled')
}

/** Signs out, once nothing is pushed to this browser any more. */
async function leaving(): Promise<void> {
  await import('./app/push').then(({ endPush }) => endPush()).catch(() => {})
  await signOut()
}

/** Whose bell is there, and what takes it away. */
let bellOf = ''
let takeAway: Promise<() => void> | undefined

/** Loads the bell, which only those who are signed in need. */
function ring(user: User): void {
  if (user.id === bellOf) return
  silence()
  bellOf = user.id
  takeAway = import('./app/island').then(({ mountBell }) => mountBell(bell, user))
  // The page does without it.
  takeAway.catch(() => {
    bellOf = ''
  })
}

function silence(): void {
  bellOf = ''
  takeAway?.then(end => end()).catch(() => {})
  takeAway = undefined
}

function guest(): void {
  silence()
  who.hidden = leave.hidden = true
  enter.hidden = false
  box.classList.remove('unsettled')
}
