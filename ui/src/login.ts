import { destination } from './destination'
import { byId } from './dom'
import { emailFault, Form } from './form'
import { signIn, signOut, type User, whoAmI } from './people'
import { Refusal } from './request'

const guest = byId('guest', HTMLElement)
const known = byId('known', HTMLElement)
const toast = byId('toast', HTMLElement)
const form = new Form('sign-in', ['email', 'password'])

/** How long the form stays out of sight for the answer who is signed in. */
const patience = 600

form.onSubmit(
  values => {
    const faults: Record<string, string> = {}
    const email = emailFault(values('email'))
    if (email !== undefined) faults['email'] = email
    if (values('password') === '') faults['password'] = 'Type your password.'
    return faults
  },
  async values => {
    try {
      await signIn(values('email').trim(), values('password'))
      location.replace(destination(new URL(location.href)))
    } catch (cause) {
      refused(cause)
    }
  },
)

function refused(cause: unknown): void {
  if (!(cause instanceof Refusal)) throw cause
  form.refused(cause)
  if (cause.status === 401) {
    form.say('Wrong email address or password.')
    form.focus('password')
  }
}

function showGuest(): void {
  known.hidden = true
  guest.hidden = false
  guest.classList.remove('unsettled')
  // On a phone the keyboard would cover what the page is about.
  const nothingTyped = document.activeElement === document.body
  if (nothingTyped && matchMedia('(pointer: fine)').matches) form.focus('email')
}

function showKnown(user: User): void {
  byId('known-name', HTMLElement).textContent = user.name || user.email
  byId('known-email', HTMLElement).textContent = user.name === '' ? '' : user.email
  byId('known-roles', HTMLElement).textContent = user.roles.join(', ')
  byId('go-on', HTMLAnchorElement).href = destination(new URL(location.href))
  guest.hidden = true
  known.hidden = false
}

byId('sign-out', HTMLButtonElement).addEventListener('click', () => {
  const outcome = byId('known-outcome', HTMLElement)
  outcome.textContent = ''
  signOut().then(
    () => {
      form.clear('password')
      showGuest()
      form.focus('email')
      toast.textContent = 'You are signed out.'
    },
    (cause: unknown) => {
      outcome.textContent = cause instanceof Error ? cause.message : String(cause)
    },
  )
})

async function open(): Promise<void> {
  const timer = window.setTimeout(showGuest, patience)
  // The form says what is wrong when it is used; a page that only shows itself
  // need not.
  const user = await whoAmI().catch(() => undefined)
  window.clearTimeout(timer)
  if (user === undefined) showGuest()
  else showKnown(user)
}

window.addEventListener('pageshow', event => {
  if (event.persisted) void open()
})
void open()
