import { byId, make } from './dom'
import type { Subscription } from './live'

/** What the visitor can do with a channel of the list. */
export interface Actions {
  /** Aims the snippets at it. */
  pick(name: string): void
  unsubscribe(name: string): void
}

/** Paints the list of channels; picked is the one that the snippets name. */
export function paintChannels(
  list: readonly Subscription[],
  picked: string,
  actions: Actions,
): void {
  const place = byId('channels', HTMLUListElement)
  const focused = document.activeElement?.id
  place.replaceChildren(...list.map(subscription => chip(subscription, picked, actions)))
  if (focused) document.getElementById(focused)?.focus()
}

function chip(subscription: Subscription, picked: string, actions: Actions): HTMLLIElement {
  const { name, state } = subscription
  const pick = make(
    'button',
    {
      type: 'button',
      class: 'pick',
      id: `pick-${name}`,
      'aria-pressed': String(name === picked),
      title: 'Use this channel in the snippets',
    },
    name,
  )
  pick.addEventListener('click', () => actions.pick(name))
  const leave = make(
    'button',
    {
      type: 'button',
      class: 'leave',
      id: `leave-${name}`,
      'aria-label': `Unsubscribe from ${name}`,
    },
    'Unsubscribe',
  )
  leave.addEventListener('click', () => {
    actions.unsubscribe(name)
    byId('channel', HTMLInputElement).focus()
  })
  return make(
    'li',
    { class: 'chip', 'data-state': state },
    pick,
    make('span', { class: 'chip-state' }, describe(subscription)),
    leave,
  )
}

function describe({ name, state, reason, count }: Subscription): string {
  if (state === 'refused') return `Refused: ${reason ?? 'no reason given'}`
  if (state === 'waiting') return 'Waiting'
  if (count === undefined) return 'Subscribed'
  const who = name.startsWith('presence-') ? ['member', 'members'] : ['subscriber', 'subscribers']
  return `Subscribed, ${count} ${count === 1 ? who[0] : who[1]}`
}
