import type { CSSProperties, ReactNode } from 'react'

const shapes: Record<string, string> = {
  system: 'M12 11v5.5M12 7.5v.01M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z',
  announcement: 'M4 10v4h3l8 4.5V5.5L7 10zM7 14v5h3v-3.3M18.5 9.5a4 4 0 0 1 0 5',
  alert: 'M12 4 2.8 19.5h18.4zM12 10v4.5M12 17v.01',
  reminder: 'M12 7.5V12l3 2M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z',
}

/**
 * The sign of a notification: what its sender chose when that is a pictograph,
 * else that of its type. Its colour is the sender's too. Nobody needs to see it.
 */
export function TypeIcon(props: { type: string; icon: string; color: string }): ReactNode {
  const { type, icon, color } = props
  const style = color === '' ? undefined : ({ '--own': color } as CSSProperties)
  return (
    <span className="n-icon" data-type={type} style={style} aria-hidden="true">
      {isPictograph(icon) ? (
        icon
      ) : (
        <svg viewBox="0 0 24 24" aria-hidden="true" focusable="false">
          <path d={shapes[type] ?? shapes['system']} />
        </svg>
      )}
    </span>
  )
}

/** Whether a text is one or two pictographs and nothing else. */
function isPictograph(text: string): boolean {
  return text.length <= 16 && /^(\p{Extended_Pictographic}[\u{fe0f}\u{200d}]*){1,4}$/u.test(text)
}
