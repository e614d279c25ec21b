import { byId } from './dom'
import { emailFault, Form } from './form'
import { setUp } from './people'
import { Refusal } from './request'

/** The shortest password that the server takes. */
const shortest = 8

const token = new URL(location.href).searchParams.get('token') ?? ''
const form = new Form('setup', ['name', 'email', 'password'])

form.onSubmit(
  values => {
    const faults: Record<string, string> = {}
    if (values('name').trim() === '') faults['name'] = 'Type your name.'
    const email = emailFault(values('email'))
    if (email !== undefined) faults['email'] = email
    const characters = [...values('password')].length
    if (characters < shortest) {
      faults['password'] =
        characters === 0
          ? 'Choose a password.'
          : `This password has ${characters} characters; ${shortest} are the least.`
    }
    return faults
  },
  async values => {
    try {
      await setUp({
        token,
        name: values('name').trim(),
        email: values('email').trim(),
        password: values('password'),
      })
      // The link is not left behind in the browser's history.
      location.replace(new URL('./', location.href).href)
    } catch (cause) {
      if (!(cause instanceof Refusal)) throw cause
      if (cause.status === 403 || cause.status === 404) spent()
      else form.refused(cause)
    }
  },
)

function spent(why = 'It works once, for an hour, while there is no administrator.'): void {
  byId('spent-why', HTMLElement).textContent = why
  byId('ask', HTMLElement).hidden = true
  byId('spent', HTMLElement).hidden = false
  byId('spent-title', HTMLElement).focus()
}

if (token === '') {
  spent('Its end is missing: open the whole link that the server printed when it started.')
} else if (matchMedia('(pointer: fine)').matches) {
  form.focus('name')
}
