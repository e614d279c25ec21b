import { ask, bodyOf, isRecord, knowsToken, post, refusalOf } from './request'

/** Who is signed in, as GET /api/user tells it. */
export interface User {
  readonly id: string
  readonly name: string
  readonly email: string
  readonly roles: readonly string[]
}

/**
 * Tells who is signed in, undefined for nobody. A browser without the token's
 * cookie has no session either, so nothing is asked then. Throws a Refusal.
 */
export async function whoAmI(): Promise<User | undefined> {
  if (!knowsToken()) return undefined
  const response = await ask('api/user', {})
  if (response.status === 401) return undefined
  if (!response.ok) throw await refusalOf(response)
  return userOf(await bodyOf(response))
}

/** Signs in. Throws a Refusal. */
export async function signIn(email: string, password: string): Promise<User> {
  return userOf((await post('login', { email, password }))['user'])
}

/** Signs out. Throws a Refusal. */
export async function signOut(): Promise<void> {
  await post('logout', {})
}

/** What the first administrator types at the set-up link. */
export interface FirstAdmin {
  readonly token: string
  readonly name: string
  readonly email: string
  readonly password: string
}

/** Makes the first administrator and signs in as them. Throws a Refusal. */
export async function setUp(admin: FirstAdmin): Promise<User> {
  return userOf((await post('setup', admin))['user'])
}

function userOf(value: unknown): User {
  const raw = isRecord(value) ? value : {}
  const text = (name: string) => (typeof raw[name] === 'string' ? raw[name] : '')
  const roles: unknown = raw['roles']
  return {
    id: text('id'),
    name: text('name'),
    email: text('email'),
    roles: Array.isArray(roles) ? roles.filter(role => typeof role === 'string') : [],
  }
}
