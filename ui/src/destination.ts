/**
 * The address to go on to after signing in: the path that ?to= names, if it is
 * one of this host, and the start page otherwise. Browsers read a backslash as a
 * slash and leave out tabs and line breaks, so those are refused too; what is
 * given back is a whole address of this host in any case.
 */
export function destination(here: URL): string {
  const home = new URL('./', here).href
  const to = here.searchParams.get('to')
  if (to === null || !/^\/(?!\/)[^\\\p{Cc}]*$/u.test(to)) return home
  let there: URL
  try {
    there = new URL(to, here.origin)
  } catch {
    return home
  }
  if (there.origin !== here.origin) return home
  return there.pathname === here.pathname ? home : there.href
}
