/** What a channel's prefix asks of a subscriber (CH-01). */
export type Kind = 'public' | 'private' | 'presence' | 'encrypted'

/** Tells the kind of a channel by its prefix. */
export function kindOf(name: string): Kind {
  if (name.startsWith('private-encrypted-')) return 'encrypted'
  if (name.startsWith('private-')) return 'private'
  if (name.startsWith('presence-')) return 'presence'
  return 'public'
}

/**
 * Says in a sentence why the page cannot subscribe to a channel, or gives
 * undefined when it can. canSign: the app's secret is known here.
 */
export function whyNot(name: string, canSign: boolean): string | undefined {
  if (name === '') return 'Type the name of a channel, for example my-channel.'
  if (name.startsWith('#')) {
    return 'Names with # belong to signed-in users; a client joins them by signing in.'
  }
  const bad = name.match(/[^A-Za-z0-9_\-=@,.;]/u)
  if (bad) {
    const shown = bad[0] === ' ' ? 'a space' : `“${bad[0]}”`
    return `A channel name cannot hold ${shown}. Letters, digits and _ - = @ , . ; are allowed.`
  }
  if (name.length > 200) return `This name has ${name.length} characters; 200 is the most.`
  switch (kindOf(name)) {
    case 'public':
      return undefined
    case 'encrypted':
      return 'Encrypted channels can be read only with the key that your own application holds, so this page cannot show them. Try a private- channel.'
    case 'private':
    case 'presence':
      return canSign
        ? undefined
        : `A ${kindOf(name)} channel needs your application’s yes: its auth endpoint signs each subscription with the app’s secret, which this page has not got. Try a name without the prefix.`
  }
}
