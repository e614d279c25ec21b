/** Reports whether a click asks the browser for a new tab or window. */
export function opensElsewhere(event: {
  metaKey: boolean
  ctrlKey: boolean
  shiftKey: boolean
  altKey: boolean
}): boolean {
  return event.metaKey || event.ctrlKey || event.shiftKey || event.altKey
}
