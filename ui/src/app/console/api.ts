import { get, request } from '../../request'

/** The path of the console's API, below the pages' own. */
export const path = 'console/api/'

/** Parameters of a question; those that are "" are left out. */
export type Params = Readonly<Record<string, string>>

/** An address of the API with parameters. */
export function withParams(name: string, params: Params = {}): string {
  const query = new URLSearchParams()
  for (const [key, value] of Object.entries(params)) if (value !== '') query.set(key, value)
  const text = query.toString()
  return path + name + (text === '' ? '' : `?${text}`)
}

/** Reads what the server answers. Throws a Refusal. */
export async function read<T>(name: string, params?: Params, signal?: AbortSignal): Promise<T> {
  return (await get(withParams(name, params), signal)) as T
}

/** Changes something. Throws a Refusal. */
export async function act<T = Record<string, unknown>>(
  method: 'POST' | 'DELETE',
  name: string,
  body?: object,
): Promise<T> {
  return (await request(method, path + name, body)) as T
}

/** A name as a part of an address. */
export const part = encodeURIComponent
