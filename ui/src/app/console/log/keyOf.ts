import type { Entry } from '../model'

/** What tells an entry from others, as far as that can be told. */
export function keyOf({ at, what, id, channel, socket_id, address }: Entry): string {
  return [at, what, id, channel, socket_id, address].join(' ')
}
