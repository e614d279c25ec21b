const browsers: readonly (readonly [string, RegExp])[] = [
  ['Edge', /\bEdgA?\/(\d+)/],
  ['Opera', /\bOPR\/(\d+)/],
  ['Samsung Internet', /\bSamsungBrowser\/(\d+)/],
  ['Firefox', /\b(?:Firefox|FxiOS)\/(\d+)/],
  ['Chrome', /\b(?:Headless)?(?:Chrome|CriOS)\/(\d+)/],
  ['Safari', /\bVersion\/(\d+)\S* (?:Mobile\/\S+ )?Safari\//],
]

const systems: readonly (readonly [string, RegExp])[] = [
  ['Android', /\bAndroid\b/],
  ['iOS', /\b(?:iPhone|iPad)\b/],
  ['Windows', /\bWindows\b/],
  ['macOS', /\bMac OS X\b/],
  ['ChromeOS', /\bCrOS\b/],
  ['Linux', /\bLinux\b/],
]

/** A browser by its name, from its User-Agent; of others, what stands first. */
export function agentWords(agent: string): string {
  for (const [name, pattern] of browsers) {
    const found = pattern.exec(agent)
    if (!found) continue
    const system = systems.find(([, pattern]) => pattern.test(agent))
    return `${name} ${found[1]}${system ? ` on ${system[0]}` : ''}`
  }
  const [first = ''] = agent.split(' ')
  return first.length > 40 ? `${first.slice(0, 39)}…` : first
}
